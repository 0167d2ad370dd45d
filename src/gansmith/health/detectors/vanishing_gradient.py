"""Vanishing gradient: D is so sure of itself that G learns nothing more from it.

Test: G's gradient norm below 1e-4 of what it was in the first steps, in two readings in a row, or no gradient at all.
Healthy runs stayed within .007 and 48 times the first norm, runs with a saturated D came to 1e-6 and 1e-10. Arjovsky &
Bottou 2017 (arXiv:1701.04862), theorem 2.4: as D gets perfect, the gradient of the saturating loss goes to zero.
"""

from __future__ import annotations

import numpy as np

from ..course import course, found, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "vanishing_gradient",
    "The generator gets no gradient",
    "serious",
    "divergence",
    "The discriminator tells real from generated so surely that its verdict no longer changes with what the "
    "generator does: the generator gets no hint any more of what to do better.",
    "recipe.game.loss=non_saturating or relativistic in place of minimax; recipe.game.d_steps=1; recipe.game.r1=1, "
    "which keeps D smooth; instance noise that fades (recipe.game.noise); recipe.game.smooth=0.1. In other code: G's "
    "loss as -log D(G(z)), fewer steps or a lower rate of D, and see that fakes are not detached in G's step.",
    "Arjovsky & Bottou 2017, arXiv:1701.04862; Roth et al. 2017, arXiv:1705.09367",
    explains=(
        "overpowering_d", "collapse", "mode_dropping", "overfitting_d", "plateau", "equilibrium", "condition_ignored",
        "rotation",
    ),
)  # fmt: skip
VANISHED = 1e-4  # healthy runs: .007 and more
POLLS = 2


def detect(history: History) -> Finding | None:
    """The generator whose gradient is gone."""
    for net in (name.removeprefix("gradient/") for name in history.names("gradient/G")):
        now, first = f"gradient/{net}", f"gradient_first/{net}"
        seen = course(history, now, thin=True, **{first: 0.0})
        share = np.divide(seen[now], seen[first], out=np.where(seen[now] == 0, 0.0, 1.0), where=seen[first] > 0)
        begun = seen.streak(share < VANISHED, POLLS)
        if begun is None:
            continue
        evidence = [told(now, share[-1], "0.01 and more is usual", "gradient beside that of the first steps:")]
        if (apart := history.last("separation")) is not None:
            evidence.append(told("separation", apart, "under 2 is usual", "D separates real and fake by"))
        return found(FAILURE, history, begun, *evidence, suspects=[net])
    return None
