"""Aligned tables as matrices for classifiers and for distances; every scale and category list comes from one side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...tabular.schema import DISCRETE, Column
from .columns import Aligned, Array, Side

Matrix = npt.NDArray[np.float32]
TREE_LEVELS = 250  # scikit-learn's histogram trees hold 255 categories
DENSE_LEVELS = 64
MISSING = 0.75  # what a number missing on one side only adds to the squared distance
WIDE = 32  # numbers that stand for a category of a column with more than DENSE_LEVELS


def ranked(column: Array, most: int) -> npt.NDArray[np.int64]:
    """Which number each code gets: the `most` - 1 most frequent codes 0, 1, ..., all others `most` - 1."""
    known = column[column >= 0]
    counts = np.bincount(known) if len(known) else np.zeros(1, np.int64)
    order = np.argsort(-counts, kind="stable")
    numbers = np.full(len(counts), most - 1, np.int64)
    numbers[order[: most - 1]] = np.arange(min(most - 1, len(counts)))
    numbers[counts == 0] = most - 1
    return numbers


def renumbered(column: Array, numbers: npt.NDArray[np.int64], rest: int) -> npt.NDArray[np.int64]:
    """Codes by the numbering of `ranked`; codes that it has not seen become `rest`, missing stays -1."""
    known = np.clip(column, 0, len(numbers) - 1)
    found = np.where(column < len(numbers), numbers[known], rest)
    return np.where(column < 0, -1, found)


def for_trees(tables: Aligned, sides: Sequence[str], skip: str | None = None) -> tuple[dict[str, Matrix], list[bool]]:
    """One number a column: numbers as they are, categories by frequency in the first side; NaN for missing.

    Returns:
        Of each side a matrix (n, columns) of float32, and which columns are categories.
    """
    kept = [c for c in tables.columns if c.name != skip]
    parts: dict[str, list[Array]] = {side: [] for side in sides}
    for column in kept:
        discrete = column.kind in DISCRETE
        numbers = ranked(tables[sides[0]][column.name], TREE_LEVELS) if discrete else None
        centre = 0.0 if numbers is not None else _middle(tables[sides[0]][column.name])
        for side in sides:
            values = tables[side][column.name]
            if numbers is not None:
                coded = renumbered(values, numbers, TREE_LEVELS - 1)
                parts[side].append(np.where(coded < 0, np.nan, coded))
            else:  # dates in nanoseconds would lose their days in float32 if they were not centred
                parts[side].append(values - centre)
    made = {side: np.stack(columns, 1).astype(np.float32) for side, columns in parts.items()}
    return made, [c.kind in DISCRETE for c in kept]


def none_void(train: Matrix, other: Matrix) -> tuple[Matrix, Matrix]:
    """Both matrices; columns in which all training rows miss their value, which histogram trees refuse, become 0."""
    void = np.isnan(train).all(0)
    if not void.any():
        return train, other
    zero = np.float32(0)
    return np.where(void, zero, train), np.where(void, zero, other)


def _middle(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else 0.0


def for_lines(tables: Aligned, sides: Sequence[str], skip: str | None = None) -> dict[str, Matrix]:
    """Standardised numbers (median where missing, clipped to 10 deviations), flags for missing, categories one-hot.

    Returns:
        Of each side a matrix (n, width) of float32, scaled by the first side.
    """
    parts: dict[str, list[Array]] = {side: [] for side in sides}
    for column in tables.columns:
        if column.name == skip:
            continue
        first = tables[sides[0]][column.name]
        if column.kind in DISCRETE:
            numbers, width = ranked(first, DENSE_LEVELS), DENSE_LEVELS + 1
            for side in sides:
                coded = renumbered(tables[side][column.name], numbers, DENSE_LEVELS - 1)
                parts[side].append(np.eye(width, dtype=np.float32)[np.where(coded < 0, DENSE_LEVELS, coded)])
            continue
        centre = _middle(first)
        scale = float(np.nanstd(first)) if not np.isnan(first).all() else 1.0
        for side in sides:
            values = tables[side][column.name]
            known = np.clip((values - centre) / (scale or 1.0), -10, 10)
            parts[side].append(np.stack([np.where(np.isnan(values), 0, known), np.isnan(values)], 1))
    joined = {side: np.concatenate(columns, 1).astype(np.float32) for side, columns in parts.items()}
    used = np.ptp(joined[sides[0]], axis=0) > 0
    return {side: np.ascontiguousarray(matrix[:, used]) for side, matrix in joined.items()}


@dataclass(frozen=True)
class Measure:
    """A distance between rows of mixed columns, after Gower (1971): each column adds at most about 1 to its square.

    A number adds the squared difference over the range between the 1st and the 99th percentile (values beyond are
    moved to half a range outside), a category 1 where it differs; a number missing on one side only adds 3/4 and the
    other's squared distance to the middle of the range, which is 1 at its ends. The distance is the square root of the
    mean over the columns. Percentiles come from one side, so that all distances compare.

    Attributes:
        columns: the columns that count.
        low, span: of each numeric column, where its scale begins and how long it is.
    """

    columns: tuple[Column, ...]
    low: dict[str, float]
    span: dict[str, float]

    @staticmethod
    def of(tables: Aligned, side: str) -> Measure:
        """The distance scaled by one side of the tables."""
        low, span = {}, {}
        for column in tables.columns:
            if column.kind in DISCRETE:
                continue
            known = tables[side][column.name]
            known = known[~np.isnan(known)]
            first, last = np.percentile(known, [1, 99]) if len(known) else (0.0, 1.0)
            if first == last and len(known):
                first, last = known.min(), known.max()
            low[column.name], span[column.name] = float(first), float(last - first) or 1.0
        return Measure(tables.columns, low, span)

    def scaled(self, name: str, values: Array) -> npt.NDArray[np.float64]:
        """A numeric column in units of its range, the middle for missing."""
        found: npt.NDArray[np.float64] = np.clip((values - self.low[name]) / self.span[name], -0.5, 1.5)
        return np.where(np.isnan(found), 0.5, found)

    def blocks(self, side: Side, levels: dict[str, int]) -> list[Matrix]:
        """Of each column a matrix (n, width) whose squared Euclidean distances are (nearly) the column's part.

        Columns of more than 64 categories are approximated by random directions; `exact` mends what they blur.
        """
        made = []
        for column in self.columns:
            values = side[column.name]
            if column.kind in DISCRETE:
                table = _vectors(levels[column.name] + 1)
                made.append(table[values])  # missing, -1, is the last row
            else:
                flags = np.isnan(values) * np.sqrt(MISSING)
                made.append(np.stack([self.scaled(column.name, values), flags], 1).astype(np.float32))
        return made

    def exact(self, a: Side, rows_a: Array, b: Side, rows_b: Array) -> npt.NDArray[np.float64]:
        """Distances (n,) of row rows_a[i] of a to row rows_b[i] of b."""
        total = np.zeros(len(rows_a))
        for column in self.columns:
            x, y = a[column.name][rows_a], b[column.name][rows_b]
            if column.kind in DISCRETE:
                total += x != y
                continue
            total += (self.scaled(column.name, x) - self.scaled(column.name, y)) ** 2
            total += MISSING * (np.isnan(x) != np.isnan(y))
        return np.sqrt(total / len(self.columns))


def _vectors(count: int) -> Matrix:
    """One vector for each of `count` categories; any two are (nearly) 1 apart."""
    directions = np.eye(count)
    if count > DENSE_LEVELS:
        directions = np.random.default_rng(count).normal(size=(count, WIDE))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    scaled: Matrix = (directions * np.sqrt(0.5)).astype(np.float32)
    return scaled


def level_counts(tables: Aligned) -> dict[str, int]:
    """How many categories each discrete column has over all sides."""
    return {name: len(values) for name, values in tables.levels.items()}
