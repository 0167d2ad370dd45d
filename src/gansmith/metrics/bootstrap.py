"""How far a figure might have come out otherwise: resampled influences (Efron & Tibshirani 1993; Hampel 1974).

Drawing pictures again and judging them again would take a thousand decompositions, adds the bias of its duplicates to a
Fréchet distance a second time, and breaks nearest neighbours (a duplicate is its own). So the influences are resampled:
the figure of a resample is, to first order, the figure plus their mean. Measured against independent draws
(tests/metrics), the width is right for distances well above their floor and up to twice too wide near it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from .base import Side

RESAMPLES = 1000
BLOCK = 1 << 22  # rows drawn at once
SHARE = (0.0, 1.0)  # bounds of a share


def resampled(
    influences: Mapping[Side, Tensor], counts: Mapping[Side, int], *, resamples: int = RESAMPLES, seed: int = 2020
) -> Tensor:
    """By how much each of the resamples moves the figure, (resamples,) float64.

    Args:
        influences: of the pictures of each side, (m,).
        counts: how many pictures of each side the figure rests on; more than m where only a sample was kept.
        resamples: how many.
        seed: equal seeds draw equal pictures, whatever the influences: that pairs two models on shared reals.
    """
    moved = torch.zeros(resamples, dtype=torch.float64)
    for number, side in enumerate(sorted(influences)):
        values = influences[side].double()
        random = torch.Generator().manual_seed(seed + number)
        shrunk = (len(values) / max(1, counts[side])) ** 0.5  # the mean of n scatters less than that of the m kept
        moved += shrunk * torch.cat([_means(values, part, random) for part in _blocks(resamples, len(values))])
    return moved


def _blocks(resamples: int, n: int) -> list[int]:
    step = max(1, BLOCK // max(1, n))
    return [min(step, resamples - i) for i in range(0, resamples, step)]


def _means(values: Tensor, times: int, random: torch.Generator) -> Tensor:
    drawn = torch.randint(len(values), (times, len(values)), generator=random)
    return values[drawn].mean(1)


def interval(
    value: float, moved: Tensor, bounds: tuple[float, float] | None = None, *, level: float = 0.95, of: int = 0
) -> tuple[float, float]:
    """The interval that holds `level` of the resamples of a figure, cut at the bounds of its range.

    A share of 0 or 1 that no resample moves is not certain for that: where none of n pictures counts, as many as
    1 - (1 - level)^(1/n) of all may (about 3/n, the rule of three: Hanley & Lippman-Hand 1983).

    Args:
        value: of the figure.
        moved: by how much each resample moves it.
        bounds: its least and its largest value; a share has (0, 1).
        level: what the interval is to hold.
        of: pictures that a share is of.
    """
    if of and bounds == SHARE and value in SHARE and not bool(moved.any()):
        room = 1 - (1 - level) ** (1 / of)
        return (0.0, room) if value == 0 else (1 - room, 1.0)
    tail, (least, most) = (1 - level) / 2, bounds or (-math.inf, math.inf)
    low, high = torch.quantile(moved, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return max(least, value + low), min(most, value + high)
