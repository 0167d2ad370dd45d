"""Precision and recall by nearest-neighbour balls (Kynkäänniemi et al. 2019, arXiv:1904.06991)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ..balls import ball_counts, precision_recall, radii, sole
from ..base import Rows, Seen, Side
from ..settings import counts

UNEVEN = 1.05  # times as many pictures on one side as on the other, from which it is said


class PrecisionRecall(Rows):
    """Precision and recall, each in [0, 1], by balls to the k-th nearest neighbour.

    They come together and are read together: copies of one real picture have precision 1. Neither has a fixed value for
    equal distributions (0.5 to 0.9, by n and by the number of features): hold them against their floor.

    Args:
        k: which neighbour.

    Raises:
        ConfigError: k below 1.
    """

    name: ClassVar[str] = "precision_recall"
    never_without: ClassVar[tuple[str, ...]] = ("density_coverage",)
    higher: ClassVar[frozenset[str]] = frozenset({"precision", "recall"})
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"precision": (0.0, 1.0), "recall": (0.0, 1.0)}

    def __init__(self, *, k: int = 3) -> None:
        super().__init__()
        counts(self.name, k=k)
        self.k = k

    def compute(self) -> dict[str, float]:
        precision, recall = precision_recall(self.rows("real"), self.rows("fake"), k=self.k)
        return {"precision": precision, "recall": recall}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """Of a picture within a ball: that it is; of a ball's owner: the pictures that lie in no other ball."""
        real, fake = sample["real"].features.float(), sample["fake"].features.float()
        precision_fake, precision_real = _shares(fake, real, self.k)
        recall_real, recall_fake = _shares(real, fake, self.k)
        return {
            "precision": {"real": precision_real, "fake": precision_fake},
            "recall": {"real": recall_real, "fake": recall_fake},
        }

    def remarks(self) -> dict[str, str]:
        n, m = len(self.rows("real")), len(self.rows("fake"))
        if max(n, m) <= UNEVEN * min(n, m):
            return {}
        return {
            "precision": f"and recall do not compare with each other: one rests on the balls of {n} real pictures, the "
            f"other on those of {m} generated ones, and balls shrink as they become more; give as many of each"
        }

    def detail(self) -> str:
        return f"k={self.k}"


def _shares(points: Tensor, owners: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Influences of the points and of the balls' owners on the share of points that lie in a ball."""
    balls = ball_counts(points, owners, radii(owners, k))
    covered = (balls.inside > 0).double()
    owned = sole(balls.inside, balls.ball, len(owners)) * (len(owners) / len(points))
    return covered - covered.mean(), owned - owned.mean()


METRIC = PrecisionRecall
