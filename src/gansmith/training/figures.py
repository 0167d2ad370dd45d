"""Figures that losses and the trainer report: summed on the device, read once a tick."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


class Figures:
    """Sums by name, in one row of numbers for each set of names that is reported together.

    `add` costs no synchronisation; `read` costs one, and one collective.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], Tensor] = {}  # the sum of each name, then how often

    def add(self, prefix: str, values: Mapping[str, Tensor], accepted: Tensor) -> None:
        """Adds scalar tensors; `accepted` (bool scalar) is False for a skipped batch, which leaves no trace."""
        names = tuple(f"{prefix}/{name}" for name in values)
        row = torch.stack([*(value.detach().float() for value in values.values()), accepted.float()])
        row = torch.where(accepted, row, 0.0).double()
        self._rows[names] = self._rows[names] + row if names in self._rows else row

    def read(self, total: Callable[[Tensor], Tensor]) -> dict[str, float]:
        """Means since the last read, over all processes (`total` sums over them); empties the sums."""
        groups = sorted(self._rows)
        if not groups:
            return {}
        numbers = total(torch.cat([self._rows[names] for names in groups])).tolist()
        self.clear()
        sums: dict[str, list[float]] = {}
        for names in groups:
            *row, count = numbers[: len(names) + 1]
            numbers = numbers[len(names) + 1 :]
            for name, value in zip(names, row, strict=True):
                so_far = sums.get(name, (0.0, 0.0))
                sums[name] = [so_far[0] + value, so_far[1] + count]
        return {name: value / count for name, (value, count) in sorted(sums.items()) if count > 0}

    def clear(self) -> None:
        self._rows = {}

    def to_json(self, mean: Callable[[Tensor], Tensor] = lambda row: row) -> dict[str, list[float]]:
        """The sums as they are, the `mean` of all processes; however many may each go on from it."""
        return {"|".join(names): mean(self._rows[names]).tolist() for names in sorted(self._rows)}

    def from_json(self, data: Mapping[str, list[float]], device: torch.device) -> None:
        self._rows = {
            tuple(names.split("|")): torch.tensor(row, dtype=torch.float64, device=device)
            for names, row in data.items()
        }
