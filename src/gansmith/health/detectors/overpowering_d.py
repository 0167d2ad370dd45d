"""Overpowering D: D tells real from fake with ease, and G does not get on.

Test: separation, the distance of D's mean logits of reals and fakes in pooled standard deviations, above 3 in three
readings in a row while coverage is poor and the distance to held-out examples does not fall. It does not depend on the
loss, as accuracies or logits do. Healthy runs: -.1 to .9 (2.2 on 125 pictures); where D won: 2.7 to 65. docs/health.md.
"""

from __future__ import annotations

from ..course import POLLS, course, covered, found, improving, settled, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "overpowering_d",
    "The discriminator overpowers the generator",
    "serious",
    "divergence",
    "The discriminator tells every generated example from the real ones, and the generator cannot catch up.",
    "Hold D back: recipe.game.r1=1 (more for larger pictures: 0.0002 pixels / batch in StyleGAN2), a lower "
    "recipe.solver.d_lr, recipe.game.d_steps=1, recipe.game.spectral=D, or instance noise that fades "
    "(recipe.game.noise). With few examples also recipe.game.augment.kind=ada. In other code: a gradient penalty or "
    "spectral normalisation in D.",
    "Kurach et al. 2019, arXiv:1807.04720; Heusel et al. 2017, arXiv:1706.08500",
    explains=("rotation", "mode_dropping", "plateau", "condition_ignored"),
)
FAR = 3.0
LOW_COVERAGE = 0.2
WARM_UP = 0.2


def detect(history: History) -> Finding | None:
    """Whether D is winning now."""
    seen = course(history, "separation", "coverage").since(settled(history, WARM_UP))
    begun = seen.streak((seen["separation"] > FAR) & (seen["coverage"] < LOW_COVERAGE), POLLS)
    if begun is None or improving(history):
        return None
    apart = told("separation", seen["separation"][-1], "under 2 is usual", "D separates real and fake by")
    return found(FAILURE, history, begun, apart, *covered(history))
