"""Garments of Fashion-MNIST, real and spoilt, and generators of known conduct: what evaluation_pictures.py judges."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.data import ImageSource
from gansmith.metrics.extractors import load_extractor
from gansmith.metrics.probes import Latents

DATA = "bundled:fashion-mnist"
N = 1000  # pictures of each side
SIDE = 32
BAG, SHIRT = 8, 6  # classes
PART = 250


@dataclass(frozen=True)
class Garments:
    """uint8 pictures (n h w 1) and their classes (n,)."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: Tensor | slice) -> Garments:
        return Garments(self.pixels[rows], self.labels[rows])

    def where(self, kept: Tensor) -> Garments:
        """The first N of these."""
        return self.take(kept.nonzero()[:N, 0])

    def changed(self, pixels: Tensor) -> Garments:
        return Garments(pixels, self.labels)

    def parts(self, labels: bool) -> Iterable[Any]:
        rows = torch.arange(len(self)).split(PART)
        return [(self.pixels[r], self.labels[r]) if labels else self.pixels[r] for r in rows]


@cache
def garments() -> Garments:
    """All 10,000, in an order that mixes the classes."""
    source = ImageSource(DATA)
    order = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
    batch = source.batch(order, torch.device("cpu"))
    return Garments(torch.from_numpy(np.array(source.pixels))[order], batch["y"])


def real(n: int = N) -> Garments:
    """The real side."""
    return garments().take(slice(0, n))


def others(n: int = N) -> Garments:
    """Other real pictures: what a perfect generator would make."""
    return garments().take(slice(N, N + n))


def all_others() -> Garments:
    """All that are not on the real side."""
    return garments().take(slice(N, None))


def unseen(n: int = N) -> Garments:
    """Real pictures that are on neither side."""
    return garments().take(slice(2 * N, 2 * N + n))


def blurred(g: Garments, deviation: float = 1.2) -> Garments:
    place = torch.arange(-4, 5).float()
    window = torch.exp(-place.square() / (2 * deviation**2))
    window = (window / window.sum()).view(1, 1, 1, -1)
    x = F.pad(g.pixels.permute(0, 3, 1, 2).float(), (4, 4, 4, 4), mode="replicate")
    x = F.conv2d(F.conv2d(x, window), window.transpose(2, 3))
    return g.changed(x.round().byte().permute(0, 2, 3, 1))


def noisy(g: Garments, deviation: float = 25.0) -> Garments:
    noise = torch.randn(g.pixels.shape, generator=torch.Generator().manual_seed(1)) * deviation
    return g.changed((g.pixels + noise).round().clamp(0, 255).byte())


def static(n: int = N) -> Garments:
    """Noise and nothing else."""
    random = torch.Generator().manual_seed(2)
    pixels = torch.randint(0, 256, (n, SIDE, SIDE, 1), generator=random, dtype=torch.uint8)
    return Garments(pixels, torch.arange(n) % 10)


def without(g: Garments, *classes: int) -> Garments:
    return g.where(~torch.isin(g.labels, torch.tensor(classes)))


def only(g: Garments, *classes: int) -> Garments:
    return g.where(torch.isin(g.labels, torch.tensor(classes)))


def repeated(g: Garments, different: int) -> Garments:
    """The first `different` pictures over and over; ten are one of each class."""
    first = [int((g.labels == c).nonzero()[0, 0]) for c in range(10)] if different == 10 else list(range(different))
    return g.take(torch.tensor(first).repeat(-(-N // different))[:N])


def shifted(g: Garments, by: int = 2) -> Garments:
    return g.changed(g.pixels.roll((by, by), (1, 2)))


def quartered(g: Garments) -> Garments:
    """Upper and lower halves change places, left and right ones as well."""
    return g.changed(g.pixels.roll((SIDE // 2, SIDE // 2), (1, 2)))


def mixed_up(g: Garments) -> Garments:
    """The right pictures under wrong classes: bags are called shirts and shirts bags."""
    labels = g.labels.clone()
    labels[g.labels == BAG], labels[g.labels == SHIRT] = SHIRT, BAG
    return Garments(g.pixels, labels)


def spliced(g: Garments, other: Garments, share: float) -> Garments:
    """So many tenths of one, the rest of the other, mixed."""
    n = min(len(g), len(other))
    first = torch.arange(n) % 10 < 10 * share
    pixels = torch.where(first.view(-1, 1, 1, 1), g.pixels[:n], other.pixels[:n])
    return Garments(pixels, torch.where(first, g.labels[:n], other.labels[:n]))


def spoilt_bags(g: Garments) -> Garments:
    pixels = g.pixels.clone()
    pixels[g.labels == BAG] = blurred(g).pixels[g.labels == BAG]
    return g.changed(pixels)


def typical(n: int = N) -> Garments:
    """The pictures nearest to the middle of their class, by the classifier's features."""
    features, g = load_extractor("fashion")(garments().pixels[N:]).float(), all_others()
    far = torch.empty(len(g))
    for c in range(10):
        own = g.labels == c
        far[own] = (features[own] - features[own].mean(0)).norm(dim=1)
    return g.take(far.argsort()[:n].sort().values)


DIM = 16


@cache
def spread() -> tuple[Tensor, Tensor, Tensor]:
    """Mean picture, the first principal components with their deviations, and the pictures' own coordinates."""
    x = garments().pixels[:N].flatten(1).float() / 127.5 - 1
    mean = x.mean(0)
    u, s, v = torch.linalg.svd(x - mean, full_matrices=False)
    return mean, v[:DIM] * s[:DIM, None] / N**0.5, u[:, :DIM] * N**0.5


def blends() -> Latents:
    """A generator that draws by principal components: nothing in it jumps."""
    mean, directions, _ = spread()
    return Latents(DIM, lambda z: (mean + z @ directions).clamp(-1, 1).view(-1, 1, SIDE, SIDE))


def looks_up() -> Latents:
    """A generator that gives the training picture whose coordinates are nearest: it invents nothing."""
    pixels, places = garments().pixels[:N].permute(0, 3, 1, 2).float() / 127.5 - 1, spread()[2]
    return Latents(DIM, lambda z: pixels[torch.cdist(z, places).argmin(1)])


def constant() -> Latents:
    picture = garments().pixels[:1].permute(0, 3, 1, 2).float() / 127.5 - 1
    return Latents(DIM, lambda z: picture.expand(len(z), -1, -1, -1))


def moving(by: str, sticks: float = 0.0) -> Latents:
    """A generator that moves one of 64 bags: by `bicubic` interpolation, or to the `nearest` pixel.

    Args:
        sticks: strength of a texture that stays where it is.
    """
    pixels = blurred(only(garments(), BAG), 0.8).pixels[:64].permute(0, 3, 1, 2).float() / 255
    texture = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(5))

    def moved(z: Tensor, transform: Tensor) -> Tensor:
        still = pixels[(z[:, 0] * len(pixels)).long()]
        grid = F.affine_grid(torch.linalg.inv(transform)[:, :2], list(still.shape), align_corners=False)
        x = F.grid_sample(still, grid, mode=by, align_corners=False)
        return 2 * x * (1 + sticks * texture) - 1

    def evenly(n: int, dim: int, random: torch.Generator) -> Tensor:
        return torch.rand(n, dim, generator=random)

    return Latents(1, lambda z: moved(z, torch.eye(3).expand(len(z), 3, 3)), evenly, "line", moved)
