"""Distances between two sets of features, as pure functions.

Fréchet distance: Heusel et al. 2017 (arXiv:1706.08500). KID: Bińkowski et al. 2018 (arXiv:1801.01401). Precision and
recall by nearest-neighbour balls: Kynkäänniemi et al. 2019 (arXiv:1904.06991).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import DataError
from .base import as_float64

BLOCK = 1 << 24  # entries of one block of a distance matrix: 64 MB in float32
CACHED = 32  # rows of it at a time where it is gone through twice: they stay in a processor's cache
ROWS = 4096  # rows at a time where float64 copies are made
TIE = 2e-5  # relative to the squared norms: beyond float32's error in a distance over thousands of features


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


def checked_finite(values: Tensor) -> Tensor:
    """The values as they came.

    Raises:
        DataError: some are NaN or infinite.
    """
    if not bool(values.isfinite().all()):
        raise DataError("features must be finite, but some are NaN or infinite; look at the pictures they are taken of")
    return values


def moments(features: Float[Tensor, "n d"]) -> tuple[Float[Tensor, " d"], Float[Tensor, "d d"]]:
    """Mean and unbiased covariance, in float64.

    Raises:
        DataError: fewer than two rows.
    """
    _enough(features, 2)
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
        DataError: a side has fewer than `subset_size` rows.
    """
    _enough(features_real, subset_size)
    _enough(features_fake, subset_size)
    random = np.random.RandomState(seed)
    sides = (features_real, features_fake)
    orders = orders or (torch.arange(len(features_real)), torch.arange(len(features_fake)))
    values = []
    for _ in range(subsets):
        chosen = [torch.from_numpy(random.choice(len(rows), subset_size, replace=False)) for rows in sides]
        x, y = (rows[order[i]] for rows, order, i in zip(sides, orders, chosen, strict=True))
        values.append(polynomial_mmd(x, y))
    found = torch.stack(values)
    return float(found.mean()), float(found.std(correction=0))


def polynomial_mmd(x: Float[Tensor, "n d"], y: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """Unbiased squared MMD of two equally many rows: the U-statistic, which leaves the diagonals out."""
    n = len(x)
    within = _off_diagonal(_cubic(x, x)) + _off_diagonal(_cubic(y, y))
    return within / (n * (n - 1)) - 2 * _cubic(x, y).mean(dtype=torch.float64)


def _off_diagonal(kernel: Tensor) -> Tensor:
    return kernel.sum(dtype=torch.float64) - kernel.diagonal().sum(dtype=torch.float64)


def _cubic(x: Tensor, y: Tensor) -> Tensor:
    base = x @ y.T / x.shape[1] + 1
    return base * base * base


def cubic_means(rows: Float[Tensor, "n d"], columns: Float[Tensor, "m d"]) -> Float[Tensor, " n"]:
    """Of each row: the mean of KID's kernel with the columns, as float64."""
    found, one = [], rows.new_ones(())
    for part in rows.split(512):  # few enough for the cache
        base = torch.addmm(one, part, columns.T, alpha=1 / rows.shape[1])
        found.append(base.square().mul_(base).mean(1).double())
    return torch.cat(found)


def precision_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, k: int = 3) -> tuple[float, float]:
    """Share of `fake` within a ball of `real`, and share of `real` within a ball of `fake`.

    The ball of a point reaches to its k-th nearest neighbour in its own set. Distances are found block by block in
    float32; whatever lies too close to a border is decided again in float64. Read the two together: a generator
    that copies one real picture has precision 1.

    Raises:
        DataError: a side has no k neighbours, or a value is not finite.
    """
    _enough(real, k + 1)
    _enough(fake, k + 1)
    real, fake = checked_finite(real.float()), checked_finite(fake.float())
    of_real, of_fake = within_each_others(real, fake, radii(real, k), radii(fake, k))
    return float(of_fake.double().mean()), float(of_real.double().mean())


def radii(points: Float[Tensor, "n d"], k: int) -> Float[Tensor, " n"]:
    """float64 distance of each point to its k-th nearest other one (k + 1 with itself)."""
    spare = min(k + 5, len(points))  # float32 may swap near neighbours: take more, then order them in float64
    squared, near = _nearest_among(points, spare)
    sure, found = _apart(squared, k, TIE * _scale(points, points)), points.new_empty(len(points), dtype=torch.float64)
    for rows in sure.nonzero()[:, 0].split(ROWS):
        found[rows] = _exact(points[rows, None], points[near[rows, k], None])[:, 0, 0]
    for rows in (~sure).nonzero()[:, 0].split(ROWS):
        found[rows] = _exact(points[rows, None], points[near[rows]])[:, 0].kthvalue(k + 1).values
    return found


def _apart(squared: Float[Tensor, "n count"], k: int, margin: Tensor) -> Tensor:
    """Whether the (k + 1)-th of rising squared distances cannot be any other one's, for float32 errs by less."""
    if squared.shape[1] < k + 2:
        return torch.zeros(len(squared), dtype=torch.bool)
    gaps = squared.diff(dim=1)
    return (gaps[:, k] > margin) & (gaps[:, k - 1] > margin if k else True)


def _nearest_among(points: Tensor, count: int) -> tuple[Float[Tensor, "n count"], Int[Tensor, "n count"]]:
    """Squared distances to the nearest of the points, itself among them, and which these are, nearest first, by
    float32. A tile of distances serves its rows and its columns, which halves the work."""
    points = points - points.mean(0)
    tile = math.isqrt(BLOCK)
    norms, starts = points.square().sum(1), range(0, len(points), tile)
    best = points.new_full((len(points), count), torch.inf)
    which = torch.zeros((len(points), count), dtype=torch.int64)
    for first in starts:
        for second in starts[first // tile :]:
            rows, columns = slice(first, first + tile), slice(second, second + tile)
            squared = torch.addmm(norms[columns], points[rows], points[columns].T, alpha=-2).add_(norms[rows, None])
            _merge(best, which, rows, second, squared)
            if second > first:
                _merge(best, which, columns, first, squared.T.contiguous())
    return best, which


def _merge(best: Tensor, which: Tensor, rows: slice, first: int, squared: Tensor) -> None:
    """Keeps the nearest of what was known of some rows and of further columns, whose first one has number `first`."""
    count = best.shape[1]
    values, places = squared.topk(min(count, squared.shape[1]), largest=False)
    values, order = torch.cat([best[rows], values], 1).topk(count, largest=False)
    best[rows], which[rows] = values, torch.cat([which[rows], places + first], 1).gather(1, order)


def within_each_others(
    a: Float[Tensor, "n d"], b: Float[Tensor, "m d"], radius_a: Float[Tensor, " n"], radius_b: Float[Tensor, " m"]
) -> tuple[Tensor, Tensor]:
    """Whether each point of `a` lies in a ball of `b`, bool (n,), and each of `b` in one of `a`, (m,): what
    `within_balls` tells of both, with each distance found once."""
    reach_a, reach_b, scale = radius_a.square().float(), radius_b.square().float(), _scale(a, b)
    margin_a, margin_b = a.new_empty(len(a)), b.new_full((len(b),), -torch.inf)
    room = b.new_empty(CACHED, len(b))  # for differences, over and over
    for rows, squared in _blocks(a, b):
        found, reach = margin_a[rows], reach_a[rows]
        for first in range(0, len(squared), CACHED):
            own = slice(first, first + CACHED)
            part = squared[own]
            torch.amax(torch.sub(reach_b, part, out=room[: len(part)]), 1, out=found[own])
            torch.maximum(margin_b, torch.sub(reach[own, None], part, out=room[: len(part)]).amax(0), out=margin_b)
    return _decided(a, b, radius_b, margin_a, scale), _decided(b, a, radius_a, margin_b, scale)


def _scale(a: Tensor, b: Tensor) -> Tensor:
    """The size of the numbers that float32's error in a squared distance is a share of."""
    centre = b.mean(0)
    scale: Tensor = (a - centre).square().sum(1).max() + (b - centre).square().sum(1).max()
    return scale


def _decided(points: Tensor, centres: Tensor, radius: Tensor, margin: Tensor, scale: Tensor) -> Tensor:
    """Which points lie within a ball, by their margins in float32; those too close to a border again in float64."""
    inside = margin > 0
    close = (margin.abs() <= TIE * scale).nonzero()[:, 0]
    for i in close.split(64):
        inside[i] = (_exact(points[i], centres) <= radius).any(1)
    return inside


def within_balls(points: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], radius: Float[Tensor, " m"]) -> Tensor:
    """Whether each point lies in at least one ball, border included: bool (n,)."""
    reach = radius.square().float()
    margins = [(reach - squared).amax(1) for _, squared in _blocks(points, centres)]
    return _decided(points, centres, radius, torch.cat(margins), _scale(points, centres))


class Balls(NamedTuple):
    """Points and balls. Borders are outside.

    Args:
        inside: in how many balls each point lies, (n,).
        holds: how many points each ball holds, (m,).
        ball: one ball that each point lies in, (n,); 0 where it lies in none.
        point: one point that each ball holds, (m,); -1 where it holds none.
    """

    inside: Tensor
    holds: Tensor
    ball: Tensor
    point: Tensor


def ball_counts(points: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], radius: Float[Tensor, " m"]) -> Balls:
    """Which points lie in which balls. Pairs too close to a border for float32 are decided again in float64."""
    reach = radius.square().float()
    scale = _scale(points, centres)
    inside, ball, holds = [], [], torch.zeros(len(centres), dtype=torch.int64)
    point = torch.full_like(holds, -1)
    for rows, squared in _blocks(points, centres):
        squared -= reach
        hit = squared < 0
        i, j = (squared.abs_() <= TIE * scale).nonzero(as_tuple=True)
        for pairs in torch.arange(len(i)).split(ROWS):
            apart = _exact(points[rows][i[pairs], None], centres[j[pairs], None])[:, 0, 0]
            hit[i[pairs], j[pairs]] = apart < radius[j[pairs]]
        inside.append(hit.sum(1))
        ball.append(hit.byte().argmax(1))
        holds += hit.sum(0)
        point = torch.where(hit.any(0), hit.byte().argmax(0) + rows.start, point)
    return Balls(torch.cat(inside), holds, torch.cat(ball), point)


def sole(counts: Tensor, owner: Tensor, owners: int) -> Float[Tensor, " owners"]:
    """Of how many things each owner is the only one: those with a count of 1, by their owner."""
    return torch.bincount(owner[counts == 1], minlength=owners).double()


def _blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances in float32, some rows of `a` at a time; centred, which keeps float32's error small."""
    centre = b.mean(0)
    b = b - centre
    norms = b.square().sum(1)
    step = max(1, BLOCK // len(b))
    for start in range(0, len(a), step):
        part = a[start : start + step] - centre
        squared = torch.addmm(norms, part, b.T, alpha=-2).add_(part.square().sum(1, keepdim=True))
        yield slice(start, start + step), squared


def _exact(a: Tensor, b: Tensor) -> Tensor:
    """float64 distances from differences: 0 for equal rows, the same for a pair wherever it is asked."""
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")


def _enough(features: Tensor, wanted: int) -> None:
    if len(features) < wanted:
        raise DataError(f"this needs at least {wanted} pictures on each side; came: {len(features)}")


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
