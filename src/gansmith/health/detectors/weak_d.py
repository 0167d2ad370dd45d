"""Weak D: fakes are plainly bad, and D does not see it.

Test: D's mean logit of reals is less than .15 pooled standard deviations above that of fakes, or below it, while
coverage is poor and the distance to held-out examples is many times its floor and does not fall; four readings in a
row. Only together: at an equilibrium, too, D tells nothing apart, but then there is nothing to tell. docs/health.md.
"""

from __future__ import annotations

from ..course import course, covered, found, improving, settled, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "weak_d",
    "The discriminator is too weak",
    "serious",
    "divergence",
    "The discriminator does not tell real from generated examples although they plainly differ, so the generator "
    "gets hints that mean nothing.",
    "Strengthen D: a higher recipe.solver.d_lr, recipe.game.d_steps=2, more channels, less recipe.game.dropout, a "
    "smaller recipe.game.r1, weaker recipe.game.augment.p or recipe.game.noise. In other code: see that D's "
    "optimizer holds D's parameters and steps, and that G takes no more steps than D.",
    "Arjovsky & Bottou 2017, arXiv:1701.04862; Heusel et al. 2017, arXiv:1706.08500",
    explains=("mode_dropping", "plateau", "equilibrium", "condition_ignored"),
)
NEAR = 0.15  # pooled standard deviations
LOW_COVERAGE, FLOORS = 0.1, 5.0  # healthy runs that D cannot tell apart cover .17 and more
POLLS = 4
WARM_UP = 0.3


def detect(history: History) -> Finding | None:
    """Whether D is blind now."""
    seen = course(history, "separation", "coverage", "distance", distance_floor=0.0).since(settled(history, WARM_UP))
    far = seen["distance"] > FLOORS * seen["distance_floor"]
    begun = seen.streak((seen["separation"] < NEAR) & (seen["coverage"] < LOW_COVERAGE) & far, POLLS)
    if begun is None or improving(history):
        return None
    apart = told("separation", seen["separation"][-1], "and fakes are far off", "D separates real and fake by")
    return found(FAILURE, history, begun, apart, *covered(history))
