"""Rows that training never sees, to judge it by."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...batch import Batch
from ...data.source import Order
from ...data.tables import TableSource
from ...errors import ConfigError
from ...tabular.draws import PADDING
from ...tabular.rows import EncodedRows

FEWEST, MOST = 50, 5_000  # rows that a judgement needs, and rows that are enough for any


class Rest:
    """A source without some of its rows, for training.

    Args:
        source: all rows.
        held: numbers of those left out.

    Attributes:
        kept: numbers of the others.
    """

    draws = TableSource.draws

    def __init__(self, source: TableSource, held: Tensor) -> None:
        self.source, self.spec = source, source.spec
        self.fingerprint = f"{source.fingerprint}-without-{len(held)}"
        kept = torch.ones(len(source), dtype=torch.bool)
        kept[held] = False
        self.kept = kept.nonzero().squeeze(1)

    def __len__(self) -> int:
        return len(self.kept)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """See `TableSource.batch`; numbers count the rows that were kept."""
        numbers = rows[:, 0] if rows.ndim == 2 else rows
        real = torch.where(numbers == PADDING, PADDING, self.kept[numbers.clamp_min(0)])
        return self.source.batch(torch.stack([real, rows[:, 1]], 1) if rows.ndim == 2 else real, device)

    def order(self, draw: str, batch: int, seed: int) -> Order:
        codes = self.source.rows.codes[self.kept]
        return EncodedRows(self.spec, torch.zeros(len(codes), 0), codes).order(draw, batch, seed)

    def notes(self) -> list[str]:
        held = len(self.source) - len(self)
        return [*self.source.notes(), f"{held:,} rows are held out, to judge by"]


def hold_out(source: TableSource, share: float, seed: int) -> tuple[TableSource | Rest, Tensor | None]:
    """What to train on, and held-out rows (n width); None where the table is too small to spare any.

    Args:
        share: of the rows to hold out, in [0, 1); MOST of them at the most.
        seed: chooses them.

    Raises:
        ConfigError: a share that cannot be.
    """
    if not 0 <= share < 1:
        raise ConfigError(f"holdout is the share of rows to hold out, at least 0 and less than 1, not: {share}")
    count = min(round(share * len(source)), MOST)
    if count < FEWEST:
        return source, None
    chosen = np.random.default_rng([seed & 0xFFFF_FFFF, 17]).choice(len(source), count, replace=False)
    held = torch.from_numpy(np.sort(chosen))
    rest = Rest(source, held)
    return rest, source.batch(held, torch.device("cpu"))["x"]
