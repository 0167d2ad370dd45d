"""Gaussians in the plane, and players of multilayer perceptrons that play any recipe's game on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor, nn

from gansmith.batch import Batch
from gansmith.game import Played
from gansmith.recipes.base import Context, Networks
from gansmith.spec import Spec

ROWS = 50_000
GOOD = 3.0  # standard deviations within which a sample belongs to a mode


@dataclass(frozen=True, kw_only=True)
class PlaneSpec(Spec):
    """Points in the plane, as pictures of one pixel and two channels: `x` (b 2 1 1)."""

    kind: ClassVar[str] = "plane"

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {"x": (-4.0, 4.0)}

    def request(self, n: int, *, label: str | None = None, start: int = 0) -> Batch:
        return Batch(index=torch.arange(start, start + n))

    def decode(self, batch: Batch) -> list[Any]:
        points: list[Any] = batch["x"].flatten(1).tolist()
        return points

    def write(self, batch: Batch, folder: Path, *, start: int = 0) -> list[Path]:
        raise NotImplementedError("points are not written to files")

    def preview(self, batch: Batch, columns: int | None = None) -> Image.Image:
        picture = torch.zeros(128, 128, dtype=torch.uint8)
        at = ((batch["x"].detach().flatten(1) + 2) / 4 * 127).long().clamp(0, 127)
        picture[at[:, 1], at[:, 0]] = 255
        return Image.fromarray(picture.numpy())


class Modes:
    """A mixture of Gaussians of equal weight, in units of the standard deviation that the centres have along an axis.

    Both sets are then equally wide, so that one weight of a penalty on D's gradient suits both.

    Args:
        name: `ring`, 8 on a circle of radius 2 (std 0.02), or `grid`, 5 x 5 from -4 to 4 (std 0.05).
        seed: of the rows.
    """

    def __init__(self, name: str, seed: int = 0) -> None:
        if name == "ring":
            angle = torch.arange(8) * (torch.pi / 4)
            centres, std = 2 * torch.stack((angle.cos(), angle.sin()), 1), 0.02
        else:
            along = torch.linspace(-4, 4, 5)
            centres, std = torch.cartesian_prod(along, along), 0.05
        unit = float(centres.std(correction=0))
        self.centres, self.std = centres / unit, std / unit
        random = torch.Generator().manual_seed(seed)
        which = torch.randint(len(self.centres), (ROWS,), generator=random)
        self.x = (self.centres[which] + self.std * torch.randn(ROWS, 2, generator=random))[..., None, None]
        self.spec, self.fingerprint = PlaneSpec(), f"{name}-{seed}"

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        return Batch(x=self.x[rows], index=rows).to(device)

    def notes(self) -> list[str]:
        return [f"{len(self.centres)} Gaussians"]

    def score(self, x: Tensor) -> dict[str, float]:
        """Of samples (n 2 1 1): modes with at least a fifth of their fair share, and the share of samples near one."""
        distance, nearest = torch.cdist(x.flatten(1), self.centres).min(1)
        good = distance < GOOD * self.std
        counts = torch.bincount(nearest[good], minlength=len(self.centres))
        least = 0.2 * len(x) / len(self.centres)
        return {"modes": float((counts >= least).sum()), "good": float(good.float().mean())}


@dataclass(frozen=True, kw_only=True)
class Perceptrons(Played):
    """Players of three hidden layers each.

    Args:
        latent: length of z, standard normal; as many numbers as a point has.
        width: of hidden layers.
        octaves: D is told the coordinates, and their sines and cosines at wavelengths of 4, 2, 1, ... so many: a plain
            perceptron learns what is narrow last (Tancik 2020, arXiv:2006.10739).
    """

    makes: ClassVar[str] = "plane"
    latent: int = 2
    width: int = 128
    octaves: int = 3

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b 2 1 1). D: (b 2 1 1) -> (b,)."""
        return self.game.prepare(Networks({"G": Maker(self.latent, self.width), "D": Critic(self.width, self.octaves)}))

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x)
        return logits

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        return Batch(x=self.fake(nets, request, ctx))


def hidden(inputs: int, width: int) -> list[nn.Module]:
    """Three layers whose outputs are as large as their inputs (He 2015, arXiv:1502.01852)."""
    layers: list[nn.Module] = []
    for i in range(3):
        linear = nn.Linear(inputs if i == 0 else width, width)
        nn.init.kaiming_normal_(linear.weight, a=0.2)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LeakyReLU(0.2)]
    return layers


class Maker(nn.Module):
    def __init__(self, latent: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*hidden(latent, width), nn.Linear(width, 2), nn.Unflatten(1, (2, 1, 1)))

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.layers(z)
        return x


class Critic(nn.Module):
    def __init__(self, width: int, octaves: int) -> None:
        super().__init__()
        self.register_buffer("angular", torch.pi / 2 * 2.0 ** torch.arange(octaves), persistent=False)
        self.layers = nn.Sequential(*hidden(2 + 4 * octaves, width))
        self.head = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        angles = (x[:, :, None] * self.angular).flatten(1)
        logits: Tensor = self.head(self.layers(torch.cat((x, angles.sin(), angles.cos()), 1))).flatten()
        return logits
