"""What the metrics of Fréchet distance share: running sums in float64, influences, the remark on few pictures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import DataError
from ..base import Reduction, Seen, Side, Streaming, as_float64
from ..functional import checked_finite, frechet_distance, frechet_influences
from ..words import called

SIDES: tuple[Side, ...] = ("real", "fake")
SUMS = ("count", "sum", "outer")


class FrechetSums(Streaming):
    """Fréchet distance from running sums: memory does not grow with the number of pictures."""

    states: ClassVar[dict[str, Reduction]] = {f"{side}_{what}": "sum" for side in ("real", "fake") for what in SUMS}

    @abstractmethod
    def taken(self, seen: Seen) -> Tensor:
        """Those outputs of the extractor that are compared, (b d)."""

    def update(self, seen: Seen, side: Side) -> None:
        if f"{side}_count" not in self.states:
            return
        x = checked_finite(as_float64(self.taken(seen).detach()).cpu())
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
            raise DataError(f"a covariance needs at least 2 {called(side)} pictures; came: {int(n.sum())}")
        mu = total / n
        return mu, (outer - n * torch.outer(mu, mu)) / (n - 1)

    def compute(self) -> dict[str, float]:
        return {self.name: frechet_distance(*self.moments("real"), *self.moments("fake"))}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        rows = (self.taken(sample["real"]), self.taken(sample["fake"]))
        real, fake = frechet_influences(self.moments("real"), self.moments("fake"), *rows)
        return {self.name: {"real": real, "fake": fake}}

    def remarks(self) -> dict[str, str]:
        fewest = int(min(self.whole("real_count"), self.whole("fake_count")))
        dim = self.whole("fake_sum").numel()
        said = too_few(fewest, dim) or flat({side: self.moments(side) for side in SIDES})
        return {self.name: said} if said else {}


def rank(mu: Tensor, sigma: Tensor) -> int:
    """In how many directions features of this mean (d,) and covariance (d, d) vary: its eigenvalues above the rounding
    of sums of squares, which the mean has a part in."""
    values = torch.linalg.eigvalsh(as_float64(sigma))
    size = torch.maximum(values.max(), mu.square().sum())
    return int((values > size * len(values) * torch.finfo(values.dtype).eps).sum())


def flat(moments: Mapping[Side, tuple[Tensor, Tensor]]) -> str:
    """Says of which side the features leave directions out, though the pictures are enough; else an empty string."""
    for side, (mu, sigma) in moments.items():
        if (found := rank(mu, sigma)) < len(sigma):
            return (
                f"sees the {called(side)} pictures vary in {found} of {len(sigma)} directions only: their covariance "
                "is singular, nothing is added, and differences in the other directions count by their means alone"
            )
    return ""


def too_few(fewest: int, dim: int) -> str:
    """The bias of `fewest` pictures, said; an empty string when the covariances have full rank."""
    if fewest > dim:
        return ""
    return (
        f"of {fewest} pictures is biased upwards: {dim} features have a covariance of full rank only from "
        f"{dim + 1} pictures on; compare it only with figures of the same n, and with its floor"
    )
