"""Collapse: whatever the noise, G makes nearly the same.

Test: a CUSUM (k = .5, h = 4) of how far diversity lies below 1, and coverage or the rank of what is made to confirm it.
Diversity is the mean distance of two fakes beside that of two held-out reals; in 105 runs it was .91 to 1.1 in healthy
ones and 0 to .56 in collapsed ones, whose losses looked like their healthy twins'. A run counts as long as it is not
still spreading out from its beginning. Odena et al. 2017 (arXiv:1610.09585), section 4.2, judge variety by pairs, too.
"""

from __future__ import annotations

import numpy as np

from ..course import POLLS, Course, course, covered, found, improving, settled, told
from ..finding import Failure, Finding
from ..history import History
from ..statistics import crossed, cusum

FAILURE = Failure(
    "collapse",
    "The generator has collapsed",
    "serious",
    "diversity",
    "The generator makes nearly the same example whatever noise it is given. It found something that the "
    "discriminator accepts and now makes nothing else; training on does not bring the variety back.",
    "Go back to a checkpoint from before it, or begin again with other noise and calmer settings: "
    "recipe.solver.beta1=0, equal rates for both players (no recipe.solver.d_lr), one step of D for each of G, "
    "recipe.game.r1=1. Then recipe.game.loss=relativistic with recipe.game.r2=1, recipe.game.minibatch=stddev, or "
    "recipe.game.pac=2. In other code: Adam with betas (0, 0.99), one learning rate, a gradient penalty on real "
    "examples.",
    "Lin et al. 2018, arXiv:1712.04086; Sun et al. 2020, arXiv:2011.04926; Huang et al. 2024, arXiv:2501.05441",
    explains=(
        "mode_dropping", "rotation", "overpowering_d", "weak_d", "memorisation", "condition_ignored", "plateau",
        "equilibrium",
    ),
)  # fmt: skip
USUAL, SPREAD = 0.85, 0.15  # of diversity, in runs that go well or are on their way
GONE = 0.6  # the highest diversity in which collapsed runs ended, .56, rounded up
SPREAD_OUT = 0.7  # a run that has been above it has left its beginning behind
LIMIT, CAP = 4.0, 3.0  # one false alarm in 336 readings of noise; two readings at the least
LOW_COVERAGE, LOW_RANK = 0.3, 0.6  # collapsed runs cover at most .29 and span half of the directions
WARM_UP, RISING = 0.25, 1.2
OVERPOWERED, FALLEN = 3.0, 0.5  # separation, as in overpowering_d; of the first diversity


def detect(history: History) -> Finding | None:
    """The collapse of G, if it is collapsed now."""
    seen = course(history, "diversity", coverage=0.0, rank=0.0, separation=0.0)
    seen = seen.since(_left_the_beginning(seen, history))
    path = cusum((USUAL - seen["diversity"]) / SPREAD, cap=CAP, ceiling=2 * LIMIT)
    begun = crossed(path, LIMIT)
    if begun is None or not _gone(seen) or (seen["diversity"].max() < SPREAD_OUT and _never_spread(seen, history)):
        return None
    last = seen["diversity"][-1]
    varied = told("diversity", last, "where 0.9 to 1.1 is usual")
    return found(FAILURE, history, seen.samples[begun], varied, *covered(history))


def _left_the_beginning(seen: Course, history: History) -> float:
    wide = seen.samples[seen["diversity"] >= SPREAD_OUT]
    return min(settled(history, WARM_UP), float(wide[0]) if len(wide) else float("inf"))


def _gone(seen: Course) -> bool:
    narrow = seen["coverage"][-1] < LOW_COVERAGE or seen["rank"][-1] < LOW_RANK
    return bool(seen["diversity"][-1] < GONE and narrow)


def _never_spread(seen: Course, history: History) -> bool:
    """Whether a run that was never wide is on its way still, or a D that sees through everything keeps it as it was."""
    diversity, apart = seen["diversity"], seen["separation"]
    began = course(history, "diversity")["diversity"]
    widening = len(diversity) > 2 and diversity[-1] > RISING * diversity[-3]
    held = np.median(apart[-POLLS:]) > OVERPOWERED and began.min() > FALLEN * began[0]
    return bool(widening or improving(history) or held)
