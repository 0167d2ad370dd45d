"""What the user knows of a table and states, so that the data need not be asked for it: in Python, or in a YAML file.

bounds: {age: [0, 120], admitted: [2015-01-01, 2024-12-31]}
categories: {sex: [f, m], ill: ["no", "yes"]}
bulk: {age: [30, 70]}
special: {income: [0]}
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from ..errors import DataError, did_you_mean
from ..tabular.schema import DISCRETE, Column, Schema
from ..tabular.schemafile import read_yaml


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What the user knows and states; the data are not asked for it.

    Args:
        bounds: of a number or date (canonical units, see `tabular.schema`), lowest and highest value; all outside is
            moved to the nearest.
        categories: of a category: all values it may have.
        bulk: of a number or date: between what values about half of the rows lie; bins are finest there.
        special: of a number: values with a meaning of their own.
    """

    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    bulk: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    categories: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    special: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def check(self, schema: Schema) -> None:
        """Raises DataError for a column that is not there, or bounds that are none."""
        for name in [*self.bounds, *self.bulk, *self.categories, *self.special]:
            column = schema[name]
            discrete = column.kind in DISCRETE
            if column.kind == "identifier" or (name in self.categories) != discrete:
                wanted = "categories" if discrete else "bounds"
                raise DataError(f"{name!r} is of the kind {column.kind}; what can be stated of it: {wanted}")
        for name, (low, high) in [*self.bounds.items(), *self.bulk.items()]:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise DataError(f"bounds and bulk of {name!r} are a lower and a higher number, not: {low}, {high}")

    def of(self, column: Column) -> bool:
        """Whether the data need not be asked for the column's range or list of categories."""
        return column.name in self.bounds or column.name in self.categories


def to_fill_in(columns: Iterable[Column]) -> str:
    """A line of YAML in which the user states these columns; as it is, it is refused when read."""
    asked: dict[str, dict[str, list[str]]] = {}
    for column in columns:
        ends = ["earliest", "latest"] if column.kind == "datetime" else ["lowest", "highest"]
        what, blank = ("categories", []) if column.kind in DISCRETE else ("bounds", ends)
        asked.setdefault(what, {})[column.name] = blank
    text: str = yaml.safe_dump(asked, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9)
    return text.strip()


def read_stated(given: Any, schema: Schema) -> Stated:
    """What is stated of a table's columns, in canonical units.

    Args:
        given: a Stated, which is taken as it is; a mapping with `bounds`, `categories`, `bulk`, `special`, each by
            column, dates as dates or text; a YAML file of such; or None.

    Raises:
        DataError: the file cannot be read, or something does not fit the schema.
    """
    if given is None or isinstance(given, Stated):
        return given or Stated()
    named = f"{given}, in which things are stated,"
    read = read_yaml(Path(given), named) or {} if isinstance(given, str | Path) else given
    known = [f.name for f in fields(Stated)]
    if not isinstance(read, Mapping):
        raise DataError(f"what may be stated, each by column: {', '.join(known)}; this was: {read!r}")
    for what, by_column in read.items():
        if what not in known:
            raise DataError(
                f"nothing {what!r} can be stated.{did_you_mean(str(what), known)} It is one of: {', '.join(known)}"
            )
        if not isinstance(by_column, Mapping):
            raise DataError(f"{what} are stated by column, as {what}: {{age: [...]}}; this was: {by_column!r}")
    made = {what: {str(n): _values(what, schema[str(n)], v) for n, v in read[what].items()} for what in read}
    stated = Stated(**made)
    stated.check(schema)
    return stated


def _values(what: str, column: Column, values: Any) -> tuple[Any, ...]:
    """The values of one column, as the table has them."""
    pair = what in ("bounds", "bulk")
    if not isinstance(values, list | tuple) or (pair and len(values) != 2) or not values:
        wanted = "two numbers, [lowest, highest]" if pair else "a list"
        raise DataError(f"{what} of {column.name!r}: wanted {wanted}, this was: {values!r}")
    if what == "categories":
        return tuple(dict.fromkeys(_category(column, value) for value in values))
    return tuple(_number(what, column, value) for value in values)


def _category(column: Column, value: Any) -> Any:
    """A category of the type that the column's have: `1` of a text column is `"1"`."""
    kinds = {type(c) for c in column.categories}
    if kinds == {str} and isinstance(value, bool):
        raise DataError(
            f"categories of {column.name!r} are words, and YAML takes yes, no, on, off, true and false for truth "
            'values: write them in quotes, such as ["no", "yes"]'
        )
    try:
        return next(iter(kinds))(value) if len(kinds) == 1 and column.kind == "category" else value
    except (TypeError, ValueError):
        raise DataError(f"categories of {column.name!r} are numbers, this is none: {value!r}") from None


def _number(what: str, column: Column, value: Any) -> float:
    """A number or moment in canonical units."""
    if column.kind == "datetime" and isinstance(value, str | datetime.date):
        return _moment(column, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        wanted = "dates, such as 2015-01-31" if column.kind == "datetime" else "numbers"
        raise DataError(f"{what} of {column.name!r}: wanted {wanted}, this was: {value!r}")
    return float(value)


def _moment(column: Column, value: str | datetime.date) -> float:
    """Microseconds since 1970; without a zone of its own, a moment is meant in the column's."""
    import pandas as pd

    try:
        moment = pd.Timestamp(value)
    except ValueError:
        raise DataError(f"{column.name!r} holds dates; wanted one such as 2015-01-31, this was: {value!r}") from None
    if moment.tzinfo is None:
        moment = moment.tz_localize(column.timezone or "UTC")
    return float(moment.timestamp()) * 1e6
