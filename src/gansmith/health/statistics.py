"""Statistics of change, of shares and of order, in numpy: what detectors decide by.

CUSUM: Page 1954 (Biometrika 41); its run lengths: Montgomery, Statistical Quality Control, chapter 9. Page and
Hinkley's test: Hinkley 1971 (Biometrika 58). Holm 1979 (Scand. J. Statist. 6). Wilson 1927 (JASA 22). Mann & Whitney
1947, Mann 1945. All of them want readings that are nearly independent: take them some hundred steps apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Shares: TypeAlias = Sequence[int] | Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.int64]


def cusum(z: Values, *, allowance: float = 0.5, cap: float = math.inf, ceiling: float = math.inf) -> Values:
    """The upper cumulative sum S_t = max(0, S_{t-1} + z_t - allowance), S_0 = 0.

    With an allowance of .5, S exceeds 4 once in 336 readings of standard normal noise and 5 once in 930, and about 8 or
    10 readings after a shift by one standard deviation (Montgomery, table 9.4).

    Args:
        z: readings (n,) in standard deviations above what is usual; a NaN leaves S as it was.
        allowance: half of the shift that is worth an alarm.
        cap: no reading counts for more, so that a single one cannot raise the alarm.
        ceiling: S stays below, so that it comes down soon once all is well again.

    Returns:
        S (n,).
    """
    path, now = np.zeros(len(z)), 0.0
    for i, step in enumerate(np.minimum(z, cap) - allowance):
        if not math.isnan(step):
            now = min(max(0.0, now + step), ceiling)
        path[i] = now
    return path


def page_hinkley(x: Values, *, allowance: float) -> Values:
    """How far the sum of deviations from the running mean has risen above its lowest point, (n,).

    m_t = sum over i <= t of (x_i - mean(x_1..x_i) - allowance); PH_t = m_t - min m. It needs no level known beforehand.

    Args:
        x: readings (n,); a NaN leaves everything as it was.
        allowance: rise of the level that is not worth an alarm, in the units of `x`.
    """
    path, total, seen, sum_, lowest = np.zeros(len(x)), 0.0, 0, 0.0, 0.0
    for i, value in enumerate(x):
        if not math.isnan(value):
            seen, total = seen + 1, total + value
            sum_ += value - total / seen - allowance
            lowest = min(lowest, sum_)
        path[i] = sum_ - lowest
    return path


def crossed(path: Values, limit: float) -> int | None:
    """Where the rise began that now stands above `limit`: one after the last zero. None if it does not."""
    if not len(path) or not path[-1] > limit:
        return None
    zeros = np.flatnonzero(path == 0)
    return int(zeros[-1]) + 1 if len(zeros) else 0


def persists(bad: Flags, polls: int) -> int | None:
    """Where the streak began that is still going on and at least `polls` readings long; None if there is none."""
    good = np.flatnonzero(~bad)
    start = int(good[-1]) + 1 if len(good) else 0
    return start if len(bad) - start >= polls else None


def medians(x: Values, width: int = 3) -> Values:
    """The median of each reading and the `width` - 1 before it, (n,); of fewer in the beginning."""
    return np.array([np.median(x[max(0, i - width + 1) : i + 1]) for i in range(len(x))], dtype=np.float64)


def tail(z: npt.ArrayLike) -> Values:
    """P(Z > z) of a standard normal Z, in the shape of `z`."""
    flat = np.asarray(z, dtype=np.float64)
    return np.array([0.5 * math.erfc(v / math.sqrt(2)) for v in flat.ravel()]).reshape(flat.shape)


def two_proportions(a: Shares, b: Shares) -> Values:
    """z of each bin's share in `a` against that in `b` (k,): the pooled two-proportion test of NDB.

    Richardson & Weiss 2018 (arXiv:1805.12462), section 3. Negative where `a` has less. 0 for a bin that is empty in
    both, or that holds everything.

    Args:
        a, b: counts (k,) of two samples over the same bins.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    n, m = first.sum(), second.sum()
    if n == 0 or m == 0:
        return np.zeros(len(first))
    pooled = (first + second) / (n + m)
    error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    difference = first / n - second / m
    z: Values = np.divide(difference, error, out=np.zeros_like(difference), where=error > 0)
    return z


def total_variation(a: Values, b: Values) -> Values:
    """Half of the sum of differences between the shares of bins, (n,): 0 for equal shares, 1 for disjoint ones.

    Args:
        a, b: counts (n, k).
    """
    shares = [side / np.maximum(side.sum(1, keepdims=True), 1.0) for side in (a, b)]
    distance: Values = np.abs(shares[0] - shares[1]).sum(1) / 2
    return distance


def holm(p: npt.ArrayLike, alpha: float = 0.05) -> Flags:
    """Which hypotheses are rejected when none may be rejected wrongly but with chance `alpha`, (k,)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    passed = values[order] <= alpha / np.arange(len(values), 0, -1)
    rejected = np.zeros(len(values), dtype=np.bool_)
    rejected[order[: len(values) if passed.all() else int(np.argmin(passed))]] = True
    return rejected


def mann_whitney_z(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """z of the Mann-Whitney U of `a` against `b`; below 0 where values of `a` tend to be smaller. Ties are halved.

    Meehan et al. 2020 (arXiv:2004.05675) take it of distances to the training data, generated against held-out ones.

    Args:
        a, b: values (n,) and (m,), finite. 0 comes back where either is empty or all values are equal.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    n, m = len(first), len(second)
    _, which, times = np.unique(np.concatenate([first, second]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[which]
    u = ranks[:n].sum() - n * (n + 1) / 2
    total = n + m
    ties = (times.astype(np.float64) ** 3 - times).sum() / (total * (total - 1)) if total > 1 else 0.0
    variance = n * m / 12 * (total + 1 - ties)
    return float((u - n * m / 2) / math.sqrt(variance)) if variance > 0 else 0.0


def mann_kendall_z(x: npt.ArrayLike) -> float:
    """z of Kendall's test for a trend over readings (n,) in their order; above 0 where they rise. Ties are allowed."""
    values = np.asarray(x, dtype=np.float64)
    n = len(values)
    score = float(np.sign(values[None, :] - values[:, None])[np.triu_indices(n, 1)].sum())
    times = np.unique(values, return_counts=True)[1].astype(np.float64)
    variance = (n * (n - 1) * (2 * n + 5) - (times * (times - 1) * (2 * times + 5)).sum()) / 18
    return (score - math.copysign(1, score)) / math.sqrt(variance) if variance > 0 and score else 0.0


def wilson(hits: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share of which `hits` of `n` were seen; (0, 1) where nothing was seen."""
    if n <= 0:
        return 0.0, 1.0
    share, weight = hits / n, z * z / n
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / n + weight / (4 * n))
    return max(0.0, middle - half), min(1.0, middle + half)
