"""Inception score (Salimans et al. 2016, arXiv:1606.03498).

    IS = exp E_x KL(p(y|x) || p(y))

taken in `splits` parts of the pictures, then averaged. It never looks at real pictures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import DataError, several
from ..base import Reduction, Seen, Side, Streaming
from ..functional import canonical_order, checked_finite
from ..settings import counts, legacy_seed


def inception_score(
    logits: Float[Tensor, "n c"], *, splits: int = 10, seed: int = 2020, order: Int[Tensor, " n"] | None = None
) -> tuple[float, float]:
    """Mean and standard deviation of the score over `splits` consecutive parts of the shuffled rows, in float64.

    Args:
        logits: of the classes, before the softmax.
        splits: parts.
        seed: of the shuffle, numpy's legacy generator: equal seeds give the reference implementation's parts.
        order: of the rows, to be shuffled; as they came when left out.

    Raises:
        DataError: fewer rows than splits, or a value is not finite.
    """
    scores = torch.stack([_kl(logits[part]).mean().exp() for part in _parts(len(logits), splits, seed, order)])
    return float(scores.mean()), float(scores.std(correction=0))


def _parts(n: int, splits: int, seed: int, order: Tensor | None) -> list[Tensor]:
    if n < splits:
        raise DataError(f"{splits} splits need as many pictures; came: {n}")
    shuffled = torch.from_numpy(np.random.RandomState(seed).permutation(n))
    rows = shuffled if order is None else order[shuffled]
    return [rows[i * n // splits : (i + 1) * n // splits] for i in range(splits)]


def _kl(logits: Tensor) -> Tensor:
    """Of each row: its divergence from the mean distribution of the rows, in nats."""
    log_p = checked_finite(logits).double().log_softmax(1)
    log_mean = log_p.logsumexp(0) - math.log(len(log_p))  # finite where every row's share of a class rounds to 0
    return (log_p.exp() * (log_p - log_mean)).sum(1)


class InceptionScore(Streaming):
    """The score, [1, classes]; higher is better. It needs an extractor with class logits.

    Args:
        splits: parts over which it is averaged.
        seed: of the shuffle before they are cut.

    Raises:
        ConfigError: a setting out of range.
    """

    name: ClassVar[str] = "inception_score"
    needs: ClassVar[frozenset[str]] = frozenset({"head:logits"})
    sides: ClassVar[frozenset[Side]] = frozenset({"fake"})
    states: ClassVar[dict[str, Reduction]] = {"logits": "cat"}
    titles: ClassVar[Mapping[str, tuple[str, str]]] = {"inception_score": ("IS", "classifier-score")}
    higher: ClassVar[frozenset[str]] = frozenset({"inception_score"})
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"inception_score": (1.0, math.inf)}

    def __init__(self, *, splits: int = 10, seed: int = 2020) -> None:
        super().__init__()
        counts(self.name, splits=splits)
        legacy_seed(self.name, seed)
        self.splits, self.seed = splits, seed

    def update(self, seen: Seen, side: Side) -> None:
        if side == "fake":
            self.add("logits", checked_finite(seen.heads["logits"].detach().float().cpu(), "logits"))

    def compute(self) -> dict[str, float]:
        logits = self._logits()
        mean, std = inception_score(logits, splits=self.splits, seed=self.seed, order=canonical_order(logits))
        return {"inception_score": mean, "inception_score_std": std}

    def _logits(self) -> Tensor:
        logits = self.whole("logits")
        return logits if logits.numel() else logits.reshape(0, 1)

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """exp(E KL) times a row's own divergence; the mean distribution is where the divergence is least, so its
        change counts only in second order."""
        divergence = _kl(sample["fake"].heads["logits"].float())
        return {"inception_score": {"fake": divergence.mean().exp() * (divergence - divergence.mean())}}

    def remarks(self) -> dict[str, str]:
        n, classes = self._logits().shape
        if n // self.splits >= classes:
            return {}
        return {
            "inception_score": f"of {n} pictures in {self.splits} splits is biased downwards: a split has fewer "
            f"pictures than there are classes ({classes})"
        }

    def detail(self) -> str:
        return several(self.splits, "split")


METRIC = InceptionScore
