"""Rising piecewise linear maps, looked up in constant time: what `np.interp` says, without its search for knots."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
NEAR = 1e-12  # knots so near to each other, as a share of their whole span, are one


class Monotone:
    """The map through knots (x, y): linear between them, constant beyond the ends.

    A grid of equal cells tells how many knots lie below each cell; within a cell there is mostly one knot at most, and
    one comparison decides. Values in the few cells with more knots are searched for.

    Args:
        x: (k,) of knots, ascending; where several are equal the map jumps.
        y: (k,).
    """

    def __init__(self, x: Array, y: Array) -> None:
        x, y = np.maximum.accumulate(np.asarray(x, dtype=np.float64)), np.asarray(y, dtype=np.float64)
        span = float(x[-1] - x[0])
        first = np.flatnonzero(np.concatenate([[True], np.diff(x) > NEAR * span]))
        last = np.append(first[1:], len(x)) - 1  # of each group of equal knots
        self._knots, before, after = x[first], y[first], y[last]
        run = np.diff(self._knots)
        self._x = np.concatenate([self._knots[:1], self._knots])  # by the number of knots that are not above a value
        self._y = np.concatenate([before[:1], after])
        self._slope = np.concatenate([[0.0], (before[1:] - after[:-1]) / run, [0.0]])
        self._next = np.append(self._knots, np.inf)
        self._lay_grid(span)

    def _lay_grid(self, span: float) -> None:
        cells = 1 << (8 * len(self._knots)).bit_length() if span > 0 else 1
        edges, margin = self._knots[0] + np.arange(cells + 1) * (span / cells), NEAR * span if span > 0 else 1.0
        self._low, self._scale = self._knots[0], cells / span if span > 0 else 0.0
        self._below = np.searchsorted(self._knots, edges[:-1] - margin, side="right")
        inside = np.searchsorted(self._knots, edges[1:] + margin, side="right") - self._below
        self._crowded = inside > 1
        self._plain = not self._crowded.any()

    def __call__(self, values: Array) -> Array:
        """(n,) -> (n,) float64; NaN stays NaN."""
        x = np.asarray(values, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # NaN falls into any cell
            cell = ((x - self._low) * self._scale).astype(np.intp)
            below = self._below.take(cell, mode="clip")
            below += self._next.take(below) <= x
        if not self._plain:
            searched = np.flatnonzero(self._crowded.take(cell, mode="clip"))
            below[searched] = np.searchsorted(self._knots, x[searched], side="right")
        return np.asarray(self._y.take(below) + self._slope.take(below) * (x - self._x.take(below)))
