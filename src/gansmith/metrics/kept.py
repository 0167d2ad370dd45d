"""A sample of what was seen that fits in memory, however much there was."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from .base import Seen

LIMIT = 50_000  # pictures of each side; 400 MB of 2,048 features


class Kept:
    """All pictures seen, or an even random sample of `limit` of them once they are more (Vitter 1985, algorithm R).

    The sample depends on `seed` and on the order of pictures, not on the sizes of batches. Pixels are not kept.

    Args:
        limit: at most so many.
        seed: of the sample.
    """

    def __init__(self, limit: int = LIMIT, seed: int = 2020) -> None:
        self.limit, self.count = limit, 0
        self._random = np.random.RandomState(seed)  # its stream does not depend on how many are drawn at once
        self._rows: dict[str, Tensor] = {}

    def add(self, seen: Seen) -> None:
        """Takes a batch in."""
        for name, values in _columns(seen):
            if name not in self._rows:  # pages of memory are only used once they are written
                self._rows[name] = torch.empty(self.limit, *values.shape[1:], dtype=values.dtype)
        places, chosen = self._places(len(seen))
        for name, values in _columns(seen):
            self._rows[name][places] = values[chosen]
        self.count += len(seen)

    def _places(self, n: int) -> tuple[Tensor, Tensor]:
        """Where which pictures of a batch of `n` go; of those that fall on one place, the last stays."""
        number = np.arange(self.count, self.count + n)
        drawn = (self._random.random_sample(n) * (number + 1)).astype(np.int64)
        place = np.where(number < self.limit, number, drawn)
        places, last = np.unique(place[::-1], return_index=True)
        fits = places < self.limit
        return torch.from_numpy(places[fits]), torch.from_numpy((n - 1 - last)[fits])

    def sample(self) -> Seen:
        """What is kept, without copying it."""
        n = min(self.count, self.limit)
        found = {name: values[:n] for name, values in self._rows.items()}
        heads = {name.removeprefix("head:"): v for name, v in found.items() if name.startswith("head:")}
        return Seen(found.get("features", torch.empty(0, 0)), None, heads, found.get("labels"))

    def forget(self) -> None:
        """Frees what is kept; the number of pictures seen stays."""
        self._rows.clear()


def _columns(seen: Seen) -> Iterator[tuple[str, Tensor]]:
    yield "features", seen.features
    for name, values in seen.heads.items():
        yield f"head:{name}", values
    if seen.labels is not None:
        yield "labels", seen.labels.long().cpu()
