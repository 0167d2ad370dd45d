"""Constraints: what every row of a table keeps, in the training data and in 100 % of the rows that are made.

    Inequality("start", "end")                  start <= end
    Range("age", low=0, high=120)               low <= age <= high
    Sum("total", "net", "tax")                  total = net + tax (see `formulas.py`, also for Product)
    FixedCombinations("city", "country")        no pair that the training data do not have
    OneHot(["red", "green", "blue"])            exactly one of them is 1
    Unique("id")                                no value twice
    Custom(predicate)                           whatever `predicate(frame)` says of each row

How they are kept is the business of `rules.py`: by transformation where that can be, by rejection elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError, DataError, UserError
from ...tabular.schema import DISCRETE, NUMERIC, Canonical, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

Mask: TypeAlias = npt.NDArray[np.bool_]
Predicate: TypeAlias = "Callable[[pd.DataFrame], Any]"


@dataclass(frozen=True)
class Rows:
    """Some rows as a constraint sees them: as the user reads them, and their canonical columns."""

    frame: pd.DataFrame
    canonical: Canonical

    def __len__(self) -> int:
        return len(self.frame)


class Constraint(ABC):
    """What every row keeps.

    Attributes:
        kind: its name in JSON.
        columns: those it speaks of; empty for one that may look at all.
    """

    kind: ClassVar[str]
    columns: tuple[str, ...]

    @abstractmethod
    def holds(self, rows: Rows, schema: Schema) -> Mask:
        """Which rows keep it, (n,). A row that lacks a compared value keeps it."""

    def check(self, schema: Schema) -> None:
        """Refuses columns that it cannot speak of.

        Raises:
            DataError: no such column (the nearest is offered), or one of a kind that does not fit.
        """
        for name in self.columns:
            if schema[name].kind == "identifier":
                raise DataError(f"{self!r} speaks of {name!r}, an identifier, which is filled and never learnt")

    def _options(self) -> dict[str, Any]:
        """What JSON holds besides kind and columns."""
        return {}

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "columns": list(self.columns), **self._options()}

    def __repr__(self) -> str:
        parts = [repr(name) for name in self.columns]
        parts += [f"{name}={value!r}" for name, value in self._options().items() if value not in (None, False)]
        return f"{type(self).__name__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constraint) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(repr(self))


def names_of(given: Sequence[Any], least: int, what: str) -> tuple[str, ...]:
    """Column names, of which at least so many are wanted, none twice."""
    names = tuple(given[0]) if len(given) == 1 and isinstance(given[0], list | tuple) else tuple(given)
    if len(names) < least or len(set(names)) < len(names) or not all(isinstance(n, str) for n in names):
        raise ConfigError(f"{what} takes the names of {least} or more different columns, not: {names!r}")
    return names


def need_kinds(kinds: Iterable[str], names: Iterable[str], schema: Schema, what: object) -> None:
    for name in names:
        if schema[name].kind not in kinds:
            raise DataError(
                f"{what!r} wants a column of kind {' or '.join(kinds)}; {name!r} is: {schema[name].kind}. Say another "
                "kind of it in a schema: --save-schema writes one, --schema takes it"
            )


class Inequality(Constraint):
    """Each column is at most the next one: `Inequality("start", "end")`; with `strict`, less."""

    kind = "inequality"

    def __init__(self, *columns: str, strict: bool = False) -> None:
        self.columns, self.strict = names_of(columns, 2, "Inequality"), strict

    def _options(self) -> dict[str, Any]:
        return {"strict": self.strict}

    def check(self, schema: Schema) -> None:
        super().check(schema)
        need_kinds(NUMERIC, self.columns, schema, self)
        if len({schema[name].kind == "datetime" for name in self.columns}) > 1:
            raise DataError(f"{self!r} compares dates with numbers")

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        kept = np.ones(len(rows), dtype=bool)
        for low, high in zip(self.columns, self.columns[1:], strict=False):
            a, b = rows.canonical[low], rows.canonical[high]
            kept &= ~(a >= b) if self.strict else ~(a > b)  # a missing value compares as False
        return kept


class Range(Constraint):
    """A number lies between two bounds, either of which may be left out; with `strict`, not on them.

    Bounds of a date are given as text: `Range("born", low="1900-01-01")`.
    """

    kind = "range"

    def __init__(self, column: str, low: Any = None, high: Any = None, *, strict: bool = False) -> None:
        if low is None and high is None:
            raise ConfigError(f"Range of {column!r} wants low, high or both")
        self.columns, self.low, self.high, self.strict = (column,), low, high, strict

    def _options(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high, "strict": self.strict}

    def check(self, schema: Schema) -> None:
        super().check(schema)
        need_kinds(NUMERIC, self.columns, schema, self)
        self.bounds(schema)

    def bounds(self, schema: Schema) -> tuple[float, float]:
        """Both bounds in canonical units; infinite where left out."""
        column = schema[self.columns[0]]
        low = -np.inf if self.low is None else number(self.low, column)
        high = np.inf if self.high is None else number(self.high, column)
        if low > high:
            raise ConfigError(f"Range of {column.name!r}: low is above high: {self.low!r} > {self.high!r}")
        return low, high

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        low, high = self.bounds(schema)
        x = rows.canonical[self.columns[0]]
        outside = (x <= low) | (x >= high) if self.strict else (x < low) | (x > high)
        return np.asarray(~outside)


def number(value: Any, column: Column) -> float:
    """A number, or a date in microseconds since 1970 (UTC), from what a user wrote; dates without a zone are in the
    column's.

    Raises:
        DataError: it is neither.
    """
    try:
        if column.kind == "datetime" and not isinstance(value, int | float):
            return _moment(value, column.timezone)
        if isinstance(value, bool | str):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        wanted = "a date such as '2024-01-31'" if column.kind == "datetime" else "a number"
        raise DataError(f"{column.name!r} is compared with {wanted}, not with: {value!r}") from None


def _moment(value: Any, zone: str | None) -> float:
    import pandas as pd

    moment = pd.Timestamp(value)
    if moment.tzinfo is None:
        moment = moment.tz_localize(zone or "UTC")
    since = moment.tz_convert(None).as_unit("us") - pd.Timestamp(0).as_unit("us")
    return float(since / pd.Timedelta(microseconds=1))


class FixedCombinations(Constraint):
    """Only combinations of values that the training data have: no Rome in France."""

    kind = "fixed_combinations"

    def __init__(self, *columns: str) -> None:
        self.columns = names_of(columns, 2, "FixedCombinations")

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        return np.ones(len(rows), dtype=bool)  # whatever the data have is allowed; `rules.Combined` knows it


class OneHot(Constraint):
    """Exactly one of several columns of 0 and 1, or of False and True, is 1."""

    kind = "one_hot"

    def __init__(self, *columns: Any) -> None:
        self.columns = names_of(columns, 2, "OneHot")

    def check(self, schema: Schema) -> None:
        super().check(schema)
        for name in self.columns:
            column = schema[name]
            if column.kind in DISCRETE:
                good = all(str(c).lower() in ("0", "1", "0.0", "1.0", "true", "false") for c in column.categories)
            else:
                good = column.kind in ("integer", "float")
            if not good:
                raise DataError(f"{self!r} wants columns of 0 and 1; {name!r} is not one")

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        values = np.stack([self._values(name, rows, schema) for name in self.columns], 1)
        return np.asarray(np.isin(values, (0.0, 1.0)).all(1) & (values.sum(1) == 1))

    def _values(self, name: str, rows: Rows, schema: Schema) -> npt.NDArray[np.float64]:
        column = schema[name]
        if column.kind not in DISCRETE:
            return np.asarray(rows.canonical[name], dtype=np.float64)
        known = [float(str(c).lower() in ("1", "1.0", "true")) for c in column.categories]
        return np.asarray([*known, np.nan])[rows.canonical[name]]


class Unique(Constraint):
    """No two rows have the same values in these columns. A row that lacks one of them is not compared."""

    kind = "unique"

    def __init__(self, *columns: str) -> None:
        self.columns = names_of(columns, 1, "Unique")

    def check(self, schema: Schema) -> None:
        for name in self.columns:
            schema[name]

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        return np.ones(len(rows), dtype=bool)  # a matter of many rows: see `keys.Seen`


class Custom(Constraint):
    """Whatever a function says: `predicate(frame)` returns True for each row that may be.

    Args:
        predicate: takes a DataFrame with the table's columns and returns one truth value per row. To be saved it must
            be importable: a function at the top of a module of yours.
        columns: what to call it by in messages; the function gets all columns.
    """

    kind = "custom"

    def __init__(self, predicate: Predicate, columns: Sequence[str] = ()) -> None:
        if not callable(predicate):
            raise ConfigError(f"Custom takes a function of a DataFrame, not: {predicate!r}")
        self.predicate, self.columns = predicate, tuple(columns)

    @property
    def name(self) -> str:
        """`package.module:function`.

        Raises:
            UserError: the function cannot be imported again under any name.
        """
        module, path = getattr(self.predicate, "__module__", None), getattr(self.predicate, "__qualname__", "")
        if module in (None, "__main__") or not path or "<" in path:
            raise UserError(
                f"the constraint {self!r} cannot be saved, for its function has no place to be imported from; "
                "put it at the top of a module of yours, or leave the constraint out"
            )
        return f"{module}:{path}"

    def check(self, schema: Schema) -> None:
        for name in self.columns:
            schema[name]

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        answer = np.asarray(self.predicate(rows.frame))
        if answer.shape != (len(rows),):
            came = f"an array of shape {answer.shape}" if answer.shape else repr(answer.item())
            raise UserError(f"{self!r} returned {came} for {len(rows)} rows; wanted one truth value for each")
        return answer.astype(bool)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "columns": list(self.columns), "predicate": self.name}

    def __repr__(self) -> str:
        return f"Custom({getattr(self.predicate, '__name__', 'function')})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Custom) and self.predicate is other.predicate and self.columns == other.columns

    def __hash__(self) -> int:
        return hash((self.kind, self.predicate))
