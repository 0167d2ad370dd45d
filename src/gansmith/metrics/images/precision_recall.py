"""Precision and recall by nearest-neighbour balls (Kynkäänniemi et al. 2019, arXiv:1904.06991)."""

from __future__ import annotations

from typing import ClassVar

from ..base import Rows
from ..functional import precision_recall


class PrecisionRecall(Rows):
    """Precision and recall by balls to the k-th nearest neighbour.

    Args:
        k: which neighbour.
    """

    name: ClassVar[str] = "precision_recall"

    def __init__(self, *, k: int = 3) -> None:
        super().__init__()
        self.k = k

    def compute(self) -> dict[str, float]:
        precision, recall = precision_recall(self.rows("real"), self.rows("fake"), k=self.k)
        return {"precision": precision, "recall": recall}

    def detail(self) -> str:
        return f"k={self.k}"


METRIC = PrecisionRecall
