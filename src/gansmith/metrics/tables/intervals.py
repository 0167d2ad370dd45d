"""95 % intervals of shares, of areas under ROC curves and of differences, by closed forms."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Z = 1.959963984540054  # the normal quantile of 97.5 %
Array = npt.NDArray[np.float64]


def wilson(hits: float, n: float) -> tuple[float, float]:
    """Interval of a share of `hits` among `n` trials (Wilson 1927); (0, 1) for no trials.

    A fractional n is an effective number of trials, where trials hang together.
    """
    if n <= 0:
        return 0.0, 1.0
    p, z2 = hits / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return 0.0 if hits <= 0 else max(0.0, middle - half), 1.0 if hits >= n else min(1.0, middle + half)


def difference(hits_a: float, n_a: int, hits_b: float, n_b: int) -> tuple[float, float]:
    """Interval of share a less share b of two independent samples (Newcombe 1998, method 10)."""
    a, b = hits_a / n_a, hits_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson(hits_a, n_a), wilson(hits_b, n_b)
    down = math.sqrt((a - low_a) ** 2 + (high_b - b) ** 2)
    up = math.sqrt((high_a - a) ** 2 + (b - low_b) ** 2)
    return a - b - down, a - b + up


def auc(positive: npt.ArrayLike, negative: npt.ArrayLike) -> tuple[float, tuple[float, float]]:
    """Area under the ROC curve and its interval (DeLong, DeLong and Clarke-Pearson 1988); ties count half.

    Args:
        positive: scores (n,) of what should score high.
        negative: scores (m,) of what should score low.
    """
    p, q = np.asarray(positive, dtype=np.float64), np.asarray(negative, dtype=np.float64)
    above, below = _placements(p, q), 1 - _placements(q, p)
    value = float(above.mean())
    if len(p) < 2 or len(q) < 2:
        return value, (0.0, 1.0)
    spread = math.sqrt(float(above.var(ddof=1)) / len(p) + float(below.var(ddof=1)) / len(q))
    return value, (max(0.0, value - Z * spread), min(1.0, value + Z * spread))


def _placements(values: Array, others: Array) -> Array:
    """Of each value: the share of `others` below it, ties counting half."""
    ordered = np.sort(others)
    left, right = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    return (left + right) / (2.0 * len(others))


def true_positives_at(positive: npt.ArrayLike, negative: npt.ArrayLike, false_rate: float) -> tuple[float, int]:
    """The share of positives (and their count) above the threshold that at most `false_rate` of negatives reach."""
    p, q = np.asarray(positive, dtype=np.float64), np.sort(np.asarray(negative, dtype=np.float64))[::-1]
    allowed = math.floor(false_rate * len(q))
    hits = int((p > q[min(allowed, len(q) - 1)]).sum())
    return hits / len(p), hits
