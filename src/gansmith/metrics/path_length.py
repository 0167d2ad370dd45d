"""Perceptual path length (Karras, Laine & Aila 2019, arXiv:1812.04948): how evenly pictures change along the latent.

PPL = E[ d(G(z_t), G(z_(t + eps))) / eps^2 ]        z_t between two latents, d = LPIPS
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..errors import ConfigError, DataError
from ..nn.features.lpips import LPIPS, SHA256, SMALLEST
from .base import Working
from .probes import Latents
from .settings import counts

LARGEST = 256  # pictures are averaged down to this side, as in the paper
PERCENTILES = (0.01, 0.99)  # what lies outside is left out, as in the paper
LEAST = 100

Distance = Callable[[Tensor, Tensor], Tensor]


class PathLength:
    """PPL over random paths; lower is smoother. It says nothing of quality: a constant generator has 0.

    Published figures take LPIPS of VGG16; this one takes AlexNet's, whose values differ, so compare only PPLs of this
    protocol. Everything runs on float32 pictures: rounded to 8 bits, a step of 1e-4 would show nothing but rounding.

    Args:
        samples: paths.
        epsilon: length of the step.
        ends: `full` draws t uniformly from [0, 1), `end` takes t = 0.
        batch: paths at once.
        weights: LPIPS's file or its folder; None searches.
        distance: another distance of two batches (b c h w) in [-1, 1]; None is LPIPS.

    Raises:
        ConfigError: unknown `ends`, fewer than 100 samples (tails are left out), another setting out of range.
    """

    name: ClassVar[str] = "path_length"

    def __init__(
        self,
        *,
        samples: int = 2000,
        epsilon: float = 1e-4,
        ends: str = "full",
        batch: int = 16,
        weights: str | Path | None = None,
        distance: Distance | None = None,
    ) -> None:
        if ends not in ("full", "end"):
            raise ConfigError(f"a path is sampled at `full` (anywhere) or at its `end`, not: {ends}")
        counts(self.name, LEAST, samples=samples)
        counts(self.name, batch=batch)
        if not 0 < epsilon < 1:
            raise ConfigError(f"epsilon of {self.name} is a small step between 0 and 1; not: {epsilon!r}")
        self.samples, self.epsilon, self.ends, self.batch = samples, epsilon, ends, batch
        self.weights, self.distance = weights, distance
        self.working: Working | None = None

    def prepare(self) -> None:
        """Looks whether LPIPS's weights are on this machine.

        Raises:
            DataError: they are absent or damaged.
        """
        if self.distance is None:
            self.distance = LPIPS(self.weights)

    @torch.no_grad()
    def measure(self, latents: Latents, *, seed: int = 0) -> dict[str, float]:
        """`path_length`, and the standard error of the mean as its spread.

        Raises:
            DataError: pictures that are not finite, or LPIPS's weights are absent.
        """
        random, found = torch.Generator().manual_seed(seed), []
        distance = self.distance or LPIPS(self.weights)
        for start in range(0, self.samples, self.batch):
            n = min(self.batch, self.samples - start)
            first, second = self._steps(latents, n, random)
            pictures = [fitted(latents.generate(z)) for z in (first, second)]
            found.append(_moved(distance, *pictures).double().cpu() / self.epsilon**2)
            if self.working is not None:
                self.working("paths", start + n, self.samples)
        kept = without_tails(torch.cat(found))
        return {"path_length": float(kept.mean()), "path_length_std": float(kept.std() / len(kept) ** 0.5)}

    def detail(self) -> str:
        published = self.distance is None or isinstance(self.distance, LPIPS)
        by = f"LPIPS v0.1 AlexNet {SHA256[:12]}" if published else "a distance of your own"
        return f"{self.samples} paths, eps={self.epsilon:g}, {self.ends}, {by}"

    def _steps(self, latents: Latents, n: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """The latents (n dim) at t and at t + eps of n random paths."""
        a, b = (latents.draw(n, latents.dim, random).double() for _ in range(2))
        t = torch.rand(n, 1, generator=random, dtype=torch.float64) * (self.ends == "full")
        between = slerp if latents.way == "sphere" and latents.dim > 1 else straight
        return between(a, b, t).float(), between(a, b, t + self.epsilon).float()


def slerp(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], t: Float[Tensor, "n 1"]) -> Float[Tensor, "n d"]:
    """Along the great circle (Shoemake 1985); between points of unequal length the length changes along with it."""
    cosine = F.cosine_similarity(a, b)[:, None].clamp(-1, 1)
    angle = cosine.arccos()
    return (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()


def straight(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"], t: Float[Tensor, "n 1"]) -> Float[Tensor, "n d"]:
    """Along the line from a (t = 0) to b (t = 1)."""
    return a + (b - a) * t


def without_tails(values: Float[Tensor, " n"]) -> Float[Tensor, " m"]:
    """The values from the 1st to the 99th percentile, borders included."""
    low = values.quantile(PERCENTILES[0], interpolation="lower")
    high = values.quantile(PERCENTILES[1], interpolation="higher")
    return values[(values >= low) & (values <= high)]


def fitted(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c y x"]:
    """Averaged down to 256 pixels, as published, or enlarged to the 64 that LPIPS needs.

    Raises:
        DataError: pictures that are not finite.
    """
    if not bool(x.isfinite().all()):
        raise DataError("the generator made pictures with values that are NaN or infinite")
    side = min(x.shape[-2:])
    if side >= 2 * LARGEST:
        return F.avg_pool2d(x, side // LARGEST)
    if side < SMALLEST:
        return F.interpolate(x, size=(SMALLEST, SMALLEST), mode="bilinear")
    return x


def _moved(distance: Distance, x: Tensor, y: Tensor) -> Tensor:
    if isinstance(distance, LPIPS):
        distance.to(x.device)
    found: Tensor = distance(x, y)
    return found
