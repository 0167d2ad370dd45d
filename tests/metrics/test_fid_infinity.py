"""FID with the bias of first order taken out: against true distances of Gaussians."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.functional import FrechetReference, frechet_distance, moments
from gansmith.metrics.images.fid_infinity import FIDInfinity

from .helpers import fed, normal, spreads

D = 32
TRUE = {"equal": (lambda x: x, 0.0), "shifted": (lambda x: x + 2 / D**0.5, 4.0), "shrunk": (lambda x: x * 0.6, 5.12)}


@pytest.mark.parametrize("how", TRUE)
def test_it_is_the_true_distance_where_fid_is_biased(how):
    change, true = TRUE[how]

    def draw(i):
        return {"real": Seen(normal(400, D, 2 * i)), "fake": Seen(change(normal(400, D, 2 * i + 1)))}

    found, plain = [], []
    for i in range(12):
        sample = draw(i)
        metric = fed(FIDInfinity(), sample["real"], sample["fake"])
        found.append(metric.compute()["fid_infinity"])
        plain.append(frechet_distance(*moments(sample["real"].features), *moments(sample["fake"].features)))
    error = torch.tensor(found).std() / 12**0.5
    assert abs(sum(found) / 12 - true) < 3 * error + 0.02
    assert sum(plain) / 12 - true > 0.8


def test_influences_foretell_the_spread_of_the_extrapolated_figure():
    def draw(i):
        return {"real": Seen(normal(400, 16, 2 * i)), "fake": Seen(normal(400, 16, 2 * i + 1) + 0.5)}

    real, foretold = spreads(FIDInfinity, draw, "fid_infinity", 40)
    assert 0.7 < real / foretold < 1.4


def test_the_first_share_is_the_plain_distance():
    a, b = normal(300, D, 0), normal(300, D, 1)
    metric = fed(FIDInfinity(), a, b)
    assert metric.distance(1) == pytest.approx(FrechetReference(*moments(a)).distance_to(b), rel=1e-9)
    halves = metric.distance(2)
    metric.update(Seen(normal(300, D, 2)), "fake")
    assert metric.distance(2) != halves, "a distance was kept although pictures came"


def test_doubt_is_the_whole_correction_where_quarters_lack_rank():
    few = fed(FIDInfinity(), normal(100, D, 0), normal(100, D, 1))
    assert few.doubt()["fid_infinity"] == few.distance(1) - few.distance(2)
    many = fed(FIDInfinity(), normal(2000, D, 0), normal(2000, D, 1))
    assert abs(many.doubt()["fid_infinity"]) < 0.1 * abs(many.distance(1) - many.distance(2))


def test_few_pictures_are_remarked_and_fewer_refused():
    assert "from 66 pictures on" in fed(FIDInfinity(), normal(60, D, 0), normal(70, D, 1)).remarks()["fid_infinity"]
    assert fed(FIDInfinity(), normal(66, D, 0), normal(66, D, 1)).remarks() == {}
    with pytest.raises(DataError, match="came: 10 real, 3 generated"):
        fed(FIDInfinity(), normal(10, D, 0), normal(3, D, 1)).compute()


def test_equal_seeds_give_equal_figures_whatever_the_order():
    a, b = normal(300, D, 0), normal(300, D, 1)
    metric = fed(FIDInfinity(), a, b)
    turned = fed(FIDInfinity(), a.flip(0), b[torch.randperm(300, generator=torch.Generator().manual_seed(1))])
    assert metric.compute()["fid_infinity"] == pytest.approx(turned.compute()["fid_infinity"], rel=1e-9)
    assert metric.detail() == "extrapolated from halves"


def test_other_pictures_of_the_same_number_are_measured_anew():
    metric = fed(FIDInfinity(), normal(300, D, 0), normal(300, D, 1))
    before = metric.compute()
    metric.load_state_dict({"real": normal(300, D, 0), "fake": normal(300, D, 1) + 1})
    assert metric.compute()["fid_infinity"] > before["fid_infinity"] + 10
