"""Nearest records between tables, block by block: memory stays bounded whatever their length."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .columns import Aligned
from .encode import Matrix, Measure, level_counts

CELLS = 1 << 23  # distances held at once
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class Nearest:
    """Nearest neighbours among the sides of aligned tables.

    Args:
        tables: the rows to search and to search for; cut them first, the cost is the product of their lengths.
        scale: the side whose percentiles scale the distance.
    """

    def __init__(self, tables: Aligned, scale: str = "real") -> None:
        self.tables = tables
        self.measure = Measure.of(tables, scale)
        self._levels = level_counts(tables)
        self.distance_blocks: dict[str, list[Matrix]] = {}

    def blocks(self, side: str) -> list[Matrix]:
        """Of each column, the vectors of a side's rows."""
        if side not in self.distance_blocks:
            self.distance_blocks[side] = self.measure.blocks(self.tables[side], self._levels)
        return self.distance_blocks[side]

    def __call__(self, queries: str, base: str, k: int = 1) -> tuple[Floats, Rows]:
        """Distances (n, k), ascending, and rows (n, k) of the k rows of `base` nearest to each row of `queries`."""
        a, b = np.concatenate(self.blocks(queries), 1), np.concatenate(self.blocks(base), 1)
        k = min(k, len(b))
        norms, block = (b * b).sum(1), max(1, CELLS // len(b))
        rows = np.concatenate([_least(norms - 2 * (a[i : i + block] @ b.T), k) for i in range(0, len(a), block)])
        numbers = np.arange(len(a))
        sides = self.tables[queries], self.tables[base]
        found = np.stack([self.measure.exact(sides[0], numbers, sides[1], rows[:, j]) for j in range(k)], 1)
        order = np.argsort(found, axis=1, kind="stable")
        return np.take_along_axis(found, order, 1), np.take_along_axis(rows, order, 1)


def _least(gaps: Matrix, k: int) -> Rows:
    """Columns (n, k) of the k least values of each row; the values found are overwritten."""
    found = []
    for _ in range(k):
        best = gaps.argmin(1)
        found.append(best)
        gaps[np.arange(len(gaps)), best] = np.inf
    return np.stack(found, 1).astype(np.int64)
