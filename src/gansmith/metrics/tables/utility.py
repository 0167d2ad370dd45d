"""Train on synthetic, test on real (Esteban et al. 2017, arXiv:1706.02633), with four models of different kinds.

Each model is trained twice, on the synthetic rows and on as many real ones, and tested on the same real rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DataError
from ...tabular.schema import DISCRETE
from .base import MeasuredOn, TableFigure
from .columns import Aligned, Array, need, pick
from .encode import Matrix, for_lines, for_trees, none_void

MOST = 20_000
MEANINGS = {
    "f1": "Macro F1 on real rows of a {model} trained on synthetic rows.",
    "auroc": "Area under the ROC curve on real rows of a {model} trained on synthetic rows.",
    "auprc": "Area under the precision-recall curve (mean over classes) on real rows of a {model} trained on synthetic "
    "rows.",
    "r2": "Share of the target's variance on real rows that a {model} trained on synthetic rows explains.",
}


@dataclass(frozen=True)
class Task:
    """A prepared prediction task.

    Attributes:
        trees, lines: matrices of each side for tree models and for the others.
        discrete: which columns of `trees` are categories.
        y: of each side the target: codes for classification, numbers for regression.
        classes: how many classes; 0 for regression.
    """

    trees: Mapping[str, Matrix]
    lines: Mapping[str, Matrix]
    discrete: list[bool]
    y: Mapping[str, Array]
    classes: int


def models(task: Task, seed: int) -> dict[str, tuple[Any, bool]]:
    """The four models, and whether each works on the trees' matrices."""
    from sklearn import ensemble, linear_model, neighbors

    boosted: dict[str, Any] = {"categorical_features": task.discrete, "random_state": seed, "early_stopping": False}
    close = min(15, *map(len, task.y.values()))
    forest: dict[str, Any] = {"n_estimators": 50, "min_samples_leaf": 3, "random_state": seed}
    if task.classes:
        return {
            "logistic regression": (linear_model.LogisticRegression(max_iter=200), False),
            "random forest": (ensemble.RandomForestClassifier(**forest), True),
            "gradient boosting": (ensemble.HistGradientBoostingClassifier(**boosted), True),
            "nearest neighbours": (neighbors.KNeighborsClassifier(close, algorithm="brute"), False),
        }
    return {
        "ridge regression": (linear_model.Ridge(), False),
        "random forest": (ensemble.RandomForestRegressor(**forest, max_features=0.5), True),
        "gradient boosting": (ensemble.HistGradientBoostingRegressor(**boosted), True),
        "nearest neighbours": (neighbors.KNeighborsRegressor(close, algorithm="brute"), False),
    }


def train_on(side: str, task: Task, *, seed: int = 0) -> dict[str, dict[str, float]]:
    """Of each model trained on one side: its scores on the side `test`, by name of the score."""
    return {
        name: _scores(_predict(model, task.trees if trees else task.lines, task, side), task)
        for name, (model, trees) in models(task, seed).items()
    }


def _predict(model: Any, x: Mapping[str, Matrix], task: Task, side: str) -> npt.NDArray[np.float64]:
    """Predictions for the test rows: (n,) numbers, or (n, classes) probabilities."""
    y = task.y[side]
    if task.classes and len(np.unique(y)) < 2:  # what was trained on one class can only predict that one
        certain: npt.NDArray[np.float64] = np.eye(task.classes)[np.full(len(task.y["test"]), y[0])]
        return certain
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model that has not quite converged is still a fair judge
        known, asked = none_void(x[side], x["test"])
        model.fit(known, y)
        if not task.classes:
            return np.asarray(model.predict(asked), dtype=np.float64)
        found = np.zeros((len(task.y["test"]), task.classes))
        found[:, model.classes_] = model.predict_proba(asked)
        return found


def _scores(predicted: npt.NDArray[np.float64], task: Task) -> dict[str, float]:
    from sklearn import metrics

    y = task.y["test"]
    if not task.classes:
        return {"r2": float(metrics.r2_score(y, predicted))}
    seen = [c for c in range(task.classes) if 0 < (y == c).sum() < len(y)]
    scored = seen[-1:] if task.classes == 2 else seen  # of two classes, the rarer one stands for both
    each: Callable[[Any], float] = lambda f: float(np.mean([f(y == c, predicted[:, c]) for c in scored]))  # noqa: E731
    return {
        "f1": float(metrics.f1_score(y, predicted.argmax(1), average="macro", zero_division=0)),
        "auroc": each(metrics.roc_auc_score),
        "auprc": each(metrics.average_precision_score),
    }


def prepare(tables: Aligned, target: str, *, seed: int = 0, most: int | None = MOST) -> Task:
    """The task of predicting `target` from the other columns, rows without it left out.

    Args:
        tables: with the sides `real`, `test`, and any others that models are to be trained on.
        target: a column of the schema.
        most: rows used of each side, drawn by seed; None for all.

    Raises:
        DataError: the target is no column that is learnt, or has fewer than two values in the real rows.
    """
    need("sklearn")
    column = next((c for c in tables.columns if c.name == target), None)
    if column is None or len(tables.columns) < 2:
        raise DataError(f"the target {target!r} is no column to predict; there are: {[c.name for c in tables.columns]}")
    discrete = column.kind in DISCRETE
    rows = {}
    for side in tables.sides:
        values = tables[side][target]
        known = np.flatnonzero(values >= 0 if discrete else ~np.isnan(values))
        rows[side] = known[pick(len(known), most, seed)]
    cut = tables.take(**rows)
    if min(map(len, rows.values())) < 2 or any(len(np.unique(cut[s][target])) < 2 for s in ("real", "test")):
        raise DataError(f"the target {target!r} needs at least two different values in the real and the test rows")
    sides = ["real", *(s for s in tables.sides if s != "real")]
    trees, categories = for_trees(cut, sides, target)
    y: dict[str, Array] = {side: cut[side][target] for side in sides}
    if discrete:
        order = np.argsort(-np.bincount(y["real"], minlength=len(tables.levels[target])), kind="stable")
        y = {side: np.argsort(order)[codes] for side, codes in y.items()}  # the most frequent class first
    return Task(trees, for_lines(cut, sides, target), categories, y, len(tables.levels[target]) if discrete else 0)


def train_on_synthetic(
    task: Task, real: Mapping[str, Mapping[str, float]], *, side: str, split: str, seed: int = 0
) -> list[TableFigure]:
    """Figures of every model trained on `side`, each with the same model trained on real rows as its reference.

    Args:
        task: from `prepare`.
        real: from `train_on("real", task)`.
        side: the synthetic side.
        split: which real rows `test` holds.
        seed: of the models.
    """
    protocol = MeasuredOn(
        len(task.y["real"]), len(task.y[side]), split, len(task.y["test"]), "default settings, rows drawn by seed"
    )
    found = []
    for model, scores in train_on(side, task, seed=seed).items():
        for score, value in scores.items():
            found.append(
                TableFigure(
                    name=f"tstr-{score}, {model}",
                    value=value,
                    better="high",
                    reference=real[model][score],
                    group="utility",
                    meaning=MEANINGS[score].format(model=model) + " Beside it: the same, trained on real rows.",
                    protocol=protocol,
                )
            )
    return found
