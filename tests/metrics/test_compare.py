"""Which of two models is better: right where it can be told, and 'too few samples' where FID would mislead.

The models are Gaussians of 256 features against N(0, 1): A is shifted (true distance 4.00), B shrunk (5.02). FID of 500
pictures ranks B first.
"""

from __future__ import annotations

import json
import math

import pytest
import torch

from gansmith.errors import ConfigError
from gansmith.metrics.base import MeasuredBy, Seen
from gansmith.metrics.compare import compare, compare_seen
from gansmith.metrics.functional import frechet_distance, moments

from .helpers import normal
from .test_extractors import Mean, pictures

D = 256
BY = MeasuredBy("gauss", "none", "0" * 12, 0, 0, "train")


def models(n: int, reals: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Real rows, those of A and those of B."""
    a = normal(n, D, seed + 1) + 2 / D**0.5
    b = normal(n, D, seed + 2) * (1 - (5.02 / D) ** 0.5)
    return normal(reals, D, seed), a, b


def compared(n: int, reals: int, seed: int = 0):
    (found,) = compare_seen("fid_infinity", *(Seen(x) for x in models(n, reals, seed)), BY)
    return found


def test_few_samples_rank_wrongly_by_fid_and_cannot_tell_here():
    real, a, b = models(500, 4000)
    assert frechet_distance(*moments(real), *moments(a)) > frechet_distance(*moments(real), *moments(b))
    found = compared(500, 4000)
    assert found.verdict == "too few samples to tell"
    assert str(found).startswith("too few samples to tell: fid_infinity-gauss(")


@pytest.mark.parametrize("seed", [0, 10])
def test_enough_samples_rank_rightly(seed):
    found = compared(2000, 4000, seed)
    assert found.verdict == "A is better"
    assert found.difference[0] < 4.00 - 5.02 < found.difference[1]


@pytest.mark.slow
def test_the_ranking_at_twenty_thousand():
    found = compared(20_000, 20_000)
    assert found.verdict == "A is better"
    assert (found.a, found.b) == pytest.approx((4.00, 5.02), abs=0.15)


@pytest.mark.parametrize("metric", ["fid_infinity", "kid", "density_coverage"])
def test_equal_models_are_seldom_told_apart(metric):
    told = 0
    for i in range(30):
        real, a, b = (normal(300, 12, 100 * i + j) for j in range(3))
        found = compare_seen(metric, Seen(real), Seen(a * 0.8), Seen(b * 0.8), BY, FEW.get(metric))
        told += found[0].verdict != "too few samples to tell"
    assert told <= 4  # 1 in 20 is what the intervals allow: 1.5 of 30


FEW = {"kid": {"subsets": 10}}


def test_shared_reals_make_the_interval_narrower():
    real, a = normal(200, 12, 0), normal(2000, 12, 1) + 1
    paired = compare_seen("fid_infinity", Seen(real), Seen(a), Seen(normal(2000, 12, 2) + 1), BY)[0]
    low, high = paired.difference
    alone = [compare_seen("fid_infinity", Seen(real), Seen(a), Seen(real), BY)[0].difference]
    assert high - low < 0.7 * (alone[0][1] - alone[0][0])


def test_higher_is_better_where_it_is():
    real = Seen(normal(400, 6, 0))
    good, poor = Seen(normal(400, 6, 1)), Seen(normal(400, 6, 2) * 0.3)
    by_name = {c.name: c for c in compare_seen("precision_recall", real, good, poor, BY)}
    assert by_name["recall"].verdict == "A is better"
    (turned,) = compare_seen("fid_infinity", real, poor, good, BY)
    assert turned.verdict == "B is better"
    assert turned.to_json()["verdict"] == "B is better"


def test_pictures_are_compared_under_the_extractors_name_and_fid_without_its_bias():
    real, a = pictures(300), pictures(200, seed=1)
    b = (a.int() // 2).to(torch.uint8)
    found = compare([real], a.split(64), [b], Mean(), ("fid", "fid_infinity", "vendi"))
    assert [c.name for c in found] == ["FD-infinity", "vendi"]
    assert found[0].verdict == "A is better"
    assert "n_real=300, n_fake=200" in str(found[0])
    assert "extrapolated from halves" in str(found[0])


def test_metrics_that_cannot_be_compared_say_which_can():
    for name in ("sfid", "class_fid"):
        with pytest.raises(ConfigError, match=rf"cannot be compared by {name}: .*fid_infinity"):
            compare([], [], [], Mean(), (name,))


@pytest.mark.parametrize("seed", range(6))
def test_pictures_too_few_for_the_bias_to_be_known_tell_nothing(seed):
    found = compared(200, 200, 30 * seed)
    assert math.isinf(found.doubt)
    assert found.verdict == "too few samples to tell"
    assert "a bias of unknown size" in str(found)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["doubt"] is None
    assert math.isfinite(compared(600, 600, 30 * seed).doubt)


def test_metrics_of_pixels_are_compared_beside_the_real_pictures():
    real, a = pictures(300), pictures(200, seed=1)
    (found,) = compare([real], a.split(64), [a[:1].expand(150, -1, -1, -1)], Mean(), ("ms_ssim",))
    assert (found.name, found.verdict, found.b) == ("ms_ssim", "B is higher", 1)
    assert found.higher is None
    assert 0 < found.real < found.b
    assert "real pictures" in str(found)
    assert "pixels(n_real=300, n_fake=150, split=train, pictures=32x32x1" in str(found.protocol)
    alike = compare([real], [a], [pictures(200, seed=2)], Mean(), ("ms_ssim",))[0]
    low, high = alike.difference
    assert low < 0 < high
    assert alike.verdict == "too few samples to tell"
    wide = compare([real], [a], [pictures(200, seed=2)], Mean(), ("ms_ssim",), settings={"ms_ssim": {"pairs": 20}})[0]
    assert wide.difference[1] - wide.difference[0] > 1.5 * (high - low), "fewer pairs tell less"


def test_what_is_biased_or_odd_is_said_of_each_model():
    real, said = pictures(300), list[str]()
    compare([real], [real[:90]], [real[:1].expand(80, -1, -1, -1)], Mean(), ("precision_recall",), warn=said.append)
    assert any(text.startswith("A: precision-mean and recall do not compare") for text in said)
    assert any(
        text.startswith("B: the features that mean took of all 80 generated pictures are equal") for text in said
    )
    assert not any("same pictures" in text for text in said)
    compare([real], [real[:90]], [real[:90]], Mean(), ("precision_recall",), warn=said.append)
    assert any(text.startswith("A and B are the same pictures") for text in said)
