"""Corrupted weights: numbers that no training step can have written, after a fault of memory or of a file.

Test: between two readings a network's norm at least doubles or halves, and its logarithm moves 20 times as far as it
usually does and twice as far as so many steps of the largest length seen could carry it; or the norm is too large to be
computed while every weight is finite. Steps move weights by .001 to .05 of their norm (105 runs), so norms change
slowly and evenly. One flipped bit of an exponent makes one weight 1e30; loaders of checkpoints let 120 of 120 such
files pass (docs/health.md). Flips that leave the norm as it was cannot be seen here.
"""

from __future__ import annotations

import numpy as np

from ..course import Course, course, found
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Values

FAILURE = Failure(
    "corrupted_weights",
    "Weights were damaged",
    "serious",
    "nonfinite",
    "A network's weights changed at once by far more than a training step can change them: a fault of memory, of a "
    "file, or code that writes into them.",
    "Go back to the last checkpoint before it. gansmith's checkpoints carry digests, so that a damaged file is "
    "refused. In other code: compare a checkpoint's sha256 before loading it, and look for whatever else writes to "
    "the weights.",
    "Dixit et al. 2021, arXiv:2102.11245; docs/reliability.md",
    explains=(
        "nonfinite", "divergence", "collapse", "mode_dropping", "rotation", "overpowering_d", "weak_d", "dead_units",
        "vanishing_gradient", "plateau", "bad_batch", "condition_ignored", "overfitting_d",
    ),
)  # fmt: skip
LEAST, TIMES = float(np.log(2)), 20.0
BEFORE = 4  # readings that show what is usual


def detect(history: History) -> Finding | None:
    """The network whose weights jumped, and have not come back."""
    for name in history.names("weight/"):
        net = name.removeprefix("weight/")
        seen = course(history, name, thin=False, **{f"update/{net}": 0.0})
        i = _jump(np.log(np.maximum(seen[name], 1e-30)), _reach(seen, history, net))
        if i is not None:
            text = f"norm {seen[name][i]:.3g}, then {seen[name][i + 1]:.3g}"
            return found(FAILURE, history, seen.samples[i + 1], Evidence(name, text), suspects=[net])
    return _beyond(history)


def _jump(log: Values, reach: Values) -> int | None:
    """The reading (n,) after which the logarithm of the norm jumped farther than `reach` (n - 1,), and stayed there."""
    jumps = np.abs(np.diff(log))
    for i in range(BEFORE - 1, len(jumps)):
        usual = max(float(np.median(jumps[:i])), 1e-3)
        stays = abs(log[-1] - log[i]) > jumps[i] / 2
        if jumps[i] > max(LEAST, TIMES * usual, reach[i]) and stays:
            return i
    return None


def _reach(seen: Course, history: History, net: str) -> Values:
    """How far the steps between readings can have moved the logarithm of the norm, (n - 1,)."""
    steps = {r.samples: r.step for r in history.readings}
    taken = np.diff(np.array([steps[int(s)] for s in seen.samples], dtype=np.float64))
    reach: Values = 2 * taken * np.maximum.accumulate(seen[f"update/{net}"])[:-1]
    return reach


def _beyond(history: History) -> Finding | None:
    """The norm overflows and no single weight does."""
    for r in history.readings:
        if "broken" in r.notes:
            return None
        nets = [name.removeprefix("nonfinite/weight/") for name, n in r.values.items() if _of_weights(name) and n > 0]
        if nets and not r.values.get("nonfinite/output"):
            text = "its weights are finite, and too large for their norm"
            return found(FAILURE, history, r.samples, Evidence(f"nonfinite/weight/{nets[0]}", text), suspects=nets)
    return None


def _of_weights(name: str) -> bool:
    return name.startswith("nonfinite/weight/")
