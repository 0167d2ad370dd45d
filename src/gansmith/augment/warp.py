"""Resampling of pictures that is linear in the pixels and differentiable any number of times.

`grid_sample` has no second derivative in every torch and on every device that gansmith runs on. But with a fixed
grid it is a linear map W of the pixels: its derivative is W's transpose, whose derivative is W again. So the two
functions below are each other's backward.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def _sample(x: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


class _Warp(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor, grid: Tensor) -> Tensor:
        return _sample(x, grid)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        x, grid = inputs
        ctx.save_for_backward(grid)
        ctx.shape = x.shape

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (grid,) = ctx.saved_tensors
        return _WarpTransposed.apply(gradients[0], grid, ctx.shape), None  # type: ignore[no-untyped-call]


class _WarpTransposed(torch.autograd.Function):
    @staticmethod
    def forward(g: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        with torch.enable_grad():
            x = g.new_zeros(shape).requires_grad_()
            y = _sample(x, grid)
        return torch.autograd.grad(y, x, g)[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (grid,) = ctx.saved_tensors
        return _Warp.apply(gradients[0], grid), None, None  # type: ignore[no-untyped-call]


def warp(x: Float[Tensor, "b c h w"], grid: Float[Tensor, "b h2 w2 2"]) -> Float[Tensor, "b c h2 w2"]:
    """Bilinear samples of `x` where `grid` points, in [-1, 1], x before y; reflected beyond the border.

    Differentiable in `x` any number of times; `grid` gets no gradient.
    """
    out: Tensor = _Warp.apply(x, grid.detach())  # type: ignore[no-untyped-call]
    return out


def pick(
    x: Float[Tensor, "b c h w"], rows: Int[Tensor, "b h w"], columns: Int[Tensor, "b h w"]
) -> Float[Tensor, "b c h w"]:
    """Output pixel (i, j) of picture n is its input pixel (rows[n, i, j], columns[n, i, j]), exactly."""
    b, c, h, w = x.shape
    index = (rows * w + columns).view(b, 1, h * w).expand(b, c, h * w)
    return x.flatten(2).gather(2, index).view(b, c, h, w)
