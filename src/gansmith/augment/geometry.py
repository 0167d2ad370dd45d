"""3x3 matrices of the plane, one for each picture, in coordinates where the picture spans [-1, 1]."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

Numbers = Float[Tensor, "b"]
Matrices = Float[Tensor, "b 3 3"]


def matrices(*rows: tuple[Tensor | float, ...]) -> Float[Tensor, "b n m"]:
    """A matrix for each picture from rows of numbers (b,) and constants."""
    like = next(v for row in rows for v in row if isinstance(v, Tensor))
    entries = [v if isinstance(v, Tensor) else torch.full_like(like, v) for row in rows for v in row]
    return torch.stack(entries, -1).view(*like.shape, len(rows), len(rows[0]))


def scaling(x: Numbers, y: Numbers) -> Matrices:
    return matrices((x, 0.0, 0.0), (0.0, y, 0.0), (0.0, 0.0, 1.0))


def rotation(angle: Numbers) -> Matrices:
    """By `angle` in radians, from the x axis to the y axis, which points down."""
    c, s = angle.cos(), angle.sin()
    return matrices((c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0))


def translation(x: Numbers, y: Numbers) -> Matrices:
    return matrices((1.0, 0.0, x), (0.0, 1.0, y), (0.0, 0.0, 1.0))


def affine_grid(where: Matrices, h: int, w: int) -> Float[Tensor, "b {h} {w} 2"]:
    """For each pixel of an h by w picture, the point that its matrix sends it to."""
    y = (torch.arange(h, device=where.device, dtype=where.dtype) + 0.5) * 2 / h - 1
    x = (torch.arange(w, device=where.device, dtype=where.dtype) + 0.5) * 2 / w - 1
    points = torch.stack((x.expand(h, w), y[:, None].expand(h, w), torch.ones_like(x).expand(h, w)), -1)
    return torch.einsum("bij,hwj->bhwi", where[:, :2], points)
