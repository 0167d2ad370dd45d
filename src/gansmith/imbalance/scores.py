"""The laboratory's figures, from predicted probabilities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

METRICS = {"pr_auc": "PR-AUC", "balanced_accuracy": "balanced accuracy", "brier": "Brier score"}
HIGHER_IS_BETTER = {"pr_auc": True, "balanced_accuracy": True, "brier": False}


def score(truth: npt.NDArray[np.integer], shares: npt.NDArray[np.floating]) -> dict[str, float]:
    """The three figures of one fold.

    Args:
        truth: (n,) class numbers; with two classes, 1 is the one that matters (the rare one).
        shares: (n, classes) predicted probabilities, rows adding up to 1.

    Returns:
        pr_auc: average precision in [0, 1] of class 1, or with more than two classes the mean over classes, each
            against the rest. balanced_accuracy: mean recall in [0, 1] of the likeliest class. brier: in [0, 1], half
            the squared distance from the truth, which with two classes is the usual Brier score; lower is better.
    """
    from sklearn.metrics import average_precision_score

    classes = shares.shape[1]
    asked = [1] if classes == 2 else list(range(classes))
    told = np.eye(classes)[truth]
    likeliest = shares.argmax(axis=1)
    return {
        "pr_auc": float(np.mean([average_precision_score(truth == c, shares[:, c]) for c in asked])),
        "balanced_accuracy": float(np.mean([(likeliest[truth == c] == c).mean() for c in np.unique(truth)])),
        "brier": float(((shares - told) ** 2).sum(axis=1).mean() / 2),
    }
