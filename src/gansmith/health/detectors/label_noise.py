"""Label noise: labels that do not agree with what they stand on.

Tests, by the share of examples whose label is that of most of their five nearest neighbours: labels as they are fed,
against the same examples' labels in the data set; labels of training examples against those of held-out ones; and
whether training labels agree at all more often than by chance. All are two-proportion tests at z > 4 with a least
difference, for a thousand labels make a trifle significant. Wilson 1972 (IEEE SMC 2) drops labels that neighbours
contradict.
"""

from __future__ import annotations

import math

from ..course import found
from ..finding import Evidence, Failure, Finding
from ..history import History
from .condition_ignored import chance

FAILURE = Failure(
    "label_noise",
    "Labels do not fit their examples",
    "serious",
    "data",
    "Many labels contradict the examples that they stand on, so the generator is taught the wrong classes, or none.",
    "See that labels and examples are read from the same rows and shuffled together, and that files and their list "
    "are sorted alike. Look at some examples with their labels (`gansmith inspect`). If labels cannot be mended, "
    "train without them (--no-labels).",
    "Northcutt et al. 2021, arXiv:1911.00068; Thekumparampil et al. 2018, arXiv:1811.03205",
    explains=("condition_ignored",),
)
LEAST = 0.1  # difference of shares
SURE = 4.0  # z
COMPARED, HELD, FED = 2_000, 500, 300  # labels behind each share, cautiously
NOTHING = 0.05  # of what is between chance and full agreement


def detect(history: History) -> Finding | None:
    """Labels that are wrong in the data set or on their way to the networks."""
    known, of_held, fed = (history.last(name) for name in ("labels", "condition_real", "feed/labels"))
    lowest = chance(history)
    if fed is not None and of_held is not None and _fewer(fed, of_held, FED, HELD):
        return _told(history, "feed/labels", f"{fed:.0%} of the labels as fed agree; {of_held:.0%} of held-out ones do")
    if known is None:
        return None
    if of_held is not None and _fewer(known, of_held, COMPARED, HELD):
        return _told(history, "labels", f"{known:.0%} of the training labels agree; {of_held:.0%} of held-out ones do")
    if len(history.facts.get("classes", ())) > 2 and known - lowest < NOTHING * (1 - lowest):
        return _told(
            history, "labels", f"{known:.0%} of the labels agree with neighbours, by chance {lowest:.0%} would"
        )
    return None


def _fewer(a: float, b: float, n: int, m: int) -> bool:
    """Whether share `a` of n is below share `b` of m, surely and by enough to matter."""
    pooled = (a * n + b * m) / (n + m)
    error = math.sqrt(max(pooled * (1 - pooled) * (1 / n + 1 / m), 1e-12))
    return b - a > max(LEAST, SURE * error)


def _told(history: History, signal: str, text: str) -> Finding:
    onset = next(r.samples for r in history.readings if signal in r.values)
    return found(FAILURE, history, onset, Evidence(signal, f"{text} (with their nearest neighbours)"))
