"""Ways of drawing pictures by their classes, so that rare classes are seen more often."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ..tabular.draws import Whole

POWERS = {"balanced": 0.0, "root": 0.5}  # of a class's size, to which its chance is proportional


class ByClass(Whole):
    """A class by a power of its size, then any of its rows; with replacement.

    Power 0 shows every class equally often, a half by the square root of its size (Mahajan 2018, arXiv:1805.00932,
    section 2.2), 1 as the data have it.

    Args:
        y: class of each row.
        power: see above.
        batch, seed: see `Whole`.
    """

    def __init__(self, y: Int[Tensor, "n"], power: float, batch: int, seed: int) -> None:
        super().__init__(batch, seed)
        counts = torch.bincount(y)
        self._by_class = y.argsort(stable=True)
        self._begin, self._counts = counts.cumsum(0) - counts, counts
        self._chance = torch.where(counts > 0, counts.double() ** power, 0.0)

    def draw(self, generator: torch.Generator) -> Tensor:
        chosen = torch.multinomial(self._chance, self.batch, replacement=True, generator=generator)
        share = torch.rand(self.batch, generator=generator, dtype=torch.float64)
        return self._by_class[self._begin[chosen] + (share * self._counts[chosen]).long()]
