"""sFID (Nash et al. 2021, arXiv:2103.03841): the Fréchet distance of spatial features, which see where things stand.

Of Inception: the first 7 channels of the 17x17 maps, 2,023 numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ..base import Seen
from ._frechet import FrechetSums


class SFID(FrechetSums):
    """Fréchet distance of the extractor's head `spatial`, [0, inf); biased upwards by about c / n."""

    name: ClassVar[str] = "sfid"
    needs: ClassVar[frozenset[str]] = frozenset({"head:spatial"})
    compared_as: ClassVar[str] = ""
    titles: ClassVar[Mapping[str, tuple[str, str]]] = {"sfid": ("sFID", "sFD")}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"sfid": (0.0, math.inf)}

    def taken(self, seen: Seen) -> Tensor:
        return seen.heads["spatial"]


METRIC = SFID
