"""Encoded rows: a table in compact form, served as batches."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..batch import Batch
from .draws import PADDING, Conditional, Poisson, Whole
from .spec import TableSpec


class EncodedRows:
    """Rows of a table in compact form. It is a Source but for its notes.

    Args:
        spec: how they were encoded.
        scalars: (n, scalar spans), of any float type; may be mapped from a file.
        codes: (n, choice spans), of any whole type.
    """

    draws = ("conditional", "poisson")

    def __init__(self, spec: TableSpec, scalars: Tensor, codes: Tensor) -> None:
        self.spec, self.scalars, self.codes = spec, scalars, codes

    def __len__(self) -> int:
        return len(self.scalars)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """`x` and `mask` (see `TableSpec`), `index`, and `weight` (b,), which is 0 for padding and 1 for a row.

        Args:
            rows: row numbers (b,), PADDING among them; or (b, 2) with the number of the column that was asked for.
        """
        index, column = (rows[:, 0], rows[:, 1]) if rows.ndim == 2 else (rows, None)
        real = index.clamp_min(0)
        x = self.spec.expand(self.scalars[real], self.codes[real])
        mask = torch.zeros(len(x), len(self.spec.conditions))
        if column is not None:
            mask[torch.arange(len(x)), column] = 1.0
        return Batch(x=x, mask=mask, index=index, weight=(index != PADDING).float()).to(device)

    def order(self, draw: str, batch: int, seed: int) -> Whole:
        """Draws by category (`conditional`), or each row independently (`poisson`)."""
        if draw == "poisson":
            return Poisson(len(self), batch, seed)
        spans = [s for s in self.spec.spans if s.head == "choice"]
        asked = [spans.index(span) for span in self.spec.conditions]
        return Conditional(self.codes[:, asked], [s.width for s in self.spec.conditions], batch, seed)


def random_rows(spec: TableSpec, n: int, seed: int = 0) -> EncodedRows:
    """`n` rows of uniform numbers and codes: enough to prove mechanics, nothing to learn."""
    rng = np.random.default_rng(seed)
    scalars = rng.uniform(-1, 1, (n, sum(s.head == "scalar" for s in spec.spans)))
    widths = [s.width for s in spec.spans if s.head == "choice"]
    codes = rng.integers(0, np.asarray(widths, dtype=np.int64), (n, len(widths)))
    return EncodedRows(spec, torch.from_numpy(scalars).float(), torch.from_numpy(codes))
