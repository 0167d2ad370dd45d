"""FID extrapolated to infinitely many pictures (after Chong & Forsyth 2020, arXiv:1911.07023).

The distance of n pictures a side is, to first order, D + c/n. With the mean distance of disjoint halves,

    D = 2 FID(n) - FID(n/2)

The paper fits a line through fifteen subsets of the generated pictures. Here both sides are halved together: the share
of the bias that comes of the real pictures goes as well, and three decompositions do instead of fifteen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import DataError
from ..base import Rows, Seen, Side
from ..functional import FrechetReference, canonical_order, fingerprint, frechet_influences, moments
from ._frechet import SIDES, flat


class FIDInfinity(Rows):
    """The distance with the bias of first order taken out. It may be slightly negative for equal distributions.

    Args:
        seed: decides who falls into which half.
    """

    name: ClassVar[str] = "fid_infinity"
    titles: ClassVar[Mapping[str, tuple[str, str]]] = {"fid_infinity": ("FID-infinity", "FD-infinity")}

    def __init__(self, *, seed: int = 2020) -> None:
        super().__init__()
        self.seed = seed
        self._known: dict[object, float] = {}

    def distance(self, parts: int) -> float:
        """Mean distance of `parts` disjoint pairs of equal shares of both sides.

        Raises:
            DataError: a share has fewer than two pictures.
        """
        real, fake = self.rows("real"), self.rows("fake")
        if (key := (parts, fingerprint(real), fingerprint(fake))) not in self._known:
            if min(len(real), len(fake)) < 2 * parts:
                came = f"{len(real)} real, {len(fake)} generated"
                raise DataError(f"shares of 2 pictures or more, {parts} of each side, need more pictures; came: {came}")
            pairs = zip(self._shares(real, parts), self._shares(fake, parts), strict=True)
            found = [FrechetReference(*moments(real[r])).distance_to(fake[f]) for r, f in pairs]
            self._known[key] = sum(found) / parts
        return self._known[key]

    def _shares(self, rows: Tensor, parts: int) -> tuple[Tensor, ...]:
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(self.seed))
        return canonical_order(rows)[order].tensor_split(parts)

    def compute(self) -> dict[str, float]:
        return {"fid_infinity": 2 * self.distance(1) - self.distance(2)}

    def doubt(self) -> dict[str, float]:
        """What the extrapolation itself may be wrong by, with its sign.

        The step to an extrapolation of second order, through quarters; where quarters have no covariance of full rank,
        the whole correction; and where halves have none, it is not known: FID of so few pictures does not fall as c/n.
        """
        dim = self.rows("fake").shape[1]
        if self._fewest() // 2 <= dim:
            return {"fid_infinity": math.inf}
        whole, halves = self.distance(1), self.distance(2)
        if self._fewest() // 4 <= dim:
            return {"fid_infinity": whole - halves}
        return {"fid_infinity": (8 * whole - 6 * halves + self.distance(4)) / 3 - (2 * whole - halves)}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """Those of the distance itself: the mean of both halves has them too."""
        real, fake = sample["real"].features, sample["fake"].features
        found = frechet_influences(moments(self.rows("real")), moments(self.rows("fake")), real, fake)
        return {"fid_infinity": {"real": found[0], "fake": found[1]}}

    def remarks(self) -> dict[str, str]:
        fewest, dim = self._fewest(), self.rows("fake").shape[1]
        if fewest // 2 > dim:
            said = flat({side: moments(self.rows(side)) for side in SIDES})
            return {"fid_infinity": said} if said else {}
        return {
            "fid_infinity": f"of {fewest} pictures extrapolates from halves whose covariances, of {dim} features, "
            f"have no full rank: expect it to be off; from {2 * (dim + 1)} pictures on it is sound"
        }

    def _fewest(self) -> int:
        return min(len(self.rows("real")), len(self.rows("fake")))

    def detail(self) -> str:
        return "extrapolated from halves"


METRIC = FIDInfinity
