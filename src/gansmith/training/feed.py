"""Which rows each phase sees, as a function of (seed, step, phase, process) alone, and their fetching ahead."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from ..batch import Batch
from ..data.source import OffersOrders, Source
from ..data.source import Order as OrderLike
from ..recipes.base import fold


class Order:
    """An endless shuffled order over `n` rows: every epoch is a permutation of its own, a function of the seed."""

    def __init__(self, n: int, *seed: int | str) -> None:
        self.n, self.seed = n, seed
        self._epoch, self._permutation = -1, torch.empty(0, dtype=torch.int64)

    def rows(self, first: int, count: int) -> Tensor:
        """Rows number `first` to `first + count` of the order, int64."""
        parts = []
        while count > 0:
            epoch, offset = divmod(first, self.n)
            part = self._of_epoch(epoch)[offset : offset + count]
            parts.append(part)
            first, count = first + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _of_epoch(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(fold(*self.seed, epoch))
            self._epoch, self._permutation = epoch, torch.randperm(self.n, generator=generator)
        return self._permutation


class Feed:
    """Batches for the phases. Each phase walks an order of its own; one batch is fetched ahead in a thread.

    Args:
        batch: rows of the whole batch, over all processes.
        start, share: first row and number of rows of this process.
        ahead: fetch each phase's next batch in the background (pays where the source reads from disk or
            copies to a device).
        draws: how the rows of each phase are drawn, where not shuffled: ways that the source offers.
    """

    def __init__(
        self,
        source: Source,
        batch: int,
        start: int,
        share: int,
        device: torch.device,
        *,
        seed: int,
        ahead: bool,
        draws: Mapping[str, str] | None = None,
    ) -> None:
        self.source, self.batch, self.start, self.share, self.device = source, batch, start, share, device
        self.seed = seed
        self._draws = dict(draws or {})
        self._orders: dict[str, OrderLike] = {}
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="gansmith-feed") if ahead else None
        self._next: dict[tuple[str, int], Future[Batch]] = {}

    def rows(self, phase: str, draw: int) -> Tensor:
        """Row numbers of this process's share of the batch number `draw` of a phase."""
        if phase not in self._orders:
            self._orders[phase] = self._order(phase)
        return self._orders[phase].rows(draw * self.batch + self.start, self.share)

    def _order(self, phase: str) -> OrderLike:
        draw = self._draws.get(phase, "shuffled")
        if draw == "shuffled" or not isinstance(self.source, OffersOrders):
            return Order(len(self.source), self.seed, "order", phase)
        return self.source.order(draw, self.batch, fold(self.seed, "order", phase))

    def fetch(self, phase: str, draw: int) -> Batch:
        if self._pool is None:
            return self.source.batch(self.rows(phase, draw), self.device)
        ready = self._next.pop((phase, draw), None)
        batch = ready.result() if ready else self.source.batch(self.rows(phase, draw), self.device)
        self._next[phase, draw + 1] = self._pool.submit(self.source.batch, self.rows(phase, draw + 1), self.device)
        return batch

    def reseed(self, seed: int) -> None:
        """Starts a new order (after a rollback)."""
        self.seed = seed
        self._orders.clear()
        self._next.clear()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
