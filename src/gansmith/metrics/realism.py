"""Realism of single pictures (Kynkäänniemi et al. 2019, arXiv:1904.06991, section 5).

    R(g) = max over real pictures r of  radius(r) / |g - r|

The radius of a real picture reaches to its k-th nearest other one. The half of the real pictures with the largest radii
takes no part: they lie where real pictures are sparse, and would call everything near them real.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import DataError
from .balls import ball_counts, distance_blocks, exact_distances, radii, within_balls
from .functional import checked_finite
from .neighbours import ROWS, SPARE, nearest

TYPICAL = 2000  # real pictures that say how far apart real pictures are


class Balls(NamedTuple):
    """Real pictures that decide what is realistic, those with the smaller half of the radii.

    Args:
        centres: their features, (m d) float32.
        radius: of each, (m,) float64.
    """

    centres: Tensor
    radius: Tensor


def balls(real: Float[Tensor, "n d"], *, k: int = 3) -> Balls:
    """The balls of real pictures whose radius is at most the median one; memory does not grow with n x n.

    Raises:
        DataError: fewer than k + 1 pictures, or a value that is not finite.
    """
    if len(real) < k + 1:
        raise DataError(f"realism needs at least {k + 1} real pictures, as it looks at neighbours; came: {len(real)}")
    real = checked_finite(real.float())
    radius = radii(real, k)
    kept = radius <= radius.median()
    return Balls(real[kept], radius[kept])


def realism(points: Float[Tensor, "n d"], real: Balls) -> Float[Tensor, " n"]:
    """The score of each picture, float64 in [0, inf]: 1 and above lies in a ball; a copy of a centre is infinite.

    Ratios are found block by block in float32, and the largest ones of each picture decided in float64.

    Raises:
        DataError: a value is not finite.
    """
    points, reach = checked_finite(points.float()), real.radius.square().float()
    if not len(points):
        return torch.empty(0, dtype=torch.float64)
    found = []
    for rows, squared in distance_blocks(points, real.centres):
        ratio = reach / squared.clamp_(min=torch.finfo(squared.dtype).tiny)
        best = ratio.topk(min(1 + SPARE, len(reach))).indices
        for part, those in zip(points[rows].split(ROWS), best.split(ROWS), strict=True):
            apart = exact_distances(part[:, None], real.centres[those])[:, 0]
            found.append((real.radius[those] / apart).nan_to_num(nan=0.0, posinf=torch.inf).max(1).values)
    copies = nearest(points, real.centres)[0][:, 0] == 0  # even of a centre with radius 0
    return torch.cat(found).masked_fill(copies, torch.inf)


def typical_distance(real: Float[Tensor, "n d"], *, seed: int = 0) -> float:
    """Median distance of a real picture to its nearest other one: the unit in which other distances can be read.

    Of more than 2000 pictures, so many are drawn; their neighbours are looked for among all.

    Raises:
        DataError: fewer than two pictures, or a value that is not finite.
    """
    if len(real) < 2:
        raise DataError(f"the distance between real pictures needs at least 2 of them; came: {len(real)}")
    real = checked_finite(real.float())
    drawn = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))[:TYPICAL]
    return float(nearest(real[drawn], real, k=2)[0][:, 1].median())  # the first is the picture itself


def covered(
    points: Float[Tensor, "n d"], real: Float[Tensor, "m d"], *, k_precision: int = 3, k_coverage: int = 5
) -> tuple[float, float]:
    """Precision of the pictures (share within balls of real ones) and coverage (share of real balls that hold one).

    Raises:
        DataError: fewer than k + 1 real pictures or no other.
    """
    most = max(k_precision, k_coverage) + 1
    if len(real) < most or not len(points):
        raise DataError(
            f"precision and coverage need {most} real pictures and 1 other; came: {len(real)}, {len(points)}"
        )
    precision = within_balls(points, real, radii(real, k_precision)).double().mean()
    holds = ball_counts(points, real, radii(real, k_coverage)).holds
    return float(precision), float((holds > 0).double().mean())
