"""Schema: what the columns of a table are, in words that a user can read, edit and pass back.

Rows travel as *canonical columns*, a dict from column name to a NumPy array of n entries:

    integer, float      float64, NaN for a missing value
    datetime            float64, microseconds since 1970-01-01T00:00 (UTC where there is a zone), NaN for missing
    category, boolean   int64, the number of the category in `Column.categories`, -1 for missing
    identifier          not there: such a column is never learnt, only filled
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

import numpy.typing as npt

from ..errors import DataError, did_you_mean

Kind = Literal["integer", "float", "datetime", "category", "boolean", "identifier"]
KINDS: tuple[str, ...] = get_args(Kind)
NUMERIC = ("integer", "float", "datetime")
DISCRETE = ("category", "boolean")
Canonical: TypeAlias = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column as it was found in the data, or as the user edited it.

    Args:
        name: as in the header.
        kind: what it means; decides how it is learnt.
        dtype: the pandas dtype to come back to, such as `int64`, `Int64`, `float32`, `str`, `object`, `category`,
            `datetime64[ns]`, `bool`; or `date`, `time`, `decimal` for a column of such Python objects.
        nulls: whether values are missing.
        missing: how a missing value is written in files of text, such as `NA`; nothing for an empty cell.
        categories: of a category or boolean: the values, JSON scalars, most frequent first.
        counts: how many training rows each category has, missing ones last where `nulls`.
        format: of dates that are text: their strftime format; of numbers that are text with a unit or a currency: how
            they are written, such as `${:,.2f}` or `{:.,2f} €` (see `decorated`); else None.
        timezone: of a datetime.
        decimals: of a float: digits after the point, as far as all values agree; None for full precision.
        low, high: of a number or date, in canonical units: lowest and highest training value.
        special: of a number: values with a meaning of their own (0, -1, 999), which pile up in the data.
        fill: of an identifier: what fills it: a Faker provider (`email`, `name`, `uuid4`), `sequence` (unique whole
            numbers), or `pattern:AB-####` (Faker's bothify).
        step: of a datetime: all values are multiples of so many microseconds; at most a day, in local time.
        levels: of the pandas dtype `category`: its categories in their own order, unused ones too.
        ordered: of the pandas dtype `category`: whether that order has a meaning.
    """

    name: str
    kind: Kind
    dtype: str = "float64"
    nulls: bool = False
    missing: str = ""
    categories: tuple[Any, ...] = ()
    counts: tuple[int, ...] = ()
    format: str | None = None
    timezone: str | None = None
    decimals: int | None = None
    low: float | None = None
    high: float | None = None
    special: tuple[float, ...] = ()
    fill: str | None = None
    step: float | None = None
    levels: tuple[Any, ...] = ()
    ordered: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            known = ", ".join(KINDS)
            raise DataError(
                f"column {self.name!r} has no kind {self.kind!r}; known: {known}.{did_you_mean(self.kind, KINDS)}"
            )

    def to_json(self) -> dict[str, Any]:
        """Fields that differ from their defaults."""
        defaults = {f.name: f.default for f in fields(self)}
        found = {name: value for name, value in asdict(self).items() if value != defaults[name] or name == "dtype"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Column:
        """The inverse of `to_json`.

        Raises:
            DataError: an unknown field (the nearest is offered), or one that is missing.
        """
        known = [f.name for f in fields(Column)]
        for name in data:
            if name not in known:
                raise DataError(f"a column has no field {name!r}.{did_you_mean(name, known)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        try:
            return Column(**values)
        except TypeError as error:
            raise DataError(f"a column of the schema is incomplete: {error}") from None


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in their order."""

    columns: tuple[Column, ...]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, name: str) -> Column:
        """The column called `name`.

        Raises:
            DataError: there is none; the nearest is offered.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"no column {name!r}.{did_you_mean(name, self.names)} There are: {', '.join(self.names[:20])}")

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def learnt(self) -> tuple[Column, ...]:
        """All but the identifiers."""
        return tuple(column for column in self.columns if column.kind != "identifier")

    def to_json(self) -> list[dict[str, Any]]:
        return [column.to_json() for column in self.columns]

    @staticmethod
    def from_json(data: list[Mapping[str, Any]] | tuple[Mapping[str, Any], ...]) -> Schema:
        return Schema(tuple(Column.from_json(column) for column in data))


def rows_of(canonical: Canonical) -> int:
    """How many rows canonical columns have."""
    return len(next(iter(canonical.values()))) if canonical else 0
