"""Fits the encoders of a table on a bounded sample of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import DataError, MissingExtra
from .encoders import Choice, Encoder, Floats, Modes, Moment, Quantile
from .schema import Canonical, Column, Schema, rows_of
from .spec import TableSpec

Style = Literal["quantile", "modes", "linear"]
SAMPLE = 100_000  # rows that encoders are fitted on
MIXTURE_SAMPLE = 5_000  # rows that a Gaussian mixture is fitted on
MOST_MODES, LEAST_WEIGHT = 10, 0.005  # Xu et al. 2019
MOST_CODES = 128  # codes of a column with many categories; the rest of them share one
KNOTS = 1_000
LONG_TAIL = 8.0  # excess of the outermost percentile over the spread of the inner half


def fit_spec(
    sample: Canonical,
    schema: Schema,
    rows: int,
    *,
    style: Style = "quantile",
    most_codes: int = MOST_CODES,
    seed: int = 0,
) -> TableSpec:
    """The spec of a table, its encoders fitted on a sample of its rows.

    Args:
        sample: canonical columns of some rows; SAMPLE of them are enough.
        rows: how many rows the table has.
        style: how numbers are encoded: by their place in the distribution, by the modes of a mixture, or by their place
            between the lowest and the highest.
        most_codes: codes of a column with many categories.

    Raises:
        DataError: no column is left to learn.
        MissingExtra: scikit-learn is absent, and `style` is `modes`.
    """
    if not schema.learnt:
        raise DataError(
            f"no column is left to learn: all {len(schema)} are identifiers; edit the schema to say otherwise"
        )
    rng = np.random.default_rng(seed)
    encoders = [_fit_column(column, sample[column.name], style, most_codes, rng) for column in schema.learnt]
    return TableSpec(schema=schema, encoders=tuple(encoders), rows=rows)


def _fit_column(
    column: Column, values: npt.NDArray[Any], style: Style, most_codes: int, rng: np.random.Generator
) -> Encoder:
    if column.kind in ("category", "boolean"):
        return fit_choice(column, most_codes)
    if column.kind == "datetime":
        return fit_moment(column, values)
    if style == "modes":
        return fit_modes(column, values, int(rng.integers(2**31)))
    if style == "linear":
        return fit_linear(values, column.special, column.nulls)
    return fit_quantile(values, column.special, column.nulls)


def fit_choice(column: Column, most_codes: int = MOST_CODES) -> Choice:
    """A code for each category, or for the most frequent ones and one for the rest."""
    counts = column.counts[: len(column.categories)] or (1,) * len(column.categories)
    top = len(counts) if len(counts) <= most_codes else most_codes - 1
    return Choice(weights=tuple(float(c) for c in counts), top=top, nulls=column.nulls)


def fit_quantile(values: npt.NDArray[Any], special: tuple[float, ...] = (), nulls: bool = False) -> Quantile:
    """Knots at every value if there are few, else at quantiles and at values that many rows share."""
    x = _ordinary(values, special)
    found, counts = np.unique(x, return_counts=True)
    right = counts.cumsum() / max(1, len(x))
    left = right - counts / max(1, len(x))
    if len(found) > KNOTS:
        spread = np.searchsorted(right, np.linspace(0, 1, KNOTS // 2)).clip(0, len(found) - 1)
        shared = np.argsort(-counts, kind="stable")[: KNOTS // 2]
        kept = np.unique(np.concatenate([[0, len(found) - 1], spread, shared[counts[shared] > 1]]))
        found, left, right = found[kept], left[kept], right[kept]
    if not len(found):
        found, left, right = np.zeros(1), np.zeros(1), np.ones(1)
    return Quantile(
        values=tuple(found.tolist()),
        left=tuple(left.tolist()),
        right=tuple(right.tolist()),
        special=special,
        nulls=nulls,
    )


def fit_linear(values: npt.NDArray[Any], special: tuple[float, ...] = (), nulls: bool = False) -> Quantile:
    """Two knots, the lowest and the highest value: as if the distribution between them were uniform."""
    x = _ordinary(values, special)
    if len(np.unique(x)) < 2:
        return fit_quantile(values, special, nulls)
    knots = (float(x.min()), float(x.max()))
    return Quantile(values=knots, left=(0.0, 1.0), right=(0.0, 1.0), special=special, nulls=nulls)


def fit_modes(column: Column, values: npt.NDArray[Any], seed: int) -> Modes:
    """A variational Gaussian mixture; over logarithms where the tails are long.

    Raises:
        MissingExtra: scikit-learn is absent.
    """
    x = _ordinary(values, column.special)
    log = _long_tailed(x)
    x = np.sign(x) * np.log1p(np.abs(x)) if log else x
    means, stds, weights = _mixture(x[:: max(1, len(x) // MIXTURE_SAMPLE)], seed)
    return Modes(means=means, stds=stds, weights=weights, special=column.special, nulls=column.nulls, log=log)


def _mixture(x: Floats, seed: int) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Means, standard deviations and weights, in units of x."""
    try:
        from sklearn.mixture import BayesianGaussianMixture
    except ImportError:
        raise MissingExtra("scikit-learn", "tables") from None
    distinct = len(np.unique(x))
    if distinct < 2:
        return ((float(x[0]) if len(x) else 0.0),), (1.0,), (1.0,)
    centre, scale = float(x.mean()), float(x.std())
    mixture = BayesianGaussianMixture(
        n_components=min(MOST_MODES, distinct),
        weight_concentration_prior_type="dirichlet_process",
        weight_concentration_prior=0.001,
        random_state=seed,
    )
    with _quiet():
        mixture.fit(((x - centre) / scale)[:, None])
    kept = mixture.weights_ > LEAST_WEIGHT
    stds = np.sqrt(mixture.covariances_[kept, 0, 0]).clip(1e-6) * scale
    weights = mixture.weights_[kept] / mixture.weights_[kept].sum()
    means = mixture.means_[kept, 0] * scale + centre
    return tuple(means.tolist()), tuple(stds.tolist()), tuple(weights.tolist())


def _quiet() -> Any:
    """A mixture that did not converge within its iterations is good enough, and no user can act on the warning."""
    import warnings

    return warnings.catch_warnings(action="ignore")


def fit_moment(column: Column, values: npt.NDArray[Any]) -> Encoder:
    """Dates alone as a Quantile; dates with a time of day as a Moment."""
    known = values[~np.isnan(values)]
    if not (known % Moment.DAY).any():
        return fit_quantile(values, column.special, column.nulls)
    day = fit_quantile(np.floor(values / Moment.DAY), (), column.nulls)
    return Moment(day=day)


def _ordinary(values: npt.NDArray[Any], special: tuple[float, ...]) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    return x[~np.isnan(x) & ~np.isin(x, special)]


def _long_tailed(x: Floats) -> bool:
    """Whether the outermost percentiles lie far outside of the inner half."""
    if len(x) < 20:
        return False
    outer_low, low, high, outer_high = np.percentile(x, [0.5, 25, 75, 99.5])
    spread = high - low
    return bool(spread > 0 and max(outer_high - high, low - outer_low) > LONG_TAIL * spread)


def take_sample(
    chunks: Iterable[Mapping[str, npt.NDArray[Any]]], most: int = SAMPLE, seed: int = 0
) -> dict[str, npt.NDArray[Any]]:
    """At most `most` rows of a stream of canonical columns, each row as likely as any other (reservoir by keys)."""
    rng, kept, keys = np.random.default_rng(seed), dict[str, npt.NDArray[Any]](), np.zeros(0)
    for chunk in chunks:
        new = rng.random(rows_of(chunk))
        keys = np.concatenate([keys, new])
        kept = {k: np.concatenate([kept[k], v]) if kept else np.asarray(v) for k, v in chunk.items()}
        if len(keys) > most:
            best = np.sort(np.argpartition(keys, most)[:most])
            keys, kept = keys[best], {k: v[best] for k, v in kept.items()}
    return kept
