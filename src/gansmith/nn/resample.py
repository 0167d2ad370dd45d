"""Twice as large or half as large through the binomial filter [1, 3, 3, 1] = [1, 2, 1] * [1, 1].

[1, 1] is the repetition (or mean) of pixels, [1, 2, 1] the low-pass filter that hides its steps. Beyond the border
are zeros. Written as products with a small matrix along each axis: the second derivatives that R1 and R2 need are
then products again, several times quicker on CPUs than those of depthwise convolutions, and deterministic on GPUs.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


def doubling_matrix(n: int) -> Float[Tensor, "m {n}"]:
    """(2n, n): each input becomes two outputs of weight 3/4 and one of 1/4 on either side."""
    matrix = torch.zeros(2 * n + 2, n)
    for offset, weight in enumerate((0.25, 0.75, 0.75, 0.25)):
        matrix[torch.arange(n) * 2 + offset, torch.arange(n)] = weight
    return matrix[1:-1].contiguous()


def along_both(matrix: Float[Tensor, "m n"], x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
    """`matrix` times the columns and the rows of each plane; the channels lie last in memory afterwards."""
    b, c, n, _ = x.shape
    m = matrix.shape[0]
    down = torch.matmul(matrix, x.permute(0, 2, 3, 1).reshape(b, n, n * c))
    across = torch.matmul(matrix, down.view(b * m, n, c))
    return across.view(b, m, m, c).permute(0, 3, 1, 2)


class Upsample2(nn.Module):
    """From `size` to twice that; constant pictures keep their value away from the border."""

    matrix: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("matrix", doubling_matrix(size), persistent=False)

    def forward(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        return along_both(self.matrix, x)


class Downsample2(nn.Module):
    """From `size`, an even number, to half of it; a quarter of the transpose of `Upsample2`."""

    matrix: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("matrix", doubling_matrix(size // 2).T.contiguous() / 2, persistent=False)

    def forward(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        return along_both(self.matrix, x)
