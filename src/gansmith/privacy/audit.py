"""Audits: how much a trained model gives away about single rows, as a lower bound on epsilon, with confidence.

A bound above what was claimed proves the claim wrong; one below proves nothing, but the closer it comes, the better the
attack. Only synthetic rows are looked at (a black box). Neighbours are those of `gansmith.privacy`: a canary is there,
or it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MissingExtra

Floats: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
MOST = 20.0  # no audit of finite size reaches a larger epsilon


# `(included, seed) -> rows`: trains on the usual rows and those canaries that are included (m,), and returns synthetic
# rows (n, width); all that is random in it must differ with the seed
TrainAndSample: TypeAlias = Callable[[Flags, int], npt.NDArray[Any]]
# `(rows, canary) -> score`: the higher, the likelier the canary was there
Score: TypeAlias = Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Attributes:
        lower_bound: epsilon is at least this, but with the chance 1 - confidence.
        claimed: epsilon as the ledger has it.
        delta: of both.
        confidence: see `lower_bound`.
        runs: how many models were trained.
        detail: what was counted, in words.
    """

    lower_bound: float
    claimed: float
    delta: float
    confidence: float
    runs: int
    detail: str

    @property
    def holds(self) -> bool:
        """Whether the claim survives."""
        return self.lower_bound <= self.claimed

    def __str__(self) -> str:
        verdict = "the claim stands" if self.holds else "THE CLAIM IS WRONG"
        return (
            f"claimed epsilon {self.claimed:.3g}, audited lower bound {self.lower_bound:.3g} "
            f"(delta {self.delta:.1e}, confidence {self.confidence:.0%}, {self.detail}): {verdict}"
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "holds": self.holds}


def closeness(synthetic: npt.NDArray[Any], canary: npt.NDArray[Any]) -> float:
    """How near the synthetic rows come to a canary: minus the mean of the ten least distances."""
    distance = np.sqrt(((synthetic.astype(np.float64) - canary) ** 2).sum(1))
    nearest = np.partition(distance, min(10, len(distance)) - 1)[:10]
    return -float(nearest.mean())


def audit(
    train_and_sample: TrainAndSample,
    canary: npt.NDArray[Any],
    *,
    claimed: float,
    delta: float,
    runs: int = 100,
    confidence: float = 0.95,
    score: Score = closeness,
    seed: int = 0,
) -> AuditResult:
    """Trains `runs` models with the canary and as many without it, and tries to tell them apart by their rows
    (Jagielski, Ullman & Oprea 2020, arXiv:2006.07709; Nasr et al. 2021, arXiv:2101.04535).

    The threshold is chosen on the first third of the runs and judged on the others, by Clopper-Pearson intervals.

    Args:
        canary: (width,) an unusual row, in the form of the synthetic ones.
        claimed: what the mechanism promises.
        runs: of each kind; twice as many models are trained.

    Raises:
        ConfigError: too few runs, or numbers that cannot be.
    """
    _check(claimed, delta, confidence)
    if runs < 6:
        raise ConfigError(f"an audit needs 6 runs of each kind to choose a threshold and judge it, not: {runs}")
    scores = np.zeros((2, runs))
    for kind, present in enumerate((False, True)):
        for run in range(runs):
            rows = train_and_sample(np.array([present]), seed + 2 * run + kind)
            scores[kind, run] = score(rows, canary)
    bound, detail = bound_of_scores(scores[1], scores[0], delta=delta, confidence=confidence)
    return AuditResult(bound, claimed, delta, confidence, 2 * runs, detail)


def bound_of_scores(present: Floats, absent: Floats, *, delta: float, confidence: float = 0.95) -> tuple[float, str]:
    """The lower bound that scores of independent runs with and without a canary support, and what was counted."""
    first = max(2, len(present) // 3)
    miss = (1 - confidence) / 4  # four intervals
    edges = _edges(present[:first], absent[:first])
    threshold = edges[int(np.argmax(_bounds(present[:first], absent[:first], edges, delta, miss)))]
    judged = present[first:], absent[first:]
    bound = float(_bounds(*judged, np.array([threshold]), delta, miss)[0])
    kept, spared = ((scores > threshold).sum() for scores in judged)
    return max(0.0, bound), (
        f"{kept} of {len(judged[0])} runs with the canary and {spared} of {len(judged[1])} without it scored high"
    )


def _edges(present: Floats, absent: Floats) -> Floats:
    """Between all scores that were seen."""
    values = np.unique(np.concatenate([present, absent]))
    return (values[1:] + values[:-1]) / 2 if len(values) > 1 else values


def _bounds(present: Floats, absent: Floats, edges: Floats, delta: float, miss: float) -> Floats:
    """The bound on epsilon at each threshold, by scores above it and by scores below it, whichever is higher."""
    try:
        from scipy.stats import beta
    except ImportError:
        raise MissingExtra("scipy", "privacy") from None

    def limits(scores: Floats, above: bool) -> tuple[Floats, Floats]:
        """Clopper and Pearson's limits of the chance to score above (or below) each threshold."""
        hits = np.array([(scores > edge).sum() if above else (scores <= edge).sum() for edge in edges])
        n = len(scores)
        low = np.where(hits > 0, beta.ppf(miss, np.maximum(hits, 1), n - hits + 1), 0.0)
        high = np.where(hits < n, beta.ppf(1 - miss, hits + 1, np.maximum(n - hits, 1)), 1.0)
        return low, high

    often, seldom = limits(present, True)[0], limits(absent, True)[1]
    quiet, missed = limits(absent, False)[0], limits(present, False)[1]
    return np.maximum(_ratio(often, seldom, delta), _ratio(quiet, missed, delta))


def _ratio(often: Floats, seldom: Floats, delta: float) -> Floats:
    """Epsilon that events of chance `often` on one side and `seldom` on the other need at least."""
    return np.minimum(MOST, np.log(np.maximum(often - delta, 1e-12) / seldom))


def audit_one_run(
    train_and_sample: TrainAndSample,
    canaries: npt.NDArray[Any],
    *,
    claimed: float,
    delta: float,
    guesses: int | None = None,
    confidence: float = 0.95,
    score: Score = closeness,
    seed: int = 0,
) -> AuditResult:
    """Trains one model with half of many canaries, each in or out by a coin, and guesses which (Steinke, Nasr &
    Jagielski 2023, arXiv:2305.08846, theorem 5.2).

    Args:
        canaries: (m, width).
        guesses: how many are guessed, half of them `in` by the highest scores and half `out` by the lowest; the others
            are passed over. A third of them unless given.

    Raises:
        ConfigError: too few canaries, or numbers that cannot be.
    """
    _check(claimed, delta, confidence)
    m = len(canaries)
    half = (m // 3 if guesses is None else guesses) // 2
    if half < 1 or 2 * half > m:
        raise ConfigError(f"guesses are at least 2 and at most the {m} canaries, not: {2 * half}")
    included = np.random.default_rng([seed, 0xC0175]).random(m) < 0.5
    rows = train_and_sample(included, seed)
    order = np.argsort([score(rows, canary) for canary in canaries], kind="stable")
    right = int(included[order[-half:]].sum() + (~included[order[:half]]).sum())
    bound = bound_of_guesses(m, 2 * half, right, delta=delta, confidence=confidence)
    detail = f"{right} of {2 * half} guesses about {m} canaries were right"
    return AuditResult(bound, claimed, delta, confidence, 1, detail)


def bound_of_guesses(m: int, guesses: int, right: int, *, delta: float, confidence: float = 0.95) -> float:
    """The largest epsilon at which so many right guesses are less likely than 1 - confidence."""
    if _chance(m, guesses, right, 0.0, delta) > 1 - confidence:
        return 0.0
    low, high = 0.0, MOST
    while high - low > 1e-4:
        middle = (low + high) / 2
        if _chance(m, guesses, right, middle, delta) <= 1 - confidence:
            low = middle
        else:
            high = middle
    return low


def _chance(m: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """An upper bound on the chance of at least `right` right guesses under (epsilon, delta): that of as many coins
    which tell the truth with chance e^epsilon / (1 + e^epsilon), and what delta can add."""
    try:
        from scipy.stats import binom
    except ImportError:
        raise MissingExtra("scipy", "privacy") from None
    truth = 1 / (1 + math.exp(-epsilon))
    beyond = float(binom.sf(right - 1, guesses, truth))
    below = np.cumsum(
        binom.pmf(np.arange(right - 1, -1, -1), guesses, truth)
    )  # P[right > W >= right - i], i = 1, 2, ...
    steepest = float((below / np.arange(1, right + 1)).max()) if right else 0.0
    return min(1.0, beyond + 2 * m * delta * steepest)


def _check(claimed: float, delta: float, confidence: float) -> None:
    if not (claimed > 0 and 0 <= delta < 1 and 0.5 <= confidence < 1):
        raise ConfigError(
            "an audit wants claimed > 0, 0 <= delta < 1 and 0.5 <= confidence < 1; "
            f"came: {claimed}, {delta}, {confidence}"
        )
