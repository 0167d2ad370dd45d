"""Ways of drawing a table's rows for a batch. Each draw is a function of (seed, number of the batch) alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

PADDING = -1  # the row number that stands for no row


def seeded(seed: int, batch: int) -> torch.Generator:
    """The generator of one batch."""
    return torch.Generator().manual_seed((seed ^ (batch * 0x9E3779B97F4A7C15)) & 0x7FFF_FFFF_FFFF_FFFF)


class Whole:
    """An order of rows that is drawn batch by batch; parts of the last one are handed out. Subclasses `draw`."""

    def __init__(self, batch: int, seed: int) -> None:
        self.batch, self.seed = batch, seed
        self._number, self._last = -1, torch.empty(0, dtype=torch.int64)

    def rows(self, first: int, count: int) -> Tensor:
        """Draws number `first` to `first + count`."""
        parts = []
        while count > 0:
            number, offset = divmod(first, self.batch)
            if number != self._number:
                self._number, self._last = number, self.draw(seeded(self.seed, number))
            part = self._last[offset : offset + count]
            parts.append(part)
            first, count = first + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def draw(self, generator: torch.Generator) -> Tensor:
        raise NotImplementedError


class Conditional(Whole):
    """Training by sampling (Xu et al. 2019, arXiv:1907.00503, section 4.3): a column at random, a category of it by
    the logarithm of its frequency, a row that has it. A draw is (row, number of the column): (b, 2). Without any such
    column it is a row at random: (b,).

    Args:
        codes: (n, conditions) the code of each row in each column that may be asked for, the smallest int type will do.
        sizes: how many codes each of these columns has.
    """

    def __init__(self, codes: Tensor, sizes: Sequence[int], batch: int, seed: int) -> None:
        super().__init__(batch, seed)
        self.n = len(codes)
        if not sizes:
            return
        counts = [torch.bincount(codes[:, i].long(), minlength=k) for i, k in enumerate(sizes)]
        self._by_code = [codes[:, i].argsort(stable=True) for i in range(len(sizes))]
        widest = max(sizes)
        self._counts = torch.stack([torch.nn.functional.pad(c, (0, widest - len(c))) for c in counts])
        self._starts = self._counts.cumsum(1) - self._counts
        logs = torch.where(self._counts > 0, (self._counts + 1).double().log(), 0.0)
        self._edges = (logs / logs.sum(1, keepdim=True)).cumsum(1)

    def draw(self, generator: torch.Generator) -> Tensor:
        if not hasattr(self, "_by_code"):
            return torch.randint(self.n, (self.batch,), generator=generator)
        uniform = torch.rand(self.batch, 3, generator=generator, dtype=torch.float64)
        column = (uniform[:, 0] * len(self._by_code)).long()
        code = torch.searchsorted(self._edges[column], uniform[:, 1:2].contiguous(), right=True).squeeze(1)
        code = torch.minimum(code, (self._counts[column] > 0).long().cumsum(1).argmax(1))  # rounding at the last edge
        place = self._starts[column, code] + (uniform[:, 2] * self._counts[column, code]).long()
        row = torch.empty(self.batch, dtype=torch.int64)
        for number, order in enumerate(self._by_code):
            at = column == number
            row[at] = order[place[at]]
        return torch.stack([row, column], 1)


def expected_rows(capacity: int) -> float:
    """The mean size of Poisson batches that fit into `capacity` but for one in about 10^9 (6 standard deviations)."""
    return (-3 + math.sqrt(9 + capacity)) ** 2


class Poisson(Whole):
    """Every row joins a batch independently, with probability `expected_rows(batch) / n`; what is left of the batch's
    capacity is padding. A draw is a row's number or PADDING: (b,). In the one case in 10^9 that more rows join than
    fit, rows beyond the capacity are left out at random, which only lowers what each contributes.

    Args:
        n: rows in the table.
        batch: the capacity.
    """

    def __init__(self, n: int, batch: int, seed: int) -> None:
        super().__init__(batch, seed)
        self.n, self.rate = n, min(1.0, expected_rows(batch) / n)

    def draw(self, generator: torch.Generator) -> Tensor:
        joined = torch.nonzero(torch.rand(self.n, generator=generator, dtype=torch.float64) < self.rate).squeeze(1)
        joined = joined[torch.randperm(len(joined), generator=generator)[: self.batch]]
        return torch.nn.functional.pad(joined, (0, self.batch - len(joined)), value=PADDING)
