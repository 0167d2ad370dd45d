"""Evaluation gap: with batch normalisation, G in evaluation mode is another than the one that was trained.

Test: the mean distance between what both modes make of the same noise, in mean distances of two real examples, above a
half in three readings in a row. Healthy runs, whose running averages are recent, stay well below (docs/health.md).
On the difference of the modes: Ioffe 2017 (arXiv:1702.03275); on standing statistics: Brock et al. 2019
(arXiv:1809.11096).
"""

from __future__ import annotations

from ..course import POLLS, course, found, settled, told
from ..finding import Failure, Finding
from ..history import History

FAILURE = Failure(
    "evaluation_gap",
    "Evaluation mode makes something else",
    "serious",
    "note",
    "Batch normalisation uses the batch's own statistics in training and remembered ones afterwards. The remembered "
    "ones do not fit, so samples are worse than what the discriminator was shown.",
    "Take the statistics anew before sampling (recipe.standing=16 does so). In other code: a momentum of 0.1, larger "
    "batches, model.train() in training, and running statistics copied into the average of the weights; or "
    "normalisation that does not depend on the batch.",
    "Ioffe 2017, arXiv:1702.03275; Brock et al. 2019, arXiv:1809.11096, appendix B",
    explains=("collapse", "mode_dropping", "divergence", "rotation", "weak_d", "overpowering_d", "plateau"),
)
WIDE = 0.5
WARM_UP = 0.1


def detect(history: History) -> Finding | None:
    """Whether the two modes are far apart now."""
    seen = course(history, "evaluation_gap").since(settled(history, WARM_UP))
    begun = seen.streak(seen["evaluation_gap"] > WIDE, POLLS)
    if begun is None:
        return None
    gap = told("evaluation_gap", seen["evaluation_gap"][-1], "of that of two real examples", "the modes' distance is")
    return found(FAILURE, history, begun, gap)
