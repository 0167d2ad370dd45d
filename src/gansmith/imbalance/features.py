"""Rows as numbers: what classifiers, neighbours and the quality filter see of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Frame: TypeAlias = Any  # a pandas DataFrame; pandas is optional, so its types cannot be named where code runs
Matrix: TypeAlias = npt.NDArray[np.float64]

MOST_CATEGORIES = 50
APART = 2**-0.5  # of a one-hot entry: rows that differ in a category are then 1 apart, one standard deviation


def looks_categorical(column: Any) -> bool:
    """Whether a pandas column holds categories by its dtype: text, objects, pandas categories or booleans."""
    from pandas.api import types

    dtype = column.dtype
    return bool(not types.is_numeric_dtype(dtype) and not types.is_datetime64_any_dtype(dtype)) or bool(
        types.is_bool_dtype(dtype)
    )


def as_numbers(column: Any) -> Matrix:
    """A pandas column as (n,) float64: dates as seconds since 1970; missing and infinite values are NaN."""
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        naive = column.dt.tz_convert(None) if getattr(column.dt, "tz", None) is not None else column
        found = naive.to_numpy("datetime64[us]")
        return np.where(np.isnat(found), np.nan, found.astype(np.int64) / 1e6)
    if isinstance(column.dtype, pd.SparseDtype):
        column = column.sparse.to_dense()
    numbers = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


@dataclass(frozen=True)
class Number:
    """One numeric column: its place, scale, and what stands for a missing value."""

    name: Any
    mean: float
    std: float
    middle: float
    nulls: bool

    @staticmethod
    def fitted(name: Any, column: Any) -> Number:
        values = as_numbers(column)
        there = values[~np.isnan(values)]
        if not len(there):
            return Number(name, 0.0, 1.0, 0.0, True)
        std = float(there.std())
        return Number(
            name, float(there.mean()), std if std > 0 else 1.0, float(np.median(there)), len(there) < len(values)
        )

    def plain(self, column: Any) -> Matrix:
        values = as_numbers(column)
        return (np.where(np.isnan(values), self.middle, values) - self.mean) / self.std


@dataclass(frozen=True)
class Category:
    """One column of categories: a code for each of the frequent ones, the next for all others, the last for none."""

    name: Any
    values: tuple[str, ...]

    @staticmethod
    def fitted(name: Any, column: Any) -> Category:
        counts = column.dropna().astype(str).value_counts()
        ordered = sorted(counts.index, key=lambda value: (-counts[value], value))
        return Category(name, tuple(ordered[:MOST_CATEGORIES]))

    @property
    def width(self) -> int:
        return len(self.values) + 2

    def codes(self, column: Any) -> Matrix:
        places = {value: float(i) for i, value in enumerate(self.values)}
        other, missing = float(len(self.values)), float(len(self.values) + 1)
        text, absent = column.astype(str), column.isna().to_numpy()
        found = np.array([places.get(value, other) for value in text], dtype=np.float64)
        return np.where(absent, missing, found)


@dataclass(frozen=True)
class Features:
    """How rows become numbers, fitted on training rows and on nothing else.

    Two forms: `plain` (n, columns), where numbers are scaled and filled and categories are codes, and `spread`
    (n, width), where codes are one-hot. Columns with missing numbers bring a column that says where.
    """

    numbers: tuple[Number, ...]
    categories: tuple[Category, ...]

    @staticmethod
    def fitted(frame: Frame, categorical: Sequence[Any]) -> Features:
        """
        Args:
            frame: the training rows.
            categorical: the names of the columns that hold categories; all others must hold numbers or dates.
        """
        names = [name for name in frame.columns if name not in set(categorical)]
        return Features(
            tuple(Number.fitted(name, frame[name]) for name in names),
            tuple(Category.fitted(name, frame[name]) for name in frame.columns if name in set(categorical)),
        )

    @property
    def _gappy(self) -> tuple[Number, ...]:
        return tuple(number for number in self.numbers if number.nulls)

    @property
    def widths(self) -> list[int]:
        """How many values each column of codes can take."""
        return [2] * len(self._gappy) + [category.width for category in self.categories]

    @property
    def coded(self) -> list[int]:
        """Which columns of `plain` are codes."""
        return list(range(len(self.numbers), len(self.numbers) + len(self.widths)))

    def plain(self, frame: Frame) -> Matrix:
        """Rows -> (n, columns): scaled numbers, then codes."""
        columns = [number.plain(frame[number.name]) for number in self.numbers]
        columns += [np.isnan(as_numbers(frame[number.name])).astype(np.float64) for number in self._gappy]
        columns += [category.codes(frame[category.name]) for category in self.categories]
        return np.stack(columns, axis=1) if columns else np.zeros((len(frame), 0))

    def spread(self, plain: Matrix) -> Matrix:
        """`plain` -> (n, width): each column of codes as one-hot, its entries 0 and 2**-0.5."""
        parts = [plain[:, : len(self.numbers)]]
        for place, width in zip(self.coded, self.widths, strict=True):
            parts.append(APART * (plain[:, place].round()[:, None] == np.arange(width)))
        return np.concatenate(parts, axis=1)

    def __call__(self, frame: Frame) -> Matrix:
        """Rows -> (n, width)."""
        return self.spread(self.plain(frame))
