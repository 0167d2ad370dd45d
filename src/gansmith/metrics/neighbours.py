"""Nearest neighbours among features, in blocks, decided in float64."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from .balls import distance_blocks, exact_distances

ROWS = 1024  # at a time in float64
SPARE = 5  # float32 may swap near neighbours: so many more are taken, then ordered in float64


def nearest(
    points: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], *, k: int = 1, apart: bool = False
) -> tuple[Float[Tensor, "n k"], Int64[Tensor, "n k"]]:
    """float64 distances of each point to its k nearest centres, nearest first, and which ones they are.

    Memory does not grow with n x m.

    Args:
        points: one row each.
        centres: at least k rows; k + 1 with `apart`.
        k: how many.
        apart: `points` and `centres` are the same rows, and none is its own neighbour.
    """
    found, which = [], []
    for rows, squared in distance_blocks(points, centres):
        if apart:
            own = torch.arange(rows.start, rows.start + len(squared))
            squared[torch.arange(len(squared)), own] = torch.inf
        near = squared.topk(min(k + SPARE, len(centres) - apart), largest=False).indices
        for part, those in zip(points[rows].split(ROWS), near.split(ROWS), strict=True):
            distances, order = exact_distances(part[:, None], centres[those])[:, 0].sort(stable=True)
            found.append(distances[:, :k])
            which.append(those.gather(1, order[:, :k]))
    return torch.cat(found), torch.cat(which)
