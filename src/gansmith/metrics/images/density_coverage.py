"""Density and coverage (Naeem et al. 2020, arXiv:2002.09797).

    density = 1/(k m) sum over fakes of the real balls that hold it     coverage = share of real balls that hold a fake

Both are taken of balls around real pictures alone, so outliers of the generator do not flatter it as they do recall.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ...errors import DataError
from ..balls import Balls, ball_counts, radii, sole
from ..base import Rows, Seen, Side
from ..functional import fingerprint
from ..settings import counts


class DensityCoverage(Rows):
    """Density, [0, inf), and coverage, [0, 1], by balls to the k-th nearest real neighbour, borders outside.

    Equal distributions of equally many pictures have density 1 and coverage 1 - 0.5^k.

    Args:
        k: which neighbour; the paper takes 5.

    Raises:
        ConfigError: k below 1.
    """

    name: ClassVar[str] = "density_coverage"
    higher: ClassVar[frozenset[str]] = frozenset({"density", "coverage"})
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"density": (0.0, math.inf), "coverage": (0.0, 1.0)}

    def __init__(self, *, k: int = 5) -> None:
        super().__init__()
        counts(self.name, k=k)
        self.k = k
        self._known: tuple[object, Balls] | None = None

    def compute(self) -> dict[str, float]:
        balls = self._balls(self.rows("real"), self.rows("fake"))
        density = balls.inside.double().mean() / self.k
        return {"density": float(density), "coverage": float((balls.holds > 0).double().mean())}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """Of fakes: the balls that each lies in; of real balls: what each holds, and the only fake that covers it."""
        real, fake = sample["real"].features.float(), sample["fake"].features.float()
        balls = self._balls(real, fake)
        per_fake = balls.inside.double() / self.k
        per_real = balls.holds.double() / self.k * (len(real) / len(fake))
        covered = (balls.holds > 0).double()
        owned = sole(balls.holds, balls.point, len(fake)) * (len(fake) / len(real))
        return {
            "density": {"real": per_real - per_real.mean(), "fake": per_fake - per_fake.mean()},
            "coverage": {"real": covered - covered.mean(), "fake": owned - owned.mean()},
        }

    def _balls(self, real: Tensor, fake: Tensor) -> Balls:
        if len(real) < self.k + 1 or len(fake) < 1:
            wanted = f"at least {self.k + 1} real pictures and 1 generated one"
            raise DataError(f"density and coverage with k={self.k} need {wanted}; came: {len(real)} and {len(fake)}")
        key = fingerprint(real), fingerprint(fake)
        if self._known is None or self._known[0] != key:
            self._known = key, ball_counts(fake, real, radii(real, self.k))
        return self._known[1]

    def remarks(self) -> dict[str, str]:
        n, m = len(self.rows("real")), len(self.rows("fake"))
        if n <= 2 * m:
            return {}
        return {
            "coverage": f"of {m} generated against {n} real pictures is low whatever they are: give as many of each"
        }

    def detail(self) -> str:
        return f"k={self.k}"


METRIC = DensityCoverage
