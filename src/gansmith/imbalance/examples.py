"""The rows and classes that the laboratory works on, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, did_you_mean
from ..tabular.schema import DISCRETE, Canonical, Column, Schema
from .features import Frame

MOST_CLASSES = 50


@dataclass(frozen=True)
class Examples:
    """Rows with their classes.

    Args:
        frame: (n rows) numbers, dates and categories, without the target; a pandas DataFrame.
        y: (n,) class numbers, the commonest class 0, the rarest last.
        classes: their names, in that order.
        categorical: names of the columns that hold categories.
        notes: what was left out, for the user to read.
    """

    frame: Frame
    y: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    categorical: tuple[str, ...]
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> list[int]:
        """Rows of each class."""
        return [int(n) for n in np.bincount(self.y, minlength=len(self.classes))]


def read_examples(data: Any, target: str, *, fewest: int) -> Examples:
    """Reads a table and splits the target off.

    Args:
        data: whatever `open_table` takes: a CSV, TSV or parquet file, a DataFrame, ...
        target: the column with the classes.
        fewest: rows that each class must have.

    Raises:
        DataError: there is no such column (the nearest is named), it is no class, a class has too few rows, there is
            one class only, or no column is left to learn from.
    """
    import pandas as pd

    from ..data.tables_read import open_table
    from ..tabular.frames import canonicalise

    table = open_table(data)
    known = table.schema.names
    if target not in known:
        raise DataError(
            f"no column {target!r}.{did_you_mean(target, known)} There are: {', '.join(map(str, known[:20]))}"
        )
    rows = pd.concat(list(table.chunks()), ignore_index=True)
    canonical = canonicalise(rows, table.schema)
    names, known_class = _classes(canonical, table.schema[target])
    notes = list(table.notes()) + _dropped(len(names) - int(known_class.sum()), target)
    y, classes = _ranked(names[known_class])
    _check(y, classes, target, fewest)
    frame, categorical, left_out = _features(canonical, table.schema, target)
    return Examples(frame[known_class].reset_index(drop=True), y, classes, categorical, notes + left_out)


def _classes(canonical: Canonical, column: Column) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """The class of each row as text, and which rows have one."""
    if column.kind == "identifier":
        raise DataError(f"{column.name!r} has another value in nearly every row; name a column with a few classes")
    values = canonical[column.name]
    if column.kind in DISCRETE:
        names = np.array([*map(str, column.categories), ""], dtype=object)
        return names[values], values >= 0
    known = ~np.isnan(values)
    if len(np.unique(values[known])) > MOST_CLASSES or column.kind == "datetime":
        raise DataError(
            f"{column.name!r} holds {len(np.unique(values[known])):,} different numbers or dates, at most "
            f"{MOST_CLASSES} classes can be compared; name another column, or turn it into classes first"
        )
    return np.array([f"{v:g}" for v in values], dtype=object), known


def _dropped(count: int, target: str) -> list[str]:
    return [f"{count:,} rows without a {target!r} were left out"] if count else []


def _ranked(names: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Class numbers with the commonest first; equal ones in order of their names."""
    found, places, counts = np.unique(names.astype(str), return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[places], tuple(str(found[i]) for i in order)


def _check(y: npt.NDArray[np.int64], classes: Sequence[str], target: str, fewest: int) -> None:
    if len(classes) < 2:
        only = f"a single class, {classes[0]!r}" if classes else "no class at all"
        raise DataError(f"{target!r} has {only}; at least two are needed")
    if len(classes) > MOST_CLASSES:
        raise DataError(f"{target!r} has {len(classes):,} classes; at most {MOST_CLASSES} can be compared")
    counts = np.bincount(y)
    short = [f"{name!r} has {n}" for name, n in zip(classes, counts, strict=True) if n < fewest]
    if short:
        raise DataError(
            f"every class of {target!r} needs at least {fewest} rows for these folds; {', '.join(short[:5])}. "
            "Leave such classes out, or join them with others."
        )


def _features(canonical: Canonical, schema: Schema, target: str) -> tuple[Frame, tuple[str, ...], list[str]]:
    """The columns to learn from, as clean pandas columns; which of them are categories; and what was left out."""
    import pandas as pd

    found, categorical, notes = {}, [], []
    for column in schema:
        if column.name == target:
            continue
        if column.kind == "identifier":
            notes.append(f"column {column.name!r} names its rows; it was left out")
            continue
        values = _clean(canonical[column.name], column)
        if values.nunique(dropna=False) < 2:
            notes.append(f"column {column.name!r} has a single value; it was left out")
            continue
        found[column.name] = values
        categorical += [column.name] if column.kind in DISCRETE else []
    if not found:
        raise DataError(f"no column is left to tell the classes of {target!r} by; " + "; ".join(notes))
    return pd.DataFrame(found), tuple(categorical), notes


def _clean(values: npt.NDArray[Any], column: Column) -> Any:
    """A canonical column as a pandas column: text for categories, int64 or float64, dates by the microsecond."""
    import pandas as pd

    if column.kind in DISCRETE:
        names = np.array([*map(str, column.categories), None], dtype=object)
        return pd.Series(names[values], dtype=object)
    if column.kind == "datetime":
        return pd.Series(pd.to_datetime(values, unit="us"))
    whole = column.kind == "integer" and not np.isnan(values).any()
    return pd.Series(values.astype(np.int64) if whole else values)
