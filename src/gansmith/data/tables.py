"""TableSource: the rows of a table, encoded once, served as batches."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..batch import Batch
from ..tabular.fit import Style, fit_spec, take_sample
from ..tabular.frames import canonicalise
from ..tabular.rows import EncodedRows
from ..tabular.schema import Schema
from ..tabular.spec import TableSpec
from .memory import IN_MEMORY, available_bytes
from .source import Order
from .tables_read import Table, open_table

CHUNK = 65_536


class TableSource:
    """The rows of a table.

    Args:
        data: what `open_table` reads: a path, several paths, a DataFrame, an Arrow table; or an opened Table.
        schema: what the columns are; found in the data when left out.
        style: how numbers are encoded (see `fit_spec`).
        spec: encode as this spec says instead of fitting one (of a run that goes on, of a private preparation).
        seed: of the sample that encoders are fitted on, and of what is random in an encoding.

    Attributes:
        table: the opened table.
        rows: all of it, encoded.

    Raises:
        DataError: the data cannot be read, or do not fit the schema.
    """

    draws = EncodedRows.draws

    def __init__(
        self,
        data: Any,
        *,
        schema: Schema | None = None,
        style: Style = "quantile",
        spec: TableSpec | None = None,
        seed: int = 0,
    ) -> None:
        self.table = data if isinstance(data, Table) else open_table(data, schema=spec.schema if spec else schema)
        self.fingerprint = self.table.fingerprint
        known = self.table.schema
        self.spec: TableSpec = spec or fit_spec(
            take_sample(self._canonical(known), seed=seed), known, self.table.rows, style=style, seed=seed
        )
        self.rows = self._encode(seed)

    def _canonical(self, schema: Schema) -> Iterator[dict[str, npt.NDArray[Any]]]:
        first = 0
        for frame in self.table.chunks(CHUNK):
            yield canonicalise(frame, schema, first=first)
            first += len(frame)

    def _encode(self, seed: int) -> EncodedRows:
        """All rows in compact form: in memory if they fit, else in files that are mapped into it."""
        n = self.table.rows
        scalars = self._room((n, sum(s.head == "scalar" for s in self.spec.spans)), np.dtype(np.float32))
        codes = self._room((n, sum(s.head == "choice" for s in self.spec.spans)), np.dtype(np.int16))
        first = 0
        for number, chunk in enumerate(self._canonical(self.spec.schema)):
            part, choices = self.spec.encode(chunk, np.random.default_rng([seed, number]))
            scalars[first : first + len(part)], codes[first : first + len(part)] = part, choices
            first += len(part)
        return EncodedRows(self.spec, torch.from_numpy(scalars), torch.from_numpy(codes))

    def _room(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        if shape[0] * shape[1] * dtype.itemsize < IN_MEMORY / 2 * available_bytes():
            return np.zeros(shape, dtype)
        self._folder = tempfile.TemporaryDirectory(prefix="gansmith-rows-")
        return np.lib.format.open_memmap(Path(self._folder.name) / f"{dtype.name}.npy", "w+", dtype, shape)

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """See `EncodedRows.batch`."""
        return self.rows.batch(rows, device)

    def order(self, draw: str, batch: int, seed: int) -> Order:
        """Draws by category (`conditional`), or each row independently (`poisson`)."""
        return self.rows.order(draw, batch, seed)

    def notes(self) -> list[str]:
        return self.table.notes()
