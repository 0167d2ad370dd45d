"""Plateau: nothing gets better any more.

Test: over the last two fifths of the run the distance to held-out examples shows no falling trend and coverage no
rising one (Mann and Kendall's z within 1, which a steady improvement over eight readings is beyond), and their medians
there are no better than the best running median of three readings before.
It is no failure: the run can end, with its best weights.
"""

from __future__ import annotations

import numpy as np

from ..course import course, found
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Values, mann_kendall_z, medians

FAILURE = Failure(
    "plateau",
    "Nothing improves any more",
    "note",
    "stop",
    "What is generated has not come nearer to the data for a good part of the run. Going on costs time, and may make "
    "it worse.",
    "End the run and keep its best (--keep-best, --patience). To get further: a rate that falls "
    "(recipe.solver.lr='{start: 2e-4, end: 2e-5, over: 1000000}'), larger networks, more data.",
    "Mann 1945 (Econometrica 13); Karras et al. 2020, arXiv:2006.06676, figure 1",
)
LATELY = 0.4  # of the run so far
FEWEST, LEAST = 8, 0.5  # readings in that part; share of the run before which nothing is said
FALLING = -1.0
LOWER = 0.95  # of the level before


def detect(history: History) -> Finding | None:
    """Whether the run has stopped to improve."""
    if history.length is not None and history.samples < LEAST * history.length:
        return None
    seen = course(history, "distance", coverage=0.0)
    late = seen.samples > (1 - LATELY) * history.samples
    now, before = seen.where(late), seen.where(~late)
    if len(now) < FEWEST or len(before) < FEWEST // 2:
        return None
    level, reached = np.median(now["distance"]), medians(before["distance"]).min()
    if _better(now["distance"], before["distance"]) or _better(1 - now["coverage"], 1 - before["coverage"]):
        return None
    text = f"the distance to the data is {level:.3g}; {reached:.3g} was reached before"
    return found(FAILURE, history, now.samples[0], Evidence("distance", text))


def _better(now: Values, before: Values) -> bool:
    """Whether what should fall is falling, or has fallen."""
    return bool(mann_kendall_z(now) < FALLING or np.median(now) < LOWER * medians(before).min())
