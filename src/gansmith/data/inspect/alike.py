"""Groups of pictures that are alike, found without comparing each with each.

Candidates have perceptual hashes that differ in at most `BITS` of 63 bits. Cut into `BITS` + 1 bands, two such hashes
agree in one band at least, so that only pictures that share a band are compared (Norouzi et al. 2012,
arXiv:1307.2982, "Fast search in Hamming space with multi-index hashing"). A candidate counts once its small
pictures agree, too, for simple pictures have like hashes without being alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BITS = 6  # of 63 that may differ; recompressed and resized pictures differ in 0 to 6 (measured on seven data sets)
AGREEMENT = 0.985  # correlation of the small pictures; above it, pictures that look the same to people
BANDS = BITS + 1
WIDTH = 63 // BANDS  # bits a band
PART = 4096  # pairs compared in one go


class Groups:
    """Which of n things belong together, told pair by pair.

    Attributes:
        root: (n,) the number that stands for each thing's group, as of the last `settle`.
    """

    def __init__(self, n: int) -> None:
        self._above = list(range(n))
        self.root = np.arange(n)

    def join(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
        """Puts each of `a` (m,) together with the one of `b` (m,)."""
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            i, j = self._top(i), self._top(j)
            if i != j:
                self._above[max(i, j)] = min(i, j)

    def settle(self) -> None:
        """Brings `root` up to date: the least number of each group."""
        root = np.asarray(self._above)
        while (root != root[root]).any():
            root = root[root]
        self.root = root

    def _top(self, i: int) -> int:
        above = self._above
        while above[i] != i:
            above[i] = i = above[above[i]]
        return i


def find_alike(
    digest: NDArray[np.uint64], hashes: NDArray[np.uint64], small: NDArray[np.uint8], plain: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """The number of each picture's group (n,): the least row in it; one that is like no other is its own group.

    Args:
        digest: (n,) equal for equal pixels.
        hashes: (n,) perceptual hashes.
        small: (n s s 3) uint8.
        plain: (n,) pictures without content, whose hashes are noise: only equal ones of them are alike.
    """
    groups = Groups(len(digest))
    _, first, which = np.unique(digest, return_index=True, return_inverse=True)
    same = np.flatnonzero(first[which] != np.arange(len(digest)))
    groups.join(first[which][same], same)
    groups.settle()
    told = first[~plain[first]]  # one of each, in no order
    told.sort()
    for band in range(BANDS):
        _join_band(groups, told, _key(hashes[told], band), hashes[told], small)
    groups.settle()
    return groups.root


def _key(hashes: NDArray[np.uint64], band: int) -> NDArray[np.uint64]:
    """Every seventh bit: neighbouring bits are neighbouring frequencies, and go together too often."""
    key = np.zeros_like(hashes)
    for j in range(WIDTH):
        key |= ((hashes >> np.uint64(1 + band + BANDS * j)) & np.uint64(1)) << np.uint64(j)
    return key


def _join_band(
    groups: Groups,
    told: NDArray[np.int64],
    key: NDArray[np.uint64],
    hashes: NDArray[np.uint64],
    small: NDArray[np.uint8],
) -> None:
    """Joins what is alike among pictures of the same key: each with the next, with the next but one, and so on."""
    order = np.argsort(key, kind="stable")
    told, key, hashes = told[order], key[order], hashes[order]
    end = np.searchsorted(key, key, side="right")
    live, ahead = np.arange(len(key)), 0
    while True:
        ahead += 1
        live = live[live + ahead < end[live]]
        if not len(live):
            return
        near = live[np.bitwise_count(hashes[live] ^ hashes[live + ahead]) <= BITS]
        a, b = told[near], told[near + ahead]
        apart = groups.root[a] != groups.root[b]
        for i in range(0, int(apart.sum()), PART):
            left, right = a[apart][i : i + PART], b[apart][i : i + PART]
            agree = agreement(small[left], small[right]) >= AGREEMENT
            groups.join(left[agree], right[agree])
        if ahead & (ahead - 1) == 0:  # now and then, so that what is known to be together is not compared again
            groups.settle()


def agreement(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlation (n,) of pictures (n s s 3), pair by pair: the same in another brightness or contrast gives 1."""
    x, y = (_centred(p.reshape(len(p), -1).astype(np.float32)) for p in (a, b))
    result: NDArray[np.float32] = (x * y).sum(1)
    return result


def _centred(x: NDArray[np.float32]) -> NDArray[np.float32]:
    x = x - x.mean(1, keepdims=True)
    length = np.sqrt((x**2).sum(1, keepdims=True))
    result: NDArray[np.float32] = x / np.maximum(length, np.float32(1e-6))
    return result
