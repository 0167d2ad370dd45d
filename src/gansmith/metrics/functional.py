"""Distances between the distributions of two sets of features, as pure functions.

Fréchet distance: Heusel et al. 2017 (arXiv:1706.08500). KID: Bińkowski et al. 2018 (arXiv:1801.01401).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import DataError
from .base import ROWS as ROWS
from .base import as_float64
from .base import checked_finite as checked_finite

HUGE = 1e12  # product of two rows over their length whose cube float32 only just holds
COARSE = 32  # times the features' variance: their mean product from which float32 loses digits of KID that matter


class FrechetReference:
    """One side of the Fréchet distance, with the square root of its covariance taken once.

    Args:
        mu: mean (d,).
        sigma: covariance (d, d).

    Raises:
        DataError: a value is not finite.
    """

    def __init__(self, mu: Float[Tensor, " d"], sigma: Float[Tensor, "d d"]) -> None:
        self.mu, sigma = checked_finite(as_float64(mu)), checked_finite(as_float64(sigma))
        self.sigma, self.trace = sigma, sigma.trace()
        self._values, self._vectors = torch.linalg.eigh(sigma)
        self.root = _with_values(self._vectors, _rooted(self._values))

    def distance(self, mu: Float[Tensor, " d"], sigma: Float[Tensor, "d d"]) -> float:
        """|mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1^1/2 S2 S1^1/2)^1/2), in float64.

        The matrix under the second root is symmetric, so real eigenvalues give its trace; none of the complex
        leftovers of a general matrix square root can appear.
        """
        mu, sigma = checked_finite(as_float64(mu)), checked_finite(as_float64(sigma))
        between = self.root @ sigma @ self.root
        crossed = _rooted(torch.linalg.eigvalsh((between + between.T) / 2)).sum()
        return self._assembled(mu, sigma.trace(), crossed)

    def distance_to(self, features: Float[Tensor, "n d"]) -> float:
        """The distance to a set of features; cheaper than through its covariance when n < d."""
        features = checked_finite(as_float64(features))
        mu, sigma = moments(features)
        if len(features) >= features.shape[1]:
            return self.distance(mu, sigma)
        half = (features - mu) @ self.root / (len(features) - 1) ** 0.5  # half' half = S1^1/2 S2 S1^1/2
        crossed = _rooted(torch.linalg.eigvalsh(half @ half.T)).sum()
        return self._assembled(mu, sigma.trace(), crossed)

    def slopes(
        self, mu: Float[Tensor, " d"], sigma: Float[Tensor, "d d"]
    ) -> tuple[Float[Tensor, "d d"], Float[Tensor, "d d"]]:
        """Derivatives of the distance by this side's covariance and by the other's, (d, d) each.

        I - T for the linear map T that carries the one Gaussian onto the other (Takatsu 2011): S^1/2 M^-1/2 S^1/2 with
        M = S1^1/2 S2 S1^1/2, and its inverse. Directions in which a covariance has no rank count as zero.
        """
        between = self.root @ as_float64(sigma) @ self.root
        values, vectors = torch.linalg.eigh((between + between.T) / 2)
        half, inverse = _rooted(values), _inverse(_rooted(values))
        inverse_root = _with_values(self._vectors, _inverse(_rooted(self._values)))
        eye = torch.eye(len(mu), dtype=torch.float64)
        own = eye - inverse_root @ _with_values(vectors, half) @ inverse_root
        return own, eye - self.root @ _with_values(vectors, inverse) @ self.root

    def _assembled(self, mu: Tensor, trace: Tensor, crossed: Tensor) -> float:
        """The distance; never below 0, where only rounding could have brought it (of a side against itself)."""
        return max(0.0, float((self.mu - mu).square().sum() + self.trace + trace - 2 * crossed))


def _rooted(values: Tensor) -> Tensor:
    """Square roots of a positive semidefinite matrix's eigenvalues; those below its numerical rank are zero.

    A zero eigenvalue comes out as rounding noise of either sign, and the root of 1e-16 would be 1e-8, thousands of
    times over when pictures are fewer than features.
    """
    noise = values.max() * len(values) * torch.finfo(values.dtype).eps
    return torch.where(values > noise, values, 0.0).sqrt()


def _inverse(roots: Tensor) -> Tensor:
    return torch.where(roots > 0, 1 / roots.clamp(min=torch.finfo(roots.dtype).tiny), 0.0)


def _with_values(vectors: Tensor, values: Tensor) -> Tensor:
    return (vectors * values) @ vectors.T


def frechet_influences(
    moments1: tuple[Tensor, Tensor], moments2: tuple[Tensor, Tensor], rows1: Tensor, rows2: Tensor
) -> tuple[Float[Tensor, " n"], Float[Tensor, " m"]]:
    """By how much each row moves the distance of two sides: its influence function (Hampel 1974), in float64.

    With x - mu = c and the derivative A by the covariance S: 2 c.(mu1 - mu2) + c'A c - tr(A S). The distance of a
    resample is, to first order, the distance plus the mean influences of the resampled rows.

    Args:
        moments1: mean (d,) and covariance (d, d) of the first side.
        moments2: of the second.
        rows1: features (n d) of the first side, all or some of those behind its moments.
        rows2: features (m d) of the second.
    """
    (mu1, sigma1), (mu2, sigma2) = moments1, moments2
    slope1, slope2 = FrechetReference(mu1, sigma1).slopes(mu2, sigma2)
    return _moved(rows1, mu1, mu2, slope1), _moved(rows2, mu2, mu1, slope2)


def _moved(rows: Tensor, mu: Tensor, other: Tensor, slope: Tensor) -> Tensor:
    found = []
    for part in rows.split(ROWS):
        c = as_float64(part) - mu
        found.append(2 * c @ (mu - other) + ((c @ slope) * c).sum(1))
    moved = torch.cat(found)
    return moved - moved.mean()


def moments(features: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Mean and unbiased covariance, in float64.

    Raises:
        DataError: fewer than two rows.
    """
    enough(features, 2, "a covariance")
    mu = torch.stack([as_float64(part).sum(0) for part in features.split(ROWS)]).sum(0) / len(features)
    sigma = torch.zeros(len(mu), len(mu), dtype=torch.float64)
    for part in features.split(ROWS):
        centred = as_float64(part) - mu
        sigma.addmm_(centred.T, centred)
    return mu, sigma / (len(features) - 1)


def frechet_distance(
    mu1: Float[Tensor, " d"], sigma1: Float[Tensor, "d d"], mu2: Float[Tensor, " d"], sigma2: Float[Tensor, "d d"]
) -> float:
    """Squared Fréchet (2-Wasserstein) distance of two Gaussians, in float64; 0 for equal ones.

    Raises:
        DataError: a value is not finite.
    """
    return FrechetReference(mu1, sigma1).distance(mu2, sigma2)


def kid(
    features_real: Float[Tensor, "n d"],
    features_fake: Float[Tensor, "m d"],
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 2020,
    orders: tuple[Tensor, Tensor] | None = None,
) -> tuple[float, float]:
    """Kernel inception distance: the unbiased squared MMD of the kernel (x.y/d + 1)^3, over random subsets.

    The subsets come from numpy's legacy generator, whose stream is frozen: equal seeds give the subsets, hence the
    numbers, of the reference implementations.

    Args:
        features_real: rows of the one side.
        features_fake: of the other.
        subsets: how many.
        subset_size: rows of each side in one.
        seed: of the subsets.
        orders: int64 (n,) and (m,), orders of the rows that the subsets are drawn in; as they came when left out.

    Returns:
        Mean and standard deviation over the subsets. The deviation is one subset's, not the mean's; the mean may be
        slightly negative for equal distributions.

    Raises:
        DataError: a side has fewer than `subset_size` rows, or a value is not finite.
    """
    enough(features_real, subset_size, "KID", "real")
    enough(features_fake, subset_size, "KID", "generated")
    dtype = kernel_dtype(features_real, features_fake)
    random = np.random.RandomState(seed)
    sides = (features_real, features_fake)
    orders = orders or (torch.arange(len(features_real)), torch.arange(len(features_fake)))
    values = []
    for _ in range(subsets):
        chosen = [torch.from_numpy(random.choice(len(rows), subset_size, replace=False)) for rows in sides]
        x, y = (rows[order[i]].to(dtype) for rows, order, i in zip(sides, orders, chosen, strict=True))
        values.append(polynomial_mmd(x, y))
    found = torch.stack(values)
    return float(found.mean()), float(found.std(correction=0))


def polynomial_mmd(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Unbiased squared MMD of two equally many rows: the U-statistic, which leaves the diagonals out."""
    n = len(x)
    within = _off_diagonal(_cubic(x, x)) + _off_diagonal(_cubic(y, y))
    return within / (n * (n - 1)) - 2 * _cubic(x, y).mean(dtype=torch.float64)


def kernel_dtype(*sides: Float[Tensor, "_ d"]) -> torch.dtype:
    """The precision of KID's kernel: that of the rows; but float64 where their mean product is so large beside the
    features' variance that float32 rounds away what tells the sides apart, or overflows.

    Raises:
        DataError: a value is not finite.
    """
    for rows in sides:
        mean, square, largest = torch.zeros(rows.shape[1], dtype=torch.float64), 0.0, 0.0
        for part in checked_finite(rows).split(ROWS):
            mean += as_float64(part).sum(0) / len(rows)
            squares = as_float64(part).square().mean(1)
            square, largest = square + float(squares.sum()) / len(rows), max(largest, float(squares.max()))
        if largest > HUGE or square + 1 > COARSE * (square - float(mean.square().mean())):
            return torch.float64
    return sides[0].dtype


def _off_diagonal(kernel: Tensor) -> Tensor:
    return kernel.sum(dtype=torch.float64) - kernel.diagonal().sum(dtype=torch.float64)


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base


def cubic_means(rows: Float[Tensor, "n d"], columns: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    """Of each row: the mean of KID's kernel with the columns, as float64, taken in the columns' precision."""
    found, one = [], columns.new_ones(())
    for part in rows.split(512):  # few enough for the cache
        base = torch.addmm(one, part.to(columns.dtype), columns.T, alpha=1 / rows.shape[1])
        found.append(base.square().mul_(base).mean(1).double())
    return torch.cat(found)


def enough(features: Tensor, wanted: int, what: str, side: str = "") -> None:
    """
    Args:
        features: one row a picture.
        wanted: rows.
        what: needs them: a metric, with the setting that decides how many.
        side: which side these are; empty where there is but one.

    Raises:
        DataError: there are fewer rows than wanted.
    """
    if len(features) < wanted:
        pictures = f"{side} pictures" if side else "pictures"
        raise DataError(f"{what} needs at least {wanted} {pictures}; came: {len(features)}")


def fingerprint(rows: Float[Tensor, "n d"]) -> tuple[int, float, float]:
    """Tells sets of rows apart, and orders of one set: what was found of the same rows need not be found again."""
    places = torch.arange(1, len(rows) + 1, dtype=torch.float64)
    return len(rows), float(rows.sum(dtype=torch.float64)), float((rows.sum(1).double() * places).sum())


def canonical_order(rows: Float[Tensor, "n d"]) -> Int[Tensor, " n"]:
    """An order of the rows' own (by their first values), whatever the order they came in."""
    keys = rows[:, :8].numpy().T[::-1]
    return torch.from_numpy(np.lexsort(keys).copy())


def canonical(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    """The rows in that order."""
    return rows[canonical_order(rows)]
