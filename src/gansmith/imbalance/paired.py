"""Paired tests of two methods over the folds of a repeated cross-validation, and Holm's correction for many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]


def combined_f(differences: Floats) -> float:
    """The p-value of the combined 5x2cv F test (Alpaydin 1999, Neural Computation 11(8)).

    f = sum of p_ij^2 / (2 sum of s_i^2), with s_i^2 the variance of the two differences of repeat i, has about
    F(2r, r) degrees of freedom over r repeats. Two-sided.

    Args:
        differences: (r, 2), of a figure of one method less that of the other, r repeats of two folds.
    """
    from scipy import stats

    repeats = len(differences)
    spread = ((differences - differences.mean(axis=1, keepdims=True)) ** 2).sum()
    total = (differences**2).sum()
    if total == 0:
        return 1.0
    f = total / (2 * spread) if spread > 0 else np.inf
    return float(stats.f.sf(f, 2 * repeats, repeats))


def corrected_t(differences: Floats, ratio: float) -> float:
    """The p-value of the corrected resampled t test (Nadeau and Bengio 2003, Machine Learning 52). Two-sided.

    Args:
        differences: (j,), of a figure of one method less that of the other, fold by fold.
        ratio: test rows for each training row, 1 / (k - 1) in k-fold cross-validation.
    """
    from scipy import stats

    count, mean, variance = len(differences), float(differences.mean()), float(differences.var(ddof=1))
    if variance == 0:
        return 1.0 if mean == 0 else 0.0
    t = mean / np.sqrt((1 / count + ratio) * variance)
    return float(2 * stats.t.sf(abs(t), count - 1))


def paired_test(differences: Floats) -> float:
    """The p-value that the two methods are alike: the combined F test for five repeats of two folds, and for any
    other plan the corrected t test.

    Args:
        differences: (repeats, folds).
    """
    repeats, folds = differences.shape
    if (repeats, folds) == (5, 2):
        return combined_f(differences)
    return corrected_t(differences.ravel(), 1 / (folds - 1))


def name_of_test(repeats: int, folds: int) -> str:
    return "combined 5x2cv F test" if (repeats, folds) == (5, 2) else "corrected resampled t test"


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number by Holm's step-down method (1979); compare them with the level itself."""
    order = np.argsort(p, kind="stable")
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted


def in_words(p: float) -> str:
    """`= 0.032`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"
