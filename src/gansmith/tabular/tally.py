"""Tallies: what is remembered of a column while its rows stream by, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_DISTINCT = 65_536
SAMPLE = 50_000
MOST_DECIMALS = 9  # more digits after the point than that are measured, not written down

_HASHES = float(2**64)


@dataclass
class Distinct:
    """The different values of a column and how often each came.

    Up to MOST_DISTINCT values that is exact. Beyond, those whose hashes are lowest are kept, with exact counts: they
    are a uniform sample of the different values, and the highest hash among them tells how many there are (Bar-Yossef
    et al. 2002, "Counting distinct elements in a data stream", algorithm 1).
    """

    most: int = MOST_DISTINCT
    values: npt.NDArray[Any] = field(default_factory=lambda: np.zeros(0, dtype=object))
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    hashes: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    ceiling: int | None = None

    def add(self, values: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> None:
        """Takes in different values and how often each of them came."""
        hashes = _hash(values)
        if self.ceiling is not None:
            low = hashes <= self.ceiling
            values, counts, hashes = values[low], counts[low], hashes[low]
        if len(self.values):
            values = np.concatenate([self.values, values])
            counts = np.concatenate([self.counts, counts])
            hashes = np.concatenate([self.hashes, hashes])
        self.hashes, first, place = np.unique(hashes, return_index=True, return_inverse=True)
        self.values = values[first]
        self.counts = np.bincount(place, weights=counts, minlength=len(first)).astype(np.int64)
        if len(self.hashes) > self.most:
            self.hashes, self.counts = self.hashes[: self.most], self.counts[: self.most]
            self.values = self.values[: self.most]
            self.ceiling = int(self.hashes[-1])

    @property
    def exact(self) -> bool:
        """Whether all different values are here."""
        return self.ceiling is None

    @property
    def number(self) -> int:
        """How many different values there are; an estimate, good to about half a percent, where not exact."""
        return len(self.values) if self.ceiling is None else round((self.most - 1) / (self.ceiling / _HASHES))

    @property
    def single(self) -> bool:
        """Whether no value came twice (among the sampled ones where not exact)."""
        return bool((self.counts == 1).all())

    def ranked(self) -> tuple[list[Any], list[int]]:
        """Values and counts, most frequent first, equals in their own order."""
        try:
            order = np.argsort(self.values, kind="stable")
        except TypeError:  # numbers beside words
            order = np.argsort([str(v) for v in self.values], kind="stable")
        order = order[np.argsort(-self.counts[order], kind="stable")]
        return self.values[order].tolist(), self.counts[order].tolist()


def _hash(values: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    import pandas as pd

    if values.dtype == object:  # the type is part of the value: 1 and "1" are two
        kinds = pd.util.hash_array(np.array([type(v).__name__ for v in values], dtype=object))
        found = pd.util.hash_array(np.array([str(v) for v in values], dtype=object), categorize=False)
        return np.asarray(found ^ (kinds << np.uint64(1)), dtype=np.uint64)
    floats = values.astype(np.float64) + 0.0  # no negative zero
    found = mix(floats.view(np.uint64))
    if values.dtype.kind in "iu":  # beyond 2^53 floats no longer tell whole numbers apart
        large = np.abs(floats) > 2.0**53
        found[large] = mix(mix(values[large].astype(np.uint64)))
    return found


def mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scrambles whole numbers, one to one (the finaliser of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        x = x + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


@dataclass
class Sampled:
    """At most SAMPLE values, each row as likely as any other; which rows, their numbers alone decide."""

    rows: int = 0
    values: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    keys: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))

    def add(self, values: npt.NDArray[np.float64]) -> None:
        keys = mix(np.arange(self.rows, self.rows + len(values), dtype=np.uint64))
        self.rows += len(values)
        if len(self.keys) == SAMPLE:
            low = keys < self.keys.max()
            values, keys = values[low], keys[low]
        self.values, self.keys = np.concatenate([self.values, values]), np.concatenate([self.keys, keys])
        if len(self.keys) > SAMPLE:
            best = np.argpartition(self.keys, SAMPLE)[:SAMPLE]
            self.values, self.keys = self.values[best], self.keys[best]


@dataclass
class Numbers:
    """What is known of the numbers in a column.

    Attributes:
        low, high: the lowest and the highest; NaN while there is none.
        whole: whether all are whole numbers.
        decimals: the most digits after the point; None for more than MOST_DECIMALS.
    """

    distinct: Distinct = field(default_factory=Distinct)
    sample: Sampled = field(default_factory=Sampled)
    count: int = 0
    low: float = float("nan")
    high: float = float("nan")
    decimals: int | None = 0

    def add(self, values: npt.NDArray[Any], *, single: bool = False) -> None:
        """Takes in finite numbers (n,), integers or floats.

        Args:
            single: whether they are float32, whose digits after the point are judged as such.
        """
        if not len(values):
            return
        floats = values.astype(np.float64)
        self.count += len(values)
        self.low, self.high = float(np.fmin(self.low, floats.min())), float(np.fmax(self.high, floats.max()))
        if values.dtype.kind == "f":
            self.decimals = more_decimals(floats, self.decimals, single)
        found, counts = _count(values)
        self.distinct.add(found, counts)
        self.sample.add(floats)

    @property
    def whole(self) -> bool:
        return self.decimals == 0

    @property
    def consecutive(self) -> bool:
        """Whether the values are n different whole numbers without a gap, in any order."""
        return self.whole and self.distinct.single and self.high - self.low + 1 == self.count


def _count(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    import pandas as pd

    codes, found = pd.factorize(values)
    return np.asarray(found), np.bincount(codes, minlength=len(found)).astype(np.int64)


def more_decimals(values: npt.NDArray[np.float64], at_least: int | None, single: bool) -> int | None:
    """How many digits after the point are needed to write all values exactly, if that is more than `at_least`."""
    while at_least is not None and at_least <= MOST_DECIMALS:
        if same_rounded(values[:1000], at_least, single) and same_rounded(values, at_least, single):
            return at_least
        at_least = at_least + 1 if at_least < MOST_DECIMALS else None
    return None


def same_rounded(values: npt.NDArray[np.float64], decimals: int, single: bool) -> bool:
    rounded = np.round(values, decimals)
    if single:
        return bool((rounded.astype(np.float32) == values.astype(np.float32)).all())
    return bool((rounded == values).all())
