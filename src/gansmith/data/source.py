"""Source: where examples come from. The trainer asks for rows by number and looks into nothing else."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..batch import Batch
from ..spec import Spec


@runtime_checkable
class Source(Protocol):
    """Yields Batches by row number, declares a Spec.

    Attributes:
        spec: what one example looks like.
        fingerprint: changes whenever the content does; resume compares it.
    """

    spec: Spec
    fingerprint: str

    def __len__(self) -> int:
        """Number of examples."""
        ...

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """The examples of these rows (int64, on the CPU), ready for the networks, on `device`."""
        ...

    def notes(self) -> list[str]:
        """What was done to the data, a sentence each, for the command line and the report."""
        ...
