"""Fréchet inception distance (Heusel et al. 2017, arXiv:1706.08500).

    FID = |mu_r - mu_f|^2 + tr(S_r + S_f - 2 (S_r^1/2 S_f S_r^1/2)^1/2)

of the means and covariances of both sides' features. The distance itself stands in `functional`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import DataError
from ..base import Reduction, Seen, Side, Streaming, as_float64
from ..functional import frechet_distance

SUMS = ("count", "sum", "outer")


class FID(Streaming):
    """Fréchet distance from running sums in float64: memory does not grow with the number of pictures."""

    name: ClassVar[str] = "fid"
    titles: ClassVar[Mapping[str, tuple[str, str]]] = {"fid": ("FID", "FD")}
    states: ClassVar[dict[str, Reduction]] = {f"{side}_{what}": "sum" for side in ("real", "fake") for what in SUMS}

    def update(self, seen: Seen, side: Side) -> None:
        if f"{side}_count" not in self.states:
            return
        x = as_float64(seen.features.detach()).cpu()
        self.add(f"{side}_count", torch.tensor(len(x), dtype=torch.float64))
        self.add(f"{side}_sum", x.sum(0))
        self.add(f"{side}_outer", x.T @ x)

    def moments(self, side: Side) -> tuple[Tensor, Tensor]:
        """Mean (d,) and unbiased covariance (d, d) of `real` or `fake`.

        Raises:
            DataError: fewer than two pictures were seen.
        """
        n, total, outer = (self.whole(f"{side}_{what}") for what in SUMS)
        if n.numel() == 0 or n < 2:
            raise DataError(f"a covariance needs at least 2 {side} pictures; came: {int(n.sum())}")
        mu = total / n
        return mu, (outer - n * torch.outer(mu, mu)) / (n - 1)

    def compute(self) -> dict[str, float]:
        return {"fid": frechet_distance(*self.moments("real"), *self.moments("fake"))}


METRIC = FID
