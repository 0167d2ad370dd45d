"""ACGAN (Odena, Olah, Shlens 2016, arXiv:1610.09585): D also names the class of what it sees.

    L_D = E[-log s(D(x))] + E[-log(1 - s(D(G(z, y))))] + E[-log P(y | x)] + E[-log P(y | G(z, y))]
    L_G = E[-log s(D(G(z, y)))] + E[-log P(y | G(z, y))]      s = logistic function, P = D's second head

G is told the class, D has to find it. (With the loss `minimax`, L_G is the paper's L_S - L_C to the letter.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..errors import ConfigError, DataError
from ..game import Game, Judged, Played, Solver
from ..nn.backbones.dcgan import doubling
from ..nn.init import dcgan_normal
from ..nn.labels import Label, hot, naming_loss
from ..nn.sizes import picture_spec
from ..schedule import ramped
from ..spec import ImageSpec, Spec
from .base import Context, Networks

# G's channels at 4, 8, ... pixels: those for 32 (CIFAR-10) and 128 (ImageNet) are the paper's
WIDTHS = {16: (384, 192), 32: (384, 192, 96), 64: (768, 384, 256, 192), 128: (768, 384, 256, 192, 64)}
SIZES = tuple(WIDTHS)
FIRST = 384  # what `width` is in the paper


@dataclass(frozen=True, kw_only=True)
class ACGAN(Played):
    """Defaults are the paper's for CIFAR-10 and ImageNet, at a batch of 100.

    Args:
        latent: length of z, standard normal.
        width: G's channels at 4 pixels where the picture has at most 32, by which all others are scaled.
        kernel: side of G's filters.
        d_width: D's channels after its first layer, doubled by each of five more.
        share: weight of the class in both losses.
        game: the paper's dropout is part of it.
    """

    latent: int = 100
    width: int = FIRST
    kernel: int = 5
    d_width: int = 16
    share: float = 1.0
    game: Game = field(default_factory=lambda: Game(dropout=0.5))
    solver: Solver = field(default_factory=lambda: Solver(lr=2e-4, beta1=0.5))

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels -> (b c h w). D: (b c h w) -> (b 1+classes), real or not first."""
        spec = picture_spec(spec, "acgan", SIZES)
        if not spec.labels:
            raise DataError(
                "acgan needs classes, and the data have none.\n"
                "Put each class into a subfolder of its own, or use: --recipe dcgan"
            )
        if self.game.pac > 1:
            raise ConfigError("acgan names the class of each picture: leave out game.pac")
        nets = Networks({"G": Generator(self, spec), "D": Discriminator(self, spec)})
        dcgan_normal(nets)
        return self.game.prepare(nets, spec)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent), batch["y"])
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Judged:
        found = nets.D(x)
        named = naming_loss(found[:, 1:].float(), batch["y"])
        return Judged(found[:, 0], {"class": self.share * named})


class Generator(nn.Module):
    """Latent and label -> 4x4 features -> doublings -> picture in (-1, 1)."""

    def __init__(self, recipe: ACGAN, spec: ImageSpec) -> None:
        super().__init__()
        self.classes = len(spec.labels)
        widths = [max(width * recipe.width // FIRST, 1) for width in WIDTHS[spec.size]]
        self.start = nn.Linear(recipe.latent + self.classes, widths[0] * 16)
        layers: list[nn.Module] = [nn.Unflatten(1, (widths[0], 4, 4)), nn.ReLU(inplace=True)]
        for wide, narrow in pairwise(widths):
            layers += [doubling(wide, narrow, recipe.kernel), nn.BatchNorm2d(narrow), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, doubling(widths[-1], spec.channels, recipe.kernel, bias=True), nn.Tanh())

    def forward(self, z: Float[Tensor, "b latent"], y: Label) -> Float[Tensor, "b c h w"]:
        told = hot(y, self.classes).to(z.dtype)
        x: Tensor = self.layers(self.start(torch.cat((z, told), 1)))
        return x


class Discriminator(nn.Module):
    """Picture -> six convolutions, of which every other one halves -> real or not, and which class."""

    def __init__(self, recipe: ACGAN, spec: ImageSpec) -> None:
        super().__init__()
        widths = [recipe.d_width * 2**i for i in range(6)]
        self.layers = nn.Sequential(*_layers(spec.channels, widths), nn.Flatten())
        features = widths[-1] * (spec.size // 8) ** 2
        self.head, self.named = nn.Linear(features, 1), nn.Linear(features, len(spec.labels))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        features = self.layers(x)
        return torch.cat((self.head(features), self.named(features)), 1)


def _layers(channels: int, widths: Sequence[int]) -> list[nn.Module]:
    """3x3 filters, steps of 2 and 1 in turn; no normalisation after the first."""
    layers: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise([channels, *widths])):
        layers.append(nn.Conv2d(inputs, outputs, 3, stride=2 - i % 2, padding=1, bias=i == 0))
        layers += [nn.BatchNorm2d(outputs)] if i else []
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return layers


def paper(spec: Spec) -> ACGAN:
    """The paper's settings for CIFAR-10 and for ImageNet at 128 pixels."""
    picture_spec(spec, "acgan", SIZES)
    return ACGAN()


def small(spec: Spec) -> ACGAN:
    """For two CPU cores and minutes, at a batch of 64: narrower, 4x4 filters in G, no dropout, an average of G."""
    picture_spec(spec, "acgan", SIZES)
    return ACGAN(
        width=128, kernel=4, d_width=8, game=Game(), solver=Solver(lr=5e-4, beta1=0.5), half_life=ramped(5_000.0)
    )
