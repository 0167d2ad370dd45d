"""The quality filter: which generated rows lie where the real rows of their class lie.

Both filters are conformal (Vovk, Gammerman, Shafer 2005): a row's quality is the share of real rows of its class that
are at least as strange as it is. A real row falls at or below a quality of 0.05 in one case of twenty, whatever the
data; a generated row that does so more often is off the class's manifold.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .features import Matrix

FEWEST = 3  # rows of a class; fewer tell nothing about where it lies
MOST = 20_000  # rows of either side that are looked at
NEIGHBOURS = 5


class Judge(Protocol):
    """Gives generated rows of one class their quality."""

    def __call__(self, rows: Matrix) -> Matrix:
        """(n, width) -> (n,) in (0, 1]."""


def conformal(real: npt.NDArray[np.floating], asked: npt.NDArray[np.floating]) -> Matrix:
    """The share of `real` strangenesses that reach each of `asked`, the asked one counted among them: in (0, 1]."""
    below = np.searchsorted(np.sort(real), asked, side="left")
    share: Matrix = (len(real) - below + 1) / (len(real) + 1)
    return share


def passes(quality: Matrix, reject: float, real: int) -> npt.NDArray[np.bool_]:
    """Which rows are kept: those stranger than a share `reject` of the real rows, or than all of them, are not."""
    kept: npt.NDArray[np.bool_] = quality > max(reject, 1 / (real + 1))
    return kept


def _some(rows: Matrix, seed: int) -> Matrix:
    if len(rows) <= MOST:
        return rows
    chosen: Matrix = rows[np.sort(np.random.default_rng(seed).choice(len(rows), MOST, replace=False))]
    return chosen


class NeighbourJudge:
    """Strange is a row that is far from its class's rows, or farther from them than from the other classes' rows.

    Two strangenesses: the mean distance to the nearest rows of the class, and its ratio to the mean distance to the
    nearest rows of the others; the quality is the lower of the two. Real rows are judged without themselves.

    Args:
        own: (n, width) real rows of the class, at least FEWEST.
        others: (m, width) real rows of all other classes.
    """

    def __init__(self, own: Matrix, others: Matrix, seed: int) -> None:
        from sklearn.neighbors import NearestNeighbors

        own, others = _some(own, seed), _some(others, seed)
        self.k = min(NEIGHBOURS, len(own) - 1)
        self.own = NearestNeighbors(n_neighbors=self.k).fit(own)
        self.others = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(others))).fit(others)
        near = self.own.kneighbors(own, n_neighbors=self.k + 1)[0][:, 1:].mean(axis=1)
        self.far, self.astray = near, self._ratio(near, own)

    def _ratio(self, near: Matrix, rows: Matrix) -> Matrix:
        away = self.others.kneighbors(rows)[0].mean(axis=1)
        ratio: Matrix = near / np.maximum(away, 1e-12)
        return ratio

    def __call__(self, rows: Matrix) -> Matrix:
        near = self.own.kneighbors(rows)[0].mean(axis=1)
        astray = conformal(self.astray, self._ratio(near, rows))
        return np.minimum(conformal(self.far, near), astray)


class ClassifierJudge:
    """Strange is a row that a random forest takes for another class; real rows are judged by trees that have not seen
    them.

    Args:
        own: (n, width) real rows of the class, at least FEWEST.
        others: (m, width) real rows of all other classes.
    """

    TREES = 200

    def __init__(self, own: Matrix, others: Matrix, seed: int) -> None:
        from sklearn.ensemble import RandomForestClassifier

        own, others = _some(own, seed), _some(others, seed)
        told = np.repeat([1, 0], [len(own), len(others)])
        self.forest = RandomForestClassifier(
            self.TREES, class_weight="balanced_subsample", oob_score=True, random_state=seed
        ).fit(np.concatenate([own, others]), told)
        self.strangeness = 1 - self.forest.oob_decision_function_[: len(own), 1]

    def __call__(self, rows: Matrix) -> Matrix:
        return conformal(self.strangeness, 1 - self.forest.predict_proba(rows)[:, 1])


JUDGES: dict[str, Any] = {"knn": NeighbourJudge, "classifier": ClassifierJudge}
