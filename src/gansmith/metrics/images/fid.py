"""Fréchet inception distance (Heusel et al. 2017, arXiv:1706.08500).

    FID = |mu_r - mu_f|^2 + tr(S_r + S_f - 2 (S_r^1/2 S_f S_r^1/2)^1/2)

of the means and covariances of both sides' features. The distance itself stands in `functional`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ..base import Seen
from ._frechet import FrechetSums


class FID(FrechetSums):
    """Fréchet distance of the extractor's features, [0, inf), 0 for equal moments; biased upwards by about c / n."""

    name: ClassVar[str] = "fid"
    compared_as: ClassVar[str] = "fid_infinity"
    titles: ClassVar[Mapping[str, tuple[str, str]]] = {"fid": ("FID", "FD")}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"fid": (0.0, math.inf)}

    def taken(self, seen: Seen) -> Tensor:
        return seen.features


METRIC = FID
