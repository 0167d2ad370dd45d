"""Equilibrium: D can tell nothing apart, and there is nothing left to tell apart.

Test: in six readings in a row D's mean logits of reals and fakes lie within a quarter of their standard deviation, and
the distance to held-out examples is within half as much again of what two halves of the real examples have. That is
where the theory says the game ends: Goodfellow et al. 2014 (arXiv:1406.2661), theorem 1.
"""

from __future__ import annotations

import numpy as np

from ..course import course, found, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "equilibrium",
    "Equilibrium is reached",
    "note",
    "stop",
    "The discriminator can no longer tell generated from real examples, and measurements cannot either: training has "
    "reached what the theory says is its end.",
    "End the run. Judge it with more samples (`gansmith evaluate`) before you trust it.",
    "Goodfellow et al. 2014, arXiv:1406.2661",
    explains=("plateau",),
)
NEAR, FLOORS = 0.25, 1.5
POLLS = 6


def detect(history: History) -> Finding | None:
    """Whether the game is over."""
    seen = course(history, "separation", "distance", "distance_floor")
    level = np.abs(seen["separation"]) < NEAR
    begun = seen.streak(level & (seen["distance"] < FLOORS * seen["distance_floor"]), POLLS)
    if begun is None:
        return None
    floor = f"two halves of the real examples have {seen['distance_floor'][-1]:.3g}"
    apart = told("separation", seen["separation"][-1], "none is expected", "D separates real and fake by")
    return found(FAILURE, history, begun, told("distance", seen["distance"][-1], floor, "distance to the data"), apart)
