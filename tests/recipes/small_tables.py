"""Tables in memory for the tests of recipes: a Source over encoded rows."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from gansmith.batch import Batch
from gansmith.tabular.schema import Canonical, Column
from gansmith.tabular.spec import TableSpec


class MemoryTable:
    """A Source of rows that are encoded beforehand."""

    def __init__(self, spec: TableSpec, canonical: Canonical, seed: int = 0) -> None:
        self.spec: TableSpec = spec
        scalars, codes = spec.encode(canonical, np.random.default_rng(seed))
        self.x = spec.expand(torch.from_numpy(scalars), torch.from_numpy(codes))
        self.fingerprint = hashlib.blake2b(self.x.numpy().tobytes(), digest_size=8).hexdigest()

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        cond, mask = self.spec.ask({})
        batch = Batch(x=self.x[rows], cond=cond.expand(len(rows), -1), mask=mask.expand(len(rows), -1), index=rows)
        return batch.to(device)

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
