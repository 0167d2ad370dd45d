"""Balls that reach to a point's nearest neighbours among features: who lies in whose, as pure functions.

Precision and recall by such balls: Kynkäänniemi et al. 2019 (arXiv:1904.06991). Distances are found in float32, block
by block, so that 50,000 x 50,000 take bounded memory; what lies too close to a border is decided again in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import DataError
from .functional import ROWS, checked_finite, enough

BLOCK = 1 << 24  # entries of one block of a distance matrix: 64 MB in float32
CACHED = 32  # rows of it at a time where it is gone through twice: they stay in a processor's cache
TIE = 2e-5  # relative to the squared norms: beyond float32's error in a distance over thousands of features


def precision_recall(real: Float[Tensor, "n d"], fake: Float[Tensor, "m d"], *, k: int = 3) -> tuple[float, float]:
    """Share of `fake` within a ball of `real`, and share of `real` within a ball of `fake`.

    The ball of a point reaches to its k-th nearest neighbour in its own set. Distances are found block by block in
    float32; whatever lies too close to a border is decided again in float64. Read the two together: a generator
    that copies one real picture has precision 1.

    Raises:
        DataError: a side has no k neighbours, or a value is not finite.
    """
    enough(real, k + 1, f"precision_recall with k={k}", "real")
    enough(fake, k + 1, f"precision_recall with k={k}", "generated")
    real, fake = checked_finite(real.float()), checked_finite(fake.float())
    of_real, of_fake = within_each_others(real, fake, radii(real, k), radii(fake, k))
    return float(of_fake.double().mean()), float(of_real.double().mean())


def radii(points: Float[Tensor, "n d"], k: int) -> Float[Tensor, " n"]:
    """float64 distance of each point to its k-th nearest other one (k + 1 with itself)."""
    spare = min(k + 5, len(points))  # float32 may swap near neighbours: take more, then order them in float64
    squared, near = _nearest_among(points, spare)
    sure, found = _apart(squared, k, TIE * _scale(points, points)), points.new_empty(len(points), dtype=torch.float64)
    for rows in sure.nonzero()[:, 0].split(ROWS):
        found[rows] = exact_distances(points[rows, None], points[near[rows, k], None])[:, 0, 0]
    for rows in (~sure).nonzero()[:, 0].split(ROWS):
        found[rows] = exact_distances(points[rows, None], points[near[rows]])[:, 0].kthvalue(k + 1).values
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
    for rows, squared in distance_blocks(a, b):
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
    return _held((a - centre).square().sum(1).max() + (b - centre).square().sum(1).max())


def _held(squares: Tensor) -> Tensor:
    """The squared lengths as they came.

    Raises:
        DataError: float32 cannot hold distances between features so long.
    """
    if not bool((4 * squares).isfinite().all()):  # a squared distance is at most so many times the larger of two
        raise DataError("features are too large for distances in float32, beyond 1e18: have the extractor scale them")
    return squares


def _decided(points: Tensor, centres: Tensor, radius: Tensor, margin: Tensor, scale: Tensor) -> Tensor:
    """Which points lie within a ball, by their margins in float32; those too close to a border again in float64."""
    inside = margin > 0
    close = (margin.abs() <= TIE * scale).nonzero()[:, 0]
    for i in close.split(64):
        inside[i] = (exact_distances(points[i], centres) <= radius).any(1)
    return inside


def within_balls(points: Float[Tensor, "n d"], centres: Float[Tensor, "m d"], radius: Float[Tensor, " m"]) -> Tensor:
    """Whether each point lies in at least one ball, border included: bool (n,)."""
    reach = radius.square().float()
    margins = [(reach - squared).amax(1) for _, squared in distance_blocks(points, centres)]
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
    for rows, squared in distance_blocks(points, centres):
        squared -= reach
        hit = squared < 0
        i, j = (squared.abs_() <= TIE * scale).nonzero(as_tuple=True)
        for pairs in torch.arange(len(i)).split(ROWS):
            apart = exact_distances(points[rows][i[pairs], None], centres[j[pairs], None])[:, 0, 0]
            hit[i[pairs], j[pairs]] = apart < radius[j[pairs]]
        inside.append(hit.sum(1))
        ball.append(hit.byte().argmax(1))
        holds += hit.sum(0)
        point = torch.where(hit.any(0), hit.byte().argmax(0) + rows.start, point)
    return Balls(torch.cat(inside), holds, torch.cat(ball), point)


def sole(counts: Tensor, owner: Tensor, owners: int) -> Float[Tensor, " owners"]:
    """Of how many things each owner is the only one: those with a count of 1, by their owner."""
    return torch.bincount(owner[counts == 1], minlength=owners).double()


def distance_blocks(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Squared distances in float32, some rows of `a` at a time; centred, which keeps float32's error small."""
    centre = b.mean(0)
    b = b - centre
    norms = _held(b.square().sum(1))
    step = max(1, BLOCK // len(b))
    for start in range(0, len(a), step):
        part = a[start : start + step] - centre
        squared = torch.addmm(norms, part, b.T, alpha=-2).add_(_held(part.square().sum(1, keepdim=True)))
        yield slice(start, start + step), squared


def exact_distances(a: Tensor, b: Tensor) -> Tensor:
    """float64 distances from differences: 0 for equal rows, the same for a pair wherever it is asked."""
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")
