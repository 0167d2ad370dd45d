"""Identifiers of the training data, as keyed hashes, so that no row that is made bears one of them.

They lie in the run folder alone, which is its owner's: whoever holds them can test whether a guess is among them. Saved
and exported models do not have them, nor do private ones, so there a made-up code may be a real one by chance. Such a
chance says nothing of the data; leaving out all that is real would, where many of the possible codes are taken.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ...data.tables_read import Table
from ...errors import CheckpointError
from ...tabular.fill import capacity
from ...tabular.schema import Column, Schema
from .constraints import Mask
from .keys import Hashes

if TYPE_CHECKING:
    import pandas as pd

FILE = "identifiers.safetensors"
MOST = 4_000_000  # values of a column, 8 bytes each; of more, none are kept
SPARE = 10  # so many times as many codes must be possible as are taken
UNREAL = ("email", "phone_number", "ssn", "uuid4", "sentence")  # nobody's, by how they are made
_OF = "of "  # before a column's name in the file, in which some names have a meaning
SHARED = ("first_name", "last_name")  # of so many persons that they identify nobody


@dataclass(frozen=True)
class Real:
    """Hashes of real identifiers.

    Args:
        key: of the hash, 16 letters.
        columns: sorted hashes of each column's values.
    """

    key: str
    columns: Mapping[str, Hashes]

    def among(self, values: pd.Series, name: str) -> Mask:
        """Which values (n,) of a column are real; no missing one is."""
        known = self.columns.get(name)
        if known is None or not len(known) or not len(values):
            return np.zeros(len(values), dtype=bool)
        hashes = _hashed(values, self.key)
        at = np.searchsorted(known, hashes).clip(max=len(known) - 1)
        return np.asarray((known[at] == hashes) & values.notna().to_numpy(bool))

    def save(self, run: Path) -> None:
        """Writes them into a run folder; nothing, where there are none.

        Raises:
            CheckpointError: they cannot be written.
        """
        try:
            (run / FILE).unlink(missing_ok=True)
            if self.columns:
                tensors = {f"{_OF}{name}": hashes for name, hashes in self.columns.items()}
                save_file(tensors, run / FILE, metadata={"key": self.key})
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"cannot write {run / FILE}: {error}") from None

    @staticmethod
    def load(run: Path) -> Real | None:
        """Those of a run folder; None where it has none.

        Raises:
            CheckpointError: damaged.
        """
        if not (run / FILE).is_file():
            return None
        try:
            with safe_open(run / FILE, framework="numpy") as file:
                key = file.metadata()["key"]
                names = list(file.keys())
                return Real(key, {name.removeprefix(_OF): file.get_tensor(name) for name in names})
        except (OSError, SafetensorError, KeyError, TypeError) as error:
            raise CheckpointError(f"{run / FILE} is damaged: {error}; take it away to go on without it") from None


def collected(table: Table, schema: Schema) -> Real:
    """The identifiers of a table that a filler might come upon.

    Args:
        schema: of the rows that will be made.
    """
    columns = [column for column in schema if column.kind == "identifier" and _may_be_real(column)]
    found: dict[str, Hashes] = {column.name: np.zeros(0, dtype=np.uint64) for column in columns}
    key = secrets.token_hex(8)
    for frame in table.chunks() if columns else ():
        for column in columns:
            if column.name in found:
                found[column.name] = np.union1d(found[column.name], _hashed(frame[column.name].dropna(), key))
                if len(found[column.name]) > _most(column):
                    del found[column.name]
    return Real(key, found)


def _may_be_real(column: Column) -> bool:
    beyond = column.fill == "sequence" and column.high is not None  # it counts on from the highest
    return not beyond and column.fill not in (*UNREAL, *SHARED)


def _most(column: Column) -> int:
    fill = column.fill or ""
    return min(MOST, capacity(fill.removeprefix("pattern:")) // SPARE) if fill.startswith("pattern:") else MOST


def _hashed(values: pd.Series, key: str) -> Hashes:
    """A keyed 64-bit hash of each value as text, (n,)."""
    import pandas as pd

    texts = values.astype(str).to_numpy(dtype=object)
    return np.asarray(pd.util.hash_array(texts, hash_key=key), dtype=np.uint64)
