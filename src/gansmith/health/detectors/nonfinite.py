"""Not finite: a NaN or an infinity in weights, outputs, losses or gradients.

Test: weights or outputs that are not finite at the last reading are certain. A loss or gradient that was not finite
while all weights are still sound was refused by somebody: once is a note of what a guard has done, in three readings in
a row it is a failure.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..course import found
from ..finding import Evidence, Failure, Finding
from ..history import History, Reading
from ..statistics import persists

FAILURE = Failure(
    "nonfinite",
    "Numbers are no longer finite",
    "serious",
    "nonfinite",
    "A NaN or an infinity came up. Once it is in the weights everything that they compute is NaN, and no further "
    "step mends that.",
    "Go back to the last checkpoint; skip the batch that it came from, and look at its examples. If it comes again: "
    "half of recipe.solver.lr, a smaller weight of the penalty (recipe.game.gp, recipe.game.r1), --precision fp32. "
    "In other code: test the loss with torch.isfinite before each optimizer step, and keep penalties and logits in "
    "float32.",
    "Chowdhery et al. 2022, arXiv:2204.02311, section 5.1 (skip and restart); docs/reliability.md",
    explains=(
        "frozen_network", "collapse", "mode_dropping", "weak_d", "overpowering_d", "vanishing_gradient", "dead_units",
        "condition_ignored", "rotation", "plateau", "equilibrium", "bad_batch",
    ),
)  # fmt: skip
POLLS = 3
STATE = ("nonfinite/weight/", "nonfinite/output", "nonfinite/logit")


def detect(history: History) -> Finding | None:
    """What is not finite now, or was and has been refused."""
    wrong = [_wrong(r) for r in history.readings]
    if not any(wrong):
        return None
    state = np.array([any(name.startswith(STATE) for name in names) for names in wrong])
    persisting = persists(np.array([bool(names) for names in wrong]), 1 if state[-1] else POLLS)
    if persisting is not None:
        return _told(FAILURE, history, persisting, wrong[persisting])
    first = next(i for i, names in enumerate(wrong) if names)
    mild = replace(FAILURE, severity="note", explains=())
    return None if _scaled(history) else _told(mild, history, first, wrong[first])


def _wrong(reading: Reading) -> list[str]:
    return sorted(name for name, value in reading.values.items() if name.startswith("nonfinite/") and value > 0)


def _scaled(history: History) -> bool:
    """With a gradient scaler, gradients that overflow now and then are its way to find the scale."""
    return any("scale" in r.values for r in history.readings)


def _told(failure: Failure, history: History, i: int, names: list[str]) -> Finding:
    reading = history.readings[i]
    where = ", ".join(name.removeprefix("nonfinite/") for name in names[:3])
    broken = [r.notes["broken"] for r in history.readings[i:] if "broken" in r.notes][:1]
    text = f"not finite at {reading.samples:,} samples: {where}"
    return found(failure, history, reading.samples, Evidence(names[0], text), suspects=broken)
