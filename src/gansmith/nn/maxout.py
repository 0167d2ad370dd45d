"""Maxout, and dropout whose masks come from outside (Goodfellow 2013, arXiv:1302.4389)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class Maxout(nn.Module):
    """The largest of `pieces` linear functions for each of `units` outputs."""

    def __init__(self, inputs: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, units * pieces)
        self.pieces = pieces

    def forward(self, x: Float[Tensor, "b inputs"]) -> Float[Tensor, "b units"]:
        pieces: Tensor = self.linear(x).unflatten(1, (-1, self.pieces))
        return pieces.amax(2)


def drop(
    x: Float[Tensor, "b features"], keep: float, noise: Float[Tensor, "b features"] | None
) -> Float[Tensor, "b features"]:
    """Keeps each feature with probability `keep` and scales it by 1 / keep; without noise, `x` itself.

    `noise` is uniform in [0, 1), drawn by the caller from its Context, so that dropout is the same on one
    process and on several.
    """
    return x if noise is None else x * (noise < keep).to(x.dtype) / keep
