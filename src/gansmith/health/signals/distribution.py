"""How generated examples lie among real ones: variety, quality, copying, clusters that are missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from ...metrics.functional import FrechetReference, moments
from ...metrics.images.memorisation import k_means

K = 5  # neighbours, for balls
CLUSTERS = 16
TRAINING, HELD, CLUSTERED = 20_000, 512, 2_000  # rows at most: for copying, for the rest, for finding clusters
MISSING = 0.2  # a cluster is missing where its share among fakes is below this share of its share among reals
EXPECTED = 8.0  # examples that a cluster must be expected to get before it can be called missing
SMALL = 32  # pixels a side in which pictures are told apart
TOUCHING = 1e-5  # of the spread: nearer points are the same, but for the rounding of their projection
EXACT = "donot_use_mm_for_euclid_dist"  # so that equal points are no distance apart
SIGNIFICANT = 1.96  # z of alpha = .05, as Richardson & Weiss 2018 have it for NDB

Points = Float[Tensor, "n d"]
Signals = dict[str, float]
Counts = dict[str, tuple[int, ...]]


@dataclass
class Reference:
    """Real examples, as points, and what about them need be found only once.

    Args:
        training: points that training sees.
        held: points that it does not see; where there are none, some of those that it does.
        apart: whether `held` is unseen.
    """

    training: Float[Tensor, "t d"]
    held: Float[Tensor, "h d"]
    apart: bool
    usual: Float[Tensor, " h"] = field(init=False)
    centres: Float[Tensor, "k d"] = field(init=False)
    shares: Float[Tensor, " k"] = field(init=False)

    def __post_init__(self) -> None:
        self.training, self.held = self.training[:TRAINING], self.held[:HELD]
        self.spread = float(torch.pdist(self.held).mean()) if len(self.held) > 1 else 0.0
        distances = torch.cdist(self.held, self.held, compute_mode=EXACT)
        self.radii = distances.topk(min(K + 1, len(self.held)), largest=False).values[:, -1]
        self.usual = _nearest(self.held, self.training, own=not self.apart)
        self.singled = _singled(self.held, self.training, own=not self.apart)
        some = self.training[:CLUSTERED]
        self.centres = k_means(some, min(CLUSTERS, max(1, len(some) // 8)), seed=0)
        self.shares = self.cluster_counts(self.training[:CLUSTERED]).double() / len(some)
        self.frechet = FrechetReference(*moments(self.held)) if len(self.held) > 2 else None
        half = len(self.held) // 2
        self.rank = effective_rank(self.held)
        self.floor = _floor(self.held[:half], self.held[half:])

    def cluster_counts(self, points: Points) -> Int64[Tensor, " k"]:
        """How many points lie in each cluster."""
        owner = torch.cdist(points, self.centres).argmin(1)
        return owner.bincount(minlength=len(self.centres))


def compare(fake: Points, real: Reference) -> tuple[Signals, Counts]:
    """All signals of generated points against the real ones."""
    if not bool(fake.isfinite().all()):
        return {"nonfinite/output": float((~fake.isfinite()).any(1).sum())}, {}
    fake = fake[:HELD]
    found = {
        "diversity": float(torch.pdist(fake).mean()) / max(real.spread, 1e-12),
        "rank": effective_rank(fake) / max(real.rank, 1e-12),
        **_balls(fake, real),
        **_copying(fake, real),
    }
    if real.frechet is not None:
        found |= {"distance": max(0.0, real.frechet.distance_to(fake)), "distance_floor": real.floor}
    signals, counts = _clusters(fake, real)
    return found | signals, counts


def alike(a: Tensor, b: Tensor) -> float:
    """Share of examples whose nearest neighbour, among equally many of both sets, is of their own set: about .5 where
    both are of one kind, 1 where they lie apart (Schilling 1986, doi:10.1080/01621459.1986.10478337).

    Args:
        a, b: examples (n ...) and (m ...); of pictures the means over channels are compared, whose order is looked at
            elsewhere, at 32 pixels a side at most.
    """
    count = min(len(a), len(b), HELD)
    if count < 2:
        return 0.5
    points = torch.cat([_small(x[:count].float()).flatten(1) for x in (a, b)])
    distances = torch.cdist(points, points).fill_diagonal_(torch.inf)
    own = torch.arange(len(points)) < count
    return float((own[distances.argmin(1)] == own).double().mean())


def _small(x: Tensor) -> Tensor:
    if x.dim() != 4:
        return x
    grey = x.mean(1, keepdim=True)
    return F.interpolate(grey, (SMALL, SMALL), mode="area") if min(x.shape[2:]) > SMALL else grey


def effective_rank(points: Points) -> float:
    """Exponential of the entropy of the singular values' shares (Roy & Vetterli 2007)."""
    values = torch.linalg.svdvals(points - points.mean(0))
    shares = values / values.sum().clamp_min(1e-12)
    return float(torch.exp(-(shares * shares.clamp_min(1e-12).log()).sum()))


def _balls(fake: Points, real: Reference) -> Signals:
    """Precision and recall (Kynkäänniemi 2019), density and coverage (Naeem 2020), k = 5."""
    between = torch.cdist(real.held, fake, compute_mode=EXACT)
    own = torch.cdist(fake, fake, compute_mode=EXACT).topk(min(K + 1, len(fake)), largest=False).values[:, -1]
    touching = TOUCHING * real.spread
    inside = between < real.radii[:, None].clamp_min(touching)  # of rows with many equals the balls are points
    return {
        "coverage": float(inside.any(1).double().mean()),
        "density": float(inside.sum(0).double().mean()) / K,
        "precision": float(inside.any(0).double().mean()),
        "recall": float((between <= own.clamp_min(touching)).any(1).double().mean()),
    }


def _copying(fake: Points, real: Reference) -> Signals:
    """Distances to the nearest training example against those that are usual (Meehan 2020); nothing where most unseen
    examples have their equal in the training data, for there copies are no copies."""
    usual = float(real.usual.median())
    if usual <= TOUCHING * real.spread:
        return {}
    near = _nearest(fake, real.training)
    singled = _singled(fake, real.training) / max(real.singled, 1e-12)
    return {"nearest": float(near.median()) / usual, "copying": z_u(near, real.usual), "singled": singled}


def z_u(a: Float[Tensor, " n"], b: Float[Tensor, " m"]) -> float:
    """z of Mann and Whitney's U: far below 0 where `a` tends to be smaller than `b`."""
    n, m = len(a), len(b)
    order = b.sort().values
    below = torch.searchsorted(order, a, right=False).double()
    won = (below + (torch.searchsorted(order, a, right=True).double() - below) / 2).sum()
    return float((won - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12))


def _clusters(fake: Points, real: Reference) -> tuple[Signals, Counts]:
    """Clusters that fakes miss, and the share of those they fill otherwise than reals do (NDB)."""
    counts = real.cluster_counts(fake)
    training = real.training[:CLUSTERED]
    of_real = (real.shares * len(training)).round().long()
    p, q = counts.double() / len(fake), real.shares
    pooled = (counts + of_real).double() / (len(fake) + len(training))
    error = (pooled * (1 - pooled) * (1 / len(fake) + 1 / len(training))).sqrt().clamp_min(1e-12)
    missing = (p < MISSING * q) & (q * len(fake) >= EXPECTED)
    ndb = float(((p - q).abs() / error > SIGNIFICANT).double().mean())
    signals = {"missing": float(missing.sum()), "clusters": float(len(counts)), "ndb": ndb}
    return signals, {"clusters/real": tuple(of_real.tolist()), "clusters/fake": tuple(counts.tolist())}


def _nearest(points: Points, others: Float[Tensor, "m d"], *, own: bool = False) -> Float[Tensor, " n"]:
    """Distance of each point to the nearest of the others; to the second nearest where it is one of them itself."""
    kth = 2 if own and len(others) > 1 else 1
    places = [torch.cdist(part, others).topk(kth, largest=False).indices[:, -1] for part in points.split(256)]
    far: Tensor = torch.linalg.vector_norm(points - others[torch.cat(places)], dim=1)
    return far


def _singled(points: Points, others: Float[Tensor, "m d"], *, own: bool = False) -> float:
    """Median share that the distance to the nearest of the others is of that to the next one: near 0 for copies of
    single ones; about 1 for what lies among all of them, as a blurred mean does."""
    if len(others) < 2 + own:
        return 1.0
    shares = []
    for part in points.split(256):
        near = torch.cdist(part, others, compute_mode=EXACT).topk(2 + own, largest=False).values[:, -2:]
        shares.append(near[:, 0] / near[:, 1].clamp_min(1e-12))
    return float(torch.cat(shares).median())


def _floor(a: Points, b: Float[Tensor, "m d"]) -> float:
    """The distance of two halves of real examples: what no generator can be expected to fall below."""
    return max(0.0, FrechetReference(*moments(a)).distance_to(b)) if min(len(a), len(b)) > 2 else 0.0
