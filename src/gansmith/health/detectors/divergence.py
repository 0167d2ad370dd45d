"""Divergence: G runs away from the data.

Three tests, each a CUSUM or its kin, and poor coverage to confirm any of them: diversity above 1 (diverging runs passed
1.25, healthy ones stayed below 1.1); the logarithm of the distance to held-out examples above twice the lowest that it
has been (users report 58 to 634 and 78 to 393; a healthy run once went from 7 to 24 and back); Page and Hinkley's test
of the logarithm of D's gradient norm, which an exploding penalty raises by decades. docs/health.md.
"""

from __future__ import annotations

import numpy as np

from ..course import Course, course, covered, found, settled, told
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import crossed, cusum, medians, page_hinkley

FAILURE = Failure(
    "divergence",
    "Training diverges",
    "serious",
    "divergence",
    "The generator was on its way, and now gets ever farther from the data: the two players drive each other away "
    "instead of correcting each other.",
    "Go back to the best checkpoint (--keep-best keeps it) and go on with smaller rates (half of recipe.solver.lr), "
    "recipe.solver.beta1=0, recipe.game.r1=1 and recipe.game.loss=non_saturating or relativistic. If a penalty's "
    "weight is very large, make it smaller. In other code: fresh Adam with betas (0, 0.99), equal rates, a "
    "zero-centred gradient penalty.",
    "Mescheder et al. 2018, arXiv:1801.04406; Kurach et al. 2019, arXiv:1807.04720",
    explains=(
        "rotation", "mode_dropping", "overpowering_d", "weak_d", "nonfinite", "plateau", "equilibrium",
        "condition_ignored",
    ),
)  # fmt: skip
LIMIT, CAP = 4.0, 3.0  # of CUSUMs: one false alarm in 336 readings of noise, two readings at the least
WIDE, SPREAD = 1.15, 0.1  # of diversity
TIMES, DECADE = 2.0, 0.35  # the distance may rise so many times; standard deviation of its logarithm
FLOORS = 5.0  # times what is possible: nearer distances are not told apart, they change by chance
GROWTH, RISE = 0.25, 3.0  # of log10 of D's gradient: allowance and limit of Page and Hinkley's test
TENFOLD = 10.0  # of the first gradients: one that comes back from nothing does not explode
LOW_COVERAGE = 0.3
WARM_UP = 0.15


def detect(history: History) -> Finding | None:
    """Whether G is running away now."""
    start = settled(history, WARM_UP)
    return _too_wide(history, start) or _farther(history, start) or _exploding(history, start)


def _too_wide(history: History, start: float) -> Finding | None:
    seen = course(history, "diversity", coverage=0.0).since(start)
    begun = crossed(cusum((seen["diversity"] - WIDE) / SPREAD, cap=CAP, ceiling=2 * LIMIT), LIMIT)
    if begun is None or not _uncovered(seen):
        return None
    text = told("diversity", seen["diversity"][-1], "where 0.9 to 1.1 is usual")
    return found(FAILURE, history, seen.samples[begun], text, *covered(history))


def _farther(history: History, start: float) -> Finding | None:
    seen = course(history, "distance", coverage=0.0, distance_floor=0.0).since(start)
    if len(seen) < 4 or not _uncovered(seen):
        return None
    log = np.log(np.maximum(seen["distance"], np.maximum(FLOORS * seen["distance_floor"], 1e-12)))
    lowest = np.minimum.accumulate(medians(log))
    begun = crossed(cusum((log - lowest - np.log(TIMES)) / DECADE, cap=CAP, ceiling=2 * LIMIT), LIMIT)
    if begun is None:
        return None
    best = float(np.exp(lowest[-1]))
    text = told("distance", seen["distance"][-1], f"where it has been {best:.3g}", "distance to the data")
    return found(FAILURE, history, seen.samples[begun], text, *covered(history))


def _exploding(history: History, start: float) -> Finding | None:
    for name in history.names("gradient/D"):
        first = name.replace("gradient/", "gradient_first/")
        seen = course(history, name, thin=True, **{"coverage": 0.0, first: 0.0}).since(start)
        rise = page_hinkley(np.log10(np.maximum(seen[name], 1e-12)), allowance=GROWTH)
        begun = crossed(rise, RISE)
        if begun is not None and _uncovered(seen) and seen[name][-1] > TENFOLD * seen[first][-1]:
            text = f"D's gradient {seen[name][-1]:.3g}, it was {np.median(seen[name][: begun + 1]):.3g}"
            return found(FAILURE, history, seen.samples[begun], Evidence(name, text))
    return None


def _uncovered(seen: Course) -> bool:
    return bool(seen["coverage"][-1] < LOW_COVERAGE)
