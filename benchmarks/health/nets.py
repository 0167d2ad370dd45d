"""Narrow networks, as tutorials write them."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import Data


class Widths(Protocol):
    """What networks ask of a setting."""

    latent: int
    width: int
    conditional: bool
    batch_norm: bool


class Generator(nn.Module):
    """z (b latent), and one-hot classes beside it, to examples (b ...).

    Args:
        layers: (b latent + classes) -> (b ...).
        classes: how many; 0 for a G that is told none.
    """

    def __init__(self, layers: nn.Sequential, classes: int) -> None:
        super().__init__()
        self.layers, self.classes = layers, classes

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        if self.classes and y is not None:
            z = torch.cat((z, F.one_hot(y, self.classes).to(z)), 1)
        x: Tensor = self.layers(z)
        return x


class Discriminator(nn.Module):
    """Examples (b ...) to logits (b,); classes enter by a projection (Miyato & Koyama 2018, arXiv:1802.05637).

    Args:
        body: (b ...) -> (b width).
        width: of the features that the last layer sees.
        classes: how many; 0 for a D that is told none.
    """

    def __init__(self, body: nn.Sequential, width: int, classes: int) -> None:
        super().__init__()
        self.body, self.classes = body, classes
        self.head: nn.Module = nn.Linear(width, 1)
        self.embed = nn.Embedding(classes, width) if classes else None

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        h = self.body(x)
        logits: Tensor = self.head(h).squeeze(1)
        return logits if self.embed is None or y is None else logits + (self.embed(y) * h).sum(1)


def perceptrons(setting: Widths, data: Data) -> tuple[Generator, Discriminator]:
    """Two hidden layers each; G ends in tanh where the data are bounded."""
    n, w, classes = data.held_out[0].numel(), setting.width, data.classes if setting.conditional else 0
    bounded = [nn.Tanh()] if data.bounds else []
    made = [nn.Linear(setting.latent + classes, w), nn.ReLU(), nn.Linear(w, w), nn.ReLU(), nn.Linear(w, n), *bounded]
    body = [nn.Linear(n, w), nn.LeakyReLU(0.2), nn.Linear(w, w), nn.LeakyReLU(0.2)]
    return Generator(nn.Sequential(*made), classes), Discriminator(nn.Sequential(*body), w, classes)


def convolutions(setting: Widths, data: Data) -> tuple[Generator, Discriminator]:
    """DCGAN's (Radford et al. 2015, arXiv:1511.06434) for pictures of 16x16, much narrower."""
    c, w, classes = len(data.held_out[0]), setting.width, data.classes if setting.conditional else 0
    norm = nn.BatchNorm2d if setting.batch_norm else nn.Identity
    made = [nn.Linear(setting.latent + classes, 2 * w * 16), nn.Unflatten(1, (2 * w, 4, 4)), norm(2 * w), nn.ReLU()]
    made += [nn.ConvTranspose2d(2 * w, w, 4, 2, 1), norm(w), nn.ReLU(), nn.ConvTranspose2d(w, c, 4, 2, 1), nn.Tanh()]
    body = [nn.Conv2d(c, w, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(w, 2 * w, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten()]
    return Generator(nn.Sequential(*made), classes), Discriminator(nn.Sequential(*body), 2 * w * 16, classes)


class Point(nn.Module):
    """A G of one parameter vector, its cloud of fixed width around it: the Dirac-GAN of Mescheder 2018
    (arXiv:1801.04406), its point blurred so that distances exist."""

    def __init__(self, start: Tensor, blur: float) -> None:
        super().__init__()
        self.theta, self.blur = nn.Parameter(start.clone()), blur

    def forward(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        return self.theta + self.blur * z


class Slope(nn.Module):
    """D(x) = psi . x."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.psi = nn.Parameter(start.clone())

    def forward(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        return x @ self.psi


def dirac(setting: Widths, data: Data) -> tuple[nn.Module, nn.Module]:
    """Start 1 from the equilibrium in each coordinate of each player: |(theta, psi)| grows by sqrt(1 + h^2) a step."""
    ones = torch.ones(data.x.shape[1]) / data.x.shape[1] ** 0.5
    return Point(ones, data.std), Slope(ones)
