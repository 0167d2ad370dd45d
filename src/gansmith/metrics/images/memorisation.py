"""Memorisation: do generated pictures lie closer to the training pictures than unseen real ones do?

Nearest-neighbour ratio: mean distance of fakes to their nearest training picture, over that of held-out ones.
C_T: Meehan, Chaudhuri & Dasgupta 2020 (arXiv:2004.05675). Authenticity: Alaa et al. 2022 (arXiv:2102.08921).
Stein et al. 2023 (arXiv:2306.04675) find that none of them tells memorising from underfitting reliably: read them
together, and beside precision and coverage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ...errors import DataError, several
from ..base import Reduction, Rows, Seen, Side
from ..functional import canonical
from ..neighbours import nearest
from ..settings import counts
from ..words import called

SIDES: tuple[Side, ...] = ("real", "fake", "held")
LEAST = 4  # pictures of each side
FEW_IN_CELL = 20  # held-out pictures that a cell needs: below, the rank statistic is far from normal


class Memorisation(Rows):
    """Three looks at copying. Its real side must be the training pictures, its held side ones that training never saw.

    Figures: `nn_ratio` (1 is healthy, towards 0 copies), `c_t` in standard deviations (0 is healthy, below -3 copies,
    far above 0 underfits), `authenticity` in [0, 1] (the share of fakes that are not closer to a training picture
    than that picture's own nearest neighbour; below what held-out pictures reach it means copies).

    Args:
        cells: of C_T's partition of the training pictures (k-means).
        seed: of the partition.

    Raises:
        ConfigError: cells below 1.
    """

    name: ClassVar[str] = "memorisation"
    needs: ClassVar[frozenset[str]] = frozenset({"features", "held"})
    sides: ClassVar[frozenset[Side]] = frozenset({"real", "fake", "held"})
    states: ClassVar[dict[str, Reduction]] = {"real": "cat", "fake": "cat", "held": "cat"}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"nn_ratio": (0.0, math.inf), "authenticity": (0.0, 1.0)}
    unranked: ClassVar[frozenset[str]] = frozenset({"nn_ratio", "c_t", "authenticity"})  # both ends are unhealthy
    of_training: ClassVar[bool] = True

    def __init__(self, *, cells: int = 10, seed: int = 2020) -> None:
        super().__init__()
        counts(self.name, cells=cells)
        self.cells, self.seed = cells, seed

    def compute(self) -> dict[str, float]:
        found = self._looked({side: self.rows(side) for side in SIDES})
        return {
            "nn_ratio": nn_ratio(found.fake, found.held),
            "c_t": c_t(found.fake, found.held, found.cell_fake, found.cell_held),
            "authenticity": float(found.authentic.double().mean()),
        }

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """By how much each fake and each held-out picture moves the figures; the training pictures are given."""
        found = self._looked({side: sample[side].features.float().cpu() for side in SIDES})
        ratio, base = nn_ratio(found.fake, found.held), found.held.mean()
        own, by_fake, by_held = found.authentic.double(), *_c_t_influences(found)
        return {
            "nn_ratio": {"fake": (found.fake - found.fake.mean()) / base, "held": -ratio * (found.held - base) / base},
            "c_t": {"fake": by_fake, "held": by_held},
            "authenticity": {"fake": own - own.mean()},
        }

    def detail(self) -> str:
        return f"n_held={len(self.rows('held'))}, {several(self._used(self.rows('held')), 'cell')}"

    def _used(self, held: Tensor) -> int:
        """Cells of the partition: fewer than asked for where held-out pictures would be too few in each."""
        return max(1, min(self.cells, len(held) // (2 * FEW_IN_CELL)))

    def _looked(self, rows: Mapping[Side, Tensor]) -> Looked:
        for side in SIDES:
            _checked(rows[side], side)
        centres = k_means(rows["real"], self._used(rows["held"]), seed=self.seed)
        return look(rows["real"], rows["fake"], rows["held"], centres)


class Looked(NamedTuple):
    """Where fakes and held-out pictures lie among the training pictures.

    Args:
        fake: distance of each fake to its nearest training picture, (n,) float64.
        held: the same of held-out pictures, (m,).
        cell_fake: the cell that each fake lies in, (n,).
        cell_held: the same of held-out pictures, (m,).
        authentic: which fakes are authentic, bool (n,).
    """

    fake: Tensor
    held: Tensor
    cell_fake: Tensor
    cell_held: Tensor
    authentic: Tensor


def look(
    real: Float[Tensor, "t d"], fake: Float[Tensor, "n d"], held: Float[Tensor, "m d"], centres: Float[Tensor, "k d"]
) -> Looked:
    """Distances to the nearest training picture, cells, and authenticity."""
    away, which = (found[:, 0] for found in nearest(fake, real))
    cell_fake, cell_held = (nearest(rows, centres)[1][:, 0] for rows in (fake, held))
    return Looked(away, nearest(held, real)[0][:, 0], cell_fake, cell_held, authentic(away, which, real))


def nn_ratio(fake: Float[Tensor, " n"], held: Float[Tensor, " m"]) -> float:
    """Mean distance to the nearest training picture: of fakes over held-out ones.

    A mean and not a median: a tenth of exact copies takes a tenth off it.

    Raises:
        DataError: every held-out picture is itself a training picture.
    """
    if not bool(held.any()):
        raise DataError(
            "every held-out picture equals a training picture, so there is nothing to measure copying against; "
            "give pictures that training never saw"
        )
    return float(fake.mean() / held.mean())


def authentic(away: Float[Tensor, " n"], which: Int64[Tensor, " n"], real: Float[Tensor, "t d"]) -> Bool[Tensor, " n"]:
    """Whether a fake lies farther from its nearest training picture than that one from its own nearest other one.

    Args:
        away: distance of each fake to its nearest training picture.
        which: that picture's place.
        real: features of the training pictures, at least two.
    """
    apart = nearest(real, real, apart=True)[0][:, 0]
    return away > apart[which]


def z_u(fake: Float[Tensor, " n"], held: Float[Tensor, " m"]) -> float:
    """Mann and Whitney's statistic of two sets of distances, standardised: negative where fakes are the closer ones.

    U counts the pairs whose fake is the farther one (ties by half); mean n m / 2, variance n m (n + m + 1) / 12.
    """
    n, m = len(fake), len(held)
    u = float(_won(fake, held).sum())
    return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def c_t(
    fake: Float[Tensor, " n"], held: Float[Tensor, " m"], cell_fake: Int64[Tensor, " n"], cell_held: Int64[Tensor, " m"]
) -> float:
    """Z_U in each cell of the training set, averaged by the cells' shares of held-out pictures.

    Distances are those to the nearest training picture. Cells with fewer than 20 fakes or held-out pictures take no
    part, for the statistic is not normal there; where there is a single cell, 4 are enough.

    Raises:
        DataError: no cell is left.
    """
    kept = _kept_cells(cell_fake, cell_held)
    whole = sum(share for _, share in kept)
    return sum(z_u(fake[cell_fake == cell], held[cell_held == cell]) * share for cell, share in kept) / whole


def _c_t_influences(found: Looked) -> tuple[Tensor, Tensor]:
    """By how much each fake and each held-out picture moves C_T through its cell's rank sum, to first order."""
    fake, held = (torch.zeros(len(side), dtype=torch.float64) for side in (found.fake, found.held))
    kept = _kept_cells(found.cell_fake, found.cell_held)
    whole = sum(share for _, share in kept)
    for cell, share in kept:
        ours, theirs = found.cell_fake == cell, found.cell_held == cell
        n, m = int(ours.sum()), int(theirs.sum())
        won = _won(found.fake[ours], found.held[theirs])
        lost = n - _won(found.held[theirs], found.fake[ours])
        weight = share / whole / math.sqrt(n * m * (n + m + 1) / 12)
        fake[ours] = (won - won.mean()) * weight * len(fake)
        held[theirs] = (lost - lost.mean()) * weight * len(held)
    return fake, held


def _kept_cells(cell_fake: Tensor, cell_held: Tensor) -> list[tuple[int, float]]:
    """The cells that take part, each with its share of held-out pictures."""
    cells = int(torch.cat([cell_fake, cell_held]).max()) + 1
    fakes, held = cell_fake.bincount(minlength=cells), cell_held.bincount(minlength=cells)
    least = LEAST if cells == 1 else FEW_IN_CELL
    kept = [(c, float(held[c]) / len(cell_held)) for c in range(cells) if min(held[c], fakes[c]) >= least]
    if not kept:
        raise DataError(
            f"C_T needs {least} generated and as many held-out pictures in a cell, and no cell has both; "
            f"give more pictures than: {len(cell_fake)} generated, {len(cell_held)} held out"
        )
    return kept


def _won(fake: Tensor, held: Tensor) -> Tensor:
    """For each fake: how many held-out distances are smaller, ties by half."""
    ordered = held.sort().values
    below = torch.searchsorted(ordered, fake, right=False)
    return (below + torch.searchsorted(ordered, fake, right=True)).double() / 2


def k_means(rows: Float[Tensor, "n d"], cells: int, *, seed: int, rounds: int = 20) -> Float[Tensor, "k d"]:
    """Centres by Lloyd's rounds from k-means++ seeds (Arthur & Vassilvitskii 2007); at most `cells`, none empty.

    Which centres come out depends on the rows as a set and on the seed, not on the rows' order.
    """
    rows = canonical(rows)
    centres = _spread_out(rows, cells, torch.Generator().manual_seed(seed))
    for _ in range(rounds):
        owner = nearest(rows, centres)[1][:, 0]
        counts = owner.bincount(minlength=len(centres))
        sums = torch.zeros(centres.shape, dtype=torch.float64).index_add_(0, owner, rows.double())
        moved = (sums[counts > 0] / counts[counts > 0, None]).float()
        if moved.shape == centres.shape and torch.equal(moved, centres):
            break
        centres = moved
    return centres


def _spread_out(rows: Tensor, cells: int, random: torch.Generator) -> Tensor:
    """k-means++: each next centre is drawn by its squared distance to those before it."""
    picked = [int(torch.randint(len(rows), (1,), generator=random))]
    far = nearest(rows, rows[picked])[0][:, 0].square()
    while len(picked) < cells and float(far.sum()) > 0:
        picked.append(int(torch.multinomial(far / far.sum(), 1, generator=random)))
        far = torch.minimum(far, nearest(rows, rows[picked[-1:]])[0][:, 0].square())
    return rows[picked].clone()


def _checked(rows: Tensor, side: str) -> Tensor:
    if len(rows) < LEAST:
        raise DataError(f"memorisation needs at least {LEAST} pictures of each side; {called(side)} ones: {len(rows)}")
    if not bool(rows.isfinite().all()):
        raise DataError(f"features must be finite, but some of the {called(side)} side are NaN or infinite")
    return rows


METRIC = Memorisation
