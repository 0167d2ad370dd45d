"""Realism against its definition in float64, in blocks and at the edges."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from gansmith.errors import DataError
from gansmith.metrics import balls as within
from gansmith.metrics.balls import precision_recall
from gansmith.metrics.base import Seen
from gansmith.metrics.images.density_coverage import DensityCoverage
from gansmith.metrics.realism import balls, covered, realism, typical_distance


def normal(n: int, d: int, seed: int, *, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * scale + shift


def by_definition(fake: Tensor, real: Tensor, k: int) -> np.ndarray:
    """The paper's formula, all pairs at once in float64, on the half of real pictures with the smaller radii."""
    f, r = fake.double().numpy(), real.double().numpy()
    among = np.sqrt(((r[:, None] - r[None]) ** 2).sum(2))
    radius = np.sort(among, 1)[:, k]  # the 0-th is the picture itself
    kept = radius <= np.sort(radius)[(len(r) - 1) // 2]
    apart = np.sqrt(((f[:, None] - r[None]) ** 2).sum(2))
    with np.errstate(divide="ignore"):
        return (radius / apart)[:, kept].max(1)


@pytest.mark.parametrize(
    ("n", "m", "d", "k", "shift"),
    [(40, 60, 4, 3, 0.0), (1, 5, 2, 3, 0.0), (200, 301, 32, 5, 0.0), (50, 80, 64, 1, 300.0)],
)
def test_the_definition(n: int, m: int, d: int, k: int, shift: float) -> None:
    fake, real = normal(n, d, 0, scale=1.2, shift=shift), normal(m, d, 1, shift=shift)
    found = realism(fake, balls(real, k=k))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), by_definition(fake, real, k), rtol=1e-9)


def test_blocks_change_nothing_and_stay_small(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = normal(150, 16, 0), normal(333, 16, 1)
    inside = balls(real)
    whole, sizes = realism(fake, inside), []
    addmm = torch.addmm

    def watched(*args: Tensor, **settings: float) -> Tensor:
        made = addmm(*args, **settings)
        sizes.append(made.numel())
        return made

    monkeypatch.setattr(within, "BLOCK", 2000)
    monkeypatch.setattr(torch, "addmm", watched)
    assert torch.equal(realism(fake, balls(real)), whole)
    assert len(sizes) > 50
    assert max(sizes) <= 2000


def test_scale_and_order_do_not_matter() -> None:
    fake, real = normal(64, 8, 0), normal(128, 8, 1)
    found = realism(fake, balls(real))
    assert torch.equal(realism(fake, balls(real.flip(0))), found)
    assert torch.equal(realism(fake * 8, balls(real * 8)), found)


def test_a_lone_real_picture_makes_nothing_realistic() -> None:
    """An outlier's ball has a radius of about 100; without the pruning, all around it would count as real."""
    lone, near_it = torch.full((1, 4), 50.0), torch.full((1, 4), 45.0)
    real = torch.cat([normal(99, 4, 1), lone])
    assert bool(within.within_balls(near_it, real, within.radii(real, 3)))
    assert float(realism(near_it, balls(real))) < 0.1


def test_realism_of_one_or_more_is_within_a_ball() -> None:
    fake, real = normal(300, 6, 0, scale=1.5), normal(300, 6, 1)
    inside = balls(real)
    held = within.within_balls(fake, inside.centres, inside.radius)
    assert torch.equal(realism(fake, inside) >= 1, held)
    assert 0 < int(held.sum()) < 300


def test_copies_are_infinitely_real() -> None:
    real = normal(50, 4, 1)
    inside = balls(real)
    assert bool(realism(inside.centres[:3], inside).isinf().all())
    thrice = torch.cat([real, real[:1], real[:1], real[:1]])  # its own radius is 0
    assert float(realism(real[:1], balls(thrice))) == float("inf")


def test_no_points_have_no_scores() -> None:
    assert realism(torch.empty(0, 4), balls(normal(9, 4, 0))).shape == (0,)


def test_the_typical_distance() -> None:
    real = normal(101, 5, 3)
    apart = torch.cdist(real.double(), real.double()).fill_diagonal_(torch.inf).min(1).values
    assert typical_distance(real) == pytest.approx(float(apart.median()), rel=1e-6)
    assert typical_distance(torch.ones(9, 4)) == 0.0


def test_precision_and_coverage_are_those_of_the_metrics() -> None:
    fake, real = normal(80, 6, 0), normal(90, 6, 1)
    density = DensityCoverage()
    density.update(Seen(real), "real")
    density.update(Seen(fake), "fake")
    assert covered(fake, real) == (precision_recall(real, fake)[0], density.compute()["coverage"])


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match=r"at least 4 real pictures.*came: 3"):
        balls(normal(3, 4, 0))
    with pytest.raises(DataError, match="finite"):
        balls(torch.full((9, 4), torch.nan))
    with pytest.raises(DataError, match="finite"):
        realism(torch.full((9, 4), torch.inf), balls(normal(9, 4, 0)))
    with pytest.raises(DataError, match="at least 2"):
        typical_distance(normal(1, 4, 0))
    with pytest.raises(DataError, match="6 real pictures and 1 other; came: 5, 2"):
        covered(normal(2, 4, 0), normal(5, 4, 0))
