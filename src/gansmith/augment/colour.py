"""4x4 affine maps of (r, g, b, 1), one for each picture; grey pictures take the mean of the rows."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .geometry import matrices

Numbers = Float[Tensor, "b"]
Matrices = Float[Tensor, "b 4 4"]
THIRD = 1 / 3  # the luma axis is (1, 1, 1) / sqrt(3); its outer product with itself has all entries 1/3


def _identity(like: Tensor) -> Tensor:
    return torch.eye(4, device=like.device, dtype=torch.float32)


def _luma(like: Tensor) -> Tensor:
    """The projection onto the axis of greys."""
    projection = torch.zeros(4, 4, device=like.device, dtype=torch.float32)
    projection[:3, :3] = THIRD
    return projection


def brightness(add: Numbers) -> Matrices:
    return matrices((1.0, 0.0, 0.0, add), (0.0, 1.0, 0.0, add), (0.0, 0.0, 1.0, add), (0.0, 0.0, 0.0, 1.0))


def contrast(times: Numbers) -> Matrices:
    return matrices((times, 0.0, 0.0, 0.0), (0.0, times, 0.0, 0.0), (0.0, 0.0, times, 0.0), (0.0, 0.0, 0.0, 1.0))


def luma_flip(flip: Bool[Tensor, "b"]) -> Matrices:
    """Dark for light and light for dark, colours kept: a reflection across the plane of no luma."""
    return _identity(flip) - 2 * _luma(flip) * flip[:, None, None]


def hue(angle: Numbers) -> Matrices:
    """A rotation about the axis of greys."""
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    cross = torch.zeros(4, 4, device=angle.device, dtype=torch.float32)
    cross[:3, :3] = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) * THIRD**0.5
    corner = torch.zeros(4, 4, device=angle.device, dtype=torch.float32)
    corner[3, 3] = 1
    plane = _identity(angle) - corner
    return c * plane + s * cross + (1 - c) * _luma(angle) + corner


def saturation(times: Numbers) -> Matrices:
    """Scales the distance from the axis of greys."""
    grey = _luma(times)
    grey[3, 3] = 1
    return grey + (_identity(times) - grey) * times[:, None, None]


def recolour(x: Float[Tensor, "b c h w"], matrix: Matrices) -> Float[Tensor, "b c h w"]:
    """Each picture's colours through its matrix; a fourth channel, alpha, is passed on."""
    matrix = matrix.to(x.dtype)
    if x.shape[1] == 1:
        weight, offset = matrix[:, :3, :3].sum(2).mean(1), matrix[:, :3, 3].mean(1)
        return x * weight[:, None, None, None] + offset[:, None, None, None]
    colour = torch.einsum("bij,bjhw->bihw", matrix[:, :3, :3], x[:, :3]) + matrix[:, :3, 3, None, None]
    return colour if x.shape[1] == 3 else torch.cat((colour, x[:, 3:]), 1)
