"""LPIPS between pictures of one side, as a measure of their diversity (Zhu et al. 2017, arXiv:1711.11586)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from ...nn.features import lpips
from ..base import Side
from ._pairs import Pairs


class LPIPSDiversity(Pairs):
    """Mean LPIPS of random pairs: 0 where all pictures are the same, higher where they differ.

    Like every mean over pairs it is blind to the number of modes: two unlike pictures over and over score well. Read
    it beside the real pictures' own value. Pictures smaller than 64 pixels are enlarged to 64.

    Args:
        pairs: how many, at most, of each side.
        seed: of the draw.
        weights: LPIPS's file or its folder; None searches.
    """

    name: ClassVar[str] = "lpips"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(("lpips", "lpips_real"), (0.0, math.inf))
    higher: ClassVar[frozenset[str]] = frozenset({"lpips"})
    unranked: ClassVar[frozenset[str]] = frozenset({"lpips", "lpips_real"})  # read beside that of real pictures

    def __init__(self, *, pairs: int = 1000, seed: int = 2020, weights: str | Path | None = None) -> None:
        super().__init__(pairs=pairs, seed=seed)
        self.weights = weights

    @cached_property
    def network(self) -> lpips.LPIPS:
        """Loaded when it is first asked for.

        Raises:
            DataError: the weights are absent or damaged.
        """
        return lpips.LPIPS(self.weights).to("cuda" if torch.cuda.is_available() else "cpu")

    def prepare(self) -> None:
        """Looks whether the weights are on this machine.

        Raises:
            DataError: they are absent or damaged.
        """
        assert self.network

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        return self.network.between(first, second)

    def told(self, side: Side) -> str:
        return f"{super().told(side)}, LPIPS v0.1 AlexNet {lpips.SHA256[:12]}"


METRIC = LPIPSDiversity
