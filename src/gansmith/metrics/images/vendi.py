"""Vendi score (Friedman & Dieng 2023, arXiv:2210.02410): the effective number of different pictures.

    VS = exp(-sum_i l_i log l_i)      l: eigenvalues of K / n,  K_ij = cosine of the features of i and j

K / n and the mean outer product of the normalised features share their eigenvalues, so sums are enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import DataError
from ..base import Reduction, Seen, Side, Streaming, as_float64
from ..functional import checked_finite


class Vendi(Streaming):
    """The score of the generated pictures, [1, min(n, d)]; its floor is that of the real ones.

    It knows nothing of quality: noise scores high. Read it beside precision or density.
    """

    name: ClassVar[str] = "vendi"
    sides: ClassVar[frozenset[Side]] = frozenset({"fake"})
    states: ClassVar[dict[str, Reduction]] = {"count": "sum", "outer": "sum"}
    higher: ClassVar[frozenset[str]] = frozenset({"vendi"})
    unranked: ClassVar[frozenset[str]] = frozenset({"vendi"})  # read beside that of real pictures
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"vendi": (1.0, math.inf)}

    def update(self, seen: Seen, side: Side) -> None:
        if side == "fake":
            x = _normalised(seen.features.detach().cpu())
            self.add("count", torch.tensor(len(x), dtype=torch.float64))
            self.add("outer", x.T @ x)

    def _spectrum(self) -> tuple[Tensor, Tensor]:
        n, outer = self.whole("count"), self.whole("outer")
        if n.numel() == 0:
            raise DataError("the Vendi score needs at least 1 generated picture; came: 0")
        values, vectors = torch.linalg.eigh(outer / n)
        return values.clamp(min=0), vectors

    def compute(self) -> dict[str, float]:
        values, _ = self._spectrum()
        return {"vendi": float(torch.special.entr(values).sum().exp())}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """Of exp S(rho): exp(S) (-x' log(rho) x - S)."""
        values, vectors = self._spectrum()
        entropy = torch.special.entr(values).sum()
        log = torch.where(values > 0, values.clamp(min=torch.finfo(values.dtype).tiny).log(), 0.0)
        surprise = -((_normalised(sample["fake"].features.cpu()) @ vectors).square() @ log)
        return {"vendi": {"fake": entropy.exp() * (surprise - entropy)}}

    def remarks(self) -> dict[str, str]:
        n, dim = int(self.whole("count")), len(self.whole("outer"))
        if n > dim:
            return {}
        return {"vendi": f"of {n} pictures grows with their number: compare it only with figures of the same n"}

    def detail(self) -> str:
        return "cosine"


def _normalised(features: Tensor) -> Tensor:
    x = as_float64(checked_finite(features))
    length = x.norm(dim=1, keepdim=True)
    if bool((length == 0).any()):
        raise DataError("the Vendi score compares directions of features, but a picture's features are all zero")
    scaled: Tensor = x / length
    return scaled


METRIC = Vendi
