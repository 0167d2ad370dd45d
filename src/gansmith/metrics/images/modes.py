"""Modes covered, and how evenly, by the classes that a classifier sees (Metz et al. 2017, arXiv:1611.02163).

On Stacked-MNIST, three digits in three channels, there are 1000 modes: `--extractor stacked:CLASSIFIER`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...errors import DataError
from ..base import Reduction, Seen, Side, Streaming
from ..functional import checked_finite
from ..words import called

SIDES: tuple[Side, ...] = ("fake", "real")


class Modes(Streaming):
    """Counts the classes of fakes and of real pictures, by the extractor's head `logits`.

    Figures: `modes`, how many classes the fakes hit at least once; `modes_real`, the real pictures; `modes_kl`,
    KL(fake || real) of the shares in nats, 0 where they are equal. It trusts the classifier: pictures of nothing are
    some class, too.
    """

    name: ClassVar[str] = "modes"
    needs: ClassVar[frozenset[str]] = frozenset({"head:logits"})
    states: ClassVar[dict[str, Reduction]] = {"real": "sum", "fake": "sum"}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"modes_kl": (0.0, math.inf)}
    higher: ClassVar[frozenset[str]] = frozenset({"modes"})
    unranked: ClassVar[frozenset[str]] = frozenset({"modes_real"})  # read beside that of real pictures

    def update(self, seen: Seen, side: Side) -> None:
        if side in self.states and len(seen):
            logits = checked_finite(seen.heads["logits"], "logits")
            self.add(side, logits.argmax(1).cpu().bincount(minlength=logits.shape[1]))

    def counts(self, side: Side) -> Int64[Tensor, " k"]:
        """How many pictures of this side each class has; for bars of coverage.

        Raises:
            DataError: none came.
        """
        found = self.whole(side)
        if not found.numel():
            raise DataError(f"modes are counted over the pictures of both sides; none came of: {called(side)}")
        return found.long()

    def compute(self) -> dict[str, float]:
        real, fake = self.counts("real"), self.counts("fake")
        hit = {"modes": fake, "modes_real": real}
        return {name: float((value > 0).sum()) for name, value in hit.items()} | {"modes_kl": kl(fake, real)}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """By how much each picture moves the KL, through the share of its class; the number of modes has none."""
        of_fake, of_real = (sample[side].heads["logits"].argmax(1).cpu() for side in SIDES)
        k = sample["fake"].heads["logits"].shape[1]
        fake, real = (classes.bincount(minlength=k) for classes in (of_fake, of_real))
        p, q = fake.double() / fake.sum(), smoothed(real)
        by_fake, by_real = (p / q).log()[of_fake], -(p / q)[of_real]
        return {"modes_kl": {"fake": by_fake - by_fake.mean(), "real": by_real - by_real.mean()}}

    def remarks(self) -> dict[str, str]:
        fake = self.counts("fake")
        classes, n = len(fake), int(fake.sum())
        if n >= 10 * classes:
            return {}
        missed, least = classes * math.exp(-n / classes), (classes - 1) / (2 * n)
        return {
            "modes": f"of {n} pictures is too low: as many real ones, in even classes, would miss {missed:.2g}",
            "modes_kl": f"of {n} pictures is too high, by about {least:.2g}: ask for {10 * classes} pictures or more",
        }


def kl(fake: Int64[Tensor, " k"], real: Int64[Tensor, " k"]) -> float:
    """KL(fake || real) of the shares behind two counts, in nats."""
    p, q = fake.double() / fake.sum(), smoothed(real)
    return float(torch.where(p > 0, p * (p / q).log(), 0.0).sum())


def smoothed(counts: Int64[Tensor, " k"]) -> Float[Tensor, " k"]:
    """Shares, float64, after one more picture that is spread over all classes: no class has none, so no KL is infinite.

    The other shares move by less than 1 / n.
    """
    return (counts.double() + 1 / len(counts)) / (counts.sum() + 1)


METRIC = Modes
