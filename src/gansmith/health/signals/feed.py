"""What the training loop really fed: whether rows repeat, where they lie, whether a part of the data went missing."""

from __future__ import annotations

import torch
from torch import Tensor

RECENT = 4  # batches in which repeated rows are looked for
KEPT = 512  # rows kept between two readings
ROWS = 16  # of one batch


class Feed:
    """Rows that were fed since the last reading: a few of each of many batches, and the last four whole.

    Args:
        real: training examples (n ...), to know how often rows repeat themselves in the data.
        examples: rows of the training data in all; with few of them, repeats within four batches are only right.
    """

    def __init__(self, real: Tensor, examples: int) -> None:
        self.real, self.examples = real, examples
        self._expected: dict[int, float] = {}
        self._recent: list[Tensor] = []
        self._kept: list[tuple[Tensor, Tensor | None]] = []
        self._count, self._every = 0, 1
        self._low: Tensor | None = None
        self._high: Tensor | None = None

    def fed(self, x: Tensor, y: Tensor | None = None) -> None:
        """Takes note of a batch; copies a few rows at most."""
        x = x.detach()
        self._recent = [*self._recent[-(RECENT - 1) :], x]
        low, high = x.amin(), x.amax()
        self._low = low if self._low is None else torch.minimum(self._low, low)
        self._high = high if self._high is None else torch.maximum(self._high, high)
        if self._count % self._every == 0:
            own = slice(0, ROWS)
            self._kept.append((x[own].clone(), None if y is None else y[own].clone()))
            if len(self._kept) * ROWS > KEPT:  # every second one, and from now on half as many
                self._kept, self._every = self._kept[::2], self._every * 2
        self._count += 1

    def rows(self) -> tuple[Tensor, Tensor | None] | None:
        """The rows kept since the last reading, and their labels; None where nothing was fed."""
        if not self._kept:
            return None
        x = torch.cat([x for x, _ in self._kept])
        labels = [y for _, y in self._kept if y is not None]
        return x, torch.cat(labels) if len(labels) == len(self._kept) else None

    def read(self) -> dict[str, float]:
        """`feed/unique`, the share of distinct rows in the last four batches beside what is to be expected of the data,
        and the range of what was fed; starts anew."""
        if not self._recent or self._low is None or self._high is None:
            return {}
        found = {"data/low": float(self._low), "data/high": float(self._high)}
        alike = [x for x in self._recent if x.shape[1:] == self._recent[-1].shape[1:]]
        rows = torch.cat(alike).flatten(1)
        if len(alike) == RECENT:
            distinct = len(torch.unique(rows.cpu(), dim=0))
            found["feed/unique"] = distinct / len(rows)
            found["feed/unique_expected"] = self._usual(len(rows))
        self._low = self._high = None
        self._kept, self._count, self._every = [], 0, 1
        return found

    def _usual(self, rows: int) -> float:
        """The share of distinct rows to be expected of so many, none of which comes twice while others are left."""
        if rows not in self._expected:
            some = self.real[:rows].flatten(1)
            distinct = len(torch.unique(some, dim=0)) / len(some)
            self._expected[rows] = distinct * min(1.0, self.examples / rows)
        return self._expected[rows]
