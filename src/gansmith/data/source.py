"""Source: where examples come from. The trainer asks for rows by number and looks into nothing else."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..batch import Batch
from ..spec import Spec


@runtime_checkable
class Order(Protocol):
    """Which rows come when: an endless sequence of draws, a function of the seed alone."""

    def rows(self, first: int, count: int) -> Tensor:
        """Draws number `first` to `first + count`, each a row of int64; whatever `Source.batch` understands."""
        ...


@runtime_checkable
class OffersOrders(Protocol):
    """A source that offers other ways of drawing rows than shuffling them.

    Attributes:
        draws: their names, for `Phase.draw`.
    """

    draws: tuple[str, ...]

    def order(self, draw: str, batch: int, seed: int) -> Order:
        """The order called `draw`, for batches of `batch` draws."""
        ...


@runtime_checkable
class OffersSizes(Protocol):
    """A source of pictures that serves smaller ones at the cost of smaller ones."""

    def smaller(self, size: int) -> Source:
        """The same rows as pictures of `size` pixels a side, of which each is the mean of a square; the source itself
        where it has no more pixels."""
        ...


@runtime_checkable
class Source(Protocol):
    """Yields Batches by row number, declares a Spec.

    Attributes:
        spec: what one example looks like.
        fingerprint: changes whenever the content does; resume compares it.
    """

    fingerprint: str

    @property
    def spec(self) -> Spec: ...

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """The examples of these rows (int64, on the CPU), ready for the networks, on `device`."""
        ...

    def notes(self) -> list[str]:
        """What was done to the data, a sentence each, for the command line and the report."""
        ...
