"""FID, KID, precision and recall as streams: feed features of both sides in parts of any size, merge, compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError
from .base import Reduction, as_float64
from .functional import frechet_distance, kid, precision_recall

SIDES = ("real", "fake")


class FID:
    """Fréchet distance from running sums: memory does not grow with the number of pictures.

    Args:
        dim: number of features.
    """

    states: ClassVar[dict[str, Reduction]] = {
        f"{side}_{what}": "sum" for side in SIDES for what in ("count", "sum", "outer")
    }

    def __init__(self, dim: int) -> None:
        shapes: dict[str, tuple[int, ...]] = {"count": (), "sum": (dim,), "outer": (dim, dim)}
        self.state = {
            f"{side}_{what}": torch.zeros(shape, dtype=torch.float64)
            for side in SIDES
            for what, shape in shapes.items()
        }

    def update(self, features: Tensor, *, real: bool) -> None:
        """Adds features (b, d) of one side, in float64."""
        side, x = _side(real), as_float64(features.detach()).cpu()
        self.state[f"{side}_count"] += len(x)
        self.state[f"{side}_sum"] += x.sum(0)
        self.state[f"{side}_outer"].addmm_(x.T, x)

    def merge(self, other: FID) -> None:
        for name, value in other.state.items():
            self.state[name] += value

    def moments(self, side: str) -> tuple[Tensor, Tensor]:
        """Mean (d,) and unbiased covariance (d, d) of `real` or `fake`.

        Raises:
            DataError: fewer than two pictures were seen.
        """
        n, total, outer = (self.state[f"{side}_{what}"] for what in ("count", "sum", "outer"))
        if n < 2:
            raise DataError(f"a covariance needs at least 2 {side} pictures; came: {int(n)}")
        mu = total / n
        return mu, (outer - n * torch.outer(mu, mu)) / (n - 1)

    def compute(self) -> dict[str, float]:
        return {"fid": frechet_distance(*self.moments("real"), *self.moments("fake"))}

    def detail(self) -> str:
        return ""

    def state_dict(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.state = {name: state[name].clone() for name in self.states}


class _Rows:
    """Keeps the features of both sides as float32 rows. What is computed must not depend on their order."""

    states: ClassVar[dict[str, Reduction]] = dict.fromkeys(SIDES, "cat")

    def __init__(self, dim: int) -> None:
        self.parts: dict[str, list[Tensor]] = {side: [torch.empty(0, dim)] for side in SIDES}

    def update(self, features: Tensor, *, real: bool) -> None:
        """Adds features (b, d) of one side."""
        self.parts[_side(real)].append(features.detach().float().cpu())

    def rows(self, side: str) -> Tensor:
        """All features of `real` or `fake`, (n, d)."""
        self.parts[side] = [torch.cat(self.parts[side])]
        return self.parts[side][0]

    def state_dict(self) -> dict[str, Tensor]:
        return {side: self.rows(side).clone() for side in SIDES}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.parts = {side: [state[side].clone()] for side in SIDES}


class KID(_Rows):
    """Kernel distance over random subsets. Sides smaller than two subsets use subsets of half their size.

    Args:
        dim: number of features.
        subsets: how many; the spread is taken over them.
        subset_size: rows of each side in one.
        seed: decides the subsets.
    """

    def __init__(self, dim: int, *, subsets: int = 100, subset_size: int = 1000, seed: int = 2020) -> None:
        super().__init__(dim)
        self.subsets, self.subset_size, self.seed = subsets, subset_size, seed

    def merge(self, other: KID) -> None:
        for side in SIDES:
            self.parts[side] += other.parts[side]

    def size(self) -> int:
        """Rows of one subset: as asked, or half of the smaller side, so that subsets can differ.

        Raises:
            DataError: a side has fewer than four pictures.
        """
        smaller = min(len(self.rows(side)) for side in SIDES)
        if smaller < 4:
            raise DataError(f"KID needs at least 4 pictures on each side; came: {smaller}")
        return min(self.subset_size, smaller // 2)

    def compute(self) -> dict[str, float]:
        real, fake = (_canonical(self.rows(side)) for side in SIDES)
        mean, std = kid(real, fake, subsets=self.subsets, subset_size=self.size(), seed=self.seed)
        return {"kid": mean, "kid_std": std}

    def detail(self) -> str:
        return f"{self.subsets} subsets of {self.size()}"


class PrecisionRecall(_Rows):
    """Precision and recall by balls to the k-th nearest neighbour.

    Args:
        dim: number of features.
        k: which neighbour.
    """

    def __init__(self, dim: int, *, k: int = 3) -> None:
        super().__init__(dim)
        self.k = k

    def merge(self, other: PrecisionRecall) -> None:
        for side in SIDES:
            self.parts[side] += other.parts[side]

    def compute(self) -> dict[str, float]:
        precision, recall = precision_recall(self.rows("real"), self.rows("fake"), k=self.k)
        return {"precision": precision, "recall": recall}

    def detail(self) -> str:
        return f"k={self.k}"


def _side(real: bool) -> str:
    return SIDES[0] if real else SIDES[1]


def _canonical(rows: Tensor) -> Tensor:
    """The rows in an order of their own (by their first features), whatever the order they came in."""
    keys = rows[:, :8].numpy().T[::-1]
    return rows[torch.from_numpy(np.lexsort(keys).copy())]
