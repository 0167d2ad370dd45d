"""How alike the columns and the pairs of columns of two tables are.

`score` is the quality score of SDMetrics 0.32.0 (its definition changed in 0.27), written here from its documentation
and from what it does, and equal to it to 1e-6 (tests/metrics_tables/test_sdmetrics.py):

    shape of a column   1 - KS statistic for numbers and dates, 1 - total variation for categories; missing left out
    trend of a pair     numbers: 1 - |r_real - r_fake| / 2, Pearson, where |r_real| > 0.5
                        else:    1 - total variation of the contingency tables, where Cramer's V of the real > 0.3;
                                 missing is a category, numbers are cut into 10 bins, each table by its own range
    score               mean of the mean shape and the mean trend

With `thresholds=False` every pair counts, as in SDMetrics before 0.27; one minus the means are then the density
errors that TabSyn (Zhang et al. 2024, arXiv:2310.09656) reports.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...tabular.schema import DISCRETE, Column
from .columns import Aligned, Array, Side

CORRELATION, ASSOCIATION, BINS = 0.5, 0.3, 10
DENSE = 1 << 22  # cells of the largest contingency table that is held whole

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """One column: its score in [0, 1], NaN where one side has no value at all."""

    name: str
    kind: str
    measure: str
    score: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Trend:
    """One pair of columns.

    Attributes:
        score: in [0, 1]; NaN where it is not defined (a constant column, nothing but missing values).
        real, fake: Pearson's r of two numeric columns, else Cramer's V.
        counts: whether the trend in the real table is strong enough for SDMetrics to count it.
    """

    a: str
    b: str
    measure: str
    score: float
    real: float
    fake: float
    counts: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def shapes(tables: Aligned) -> list[Shape]:
    """The shape score of every column, `real` against `fake`."""
    found = []
    for column in tables.columns:
        real, fake = tables["real"][column.name], tables["fake"][column.name]
        discrete = column.kind in DISCRETE
        score = tv_complement(real, fake) if discrete else ks_complement(real, fake)
        found.append(Shape(column.name, column.kind, "TVComplement" if discrete else "KSComplement", score))
    return found


def ks_complement(real: Floats, fake: Floats) -> float:
    """1 - the two-sample Kolmogorov-Smirnov statistic, in [0, 1]; missing values are left out."""
    a, b = np.sort(real[~np.isnan(real)]), np.sort(fake[~np.isnan(fake)])
    if not len(a) or not len(b):
        return float("nan")
    at = np.concatenate([a, b])
    gaps = np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b)
    return float(1 - np.abs(gaps).max())


def tv_complement(real: Array, fake: Array) -> float:
    """1 - total variation between the frequencies of codes, in [0, 1]; missing values are left out."""
    a, b = real[real >= 0], fake[fake >= 0]
    if not len(a) or not len(b):
        return float("nan")
    return _overlap(a, b)


def trends(tables: Aligned) -> list[Trend]:
    """Every pair of columns, in the order of the schema."""
    cut = {side: {c.name: _binned(tables[side], c) for c in tables.columns} for side in ("real", "fake")}
    return [_trend(a, b, tables, cut) for a, b in itertools.combinations(tables.columns, 2)]


def _trend(a: Column, b: Column, tables: Aligned, cut: Mapping[str, Side]) -> Trend:
    if a.kind not in DISCRETE and b.kind not in DISCRETE:
        r, s = (pearson(tables[side][a.name], tables[side][b.name]) for side in ("real", "fake"))
        return Trend(a.name, b.name, "CorrelationSimilarity", 1 - abs(r - s) / 2, r, s, bool(abs(r) > CORRELATION))
    real, fake = ((cut[side][a.name], cut[side][b.name]) for side in ("real", "fake"))
    width = 1 + int(max(real[1].max(), fake[1].max()))
    alike = _overlap(real[0] * width + real[1], fake[0] * width + fake[1])
    v, w = cramers_v(*real), cramers_v(*fake)
    return Trend(a.name, b.name, "ContingencySimilarity", alike, v, w, bool(v > ASSOCIATION))


def pearson(x: Floats, y: Floats) -> float:
    """Pearson's correlation over the rows where both are known; NaN for a constant or fewer than two rows."""
    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    scale = np.linalg.norm(x) * np.linalg.norm(y)
    return float(np.clip(x @ y / scale, -1, 1)) if scale else float("nan")


def cramers_v(a: Array, b: Array) -> float:
    """Cramer's V of two columns of codes >= 0 (missing is one of them), uncorrected; NaN where one is constant."""
    rows, cols, n = np.bincount(a), np.bincount(b), len(a)
    least = min(np.count_nonzero(rows), np.count_nonzero(cols))
    if least < 2:
        return float("nan")
    cells, counts = _cells(a * len(cols) + b)
    expected = rows[cells // len(cols)] * cols[cells % len(cols)] / n
    phi2 = float((counts**2 / expected).sum() / n - 1)
    return float(np.sqrt(max(phi2, 0.0) / (least - 1)))


def _binned(side: Side, column: Column) -> npt.NDArray[np.int64]:
    """Codes >= 0: of a category with 0 for missing; of a number, its bin within the range of this table."""
    values = side[column.name]
    if column.kind in DISCRETE:
        return values + 1
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(len(values), BINS + 1)
    try:
        edges = np.histogram_bin_edges(known, BINS)
    except ValueError:  # values so large and so near to each other that no number lies between them
        return np.where(np.isnan(values), BINS + 1, 1)
    return np.digitize(values, edges).astype(np.int64)  # NaN falls into the last bin


def _cells(codes: Array) -> tuple[npt.NDArray[np.int64], Floats]:
    """The codes that occur and how often."""
    if codes.max() < DENSE:
        counts = np.bincount(codes)
        cells = np.flatnonzero(counts)
        return cells, counts[cells].astype(np.float64)
    cells, found = np.unique(codes, return_counts=True)
    return cells, found.astype(np.float64)


def _overlap(a: Array, b: Array) -> float:
    """1 - total variation between the frequencies of two samples of codes >= 0."""
    if (size := 1 + int(max(a.max(), b.max()))) > DENSE:
        numbered = np.unique(np.concatenate([a, b]), return_inverse=True)[1]
        return _overlap(numbered[: len(a)], numbered[len(a) :])
    p, q = np.bincount(a, minlength=size) / len(a), np.bincount(b, minlength=size) / len(b)
    return float(max(0.0, 1 - np.abs(p - q).sum() / 2))


def mean(values: Iterator[float] | list[float]) -> float:
    """The mean of what is not NaN; NaN of nothing."""
    known = [v for v in values if v == v]
    return float(np.mean(known)) if known else float("nan")


def score(found: list[Shape], pairs: list[Trend]) -> tuple[float, float, float]:
    """SDMetrics' quality score, its Column Shapes and its Column Pair Trends, each in [0, 1], NaN where undefined."""
    shape = mean([s.score for s in found])
    trend = mean([t.score for t in pairs if t.counts])
    return mean([shape, trend]), shape, trend


def density(found: list[Shape], pairs: list[Trend]) -> tuple[float, float]:
    """Shape error and pair-trend error over all columns and pairs, each in [0, 1], as TabSyn reports them."""
    return 1 - mean([s.score for s in found]), 1 - mean([t.score for t in pairs])
