"""Density and coverage: prdc's golden values, what equal distributions give, and generators that fail."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.balls import ball_counts, radii
from gansmith.metrics.base import Seen
from gansmith.metrics.images.density_coverage import DensityCoverage
from gansmith.metrics.images.precision_recall import PrecisionRecall

from .helpers import fed, normal, spreads


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equal_distributions_have_density_one_and_coverage_by_k_alone(k):
    found = [fed(DensityCoverage(k=k), normal(1000, 4, 2 * i), normal(1000, 4, 2 * i + 1)).compute() for i in range(4)]
    coverage = sum(f["coverage"] for f in found) / 4
    assert coverage == pytest.approx(1 - 0.5**k, abs=0.02)
    assert sum(f["density"] for f in found) / 4 == pytest.approx(1.0, abs=0.05)


def test_small_sets_by_brute_force():
    real, fake = normal(40, 3, 0), normal(30, 3, 1)
    apart = torch.cdist(fake.double(), real.double())
    radius = torch.cdist(real.double(), real.double()).kthvalue(4).values
    inside = apart < radius
    found = fed(DensityCoverage(k=3), real, fake).compute()
    assert found["density"] == pytest.approx(float(inside.sum()) / 3 / 30, rel=1e-12)
    assert found["coverage"] == pytest.approx(float(inside.any(0).double().mean()), rel=1e-12)
    balls = ball_counts(fake, real, radii(real, 3))
    assert torch.equal(balls.inside, inside.sum(1))
    assert torch.equal(balls.holds, inside.sum(0))
    for i in range(30):
        assert balls.inside[i] == 0 or inside[i, balls.ball[i]]
    for j in range(40):
        assert balls.point[j] == -1 if balls.holds[j] == 0 else inside[balls.point[j], j]


def test_blocks_change_nothing_in_the_counts(monkeypatch):
    real, fake = normal(300, 8, 0), normal(250, 8, 1)
    whole = ball_counts(fake, real, radii(real, 5))
    monkeypatch.setattr("gansmith.metrics.balls.BLOCK", 300 * 17)
    parts = ball_counts(fake, real, radii(real, 5))
    assert torch.equal(parts.inside, whole.inside)
    assert torch.equal(parts.holds, whole.holds)
    hit = whole.holds > 0
    apart = (fake[parts.point[hit]].double() - real[hit].double()).norm(dim=1)
    assert (apart < radii(real, 5)[hit]).all()


def test_a_point_mass_is_precise_and_covers_nothing():
    real = normal(2000, 16, 0)
    fake = real[:1].repeat(500, 1)
    found = fed(DensityCoverage(), real, fake).compute()
    assert fed(PrecisionRecall(), real, fake).compute()["precision"] == 1.0
    assert found["density"] > 0.3
    assert found["coverage"] < 0.02


def test_a_copy_of_the_data_has_density_and_coverage_one():
    real = normal(500, 8, 0)
    assert fed(DensityCoverage(), real, real.clone()).compute() == {"density": 1.0, "coverage": 1.0}


@pytest.mark.slow
def test_the_example_of_prdc():
    """10,000 rows of 1,000 standard normals a side, k = 5; its README states one draw's numbers, without the seed."""
    real, fake = normal(10_000, 1000, 0), normal(10_000, 1000, 1)
    found = fed(DensityCoverage(k=5), real, fake).compute() | fed(PrecisionRecall(k=5), real, fake).compute()
    stated = {"precision": 0.4772, "recall": 0.4705, "density": 1.0555, "coverage": 0.9735}
    for name, value in stated.items():
        assert found[name] == pytest.approx(value, abs=0.06 if name == "density" else 0.02), name


@pytest.mark.parametrize("figure", ["density", "coverage"])
def test_influences_foretell_the_spread_or_more(figure):
    def draw(i):
        return {"real": Seen(normal(250, 8, 2 * i)), "fake": Seen(normal(250, 8, 2 * i + 1) * 0.9 + 0.1)}

    real, foretold = spreads(DensityCoverage, draw, figure, 50)
    assert 0.5 < real / foretold < 1.2


def test_few_real_pictures_are_refused_and_few_fakes_remarked():
    with pytest.raises(DataError, match="at least 6 real pictures and 1 generated one; came: 5 and 10"):
        fed(DensityCoverage(), normal(5, 4, 0), normal(10, 4, 1)).compute()
    metric = fed(DensityCoverage(), normal(100, 4, 0), normal(10, 4, 1))
    assert "of 10 generated against 100" in metric.remarks()["coverage"]


def test_other_pictures_of_the_same_number_are_counted_anew():
    metric = fed(DensityCoverage(), normal(100, 4, 0), normal(80, 4, 1))
    before = metric.compute()
    metric.load_state_dict({"real": normal(100, 4, 2), "fake": normal(80, 4, 3) * 0.5})
    assert metric.compute() != before
    assert metric.compute() == fed(DensityCoverage(), normal(100, 4, 2), normal(80, 4, 3) * 0.5).compute()
