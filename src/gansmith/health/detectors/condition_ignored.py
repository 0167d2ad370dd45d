"""Condition ignored: G makes whatever it likes, not the class that it was asked for.

Test: the share of fakes in which neighbouring real examples recognise the class that was asked for, placed between
chance (0) and the share of held-out real examples that are recognised in this way (1), below a quarter in three
readings in a row, and not rising. Where real classes are hardly recognised, nothing is said. Miyato & Koyama 2018
(arXiv:1802.05637) measure the same by a classifier.
"""

from __future__ import annotations

import numpy as np

from ..course import POLLS, Course, course, found, settled, told
from ..finding import Failure, Finding
from ..history import History
from ..statistics import Values

FAILURE = Failure(
    "condition_ignored",
    "The generator ignores its condition",
    "serious",
    "note",
    "The generator is asked for a class and makes any other just as well: the label does not reach it, or nobody "
    "makes it heed the label.",
    "See that labels and examples are shuffled together, that G and D are both given the label, and that D is shown "
    "fakes with the labels that they were made for. Then recipes whose D judges the class: acgan, sngan, biggan; or "
    "recipe.game.r1=1. In other code: a projection discriminator in place of concatenated labels.",
    "Miyato & Koyama 2018, arXiv:1802.05637; Odena et al. 2017, arXiv:1610.09585",
)
HEEDED = 0.25
KNOWABLE = 0.2  # share above chance that real examples must be recognised with
RISING = 0.1
WARM_UP = 0.3


def detect(history: History) -> Finding | None:
    """Whether what is asked for is ignored now."""
    seen = course(history, "condition", "condition_real").since(settled(history, WARM_UP))
    if not len(seen):
        return None
    lowest = chance(history)
    room = seen["condition_real"] - lowest
    heeded = np.divide(seen["condition"] - lowest, room, out=np.ones(len(seen)), where=room > KNOWABLE)
    begun = seen.streak(heeded < HEEDED, POLLS)
    if begun is None or _rises(seen, heeded):
        return None
    asked = told("condition", seen["condition"][-1], f"by chance it is {lowest:.2g}", "share of the class asked for")
    real = told("condition_real", seen["condition_real"][-1], "in the same way", "real classes are recognised")
    return found(FAILURE, history, begun, asked, real)


def chance(history: History) -> float:
    """Share of equal classes among pairs of real examples; 1 / classes where their shares are not known."""
    counts = history.counts("classes/real")
    if not counts or not sum(counts[-1][1]):
        return 1 / max(2, len(history.facts.get("classes", ())))
    shares = np.array(counts[-1][1], dtype=np.float64) / sum(counts[-1][1])
    return float(shares @ shares)


def _rises(seen: Course, heeded: Values) -> bool:
    return bool(len(seen) > POLLS and heeded[-1] > heeded[-1 - POLLS] + RISING)
