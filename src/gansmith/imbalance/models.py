"""The laboratory's classifiers, plain or with class weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .features import Matrix

Codes = npt.NDArray[np.int64]
MODELS = {
    "logistic": "logistic regression",
    "knn": "k nearest neighbours",
    "forest": "random forest",
    "boosting": "gradient boosting",
}


class Neighbours:
    """k nearest neighbours, k = 15; with weights each neighbour's vote counts by its class's weight, n / (classes
    times rows of the class), as `class_weight="balanced"` does elsewhere in scikit-learn."""

    K = 15

    def __init__(self, weighted: bool) -> None:
        self.weighted = weighted

    def fit(self, x: Matrix, y: Codes) -> Neighbours:
        from sklearn.neighbors import KNeighborsClassifier

        self.model = KNeighborsClassifier(min(self.K, len(y))).fit(x, y)
        self.classes_ = self.model.classes_
        counts = np.bincount(y)[self.classes_]
        self.weights = len(y) / (len(counts) * counts) if self.weighted else np.ones(len(counts))
        return self

    def predict_proba(self, x: Matrix) -> Matrix:
        votes = self.model.predict_proba(x) * self.weights
        weighted: Matrix = votes / votes.sum(axis=1, keepdims=True)
        return weighted


def _logistic(weight: str | None, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, class_weight=weight, random_state=seed)


def _forest(weight: str | None, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, class_weight=weight, random_state=seed)


def _boosting(weight: str | None, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(early_stopping=False, class_weight=weight, random_state=seed)


def _neighbours(weight: str | None, seed: int) -> Any:
    return Neighbours(weight is not None)


MAKERS: dict[str, Callable[[str | None, int], Any]] = {
    "logistic": _logistic,
    "knn": _neighbours,
    "forest": _forest,
    "boosting": _boosting,
}


def predict(name: str, *, weighted: bool, seed: int, x: Matrix, y: Codes, asked: Matrix, classes: int) -> Matrix:
    """Fits a classifier and returns the probabilities it gives the rows asked for.

    Args:
        name: of MODELS.
        weighted: whether rare classes weigh more.
        x: (n, width) training rows.
        y: (n,) their classes, 0 to classes - 1.
        asked: (m, width) rows to be judged.

    Returns:
        (m, classes); a class that no training row has gets 0.
    """
    from sklearn.exceptions import ConvergenceWarning

    model = MAKERS[name]("balanced" if weighted else None, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a fit that is nearly there is what a user would use, too
        model.fit(x, y)
    shares = np.zeros((len(asked), classes))
    shares[:, model.classes_] = model.predict_proba(asked)
    return shares
