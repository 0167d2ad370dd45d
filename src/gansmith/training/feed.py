"""Which rows each phase sees, as a function of (seed, step, phase, process) alone, and their fetching ahead."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from ..batch import Batch
from ..data.source import OffersOrders, OffersSizes, Source
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

    Attributes:
        latest: the batch that each phase was fed last in this step.
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
        self._next: dict[str, tuple[int, int | None, Future[Batch]]] = {}
        self.latest: dict[str, Batch] = {}

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

    def fetch(self, phase: str, draw: int, size: int | None = None) -> Batch:
        """The batch number `draw` of a phase, of pictures that may be as small as `size` (see `Phase.sizes`)."""
        self.latest[phase] = batch = self._fetched(phase, draw, size)
        return batch

    def _fetched(self, phase: str, draw: int, size: int | None) -> Batch:
        if self._pool is None:
            return self._serve(size, self.rows(phase, draw))
        *known, ready = self._next.pop(phase, (None, None, None))
        batch = ready.result() if ready and known == [draw, size] else self._serve(size, self.rows(phase, draw))
        self._next[phase] = draw + 1, size, self._pool.submit(self._serve, size, self.rows(phase, draw + 1))
        return batch

    def _serve(self, size: int | None, rows: Tensor) -> Batch:
        source = self.source
        if size is not None and isinstance(source, OffersSizes):
            source = source.smaller(size)
        return source.batch(rows, self.device)

    def reseed(self, seed: int) -> None:
        """Starts a new order (after a rollback)."""
        self.seed = seed
        self._orders.clear()
        self._next.clear()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
