"""Kernel inception distance (Bińkowski et al. 2018, arXiv:1801.01401): the squared MMD of (x.y/d + 1)^3, unbiased."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ...errors import DataError, several
from ..base import Rows, Seen, Side
from ..functional import canonical_order, cubic_means, kernel_dtype, kid
from ..settings import counts, legacy_seed

COLUMNS = 4096  # rows that stand for a side where each row's mean kernel is taken


class KID(Rows):
    """Kernel distance over random subsets. Sides smaller than two subsets use subsets of half their size.

    Unbiased: it may be slightly negative for equal distributions. Its spread is one subset's, not the mean's.

    Args:
        subsets: how many; the spread is taken over them.
        subset_size: rows of each side in one.
        seed: decides the subsets.

    Raises:
        ConfigError: a setting out of range.
    """

    name: ClassVar[str] = "kid"
    titles: ClassVar[Mapping[str, tuple[str, str]]] = {"kid": ("KID", "KD")}

    def __init__(self, *, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> None:
        super().__init__()
        counts(self.name, subsets=subsets)
        counts(self.name, 2, subset_size=subset_size)
        legacy_seed(self.name, seed)
        self.subsets, self.subset_size, self.seed = subsets, subset_size, seed

    def size(self) -> int:
        """Rows of one subset: as asked, or half of the smaller side, so that subsets can differ.

        Raises:
            DataError: a side has fewer than four pictures.
        """
        smaller = min(sum(map(len, self._parts[side])) for side in ("real", "fake"))
        if smaller < 4:
            raise DataError(f"KID needs at least 4 pictures on each side; came: {smaller}")
        return min(self.subset_size, smaller // 2)

    def compute(self) -> dict[str, float]:
        size, real, fake = self.size(), self.rows("real"), self.rows("fake")
        orders = canonical_order(real), canonical_order(fake)
        mean, std = kid(real, fake, subsets=self.subsets, subset_size=size, seed=self.seed, orders=orders)
        return {"kid": mean, "kid_std": std}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """Twice the projections of the U-statistic (Hoeffding 1948)."""
        real, fake = sample["real"].features.float(), sample["fake"].features.float()
        return {"kid": {"real": _projected(real, fake), "fake": _projected(fake, real)}}

    def detail(self) -> str:
        return f"{several(self.subsets, 'subset')} of {self.size()}"


def _projected(rows: Tensor, others: Tensor) -> Tensor:
    few, dtype = [x[:: -(-len(x) // COLUMNS)] for x in (rows, others)], kernel_dtype(rows, others)
    own, across = (cubic_means(rows, x.to(dtype)) for x in few)
    return 2 * (own - own.mean() - across + across.mean())


METRIC = KID
