"""Bad batch: for once, values far outside of the data.

Test: the range of what was fed since a reading leaves the data's bounds, or is five times as wide as at the other
readings (by their median), for no more than a fifth of the readings. Whoever feeds wrong values all the time has a
range mismatch. One batch times 70,000 left Adam's second moments so large that coverage stayed at .002 to .18 for the
rest of a run that had ordinary losses again (healthy: .35 to .55); forgetting Adam's state cured it. docs/health.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..course import Course, course, found
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Flags

FAILURE = Failure(
    "bad_batch",
    "A broken batch was trained on",
    "serious",
    "nonfinite",
    "Once, examples with values far outside of the data's range were trained on. Losses look ordinary soon after, "
    "but the optimizer's memory of that gradient makes its steps far too short from then on.",
    "Go back to a checkpoint before it, or start the optimizers anew (fresh Adam). Find the examples and mend the "
    "reader. gansmith skips such batches by itself. In other code: refuse batches beyond the data's range, and clip "
    "gradients.",
    "measured: docs/health.md; Chowdhery et al. 2022, arXiv:2204.02311, section 5.1",
    explains=(
        "nonfinite", "divergence", "mode_dropping", "rotation", "collapse", "overpowering_d", "weak_d", "plateau",
        "vanishing_gradient", "corrupted_weights",
    ),
)  # fmt: skip
BEYOND, TIMES = 0.5, 5.0  # widths of the bounds; usual widths
SELDOM = 0.2
FELT = 6.0  # z of a gradient's norm: the batch was felt


def detect(history: History) -> Finding | None:
    """The first reading since which a batch was far off."""
    seen = course(history, "data/low", "data/high", thin=False, skipped=0.0, scale=np.nan)
    if len(seen) < 3:
        return None
    off = _off(seen, history.facts.get("bounds"))
    if not off.any() or off[0] or off.mean() > SELDOM:
        return None
    which = [int(i) for i in np.flatnonzero(off)]
    harms = [i for i in which if not _harmless(seen, history, i)]
    i = (harms or which)[0]
    samples, felt = int(seen.samples[i]), _felt(history, int(seen.samples[i]))
    failure = FAILURE if harms else replace(FAILURE, severity="note", explains=())
    times = f", in {len(which)} of {len(seen)} readings" if len(which) > 1 else ""
    text = f"values from {seen['data/low'][i]:.3g} to {seen['data/high'][i]:.3g} were fed{times}"
    evidence = [Evidence("data/high", text)]
    if felt is not None:
        evidence.append(Evidence("gradient_z", f"a gradient {felt:.3g} standard deviations above the usual"))
    return found(failure, history, samples, *evidence)


def _harmless(seen: Course, history: History, i: int) -> bool:
    """Whether a guard refused the batch, of which it may tell by the reading after it, or no gradient felt it."""
    told = seen["skipped"][i : i + 2]
    guarded = history.last("skipped") is not None
    felt = _felt(history, int(seen.samples[i]))
    return bool(told.max() > 0 or (guarded and len(told) < 2) or (felt is not None and felt < FELT))


def _off(seen: Course, bounds: tuple[float, float] | None) -> Flags:
    low, high = seen["data/low"], seen["data/high"]
    middle = [float(np.median(low)), float(np.median(high))]
    if bounds is not None:
        slack = BEYOND * (bounds[1] - bounds[0])
        off: Flags = (low < bounds[0] - slack) | (high > bounds[1] + slack)
        return off
    wide: Flags = (high - low) > TIMES * max(middle[1] - middle[0], 1e-12)
    return wide


def _felt(history: History, samples: int) -> float | None:
    """The largest z of any network's gradient since the reading before."""
    reading = next(r for r in history.readings if r.samples == samples)
    found_z = [z for name, z in reading.values.items() if name.startswith("gradient_z/")]
    return max(found_z, default=None)
