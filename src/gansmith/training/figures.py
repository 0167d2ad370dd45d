"""Figures that losses and the trainer report: summed on the device, read once a tick."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor


class Figures:
    """Sums and counts by name. `add` costs no synchronisation; `read` costs one, and one collective."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}

    def add(self, name: str, value: Tensor, accepted: Tensor) -> None:
        """Adds a scalar tensor; `accepted` (bool scalar) is False for a skipped batch, which leaves no trace."""
        value = torch.where(accepted, value.detach().double(), 0.0)
        count = accepted.double()
        if name in self._sums:
            self._sums[name], self._counts[name] = self._sums[name] + value, self._counts[name] + count
        else:
            self._sums[name], self._counts[name] = value, count

    def add_all(self, prefix: str, values: Mapping[str, Iterable[Tensor]], accepted: Tensor) -> None:
        for name, entries in values.items():
            for value in entries:
                self.add(f"{prefix}/{name}", value, accepted)

    def read(self, total: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Means since the last read, over all processes (`total` sums over them); empties the sums."""
        names = sorted(self._sums)
        if not names:
            return {}
        both = torch.stack([*(self._sums[n] for n in names), *(self._counts[n] for n in names)])
        self.clear()
        sums, counts = total(both).view(2, -1).tolist()
        return {n: s / c for n, s, c in zip(names, sums, counts, strict=True) if c > 0}

    def clear(self) -> None:
        self._sums, self._counts = {}, {}

    def to_json(self) -> dict[str, list[float]]:
        return {n: [float(self._sums[n]), float(self._counts[n])] for n in self._sums}

    def from_json(self, data: Mapping[str, list[float]], device: torch.device) -> None:
        pairs = {n: torch.tensor(pair, dtype=torch.float64, device=device) for n, pair in data.items()}
        self._sums = {n: pair[0] for n, pair in pairs.items()}
        self._counts = {n: pair[1] for n, pair in pairs.items()}
