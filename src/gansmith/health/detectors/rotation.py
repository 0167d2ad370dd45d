"""Rotation: both players go round in circles instead of towards each other.

Test, three readings in a row without progress, or six whatever the progress: either G's gradients keep turning the same
way, with coverage that is next to nothing and does not rise; an average cosine of successive gradients above .9 shows
it (.94 to 1 where players rotated; .95 at the most in healthy runs, whose coverage rises). Or what G makes moves from
one part of the data to another, by the total variation between the clusters' shares at successive readings and to those
of the data. Mescheder et al. 2018 (arXiv:1801.04406): unregularised GANs need not converge.
"""

from __future__ import annotations

import numpy as np

from ..course import POLLS, course, covered, found, improving, settled, tallies, told
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Flags, mann_kendall_z, persists, total_variation

FAILURE = Failure(
    "rotation",
    "The players circle and do not converge",
    "serious",
    "divergence",
    "The generator runs after the discriminator from one part of the data to the next, and forgets what it could do "
    "before; neither comes to rest.",
    "A zero-centred gradient penalty (recipe.game.r1=1), no momentum (recipe.solver.beta1=0), an average of the "
    "weights (recipe.half_life=10000). With recipe.game.loss=wasserstein D needs a bound: recipe.game.gp=10 or "
    "recipe.game.spectral=D. In other code: R1, Adam with beta1 = 0, an exponential average of G.",
    "Mescheder et al. 2018, arXiv:1801.04406; Yazici et al. 2019, arXiv:1806.04498",
    explains=("mode_dropping", "weak_d", "plateau", "equilibrium"),
)
STRAIGHT = 0.9  # cosine
LOW_COVERAGE, RISING, SPAN = 0.1, 1.5, 8  # z of the trend of coverage over so many readings
LASTING = 6  # readings
MOVED, OFF = 0.5, 0.4  # total variation to the reading before, and to the data
WARM_UP = 0.2


def detect(history: History) -> Finding | None:
    """Whether the players circle now."""
    polls = LASTING if improving(history) else POLLS
    return _turning(history, polls) or _wandering(history, polls)


def _turning(history: History, polls: int) -> Finding | None:
    for name in history.names("cosine/G"):
        seen = course(history, name, coverage=0.0)
        rises = mann_kendall_z(seen["coverage"][-SPAN:]) > RISING
        seen = seen.since(settled(history, WARM_UP))
        bad = (seen[name] > STRAIGHT) & (seen["coverage"] < LOW_COVERAGE)
        if (begun := seen.streak(bad, polls)) is not None and not rises:
            cosine = told(name, seen[name][-1], "and coverage does not rise", "cosine of G's gradients")
            return found(FAILURE, history, begun, cosine, *covered(history))
    return None


def _wandering(history: History, polls: int) -> Finding | None:
    samples, (real, fake) = tallies(history, "clusters/real", "clusters/fake")
    if len(samples) < polls + 1 or real.shape[1] < 3:
        return None
    moved = np.concatenate([[0.0], total_variation(fake[1:], fake[:-1])])
    bad: Flags = (moved > MOVED) & (total_variation(fake, real) > OFF) & (samples >= settled(history, WARM_UP))
    begun = persists(bad, polls)
    if begun is None:
        return None
    text = f"{moved[-1]:.0%} of what is made went to other clusters since the last reading"
    return found(FAILURE, history, samples[begun], Evidence("clusters/fake", text), *covered(history))
