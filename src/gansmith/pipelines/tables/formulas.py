"""Formulas: a column that others determine, and how it is left out of what networks learn.

Sum("total", "net", "tax")                              total = net + tax
Sum("discharged", "admitted", "stay", unit="days")      a date = an earlier date + so many days
Product("amount", "price", "quantity")                  amount = price * quantity, rounded as amounts are
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ...errors import ConfigError, DataError, did_you_mean
from ...tabular.schema import NUMERIC, Canonical, Column, Schema
from .constraints import Constraint, Mask, Rows, names_of, need_kinds
from .transforms import Columns, Transform
from .where import settled

Numbers: TypeAlias = npt.NDArray[np.float64]
UNITS = {"days": 86_400e6, "hours": 3_600e6, "minutes": 60e6, "seconds": 1e6}
"""Microseconds, in which dates are counted."""


class Formula(Constraint):
    """The first column is what the others make; it is missing exactly where one of them is."""

    def __init__(self, *columns: str) -> None:
        self.columns = names_of(columns, 3, type(self).__name__)

    @property
    def made(self) -> str:
        """The column that the others determine."""
        return self.columns[0]

    @property
    def parts(self) -> tuple[str, ...]:
        return self.columns[1:]

    def check(self, schema: Schema) -> None:
        super().check(schema)
        need_kinds(NUMERIC, self.columns, schema, self)

    @abstractmethod
    def value(self, parts: Sequence[Numbers], schema: Mapping[str, Column] | Schema) -> Numbers:
        """The column made, (n,), from its parts, each (n,); all in canonical units."""

    @abstractmethod
    def slack(self, column: Column) -> float:
        """By how much the column made may differ from the formula, rounding apart."""

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        return self.keeps(rows.canonical, schema)

    def keeps(self, canonical: Canonical, schema: Schema) -> Mask:
        """Which rows keep it, (n,)."""
        found = np.asarray(canonical[self.made], dtype=np.float64)
        wanted = self.value([canonical[name] for name in self.parts], schema)
        slack = self.slack(schema[self.made]) + 1e-9 * np.abs(wanted) * (schema[self.made].kind != "datetime")
        same = np.abs(found - wanted) <= slack
        return np.asarray(np.where(np.isnan(wanted), np.isnan(found), same))


class Sum(Formula):
    """A column is the sum of others. A date is the sum of one date and of numbers of `unit`.

    Args:
        columns: the sum, then what it is made of.
        unit: of the numbers, where the sum is a date: one of UNITS.
    """

    kind = "sum"

    def __init__(self, *columns: str, unit: str | None = None) -> None:
        super().__init__(*columns)
        if unit is not None and unit not in UNITS:
            raise ConfigError(f"no unit {unit!r}; known: {', '.join(UNITS)}.{did_you_mean(unit, UNITS)}")
        self.unit = unit

    def _options(self) -> dict[str, Any]:
        return {"unit": self.unit}

    def check(self, schema: Schema) -> None:
        super().check(schema)
        dates = [name for name in self.columns if schema[name].kind == "datetime"]
        if dates and (self.made not in dates or len(dates) != 2 or self.unit is None):
            raise DataError(
                f"{self!r} speaks of dates: {', '.join(dates)}; wanted one date that is the sum of another date and of "
                f"numbers, and the unit of those: {', '.join(UNITS)}"
            )

    def value(self, parts: Sequence[Numbers], schema: Mapping[str, Column] | Schema) -> Numbers:
        scales = [self.scale(schema[name]) for name in self.parts]
        return np.asarray(sum(part * scale for part, scale in zip(parts, scales, strict=True)), dtype=np.float64)

    def scale(self, column: Column) -> float:
        """What one of a part counts in the sum."""
        return UNITS[self.unit] if self.unit and column.kind != "datetime" else 1.0

    def slack(self, column: Column) -> float:
        if column.kind == "datetime":
            return 1.0
        return 1e-6 * 10.0 ** -(column.decimals or 0)


class Product(Formula):
    """A column is the product of others, rounded as far as it is."""

    kind = "product"

    def check(self, schema: Schema) -> None:
        super().check(schema)
        need_kinds(("integer", "float"), self.columns, schema, self)

    def value(self, parts: Sequence[Numbers], schema: Mapping[str, Column] | Schema) -> Numbers:
        return np.asarray(np.prod(np.stack(parts), axis=0), dtype=np.float64)

    def slack(self, column: Column) -> float:
        digits = 0 if column.kind == "integer" else column.decimals
        return 0.0 if digits is None else 0.5000001 * 10.0**-digits


@dataclass(frozen=True)
class Derived(Transform):
    """A column that is left out, as others determine it.

    Args:
        formula: says how.
        parts: the columns it is made of, whose values count as they will be written.
    """

    kind: ClassVar[str] = "derived"
    formula: Formula
    parts: tuple[Column, ...]

    @property
    def takes(self) -> tuple[str, ...]:  # type: ignore[override]  # it follows from the formula
        return (self.formula.made,)

    def forward(self, canonical: Canonical) -> Columns:
        return {}

    def backward(self, canonical: Canonical) -> Columns:
        values = [settled(canonical[column.name], column) for column in self.parts]
        return {self.formula.made: self.formula.value(values, {column.name: column for column in self.parts})}

    def columns(self, schema: Schema) -> tuple[Column, ...]:
        return ()

    def to_json(self) -> dict[str, Any]:
        parts = [column.to_json() for column in self.parts]
        return {"kind": self.kind, "formula": self.formula.to_json(), "parts": parts}


def ordered(transforms: Sequence[Transform]) -> tuple[Transform, ...]:
    """Transforms as they are to be undone: a derived column after those that it is made of."""
    left = [t for t in transforms if isinstance(t, Derived)]
    found = [t for t in transforms if not isinstance(t, Derived)]
    while left:
        unmade = {t.formula.made for t in left}
        found += [t for t in left if not unmade & set(t.formula.parts)]
        left = [t for t in left if unmade & set(t.formula.parts)]
    return tuple(found)


def without_circles(formulas: Sequence[Formula]) -> tuple[Formula, ...]:
    """The formulas whose columns can be left out together: each column once, and none that makes itself in the end."""
    made: dict[str, Formula] = {}
    for formula in formulas:
        if formula.made not in made and not _reaches(formula.parts, formula.made, made):
            made[formula.made] = formula
    return tuple(made.values())


def _reaches(names: Sequence[str], wanted: str, made: Mapping[str, Formula]) -> bool:
    return any(n == wanted or (n in made and _reaches(made[n].parts, wanted, made)) for n in names)
