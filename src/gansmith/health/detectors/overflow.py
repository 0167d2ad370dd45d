"""Overflow: half precision cannot hold what is computed.

Test: the gradient scaler's factor below 1 in two readings in a row: it is halved at each overflow, begins at 65,536 and
stays far above 1 in healthy runs. Where nobody tells the factor: losses that are not finite in three readings in a row
while weights and outputs stay sound, as somebody drops these steps. Micikevicius et al. 2018 (arXiv:1710.03740).
"""

from __future__ import annotations

import numpy as np

from ..course import course, found, told
from ..finding import Evidence, Failure, Finding
from ..history import History, Reading
from ..statistics import persists

FAILURE = Failure(
    "overflow",
    "Half precision overflows",
    "serious",
    "nonfinite",
    "Numbers get too large for 16 bits, so step after step is dropped, and training hardly moves or stands still.",
    "--precision bf16, which has the range of 32 bits, or fp32. In other code: compute D's logits, losses and "
    "gradient penalties in float32, outside of autocast; and see that nothing divides by a tiny number.",
    "Micikevicius et al. 2018, arXiv:1710.03740",
    explains=(
        "nonfinite", "frozen_network", "weak_d", "vanishing_gradient", "overpowering_d", "collapse", "mode_dropping",
        "plateau", "bad_batch", "equilibrium", "condition_ignored",
    ),
)  # fmt: skip
LEAST_SCALE = 1.0
POLLS, DROPS = 2, 3


def detect(history: History) -> Finding | None:
    """Whether steps overflow now."""
    seen = course(history, "scale", thin=False)
    begun = seen.streak(seen["scale"] < LEAST_SCALE, POLLS)
    if begun is not None:
        return found(
            FAILURE, history, begun, told("scale", seen["scale"][-1], "65,536 at first", "the scaler's factor is")
        )
    dropped = persists(np.array([_dropped(r) for r in history.readings], dtype=np.bool_), DROPS)
    if dropped is None:
        return None
    onset = history.readings[dropped].samples
    text = "losses are not finite, and weights stay sound: their steps are dropped"
    return found(FAILURE, history, onset, Evidence("nonfinite/loss", text))


def _dropped(reading: Reading) -> bool:
    wrong = {name.split("/")[1] for name, n in reading.values.items() if name.startswith("nonfinite/") and n > 0}
    looked = any(name.startswith("nonfinite/weight/") for name in reading.values)
    return looked and "loss" in wrong and not wrong & {"weight", "output"}
