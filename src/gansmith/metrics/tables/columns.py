"""Tables as arrays that can be compared: the same column has the same codes and units in every table.

The tables may come from different hands, so nothing is refused that can be measured: a synthetic table may hold
categories that the real one has not, or dates that do not parse (they count as missing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ...errors import DataError, MissingExtra
from ...tabular import decorated
from ...tabular.dates import parse
from ...tabular.schema import DISCRETE, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

Array: TypeAlias = npt.NDArray[Any]
Side: TypeAlias = Mapping[str, Array]


@dataclass(frozen=True)
class Aligned:
    """Several tables of one schema.

    Attributes:
        columns: the compared columns; identifiers are left out.
        sides: of each table by name: column name -> array (n,): float64 with NaN for numbers, nanoseconds since 1970
            for dates, int64 codes with -1 for missing for categories and booleans.
        levels: of each category column: the values that the codes stand for, over all tables together.
    """

    columns: tuple[Column, ...]
    sides: Mapping[str, Side]
    levels: Mapping[str, tuple[Any, ...]]

    def __getitem__(self, side: str) -> Side:
        return self.sides[side]

    def rows(self, side: str) -> int:
        return len(self.sides[side][self.columns[0].name])

    def take(self, **rows: npt.NDArray[np.int64]) -> Aligned:
        """The same with the named tables cut to these rows; the others stay whole."""
        cut = {
            name: {c: a[rows[name]] for c, a in side.items()} if name in rows else side
            for name, side in self.sides.items()
        }
        return Aligned(self.columns, cut, self.levels)


def align(schema: Schema, tables: Mapping[str, pd.DataFrame]) -> Aligned:
    """Tables as comparable arrays.

    Args:
        schema: what the columns are.
        tables: by name, each with all columns of the schema but the identifiers; others are not looked at.

    Raises:
        DataError: a table has no rows or lacks a column, the schema has nothing but identifiers, or a number is
            infinite.
        MissingExtra: pandas is absent.
    """
    need("pandas")
    if not schema.learnt:
        raise DataError("nothing to compare: every column of the schema is an identifier")
    for name, table in tables.items():
        _check(name, table, schema)
    sides: dict[str, dict[str, Array]] = {name: {} for name in tables}
    levels: dict[str, tuple[Any, ...]] = {}
    for column in schema.learnt:
        series = {name: table[column.name] for name, table in tables.items()}
        arrays: dict[str, Array]
        if column.kind in DISCRETE:
            found, levels[column.name] = codes(series)
            arrays = {**found}
        else:
            arrays = {name: numbers(s, column, name) for name, s in series.items()}
        for name, array in arrays.items():
            sides[name][column.name] = array
    return Aligned(schema.learnt, sides, levels)


def _check(name: str, table: pd.DataFrame, schema: Schema) -> None:
    if not len(table):
        raise DataError(f"the {name} table has no rows; at least one is needed to compare it")
    lacking = [c.name for c in schema.learnt if c.name not in table.columns]
    if lacking:
        raise DataError(f"the {name} table lacks {len(lacking)} column(s) of the schema: {', '.join(lacking[:10])}")


def numbers(series: pd.Series, column: Column, table: str) -> npt.NDArray[np.float64]:
    """A numeric or date column as float64 (n,), NaN for what is missing or cannot be read; dates in nanoseconds.

    Raises:
        DataError: a number is infinite.
    """
    import pandas as pd

    if column.kind == "datetime":
        return dates(series, column)
    if column.format is not None and not pd.api.types.is_numeric_dtype(series.dtype):
        return decorated.numbers([str(v) for v in series.tolist()], column.format)
    values: npt.NDArray[np.float64] = pd.to_numeric(series, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    if np.isinf(values).any():
        row = int(np.isinf(values).argmax())
        raise DataError(f"the {table} table holds an infinite number in column {column.name!r}, row {row}; mend it")
    return values


def dates(series: pd.Series, column: Column) -> npt.NDArray[np.float64]:
    """Dates as nanoseconds since 1970 (n,), NaN for what is missing or does not parse.

    Nanoseconds and not microseconds, since bin edges computed from them must round as SDMetrics' do.
    """
    import pandas as pd

    if column.format is not None and not pd.api.types.is_datetime64_any_dtype(series.dtype):
        whole = series.astype("Int64") if pd.api.types.is_float_dtype(series.dtype) else series  # 20240131
        return parse(whole.astype(str).where(series.notna(), None), column.format) * 1000.0
    found = pd.to_datetime(series, errors="coerce", utc=True)
    whole = found.dt.tz_localize(None).astype("datetime64[us]")
    return np.where(whole.isna().to_numpy(), np.nan, whole.astype("int64").to_numpy() * 1000.0)


def codes(series: Mapping[str, pd.Series]) -> tuple[dict[str, npt.NDArray[np.int64]], tuple[Any, ...]]:
    """One category column of several tables as codes (n,) that mean the same in all, and what they mean."""
    import pandas as pd

    plain = [s.astype(object) for s in series.values()]
    numbered, values = pd.factorize(pd.concat(plain, ignore_index=True))
    ends = np.cumsum([len(s) for s in plain])[:-1]
    parts = np.split(numbered.astype(np.int64), ends)
    return dict(zip(series, parts, strict=True)), tuple(_scalar(v) for v in values)


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def need(package: str, extra: str = "tables") -> None:
    """Raises MissingExtra where an optional package is absent."""
    import importlib.util

    if importlib.util.find_spec(package) is None:
        raise MissingExtra(package, extra)


def pick(n: int, most: int | None, seed: int, salt: int = 0) -> npt.NDArray[np.int64]:
    """At most `most` of n row numbers, drawn by seed without replacement, in order."""
    if most is None or n <= most:
        return np.arange(n, dtype=np.int64)
    return np.sort(np.random.default_rng([seed, salt]).choice(n, most, replace=False)).astype(np.int64)
