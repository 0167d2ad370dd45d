"""Which keys have been seen: eight bytes a key, so that hundreds of millions fit into memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from .constraints import Mask

if TYPE_CHECKING:
    import pandas as pd

Hashes: TypeAlias = npt.NDArray[np.uint64]


def hashes_of(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[Hashes, Mask]:
    """A 64-bit hash of each row's values in `columns`, and whether none of them is missing."""
    import pandas as pd

    part = frame[list(columns)]
    return pd.util.hash_pandas_object(part, index=False).to_numpy(np.uint64), part.notna().all(axis=1).to_numpy(bool)


def hashes_of_numbers(matrix: npt.NDArray[np.float64]) -> Hashes:
    """A 64-bit hash of each row of numbers (n, k); missing values are all alike, and so are 0 and -0."""
    bits = (np.where(np.isnan(matrix), np.nan, matrix) + 0.0).view(np.uint64).reshape(matrix.shape)
    found = np.full(len(matrix), 0x9E3779B97F4A7C15, np.uint64)
    for i in range(matrix.shape[1]):
        found = _mixed((found ^ bits[:, i]) + np.uint64(0x9E3779B97F4A7C15))
    return found


def _mixed(x: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Seen:
    """A growing set of hashes: sorted arrays, each at least twice as long as the next, so that adding stays cheap."""

    def __init__(self) -> None:
        self._levels: list[Hashes] = []

    def __len__(self) -> int:
        return sum(map(len, self._levels))

    def new(self, hashes: Hashes) -> Mask:
        """Which of them are neither in the set nor earlier in the same array. Adds nothing."""
        first = np.zeros(len(hashes), dtype=bool)
        first[np.unique(hashes, return_index=True)[1]] = True
        for level in self._levels:
            at = np.searchsorted(level, hashes).clip(max=len(level) - 1)
            first &= level[at] != hashes
        return first

    def add(self, hashes: Hashes) -> None:
        """Adds hashes of which none is in the set and none is there twice."""
        level = np.sort(hashes)
        while self._levels and len(self._levels[-1]) < 2 * len(level):
            level = np.sort(np.concatenate([self._levels.pop(), level]), kind="stable")
        if len(level):
            self._levels.append(level)
