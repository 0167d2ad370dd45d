"""Overfitting D: D knows its training examples by heart.

Test: ADA's r_v = (E D(train) - E D(held out)) / (E D(train) - E D(fake)) above .9 in three readings in a row: unseen
real examples are judged as fakes are. A ratio whose denominator is near zero says nothing, so D must separate train and
fake by .8 standard deviations. Healthy runs: 0 to .5; with 64 or 125 examples: 1.3 to 2.1. It is serious once what is
made suffers: copies, or a distance that rises. Karras et al. 2020 (arXiv:2006.06676), section 2.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..course import POLLS, Course, course, found, improving, settled, told
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import medians

FAILURE = Failure(
    "overfitting_d",
    "The discriminator learns the examples by heart",
    "serious",
    "overfit",
    "The discriminator recognises its training examples one by one and takes unseen real ones for fakes, so what it "
    "teaches the generator gets worse and worse. It happens with few examples.",
    "recipe.game.augment.kind=ada with recipe.game.augment.target=0.6 (or .p=0.2 where the loss knows no sign), or "
    "recipe.game.augment.kind=diffaugment with .p=1; recipe.game.lecam=0.1; recipe.game.dropout=0.2; or begin with "
    "another run's weights (--from, --freeze D:4). Keep the best (--keep-best). In other code: DiffAugment or ADA on "
    "whatever D sees, real and generated alike; more examples.",
    "Karras et al. 2020, arXiv:2006.06676; Zhao et al. 2020, arXiv:2006.10738; Tseng et al. 2021, arXiv:2104.03310",
    explains=("overpowering_d", "plateau", "divergence", "mode_dropping"),
)
AS_FAKE = 0.9
APART = 0.8
WORSE, NEARER, LOW_COVERAGE = 1.5, 0.75, 0.2
WARM_UP = 0.1


def detect(history: History) -> Finding | None:
    """Whether D takes unseen reals for fakes now."""
    seen = course(history, "overfit", "separation", coverage=1.0, nearest=1.0, distance=np.nan)
    seen = seen.since(settled(history, WARM_UP))
    begun = seen.streak((seen["overfit"] > AS_FAKE) & (seen["separation"] > APART), POLLS)
    if begun is None:
        return None
    evidence = [told("overfit", seen["overfit"][-1], "where 0 to 0.5 is usual", "overfitting (ADA's r_v)")]
    harm = [] if improving(history) else _harm(seen)
    failure = FAILURE if harm else replace(FAILURE, severity="warning", explains=())
    return found(failure, history, begun, *evidence, *harm)


def _harm(seen: Course) -> list[Evidence]:
    """What already suffers from it."""
    signs, distance = [], seen["distance"][np.isfinite(seen["distance"])]
    middles = medians(distance)
    if len(middles) > POLLS and middles[-1] > WORSE * middles.min():
        signs.append(told("distance", distance[-1], f"where it has been {middles.min():.3g}", "distance to the data"))
    if np.median(seen["nearest"][-POLLS:]) < NEARER:
        signs.append(told("nearest", seen["nearest"][-1], "of the usual", "distance to the nearest training example"))
    if np.median(seen["coverage"][-POLLS:]) < LOW_COVERAGE:
        signs.append(told("coverage", seen["coverage"][-1], "of the real examples have a fake near them", "a share of"))
    return signs
