"""Frozen network: its optimizer runs, and its weights do not move.

Test: in two readings in a row one step of the optimizer changes the weights by exactly nothing, and their norm is the
same number; where steps cannot be measured, the norm alone in four. Healthy steps move weights by .001 to .05 of their
norm. A rate that was scheduled down to nothing is no fault: its steps were getting shorter before.
"""

from __future__ import annotations

import numpy as np

from ..course import course, found
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Flags, Values, persists

FAILURE = Failure(
    "frozen_network",
    "A network does not learn",
    "bug",
    "bug",
    "The weights of a network stay exactly as they are, so the other one plays against a wall.",
    "In your code: the optimizer must hold this network's parameters (a network made again, or moved, after its "
    "optimizer is another one), requires_grad must be on, its step must be called, its rate must not be 0, and its "
    "loss must reach it: no .detach() and no torch.no_grad() between G and D in G's step.",
    "measured: docs/health.md",
    explains=(
        "weak_d", "divergence", "collapse", "mode_dropping", "rotation", "overpowering_d", "vanishing_gradient",
        "plateau", "equilibrium", "condition_ignored", "overfitting_d", "memorisation", "dead_units", "stale_average",
    ),
)  # fmt: skip
POLLS, UNMEASURED = 2, 3
ENDING = 0.1  # of the usual step: the last ones of a rate that was meant to end
VANISHED = 1e-4  # of the first gradient: then the gradient is the cause


def detect(history: History) -> Finding | None:
    """The networks that do not move now."""
    frozen = {name: onset for name in _networks(history) if (onset := _frozen(history, name)) is not None}
    if not frozen:
        return None
    name = min(frozen, key=lambda net: frozen[net])
    text = f"{name}: the weights have not changed since {frozen[name]:,} samples"
    return found(FAILURE, history, frozen[name], Evidence(f"update/{name}", text), suspects=sorted(frozen))


def _networks(history: History) -> list[str]:
    return [name.removeprefix("update/") for name in history.names("update/")]


def _frozen(history: History, net: str) -> int | None:
    update, weight, gradient, first = (f"{kind}/{net}" for kind in ("update", "weight", "gradient", "gradient_first"))
    seen = course(history, update, weight, thin=False, **{gradient: np.nan, first: np.nan})
    if len(seen) < POLLS:
        return None
    # without its optimizer a step cannot be measured: update is 0 whatever happens, and the norm alone tells
    measured = net in history.facts.get("optimizers", (net,))
    still = seen[update] == 0 if measured else _unchanged(seen[weight])
    i = persists(still, POLLS if measured else UNMEASURED)
    if i is None or np.ptp(seen[weight][i:]) > 0 or (measured and _ended(seen[update][:i])):
        return None
    return None if seen[gradient][-1] < VANISHED * seen[first][-1] else int(seen.samples[i])


def _unchanged(norms: Values) -> Flags:
    """Whether each norm (n,) is the one before it."""
    return np.concatenate([[False], np.diff(norms) == 0])


def _ended(updates: Values) -> bool:
    """Whether the steps before had become short."""
    moved = updates[updates > 0]
    return bool(len(moved) > UNMEASURED and moved[-1] < ENDING * np.median(moved))
