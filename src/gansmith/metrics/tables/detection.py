"""Whether a classifier can tell synthetic rows from real ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from . import intervals
from .base import MeasuredOn, TableFigure
from .columns import Aligned, need, pick
from .encode import for_trees, none_void

MOST, FOLDS = 8_000, 3


def real_or_fake(tables: Aligned, *, seed: int = 0, most: int | None = MOST) -> TableFigure:
    """AUC of gradient-boosted trees that guess which rows are real, cross-validated, 0.5 being the best.

    Args:
        tables: with the sides `real` and `fake`.
        seed: of the rows that are drawn, of the folds and of the trees.
        most: rows used of each side; None for all.
    """
    need("sklearn")
    n = min(tables.rows("real"), tables.rows("fake"), most or tables.rows("real"))
    rows = {side: pick(tables.rows(side), n, seed, i) for i, side in enumerate(("real", "fake"))}
    matrices, discrete = for_trees(tables.take(**rows), ["real", "fake"])
    x = np.concatenate([matrices["real"], matrices["fake"]])
    y = np.repeat([0, 1], n)
    scores = out_of_fold(x, y, discrete, seed)
    value, interval = intervals.auc(scores[y == 1], scores[y == 0])
    return TableFigure(
        name="real-or-fake-auc",
        value=value,
        better="low",
        interval=interval,
        reference=0.5,
        group="detection",
        meaning="How well gradient-boosted trees tell synthetic rows from real ones: 0.5 is guessing, 1 is always.",
        protocol=MeasuredOn(n, n, "train", detail=f"histogram gradient boosting, {FOLDS} folds, rows drawn by seed"),
    )


def out_of_fold(
    x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], discrete: list[bool], seed: int
) -> npt.NDArray[np.float64]:
    """Scores (n,) of each row by a classifier that has not seen it."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    scores = np.zeros(len(y))
    folds = max(2, min(FOLDS, int(np.bincount(y).min())))
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
        model = HistGradientBoostingClassifier(
            categorical_features=discrete, random_state=seed, early_stopping=False, max_iter=60
        )
        known, asked = none_void(x[train], x[test])
        scores[test] = model.fit(known, y[train]).predict_proba(asked)[:, 1]
    return scores
