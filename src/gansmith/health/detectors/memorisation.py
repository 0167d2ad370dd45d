"""Memorisation: G gives training examples back.

Test: Meehan's Z_U, the Mann-Whitney z of fakes' distances to the nearest training example against those of held-out
examples, below -3 (one in 741 by chance), and their median below three quarters of the usual; two readings in a row.
A blurred mean, as young generators make it, lies near to everything: so one example must be far nearer than the next
(the ratio of the two distances below .85 of unseen examples' own).
Healthy runs: Z_U -3.2 to 36 and ratios .89 to 19; copying ones: -33 to -28 and .03 to .53. Meehan et al. 2020
(arXiv:2004.05675).
"""

from __future__ import annotations

from ..course import course, found, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "memorisation",
    "The generator copies training examples",
    "serious",
    "overfit",
    "What is generated lies nearer to single training examples than new real examples do: they are copies, which is "
    "of no use where new ones are wanted, and a breach where the examples are private.",
    "More examples help most. Else recipe.game.augment.kind=ada with recipe.game.augment.p=0.2 or more, "
    "recipe.game.lecam=0.1, smaller networks, an earlier end (--patience, --keep-best). A gradient penalty alone "
    "does not cure it. In other code: augment what D sees; stop early. For private tables: --epsilon.",
    "Meehan et al. 2020, arXiv:2004.05675; Feng et al. 2021, arXiv:2202.11765",
    explains=("plateau",),
)
NEARER_Z, NEARER, SINGLED = -3.0, 0.75, 0.85
POLLS = 2


def detect(history: History) -> Finding | None:
    """Whether G copies now."""
    seen = course(history, "copying", "nearest", singled=0.0)
    near = (seen["copying"] < NEARER_Z) & (seen["nearest"] < NEARER)
    begun = seen.streak(near & (seen["singled"] < SINGLED), POLLS)
    if begun is None:
        return None
    nearest = told(
        "nearest", seen["nearest"][-1], "of that of unseen examples", "distance to the nearest training example"
    )
    z = told("copying", seen["copying"][-1], "where -3 and more is chance", "Meehan's z")
    return found(FAILURE, history, begun, nearest, z)
