"""Range mismatch: the data have another range than the generator can make.

The contract looks at the data before the first step; this looks at what is really fed, which a transform in the loader
may have changed. Test, in two readings in a row from the first on: rows beyond the stated bounds, or within their upper
or lower half alone; or, where none are stated, outputs that press against -1 or 1 and data beyond. Data of 0 to 1 for a
tanh leave every other signal healthy (measured: diversity .98, coverage .80).
"""

from __future__ import annotations

import numpy as np

from ..contract import RANGE as FAILURE
from ..course import Course, course, found
from ..finding import Evidence, Finding
from ..history import History
from ..statistics import Flags

SLACK, HALF = 0.05, 0.4  # of the bounds' width
PRESSED, BEYOND = 0.95, 1.2  # outputs that reach what a tanh allows; data that are past it
POLLS, PRESSING = 2, 4

__all__ = ["FAILURE", "detect"]


def detect(history: History) -> Finding | None:
    """Whether what is fed lies elsewhere than what can be made."""
    seen = course(history, "data/low", "data/high", thin=False, **{"output/low": np.nan, "output/high": np.nan})
    bounds = history.facts.get("bounds")
    bad = _beyond_tanh(seen) if bounds is None else _elsewhere(seen, (float(bounds[0]), float(bounds[1])))
    if len(seen) < (PRESSING if bounds is None else POLLS) or not bad.all():
        return None
    whose = f"outputs reach {seen['output/low'].min():.3g} to {seen['output/high'].max():.3g}"
    wanted = whose if bounds is None else f"they should be within {bounds[0]:g} and {bounds[1]:g}"
    text = f"data run from {seen['data/low'][-1]:.3g} to {seen['data/high'][-1]:.3g}; {wanted}"
    return found(FAILURE, history, seen.samples[0], Evidence("data/low", text))


def _elsewhere(seen: Course, bounds: tuple[float, float]) -> Flags:
    low, high, width = seen["data/low"], seen["data/high"], bounds[1] - bounds[0]
    beyond = (low < bounds[0] - SLACK * width) | (high > bounds[1] + SLACK * width)
    half: Flags = beyond | (low > bounds[0] + HALF * width) | (high < bounds[1] - HALF * width)
    return half


def _beyond_tanh(seen: Course) -> Flags:
    reach = np.maximum(np.abs(seen["output/low"]), np.abs(seen["output/high"]))
    pressed = (reach >= PRESSED) & (reach <= 1.0)
    past: Flags = pressed & (np.maximum(np.abs(seen["data/low"]), np.abs(seen["data/high"])) > BEYOND)
    return past
