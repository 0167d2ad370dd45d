"""The projected discriminator (Sauer et al. 2021, arXiv:2111.01007): small judges of a frozen network's features.

Maps P(x) of four scales -> fixed random filters across channels and scales -> a judge for each scale.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ...errors import GansmithError
from ..features.maps import GivesMaps, looks
from ..frozen import Frozen, is_meta


class Through(nn.Module):
    """The maps that an extractor gives."""

    def __init__(self, extractor: GivesMaps) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.extractor.maps(x)


class Eyes(nn.Module):
    """Pictures as a frozen network sees them; its weights are no part of this module (see `Frozen`).

    Args:
        extractor: on the CPU.
        size, channels: of a picture.
        pictures: how many are judged together.

    Attributes:
        widths: maps of each scale, finest first.
    """

    def __init__(self, extractor: GivesMaps, size: int, channels: int, pictures: int = 1) -> None:
        super().__init__()
        one = looks(channels, extractor.channels)
        self.taken = [p * channels + c for p in range(pictures) for look in one for c in look]
        self.looks = pictures * len(one)
        with torch.device("cpu"), torch.no_grad():
            self.frozen = Frozen(lambda: Through(extractor), extractor.digest, f"the extractor {extractor.name}")
            maps = self(torch.zeros(1, pictures * channels, size, size))
        self.widths = [x.shape[1] for x in maps]
        if is_meta():
            self.to("meta")

    def forward(self, x: Float[Tensor, "b c h w"]) -> list[Tensor]:
        """Of pictures in [-1, 1]."""
        seen = (x[:, self.taken].unflatten(1, (self.looks, -1)).flatten(0, 1) + 1) / 2
        maps: list[Tensor] = self.frozen(seen)
        return [x.unflatten(0, (-1, self.looks)).flatten(1, 2) for x in maps]


class Mixing(nn.Module):
    """Maps mixed across channels, each scale alone, and across scales, from the coarsest on (section 3.2).

        h_l = A_l * m_l + up(y_l+1)       y_l = B_l * h_l       A_l: 1x1 filters, B_l: 3x3; up is bilinear

    The filters are random and stay as they are: normal, of variance 1 / fan-in, as no rectifier follows (He 2015,
    arXiv:1502.01852).

    Args:
        inputs: maps of each scale, finest first.
        width: of h at the finest scale, doubled at each coarser one.

    Attributes:
        widths: of y.
    """

    def __init__(self, inputs: Sequence[int], width: int) -> None:
        super().__init__()
        self.widths = [width << max(i - 1, 0) for i in range(len(inputs))]
        for i, (given, gives) in enumerate(zip(inputs, self.widths, strict=True)):
            self.register_buffer(f"across{i}", _random(width << i, given, 1))
            self.register_buffer(f"between{i}", _random(gives, width << i, 3))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        found: list[Tensor] = []
        for i in reversed(range(len(maps))):
            h = F.conv2d(maps[i], self.get_buffer(f"across{i}"))
            if found:
                h = h + F.interpolate(found[-1], size=h.shape[-2:], mode="bilinear")
            found.append(F.conv2d(h, self.get_buffer(f"between{i}"), padding=1))
        return found[::-1]


def _random(outputs: int, inputs: int, kernel: int) -> Tensor:
    return torch.randn(outputs, inputs, kernel, kernel) / math.sqrt(inputs * kernel**2)


def judge(inputs: int, widths: Sequence[int]) -> nn.Sequential:
    """Halvings to these widths (4x4 filters, batch normalisation, leaky ReLU), and a logit for each place left."""
    layers: list[nn.Module] = []
    for a, b in pairwise([inputs, *widths]):
        layers += [nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.LeakyReLU(0.2, inplace=True)]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 1, bias=False))


class ProjectedDiscriminator(nn.Module):
    """Picture -> frozen maps -> mixed -> logits of a judge for each scale, those of the finest first.

    The judge of the coarsest scale halves once, each finer one once more, so that all have as many logits.

    Args:
        eyes: what gives the maps.
        width: see `Mixing`; the judges end with it doubled for each scale but the first.
    """

    def __init__(self, eyes: Eyes, width: int) -> None:
        super().__init__()
        self.eyes, self.mixing = eyes, Mixing(eyes.widths, width)
        n = len(eyes.widths)
        self.judges = nn.ModuleList(
            judge(inputs, [width << j for j in range(i, n)]) for i, inputs in enumerate(self.mixing.widths)
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b logits"]:
        mixed = self.mixing(self.eyes(x))
        return torch.cat([judge(y).flatten(1) for judge, y in zip(self.judges, mixed, strict=True)], 1)


class Blind(nn.Module):
    """Stands for a D whose eyes are not on this machine: G can do without it, but it can be neither asked nor saved.

    Args:
        reason: what is raised then.
    """

    def __init__(self, reason: GansmithError) -> None:
        super().__init__()
        self.reason = reason
        self.nothing = nn.Parameter(torch.zeros(0))

    def forward(self, *given: Any) -> NoReturn:
        raise self.reason

    def state_dict(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises the reason."""
        raise self.reason
