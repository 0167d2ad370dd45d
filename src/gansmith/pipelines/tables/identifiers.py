"""Identifier columns of rows that are made: filled when a row is final, unique where a constraint says so, never a real
one where those are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UserError
from ...tabular.fill import capacity, filled
from ...tabular.schema import Column, Schema
from .keys import Seen, hashes_of
from .real import Real

if TYPE_CHECKING:
    import pandas as pd

TRIES = 20
STRIDES = 8  # parts of what a pattern can make: what is real in one row is taken from the next part
FAR = 1 << 44  # rows between one try and the next, more than anybody makes


def fill(
    frame: pd.DataFrame,
    schema: Schema,
    *,
    start: int,
    seed: int,
    keys: Sequence[tuple[str, ...]] = (),
    seen: Sequence[Seen] = (),
    real: Real | None = None,
) -> pd.DataFrame:
    """`frame` with its identifiers, columns in the schema's order. Row i of them depends on (seed, start + i).

    Args:
        frame: the learnt columns.
        start: number of the first row.
        keys: columns that must be unique together; those without an identifier among them are seen to elsewhere.
        seen: keys of earlier rows, for each of `keys`; grows.
        real: identifiers that none may have.

    Raises:
        UserError: the filler has too few values for the rows.
    """
    identifiers = [column for column in schema if column.kind == "identifier"]
    if not identifiers:
        return frame
    made = {c.name: filled(c, len(frame), start=start, seed=seed).set_axis(frame.index) for c in identifiers}
    if real is not None:
        made = {c.name: _unreal(made[c.name], c, real, start, seed) for c in identifiers}
    whole = frame.assign(**made)[schema.names]
    for columns, known in zip(keys, seen, strict=True):
        own = [c for c in identifiers if c.name in columns]
        if own:
            _make_unique(whole, Schema(tuple(own)), columns, known, real, start, seed)
    return whole


def _unreal(values: pd.Series, column: Column, real: Real, start: int, seed: int) -> pd.Series:
    """The values, other ones where they are real; after some tries without a way out, as they are."""
    coded = (column.fill or "").removeprefix("pattern:")
    stride = FAR if coded == column.fill else max(1, capacity(coded) // STRIDES)
    for attempt in range(1, STRIDES):
        bad = np.flatnonzero(real.among(values, column.name))
        if not len(bad):
            break
        other = filled(replace(column, nulls=False), len(values), start=start + attempt * stride, seed=seed)
        values = values.copy()
        values.iloc[bad] = other.iloc[bad].to_numpy()
    return values


def _make_unique(
    frame: pd.DataFrame, own: Schema, columns: tuple[str, ...], known: Seen, real: Real | None, start: int, seed: int
) -> None:
    """Fills again, with other numbers, the rows whose key another row has, or a real one."""
    for attempt in range(1, TRIES + 1):
        hashes, present = hashes_of(frame, columns)
        taken = present & ~known.new(hashes)
        if real is not None and attempt > 1:  # at first none is real any more
            taken |= np.any([real.among(frame[c.name], c.name) for c in own], axis=0)
        bad = np.flatnonzero(taken)
        if not len(bad):
            known.add(np.unique(hashes[present]))
            return
        for column in own:
            other = filled(column, len(frame), start=start + attempt * FAR, seed=seed)
            frame.loc[frame.index[bad], column.name] = other.iloc[bad].to_numpy()
    name = own.columns[0]
    raise UserError(
        f"{name.name!r} must be unique, and {name.fill!r} has too few values for {start + len(frame):,} rows; "
        "in the schema, fill it with sequence, uuid4, or a pattern with more places"
    )
