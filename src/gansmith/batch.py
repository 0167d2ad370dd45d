"""Batch: named tensors that share their first axis."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor


class Batch(dict[str, Tensor]):
    """Named tensors that share their first axis. The trainer moves and splits it and never looks inside."""

    def __len__(self) -> int:
        """Number of examples, not of names."""
        return len(next(iter(self.values()))) if self.keys() else 0

    def split(self, size: int) -> Iterator[Batch]:
        """Consecutive parts of at most `size` examples."""
        for i in range(0, len(self), size):
            yield Batch({k: v[i : i + size] for k, v in self.items()})

    def to(self, device: torch.device | str) -> Batch:
        return Batch({k: v.to(device, non_blocking=True) for k, v in self.items()})
