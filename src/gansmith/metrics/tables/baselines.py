"""Three simple generators that stand beside every judgement: what a model must beat, and what it must not be.

    independent columns   each column drawn by itself: right shapes, no trends
    Gaussian copula       right shapes, trends as far as one correlation matrix tells them (Sklar 1959; Xue-Kun Song
                          2000), categories as thresholds of a latent normal variable
    bootstrap             the real rows themselves, drawn with replacement: perfect quality, no privacy

All draw values that occur in the real columns, so dtypes, precision and ranges are right by themselves. Identifier
columns are filled with row numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from ...errors import UserError
from ...tabular.schema import DISCRETE, Schema
from .columns import Aligned, align, need

if TYPE_CHECKING:
    import pandas as pd

B = TypeVar("B", bound="_Baseline")
Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
LEAST_EIGENVALUE, MOST_CORRELATION = 1e-4, 0.98


class _Baseline:
    """What the three have in common: they pick rows of the real table, column by column.

    Args:
        seed: the same seed samples the same rows.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self: B, df: pd.DataFrame, schema: Schema) -> B:
        """Keeps the table and what its kind needs.

        Raises:
            DataError: the table has no rows, lacks columns of the schema or holds infinities.
        """
        self.table_, self.schema_ = df, schema
        self._fit(align(schema, {"real": df}))
        return self

    def _fit(self, tables: Aligned) -> None:
        raise NotImplementedError

    def _rows(self, n: int, rng: np.random.Generator) -> dict[str, Rows]:
        raise NotImplementedError

    def sample(self, n: int) -> pd.DataFrame:
        """n rows with the columns and dtypes of the real table.

        Raises:
            UserError: `fit` has not been called.
        """
        import pandas as pd

        if not hasattr(self, "table_"):
            raise UserError(f"{type(self).__name__} has seen no table yet: call fit(df, schema) first")
        rows = self._rows(n, np.random.default_rng(self.seed))
        made = {}
        for column in self.schema_:
            if column.kind == "identifier":
                made[column.name] = pd.Series([f"row-{i + 1}" for i in range(n)])
            else:
                made[column.name] = self.table_[column.name].take(rows[column.name]).reset_index(drop=True)
        return pd.DataFrame(made)


class IndependentColumns(_Baseline):
    """Each column drawn by itself."""

    def _fit(self, tables: Aligned) -> None:
        self._n = tables.rows("real")

    def _rows(self, n: int, rng: np.random.Generator) -> dict[str, Rows]:
        return {c.name: rng.integers(0, self._n, n) for c in self.schema_.learnt}


class Bootstrap(_Baseline):
    """The real rows, drawn with replacement."""

    def _fit(self, tables: Aligned) -> None:
        self._n = tables.rows("real")

    def _rows(self, n: int, rng: np.random.Generator) -> dict[str, Rows]:
        drawn = rng.integers(0, self._n, n)
        return {c.name: drawn for c in self.schema_.learnt}


class GaussianCopula(_Baseline):
    """A multivariate normal distribution behind the ranks of the columns.

    Equal values, categories among them, share an interval of the latent variable. Categories have no order of their
    own: they are put in the order of their mean along the table's first principal component. With s the mean of the
    latent variable over its interval and v the variance of s, Cov(s_i, s_j) = rho v_i v_j to first order (Hermite
    expansion), which gives rho; the matrix is then moved to the nearest one with positive eigenvalues.

    Attributes:
        correlation_: (columns, columns), of the latent variables.
    """

    def _fit(self, tables: Aligned) -> None:
        need("scipy")
        order = {c.name: _ordered(tables, c.name, None) for c in tables.columns}
        for _ in range(2):
            scores = np.stack([_scores(order[c.name]) for c in tables.columns], 1)
            lead = _first_component(scores)
            for column in tables.columns:
                if column.kind in DISCRETE:
                    order[column.name] = _ordered(tables, column.name, lead)
        scores = np.stack([_scores(order[c.name]) for c in tables.columns], 1)
        self.correlation_ = latent_correlation(scores)
        self._sorted = {name: np.argsort(ranks, kind="stable") for name, ranks in order.items()}

    def _rows(self, n: int, rng: np.random.Generator) -> dict[str, Rows]:
        from scipy.special import ndtr

        root = np.linalg.cholesky(self.correlation_)
        shares = ndtr(rng.standard_normal((n, len(root))) @ root.T)
        places = {}
        for i, column in enumerate(self.schema_.learnt):
            rows = self._sorted[column.name]
            places[column.name] = rows[np.minimum((shares[:, i] * len(rows)).astype(np.int64), len(rows) - 1)]
        return places


def _ordered(tables: Aligned, name: str, lead: Floats | None) -> Rows:
    """A number for each row of a column, by which its values are ordered; missing ones come first."""
    values = tables["real"][name]
    if lead is None or values.dtype.kind == "f":
        return np.unique(np.where(np.isnan(values), -np.inf, values), return_inverse=True)[1].astype(np.int64)
    coded = values + 1
    counts = np.bincount(coded)
    means = np.bincount(coded, weights=lead) / np.maximum(counts, 1)
    places: Rows = np.argsort(np.argsort(means, kind="stable"), kind="stable")[coded]
    return places


def _scores(ranks: Rows) -> Floats:
    """The mean of a standard normal variable over the interval that each value takes up; the mean of it all is 0."""
    from scipy.special import ndtri

    counts = np.bincount(ranks)
    ends = np.concatenate([[0.0], np.cumsum(counts) / len(ranks)])
    heights = np.exp(-(ndtri(np.clip(ends, 1e-300, 1 - 1e-16)) ** 2) / 2) / np.sqrt(2 * np.pi)
    heights[[0, -1]] = 0.0
    means = (heights[:-1] - heights[1:]) / np.maximum(np.diff(ends), 1e-300)
    found: Floats = np.where(counts > 0, means, 0.0)[ranks]
    return found


def _first_component(scores: Floats) -> Floats:
    """The projection of each row onto the direction of largest variance of the standardised scores."""
    spread = scores.std(0)
    scaled = scores / np.where(spread > 0, spread, 1)
    lead: Floats = scaled @ np.linalg.eigh(np.cov(scaled, rowvar=False).reshape(scores.shape[1], -1))[1][:, -1]
    return lead


def latent_correlation(scores: Floats) -> Floats:
    """The correlation matrix of the latent variables behind scores (rows, columns), positive definite."""
    covariance = np.cov(scores, rowvar=False, bias=True).reshape(scores.shape[1], -1)
    v = np.diag(covariance).copy()
    rho = covariance / np.maximum(np.outer(v, v), 1e-12)
    rho = np.clip(rho, -MOST_CORRELATION, MOST_CORRELATION)
    rho[v <= 1e-12, :] = rho[:, v <= 1e-12] = 0.0
    np.fill_diagonal(rho, 1.0)
    values, vectors = np.linalg.eigh(rho)
    fixed = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    scale = np.sqrt(np.diag(fixed))
    found: Floats = fixed / np.outer(scale, scale)
    return found


ALL: dict[str, type[_Baseline]] = {
    "independent columns": IndependentColumns,
    "Gaussian copula": GaussianCopula,
    "bootstrap of real rows": Bootstrap,
}
