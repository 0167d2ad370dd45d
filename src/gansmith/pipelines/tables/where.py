"""Conditions: what a user asks of the rows, `{"sex": "F", "age": (30, 40), "city": ["a", "b"]}`, column by column.

A tuple of two numbers or dates is a range, both ends included, either of which may be None; a list or a set is a choice
of values; None is a missing value; anything else is one value.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ...errors import DataError, UserError, did_you_mean
from ...tabular.encoders import Modes, Moment, Quantile
from ...tabular.schema import DISCRETE, NUMERIC, Canonical, Column, Schema
from ...tabular.spec import TableSpec
from .constraints import number

Where: TypeAlias = Mapping[str, Any]
Numbers: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Wish(ABC):
    """What is asked of one column."""

    column: Column

    @abstractmethod
    def distance(self, values: npt.NDArray[Any]) -> Numbers:
        """How far canonical values are from what is asked, (n,): 0 where it is met, at most 1."""

    @abstractmethod
    def words(self) -> str:
        """As one would say it."""


@dataclass(frozen=True)
class OneOf(Wish):
    """One of some categories, by number; -1 is a missing value."""

    codes: tuple[int, ...]

    def distance(self, values: npt.NDArray[Any]) -> Numbers:
        return np.asarray(~np.isin(values, self.codes), dtype=np.float64)

    def words(self) -> str:
        names = ["missing" if c < 0 else repr(self.column.categories[c]) for c in self.codes]
        shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        return f"{self.column.name} = {shown}" if len(names) == 1 else f"{self.column.name} in [{shown}]"


@dataclass(frozen=True)
class Within(Wish):
    """A number or date in one of some intervals, ends included, or missing.

    Args:
        intervals: in canonical units.
        missing: whether a missing value will do.
        said: as the user wrote it.
    """

    intervals: tuple[tuple[float, float], ...]
    missing: bool
    said: str

    def distance(self, values: npt.NDArray[Any]) -> Numbers:
        x = settled(values, self.column)
        width = max(float(self.column.high or 0.0) - float(self.column.low or 0.0), 1e-12)
        found = np.full(len(x), 1.0)
        for low, high in self.intervals:
            away = np.maximum(np.maximum(low - x, x - high), 0.0)
            found = np.fmin(found, np.where(away > 0, np.clip(away / width, 1e-9, 1.0), 0.0))
        return np.where(np.isnan(x), 0.0 if self.missing else 1.0, found)

    def words(self) -> str:
        return f"{self.column.name} {self.said}"


def settled(values: npt.NDArray[Any], column: Column) -> Numbers:
    """Numbers and dates as they will be written: with as many digits as the data have, within the training range."""
    x = np.asarray(values, dtype=np.float64)
    digits = 0 if column.kind == "integer" else column.decimals
    if column.kind == "datetime":
        x = np.floor(x / (column.step or 1.0)) * (column.step or 1.0)
    elif digits is not None:
        x = np.round(x, digits)
    return np.clip(x, column.low, column.high) if column.low is not None or column.high is not None else x


def read_where(where: Where | None, schema: Schema) -> tuple[Wish, ...]:
    """What is asked, column by column.

    Raises:
        DataError: no such column or category (the nearest is offered), or a value that the column cannot have.
        UserError: a range outside of the training data's; that one is named.
    """
    if where is not None and not isinstance(where, Mapping):
        raise UserError(f'conditions are a mapping, such as {{"sex": "F", "age": (30, 40)}}, not: {where!r}')
    return tuple(_wish(schema[name], value) for name, value in (where or {}).items())


def _are_numbers(column: Column) -> bool:
    """Whether a column's categories are numbers, so that a range has a meaning."""
    return all(isinstance(c, int | float) and not isinstance(c, bool) for c in column.categories)


def _some(categories: Sequence[Any]) -> str:
    return ", ".join(map(str, sorted(categories)[:12]))


def _wish(column: Column, value: Any) -> Wish:
    if column.kind == "identifier":
        raise UserError(f"{column.name!r} is an identifier: it is filled and never learnt, so it cannot be asked for")
    values = list(value) if isinstance(value, list | set | frozenset | np.ndarray | range) else [value]
    if not values:
        raise UserError(f"no value is asked of {column.name!r}: the list is empty")
    if column.kind in DISCRETE:
        if isinstance(value, tuple) and _are_numbers(column):
            low, high = _interval(replace(column, kind="float", low=None, high=None), value)
            values = [c for c in column.categories if low <= c <= high]
            if not values:
                raise UserError(f"{column.name!r} takes no value in {value!r}; it takes: {_some(column.categories)}")
        elif isinstance(value, tuple):
            raise UserError(f"{column.name!r} has categories and no range; ask for a list of them, not for: {value!r}")
        return OneOf(column, tuple(dict.fromkeys(_code(column, v) for v in values)))
    missing = [v for v in values if _is_missing(v)]
    if missing and not column.nulls:
        raise UserError(f"no value of {column.name!r} is missing in the training data, so none will be made missing")
    intervals = tuple(_interval(column, v) for v in values if not _is_missing(v))
    return Within(column, intervals, bool(missing), _said(value))


def _said(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 2:
        low, high = value
        return f"up to {high}" if low is None else f"from {low}" if high is None else f"from {low} to {high}"
    return f"in {list(value)}" if isinstance(value, list | set | frozenset) else f"= {value}"


def _is_missing(value: Any) -> bool:
    return value is None or (not isinstance(value, tuple | str) and bool(value != value))


def _code(column: Column, value: Any) -> int:
    """The number of a category, -1 for a missing value."""
    if _is_missing(value):
        if not column.nulls:
            raise UserError(f"no value of {column.name!r} is missing in the training data, so none will be")
        return -1
    same = [i for i, c in enumerate(column.categories) if type(c) is type(value) and c == value]
    near = [i for i, c in enumerate(column.categories) if c == value or str(c) == str(value)]
    if same or near:
        return (same or near)[0]
    known = [str(c) for c in column.categories]
    raise DataError(
        f"{column.name!r} has no category {value!r}.{did_you_mean(str(value), known)} "
        f"There are: {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}"
    )


def _interval(column: Column, value: Any) -> tuple[float, float]:
    """Both ends in canonical units; the training range must reach into it."""
    if isinstance(value, tuple) and len(value) != 2:
        raise UserError(f"a range of {column.name!r} has two ends, (low, high), not: {value!r}")
    low, high = value if isinstance(value, tuple) else (value, value)
    first = -np.inf if low is None else number(low, column)
    last = np.inf if high is None else _end(high, column)
    if first > last:
        raise UserError(f"the range of {column.name!r} has its low end above its high end: {value!r}")
    known = column.low is not None and column.high is not None
    special = any(first <= s <= last for s in column.special)
    if known and not special and (last < float(column.low or 0.0) or first > float(column.high or 0.0)):
        raise UserError(
            f"{column.name!r} {_said(value)} is outside of what the training data have, "
            f"{shown(column.low, column)} to {shown(column.high, column)}: such rows cannot be made"
        )
    return first, last


def _end(value: Any, column: Column) -> float:
    """The high end; a day without a time of day ends when it does."""
    last = number(value, column)
    whole_day = column.kind == "datetime" and isinstance(value, str) and len(value.strip()) <= len("2024-01-31")
    return last + Moment.DAY - 1 if whole_day else last


def shown(value: float | None, column: Column) -> str:
    """A canonical number as a user reads it."""
    if column.kind == "datetime" and value is not None:
        return str(np.datetime64(int(value), "us")).replace("T00:00:00.000000", "")
    return f"{value:g}" if value is not None else "?"


def distance(wishes: tuple[Wish, ...], canonical: Canonical) -> Numbers:
    """How far rows are from all that is asked: 0 where everything is met, else the sum over what is not."""
    return np.asarray(sum(wish.distance(canonical[wish.column.name]) for wish in wishes), dtype=np.float64)


def words(wishes: tuple[Wish, ...]) -> str:
    return " and ".join(wish.words() for wish in wishes)


def share_of(wish: Wish, spec: TableSpec) -> float | None:
    """The share of training rows that meet one wish, as far as the model knows; None where it does not."""
    column = wish.column
    if isinstance(wish, OneOf):
        total = sum(column.counts)
        counts = [*column.counts, 0]
        missing = column.counts[-1] if column.nulls and len(column.counts) > len(column.categories) else 0
        met = sum(missing if c < 0 else counts[c] for c in wish.codes)
        return met / total if total else None
    names = [c.name for c in spec.schema.learnt]
    if not isinstance(wish, Within) or column.name not in names or column.kind not in NUMERIC:
        return None
    encoder = spec.encoders[names.index(column.name)]
    if isinstance(encoder, Modes) or not isinstance(encoder, Quantile):
        return None
    places = [np.interp([low, high], encoder.values, encoder.right) for low, high in wish.intervals]
    below = [float(np.interp(low, encoder.values, encoder.left)) for low, _ in wish.intervals]
    return float(sum(p[1] - b for p, b in zip(places, below, strict=True)))
