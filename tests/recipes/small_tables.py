"""Tables in memory for the tests of recipes: a Source of encoded rows."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from gansmith.tabular.rows import EncodedRows
from gansmith.tabular.schema import Canonical, Column
from gansmith.tabular.spec import TableSpec


class MemoryTable(EncodedRows):
    """A Source of rows that are encoded beforehand."""

    def __init__(self, spec: TableSpec, canonical: Canonical, seed: int = 0) -> None:
        scalars, codes = spec.encode(canonical, np.random.default_rng(seed))
        super().__init__(spec, torch.from_numpy(scalars), torch.from_numpy(codes))
        self.fingerprint = hashlib.blake2b(scalars.tobytes() + codes.tobytes(), digest_size=8).hexdigest()

    @property
    def x(self) -> Tensor:
        """All rows as networks see them."""
        return self.spec.expand(self.scalars, self.codes)

    def canonical(self, x: Tensor | None = None) -> dict[str, np.ndarray]:
        """Rows, or its own, as canonical columns."""
        return self.spec.canonical(self.x if x is None else x, np.random.default_rng(0))

    def notes(self) -> list[str]:
        return ["a table in memory"]


def yes_no(name: str, values: np.ndarray) -> Column:
    """A yes-or-no column of 0 and 1, the more frequent answer first; its canonical values are those of `ranked`."""
    share = int(values.sum())
    order = (0, 1) if 2 * share <= len(values) else (1, 0)
    counts = (len(values) - share, share) if order == (0, 1) else (share, len(values) - share)
    return Column(name=name, kind="boolean", dtype="int64", categories=order, counts=counts)


def ranked(values: np.ndarray) -> np.ndarray:
    """0 for the more frequent answer, 1 for the other."""
    return (values if 2 * values.sum() <= len(values) else 1 - values).astype(np.int64)
