"""Mode dropping: parts of the data that G never makes.

Test: NDB's two-proportion test of each cluster's share among fakes against that among reals (Richardson & Weiss 2018,
arXiv:1805.12462), one-sided, with Holm's correction over clusters. A cluster is dropped when it is significantly
rarer and has less than a fifth of its share, all of this in five readings in a row. Healthy generators leave out now
this part of a mode, now that, for a reading or two, so it takes the same clusters for longer, and a tenth of the data
to be serious. Classes are tested in the same way where there are labels.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..course import covered, found, improving, settled, tallies
from ..finding import Evidence, Failure, Finding
from ..history import History
from ..statistics import Flags, Values, holm, persists, tail, two_proportions

FAILURE = Failure(
    "mode_dropping",
    "The generator leaves parts of the data out",
    "serious",
    "diversity",
    "Some kinds of examples that make up a good part of the data are never generated, or hardly ever.",
    "First see that the loader still yields them. Then recipe.game.loss=relativistic with recipe.game.r1=1 and "
    "recipe.game.r2=1, recipe.game.pac=2 (without classes) or recipe.game.minibatch=stddev; for rare classes "
    "recipe.game.draw=balanced. In other code: show D several examples at once (PacGAN), or a relativistic loss with "
    "zero-centred gradient penalties.",
    "Sun et al. 2020, arXiv:2011.04926; Lin et al. 2018, arXiv:1712.04086",
    explains=("plateau", "equilibrium"),
)
ALPHA = 0.01  # chance that a reading calls any cluster dropped wrongly
DROPPED = 0.2  # of its share among reals; PRESENT of the literature's counts of modes
POLLS = 5
ENOUGH = 300  # rows that show how the data are drawn
COMMON, GRAVE = 0.05, 0.1  # of the data: a mode of .4 % was learnt all the same in 3 of 3 runs
WARM_UP = 0.3
KINDS = (("classes", "class"), ("clusters", "cluster"))


def detect(history: History) -> Finding | None:
    """The clusters or classes that G leaves out now."""
    if improving(history):
        return None
    for counts, word in KINDS:
        if (finding := _detect(history, counts, word)) is not None:
            return finding
    return None


def _detect(history: History, counts: str, word: str) -> Finding | None:
    samples, (real, fake) = tallies(history, f"{counts}/real", f"{counts}/fake")
    late = samples >= settled(history, WARM_UP)
    samples, real, fake = samples[late], real[late], fake[late]
    if len(samples) < POLLS:
        return None
    absent = np.stack([dropped(f, r) for f, r in zip(fake, real, strict=True)]) & _fed(history, counts, fake)
    which = np.flatnonzero(absent[-POLLS:].all(0))
    share = float((real[-1] / real[-1].sum())[which].sum())
    if not len(which) or share < COMMON:
        return None
    begun = min(persists(absent[:, i], POLLS) or 0 for i in which)
    text = f"{len(which)} of {absent.shape[1]} {counts}, {share:.0%} of the data, have under a fifth of their share"
    evidence = [Evidence("missing", text), *covered(history)]
    failure = FAILURE if share >= GRAVE else replace(FAILURE, severity="warning")
    suspects = [_name(history, counts, word, int(i)) for i in which]
    return found(failure, history, samples[begun], *evidence, suspects=suspects)


def dropped(fake: Values, real: Values, share: float = DROPPED) -> Flags:
    """Which bins (k,) have less than `share` of what they should have among fakes, by counts (k,) of both."""
    rarer = holm(tail(-two_proportions(fake, real)), ALPHA)
    shares = [side / max(side.sum(), 1.0) for side in (fake, real)]
    few: Flags = shares[0] < share * shares[1]
    return rarer & few


def _fed(history: History, counts: str, fake: Values) -> Flags:
    """Which bins (n, k) are rarer than among the rows that were fed, too: draws need not follow the data's shares."""
    fed = sum(np.array(c, dtype=np.float64) for _, c in history.counts(f"{counts}/fed"))
    if np.sum(fed) < ENOUGH:
        return np.ones(fake.shape, dtype=np.bool_)
    return np.stack([dropped(f, np.asarray(fed)) for f in fake])


def _name(history: History, counts: str, word: str, i: int) -> str:
    names = history.facts.get("classes", ()) if counts == "classes" else ()
    return str(names[i]) if i < len(names) else f"{word} {i}"
