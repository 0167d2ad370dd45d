"""Whether a synthetic table is valid at all: SDMetrics 0.32.0's diagnostic score.

validity    of a number or date: the share of rows within the range of the real column; of a category: the share
            whose category the real column has; missing is valid where the real column has missing values; of a
            date written as text, besides: the share that follows the format; of a key: unique and not missing
structure   the columns (name and dtype) that both tables have, over those that either has
score       mean of the two
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...tabular.schema import DISCRETE, Column, Schema
from .columns import Aligned, Array, align
from .quality import mean

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Validity:
    """One column: the share of synthetic rows that are valid, NaN where it cannot be said."""

    name: str
    measure: str
    score: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def diagnostic(
    real: pd.DataFrame, fake: pd.DataFrame, schema: Schema, *, key: str | None = None, tables: Aligned | None = None
) -> tuple[float, float, float, list[Validity]]:
    """The diagnostic score, validity, structure, each in [0, 1], and the validity of each column.

    Args:
        real, fake: the tables.
        schema: what the columns are.
        key: the identifier column that must be unique.
        tables: the same tables, aligned, where they are at hand.

    Raises:
        DataError: as `align` does.
    """
    tables = tables or align(schema, {"real": real, "fake": fake})
    found = [v for c in schema for v in _validity(c, real, fake, key, tables)]
    valid, alike = mean([v.score for v in found]), structure(real, fake, schema)
    return mean([valid, alike]), valid, alike, found


def structure(real: pd.DataFrame, fake: pd.DataFrame, schema: Schema) -> float:
    """Columns (name and dtype) in both over columns in either; a date that is text counts as a date once parsed."""
    a, b = (set(_typed(table, schema)) for table in (real, fake))
    return len(a & b) / len(a | b)


def _typed(table: pd.DataFrame, schema: Schema) -> list[tuple[str, str]]:
    dates = {c.name for c in schema if c.kind == "datetime" and c.format}
    return [(str(n), "datetime" if n in dates else str(d)) for n, d in zip(table.columns, table.dtypes, strict=True)]


def _validity(
    column: Column, real: pd.DataFrame, fake: pd.DataFrame, key: str | None, tables: Aligned
) -> list[Validity]:
    name = column.name
    if column.kind == "identifier":
        return [Validity(name, "KeyUniqueness", uniqueness(fake[name]))] if name == key and name in fake else []
    a, b = tables["real"][name], tables["fake"][name]
    if column.kind in DISCRETE:
        return [Validity(name, "CategoryAdherence", categories_kept(a, b))]
    found = [Validity(name, "BoundaryAdherence", range_kept(a, b))]
    if column.kind == "datetime" and column.format and not _is_date(fake[name]):
        found.append(Validity(name, "DatetimeFormatAdherence", format_kept(fake[name], b)))
    return found


def uniqueness(values: pd.Series) -> float:
    """The share of rows whose value is there and has not come before."""
    return float(values.nunique(dropna=True) / len(values))


def range_kept(real: Array, fake: Array) -> float:
    """The share of fake numbers within the range of the real ones, in [0, 1]; NaN where both have none."""
    missing, nullable = np.isnan(fake), bool(np.isnan(real).any())
    if missing.all() and nullable:
        return float("nan")
    if np.isnan(real).all():
        return 0.0
    within = (fake >= np.nanmin(real)) & (fake <= np.nanmax(real))
    return float((within | missing if nullable else within).mean())


def categories_kept(real: Array, fake: Array) -> float:
    """The share of fake codes that occur among the real ones, missing being one of them."""
    return float(np.isin(fake, real).mean())


def format_kept(values: pd.Series, parsed: Array) -> float:
    """The share of texts that followed the format, among those that are not missing."""
    there = values.notna().to_numpy()
    return float((~np.isnan(parsed[there])).mean()) if there.any() else float("nan")


def _is_date(values: pd.Series) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_datetime64_any_dtype(values.dtype))
