"""Resampling against its definition in float64, value by value; first and second derivatives against differences."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gansmith.nn.resample import BINOMIAL, Downsample2, Resample, Upsample2

UNEVEN = (0.3, -0.2, 0.9, 0.4, 0.1)
CASES = [
    {"size": 4, "taps": BINOMIAL, "up": 2, "pad": (2, 1)},
    {"size": 6, "taps": BINOMIAL, "down": 2, "pad": (1, 1)},
    {"size": 5, "taps": UNEVEN, "pad": (2, 2)},
    {"size": 5, "taps": UNEVEN, "up": 2, "pad": (3, 0)},
    {"size": 6, "taps": UNEVEN, "up": 3, "down": 2, "pad": (0, 6)},
    {"size": 9, "taps": UNEVEN, "down": 2, "pad": (-1, -2)},
    {"size": 6, "taps": UNEVEN, "up": 4, "pad": (-3, -4)},
]


def by_definition(x: Tensor, taps: tuple[float, ...], up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)):
    """Zeros after each pixel, a border (or a crop), sums over the filter, each down-th: plain loops."""
    b, c, n, _ = x.shape
    lo, hi = pad
    side, t = n * up + lo + hi, len(taps)
    wide = torch.zeros(b, c, side, side, dtype=x.dtype)
    for i in range(n):
        for j in range(n):
            at = (i * up + lo, j * up + lo)
            if all(0 <= p < side for p in at):
                wide[:, :, at[0], at[1]] = x[:, :, i, j]
    kernel = torch.tensor(taps, dtype=x.dtype)
    kernel = kernel[:, None] * kernel[None]
    m = (side - t) // down + 1
    out = torch.zeros(b, c, m, m, dtype=x.dtype)
    for i in range(m):
        for j in range(m):
            seen = wide[:, :, i * down : i * down + t, j * down : j * down + t]
            out[:, :, i, j] = (seen * kernel).sum((2, 3))
    return out


@pytest.mark.parametrize("case", CASES, ids=str)
def test_both_ways_are_the_definition(case) -> None:
    torch.manual_seed(0)
    size, rest = case["size"], {name: value for name, value in case.items() if name != "size"}
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    layer, wanted = Resample(size, **rest).double(), by_definition(x, **rest)
    near = {"rtol": 0, "atol": 1e-6}  # of the taps, which were float32 once
    assert layer.size == wanted.shape[-1]
    torch.testing.assert_close(layer(x), wanted, **near)
    torch.testing.assert_close(layer.depthwise(x), wanted, **near)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_derivatives_of_both_ways(case) -> None:
    layer = Resample(**case).double()
    x = torch.randn(1, 2, case["size"], case["size"], dtype=torch.float64, requires_grad=True)
    for way in (layer, layer.depthwise):
        assert torch.autograd.gradcheck(lambda x, way=way: way(x).sin(), x)
        assert torch.autograd.gradgradcheck(lambda x, way=way: way(x).sin(), x)


def test_large_planes_take_the_other_way() -> None:
    layer = Resample(300, BINOMIAL, down=2, pad=(1, 1))
    assert not layer.dense
    x = torch.randn(1, 2, 300, 300)
    y = layer(x)
    assert y.shape == (1, 2, 150, 150)
    torch.testing.assert_close(y[:, :, 1:3, 1:3], by_definition(x[:, :, 1:7, 1:7].double(), BINOMIAL, down=2).float())


def test_twice_and_half_keep_constants_inside() -> None:
    ones = torch.ones(1, 1, 8, 8)
    torch.testing.assert_close(Upsample2(8)(ones)[:, :, 1:-1, 1:-1], torch.ones(1, 1, 14, 14))
    torch.testing.assert_close(Downsample2(8)(ones)[:, :, 1:-1, 1:-1], torch.ones(1, 1, 2, 2))
    torch.testing.assert_close(Downsample2(16).matrix, Upsample2(8).matrix.T / 2)
