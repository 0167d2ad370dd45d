"""Diversity as a mean over pairs of pictures of one side."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import DataError, several
from ..base import Seen, Side
from ..settings import counts
from ..words import called
from ._sample import PictureSample

LEAST = 2  # pairs, so that there is a spread


class Pairs(PictureSample):
    """Pairs off the kept pictures, each with one other of its class where there are classes, and compares them.

    Figures: the mean over pairs of fakes under the metric's own name, with the standard error of that mean as its
    spread; and the same of real pictures under `NAME_real`, without which it means little.

    Args:
        pairs: how many, at most, of each side.
        seed: of the draw.

    Raises:
        ConfigError: pairs below 2.
    """

    uses: ClassVar[frozenset[str]] = frozenset({"labels"})
    shares: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, *, pairs: int = 1000, seed: int = 2020) -> None:
        counts(self.name, LEAST, pairs=pairs)
        super().__init__(2 * pairs, seed)

    @abstractmethod
    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        """One value (n,) for each pair of uint8 pictures (n h w c)."""

    def compute(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for side, name in self._titles():
            values = self._values(side)
            found |= {name: float(values.mean()), f"{name}_std": float(values.std() / len(values) ** 0.5)}
        return found

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """Each pair's value less the mean. Pairs, not pictures, are what is independent, and those that were compared
        are known; `sample`, which holds no pixels, is not."""
        return {name: {side: self.scaled(self._values(side), side)} for side, name in self._titles()}

    def detail(self) -> str:
        return self.told("fake")

    def details(self) -> dict[str, str]:
        return {f"{self.name}_real": self.told("real")}

    def told(self, side: Side) -> str:
        """How this side's figure was taken, for its protocol."""
        first, _, classes = self._paired(side)
        return f"{several(len(first), 'pair')}{' within classes' if classes else ''}"

    def _titles(self) -> list[tuple[Side, str]]:
        return [("fake", self.name), ("real", f"{self.name}_real")]

    def _values(self, side: Side) -> Tensor:
        """float64 values of this side's pairs."""
        first, second, _ = self._paired(side)
        if len(first) < LEAST:
            raise DataError(f"{self.name} needs at least {LEAST} pairs of {called(side)} pictures; came: {len(first)}")
        if side not in self.known:
            self.known[side] = self.compare(first, second).double()
        return self.known[side]

    def _paired(self, side: Side) -> tuple[Tensor, Tensor, bool]:
        """First and second pictures, and whether they were paired within classes."""
        pixels, labels = self.kept(side)
        if not len(pixels):
            return pixels, pixels, False
        first, second = pair_off(labels)
        return pixels[first], pixels[second], bool((labels >= 0).any())


def pair_off(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Places of pairs, each within one class and no place twice; the odd one of a class is left out."""
    order = labels.argsort(stable=True)
    ordered = labels[order]
    counts = ordered.unique_consecutive(return_counts=True)[1]
    starts = counts.cumsum(0) - counts
    within = torch.arange(len(labels)) - starts.repeat_interleave(counts)
    paired = within < (counts // 2 * 2).repeat_interleave(counts)
    places = order[paired].view(-1, 2)
    return places[:, 0], places[:, 1]
