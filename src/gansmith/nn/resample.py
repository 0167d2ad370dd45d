"""Resampling of pictures through fixed filters: zeros put in between, a filter, pixels left out.

A filter along both axes is written as a product with a small matrix along each: the second derivatives that R1, R2 and
path length need are then products again, several times quicker on CPUs than those of depthwise convolutions, and
deterministic on GPUs. Planes of more than `DENSE` pixels a side, whose matrices are nearly all zeros, go through
depthwise convolutions instead. Beyond the border are zeros.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BINOMIAL = (0.125, 0.375, 0.375, 0.125)  # [1, 2, 1] * [1, 1]: repetition, and the low-pass that hides its steps
DENSE = 256  # side up to which a product with a full matrix is the quicker way


def fir_matrix(
    n: int, taps: Sequence[float] | Tensor, *, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
) -> Float[Tensor, "m {n}"]:
    """What `Resample` does along one axis of `n` pixels: out_i = sum over k of taps[k up + pad[0] - i down] x_k."""
    taps = torch.as_tensor(taps, dtype=torch.get_default_dtype())
    m = (n * up + sum(pad) - len(taps)) // down + 1
    index = torch.arange(n) * up + pad[0] - torch.arange(m)[:, None] * down
    there = (index >= 0) & (index < len(taps))
    return torch.where(there, taps[index.clamp(0, len(taps) - 1)], torch.zeros(()).to(taps))


def along_both(matrix: Float[Tensor, "m n"], x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
    """`matrix` times the columns and the rows of each plane; the channels lie last in memory afterwards."""
    b, c, n, _ = x.shape
    m = matrix.shape[0]
    down = torch.matmul(matrix, x.permute(0, 2, 3, 1).reshape(b, n, n * c))
    across = torch.matmul(matrix, down.view(b * m, n, c))
    return across.view(b, m, m, c).permute(0, 3, 1, 2)


class Resample(nn.Module):
    """Square planes of `size` pixels: up - 1 zeros after each pixel, a border, a filter along both axes, each down-th.

    Args:
        size: side of what comes in.
        taps: the filter along one axis, of any sum; out_i = sum over t of taps_t padded_(i down + t).
        up: times as many pixels before the filter.
        down: of so many pixels after the filter one is kept.
        pad: zeros at both ends of an axis, at the higher of the rates; negative ones crop.
    """

    matrix: Tensor
    taps: Tensor

    def __init__(
        self, size: int, taps: Sequence[float] | Tensor, *, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
    ) -> None:
        super().__init__()
        self.up, self.down, self.pad = up, down, pad
        taps = torch.as_tensor(taps, dtype=torch.get_default_dtype())
        self.size = (size * up + sum(pad) - len(taps)) // down + 1
        self.dense = max(size, self.size) <= DENSE
        matrix = fir_matrix(size, taps, up=up, down=down, pad=pad) if self.dense else taps.new_zeros(0, 0)
        self.register_buffer("matrix", matrix, persistent=False)
        self.register_buffer("taps", taps.clone(), persistent=False)

    def forward(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        return along_both(self.matrix, x) if self.dense else self.depthwise(x)

    def depthwise(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        """The same through convolutions of one channel each."""
        return self._across(self._across(x.transpose(2, 3)).transpose(2, 3))

    def _across(self, x: Float[Tensor, "b c h n"]) -> Float[Tensor, "b c h m"]:
        c, t, (lo, hi) = x.shape[1], len(self.taps), self.pad
        kernel = self.taps.to(x.dtype).expand(c, 1, 1, t)
        if self.up == 1:
            return F.conv2d(F.pad(x, (lo, hi)), kernel, stride=(1, self.down), groups=c)
        met = F.conv_transpose2d(x, kernel.flip(3), stride=(1, self.up), groups=c)  # wherever it meets a pixel
        return F.pad(met, (lo - t + 1, hi - t + self.up))[..., :: self.down]


class Upsample2(Resample):
    """From `size` to twice that; constant pictures keep their value away from the border."""

    def __init__(self, size: int) -> None:
        super().__init__(size, [2 * tap for tap in BINOMIAL], up=2, pad=(2, 1))


class Downsample2(Resample):
    """From `size`, an even number, to half of it; a quarter of the transpose of `Upsample2`."""

    def __init__(self, size: int) -> None:
        super().__init__(size, BINOMIAL, down=2, pad=(1, 1))


def shrunk(x: Float[Tensor, "b c n n"], size: int) -> Float[Tensor, "b c m m"]:
    """Pictures of `size` pixels a side, each pixel the mean of a square; those that are no larger stay as they are.

    `size` divides n, or is no less than it.
    """
    return x if size >= x.shape[-1] else F.avg_pool2d(x, x.shape[-1] // size)


def enlarged(x: Float[Tensor, "b c n n"], size: int) -> Float[Tensor, "b c m m"]:
    """Pictures of `size` pixels a side, a multiple of n, each pixel repeated."""
    return x if size == x.shape[-1] else F.interpolate(x, scale_factor=float(size // x.shape[-1]))
