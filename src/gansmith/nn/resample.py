"""Twice as large or half as large through the binomial filter [1, 3, 3, 1] = [1, 2, 1] * [1, 1].

[1, 1] is the repetition (or mean) of pixels, [1, 2, 1] the low-pass filter that hides its steps. Beyond the border
are zeros. Written as sums of shifted planes: depthwise convolutions are slow on CPUs, and sums have
derivatives of every order on every device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def upsample2(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Twice the height and width; constant pictures keep their value away from the border."""
    return _stretch(_stretch(x, 2), 3)


def downsample2(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Half the height and width, which must be even; a quarter of the transpose of `upsample2`."""
    return _shrink(_shrink(x, 2), 3)


def _pad(x: Tensor, axis: int) -> Tensor:
    return F.pad(x, (0, 0, 1, 1) if axis == 2 else (1, 1))


def _stretch(x: Tensor, axis: int) -> Tensor:
    n, padded = x.shape[axis], _pad(x, axis)
    centre = 0.75 * x
    even = torch.add(centre, padded.narrow(axis, 0, n), alpha=0.25)
    odd = torch.add(centre, padded.narrow(axis, 2, n), alpha=0.25)
    return torch.stack((even, odd), axis + 1).flatten(axis, axis + 1)


def _shrink(x: Tensor, axis: int) -> Tensor:
    n, pairs = x.shape[axis] // 2, _pad(x, axis).unflatten(axis, (-1, 2))
    # padded pairs (p0 x0) (x1 x2) (x3 p1): output i takes 1 3 from pair i and 3 1 from pair i + 1
    first, second = pairs.select(axis + 1, 0), pairs.select(axis + 1, 1)
    outer = first.narrow(axis, 0, n) + second.narrow(axis, 1, n)
    inner = second.narrow(axis, 0, n) + first.narrow(axis, 1, n)
    return torch.add(0.375 * inner, outer, alpha=0.125)


class Upsample2(nn.Module):
    """`upsample2` as a module."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        return upsample2(x)


class Downsample2(nn.Module):
    """`downsample2` as a module."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
        return downsample2(x)
