"""Stale average: the averaged generator, which users get, is far behind the one in training.

Test: what the average makes is more than twice as far from held-out examples as what the raw weights make of the same
noise, and plainly something else, in three readings in a row. In the beginning every average lags: it is judged after
four half-lives (1/16 of its beginning is left), or from a seventh of the run on where a quarter of the run or more is
one half-life, for then it will not catch up. Karras et al. 2024 (arXiv:2312.02696) on the length of averages.
"""

from __future__ import annotations

import numpy as np

from ..course import LAGS, POLLS, course, found, told
from ..finding import Evidence, Failure, Finding
from ..history import History

FAILURE = Failure(
    "stale_average",
    "The average of the generator is stale",
    "serious",
    "note",
    "The average of the generator's weights, which samples are made with, still is what the generator was long ago: "
    "training goes well, and what you get does not.",
    "A shorter half-life: a hundredth to a tenth of the run (recipe.half_life, in samples). In other code: a decay "
    "of 0.999 rather than 0.99999 in short runs, and see that the average is updated in every step, from the "
    "generator that is being trained.",
    "Yazici et al. 2019, arXiv:1806.04498; Karras et al. 2024, arXiv:2312.02696",
    explains=(
        "collapse", "mode_dropping", "divergence", "rotation", "weak_d", "overpowering_d", "condition_ignored",
        "plateau", "equilibrium", "evaluation_gap",
    ),
)  # fmt: skip
TIMES, APART = 2.0, 0.2  # distances; the gap in spreads of real examples
LONG = 0.25  # of the run: the average will not forget its beginning in time
EARLY, LATE = 0.15, 0.4  # shares of the run


def detect(history: History) -> Finding | None:
    """Whether the average is behind now."""
    seen = course(history, "distance", "average_distance", average_gap=1.0, distance_floor=0.0)
    seen = seen.since(_judged_from(history))
    far = seen["distance"] > TIMES * np.maximum(seen["average_distance"], seen["distance_floor"])
    begun = seen.streak(far & (seen["average_gap"] > APART), POLLS)
    if begun is None:
        return None
    raw = f"with the raw weights {seen['average_distance'][-1]:.3g}"
    evidence = [told("distance", seen["distance"][-1], raw, "distance to the data")]
    if (half_life := _half_life(history)) is not None:
        evidence.append(Evidence("average_gap", f"the half-life is {half_life:,.0f} samples"))
    return found(FAILURE, history, begun, *evidence)


def _half_life(history: History) -> float | None:
    """The longest that the run states, in samples."""
    return max(map(float, history.facts.get("half_life", {}).values()), default=None)


def _judged_from(history: History) -> float:
    """Samples from which the average should be near."""
    half_life, length = _half_life(history), history.length
    if half_life is None:
        return LATE * length if length is not None else float("inf") if len(history.readings) < 10 else 0.0
    if length is not None and half_life > LONG * length:
        return EARLY * length
    return LAGS * half_life
