"""FID's stream and its influences. Its numbers against torch-fidelity's stand in test_functional and test_parity."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.functional import FrechetReference, frechet_distance, frechet_influences, moments
from gansmith.metrics.images.fid import FID

from .helpers import fed, normal, spreads

DISTORTED = {"equal": lambda x: x, "shifted": lambda x: x + 0.4, "shrunk": lambda x: x * 0.7}


@pytest.mark.parametrize("how", DISTORTED)
def test_influences_foretell_the_spread(how):
    def draw(i):
        return {"real": Seen(normal(300, 16, 2 * i)), "fake": Seen(DISTORTED[how](normal(300, 16, 2 * i + 1)))}

    real, foretold = spreads(FID, draw, "fid", 60)
    assert (0.75 if how != "equal" else 0.4) < real / foretold < 1.3  # of equal sides the foretold one is too wide


def test_influences_are_the_derivative_by_a_row_s_weight():
    real, fake = normal(400, 8, 0).double(), normal(400, 8, 1).double() * 0.8 + 0.3
    moved = frechet_influences(moments(real), moments(fake), real, fake)
    small = 1e-5
    for side, (rows, other) in enumerate(((real, fake), (fake, real))):
        weights = torch.full((400,), 1 / 400, dtype=torch.float64) * (1 - small)
        weights[7] += small
        mu = weights @ rows
        sigma = (rows - mu).T @ ((rows - mu) * weights[:, None]) * (400 / 399)
        changed = frechet_distance(mu, sigma, *moments(other)) - frechet_distance(*moments(rows), *moments(other))
        assert float(moved[side][7]) == pytest.approx(changed / small, rel=0.02)


def test_slopes_of_covariances_without_full_rank_are_finite():
    a, b = normal(20, 40, 0), normal(20, 40, 1)
    for slope in FrechetReference(*moments(a)).slopes(*moments(b)):
        assert slope.isfinite().all()


def test_few_pictures_are_remarked():
    metric = fed(FID(), normal(100, 64, 0), normal(64, 64, 1))
    assert "of 64 pictures is biased upwards: 64 features" in metric.remarks()["fid"]
    metric.update(Seen(normal(1, 64, 2)), "fake")
    assert metric.remarks() == {}


def test_other_sides_are_left_aside_and_one_picture_is_refused():
    metric = fed(FID(), normal(100, 8, 0), normal(1, 8, 1))
    metric.update(Seen(normal(50, 8, 2)), "held")
    with pytest.raises(DataError, match="at least 2 generated pictures; came: 1"):
        metric.compute()
