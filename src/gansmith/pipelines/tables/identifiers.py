"""Identifier columns of rows that are made: filled when a row is final, and unique where a constraint says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...errors import UserError
from ...tabular.fill import filled
from ...tabular.schema import Schema
from .keys import Seen, hashes_of

if TYPE_CHECKING:
    import pandas as pd

TRIES = 20
FAR = 1 << 44  # rows between one try and the next, more than anybody makes


def fill(
    frame: pd.DataFrame,
    schema: Schema,
    *,
    start: int,
    seed: int,
    keys: Sequence[tuple[str, ...]] = (),
    seen: Sequence[Seen] = (),
) -> pd.DataFrame:
    """`frame` with its identifiers, columns in the schema's order. Row i of them depends on (seed, start + i).

    Args:
        frame: the learnt columns.
        start: number of the first row.
        keys: columns that must be unique together; those without an identifier among them are seen to elsewhere.
        seen: keys of earlier rows, for each of `keys`; grows.

    Raises:
        UserError: the filler has too few values for the rows.
    """
    identifiers = [column for column in schema if column.kind == "identifier"]
    if not identifiers:
        return frame
    made = {c.name: filled(c, len(frame), start=start, seed=seed).set_axis(frame.index) for c in identifiers}
    whole = frame.assign(**made)[schema.names]
    for columns, known in zip(keys, seen, strict=True):
        own = [c for c in identifiers if c.name in columns]
        if own:
            _make_unique(whole, Schema(tuple(own)), columns, known, start, seed)
    return whole


def _make_unique(
    frame: pd.DataFrame, own: Schema, columns: tuple[str, ...], known: Seen, start: int, seed: int
) -> None:
    """Fills again, with other numbers, the rows whose key another row has."""
    for attempt in range(1, TRIES + 1):
        hashes, present = hashes_of(frame, columns)
        bad = np.flatnonzero(present & ~known.new(hashes))
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
