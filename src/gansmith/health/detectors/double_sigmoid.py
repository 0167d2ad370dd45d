"""Double sigmoid: D ends in a sigmoid, and its loss applies another one.

Test: at every reading all of D's logits lie in [0, 1], of reals and fakes alike, and it is known that they end in a
sigmoid, or they come within .02 of both ends. D may also give probabilities to a loss that wants them, so D's loss must
be the one of logits: with r and f its means at reals and fakes, log(1 + e^-r) + log(1 + e^f), at least 1.006, and
plainly not -log r - log(1 - f). Losses for which logits may lie in [0, 1] (least squares, Wasserstein, relativistic)
are not judged.
"""

from __future__ import annotations

import numpy as np

from ..course import Course, course, found
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Values

FAILURE = Failure(
    "double_sigmoid",
    "The discriminator has a sigmoid too many",
    "bug",
    "bug",
    "The discriminator ends in a sigmoid although its loss applies one itself, so its verdict can only move between "
    "'perhaps' and 'rather real': it cannot say 'fake', and gradients die.",
    "Take the sigmoid out of D. In other code: a sigmoid with torch.nn.BCELoss, or none with BCEWithLogitsLoss, "
    "never both.",
    "torch.nn.BCEWithLogitsLoss; measured: docs/health.md",
    explains=(
        "vanishing_gradient", "collapse", "mode_dropping", "weak_d", "overpowering_d", "divergence", "rotation",
        "plateau", "equilibrium", "condition_ignored",
    ),
)  # fmt: skip
LOSSES = (None, "minimax", "non_saturating", "hinge")
POLLS = 3
END = 0.02  # of 0 and of 1: logits that could go on would have gone beyond
BETTER = 0.5  # the one loss must fit in half the error of the other


def detect(history: History) -> Finding | None:
    """Whether D's logits are probabilities that are taken for logits."""
    loss = history.facts.get("loss")
    seen = course(history, "logit/low", "logit/high", "logit/real", "logit/fake", thin=False, **{"loss/D": np.nan})
    within = bool(((seen["logit/low"] >= 0) & (seen["logit/high"] <= 1)).all())
    within &= len(seen) > 0 and (bool(history.last("critic_sigmoid")) or _reaches_both_ends(seen))
    if loss not in LOSSES or len(seen) < POLLS or not within or not _of_logits(seen, stated=loss is not None):
        return None
    text = (
        f"all logits are within {seen['logit/low'].min():.2g} and {seen['logit/high'].max():.2g}, as probabilities are"
    )
    return found(FAILURE, history, seen.samples[0], Evidence("logit/high", text), suspects=["D"])


def _reaches_both_ends(seen: Course) -> bool:
    """Whether logits come so near to 0 and to 1 that they would have gone beyond if they could."""
    return float(seen["logit/low"].min()) < END and float(seen["logit/high"].max()) > 1 - END


def _of_logits(seen: Course, *, stated: bool) -> bool:
    """Whether D's loss takes these numbers for logits; where it is not known, what was stated of it counts."""
    r, f, loss = seen["logit/real"], seen["logit/fake"], seen["loss/D"]
    known = np.isfinite(loss)
    if not known.any():
        return stated
    twice = np.logaddexp(0, -r) + np.logaddexp(0, f)
    once = -np.log(np.maximum(r, 1e-12)) - np.log(np.maximum(1 - f, 1e-12))
    errors = [min(_error(loss, of, known), _error(loss, of / 2, known)) for of in (twice, once)]
    return errors[0] < BETTER * errors[1]


def _error(loss: Values, wanted: Values, known: np.ndarray) -> float:
    return float(np.median(np.abs(loss - wanted)[known]))
