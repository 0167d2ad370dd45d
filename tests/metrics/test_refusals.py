"""What metrics refuse before or instead of giving a figure that is wrong, and what they say."""

from __future__ import annotations

import math

import pytest
import torch

from gansmith.errors import ConfigError, DataError
from gansmith.metrics import registry
from gansmith.metrics.base import MeasuredBy, Seen
from gansmith.metrics.compare import compare
from gansmith.metrics.equivariance import Equivariance
from gansmith.metrics.functional import kernel_dtype, kid, polynomial_mmd
from gansmith.metrics.images.inception_score import inception_score
from gansmith.metrics.images.modes import Modes
from gansmith.metrics.images.ms_ssim import MSSSIM
from gansmith.metrics.judge import judge
from gansmith.metrics.measured import measured
from gansmith.metrics.onepass import Wants, look
from gansmith.metrics.path_length import PathLength
from gansmith.metrics.registry import fitted

from .helpers import fed, normal
from .test_extractors import Mean, pictures

OF_FEATURES = [n for n in registry.names() if "features" in registry.metric_class(n).needs]
OF_HEADS = {"inception_score": "logits", "modes": "logits", "sfid": "spatial"}


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", OF_FEATURES)
def test_every_metric_refuses_features_that_are_not_finite(name, value):
    features = normal(20, 4, 0)
    features[3, 2] = value
    with pytest.raises(DataError, match="features must be finite"):
        registry.make(name).update(Seen(features, labels=torch.zeros(20, dtype=torch.int64)), "fake")


@pytest.mark.parametrize(("name", "head"), OF_HEADS.items())
def test_every_metric_refuses_heads_that_are_not_finite(name, head):
    values = normal(20, 4, 0)
    values[0, 0] = math.nan
    with pytest.raises(DataError, match="must be finite"):
        registry.make(name).update(Seen(normal(20, 2, 1), heads={head: values}), "fake")


class Broken(Mean):
    """Features are fine, logits are not."""

    heads = ("logits",)

    def look(self, pixels, heads):
        return self(pixels), {head: torch.full((len(pixels), 3), math.nan) for head in heads}


def test_a_pass_refuses_heads_that_are_not_finite_and_names_the_side():
    wanted = Wants(pixels=False, labels=False, held=False, heads=("logits",))
    with pytest.raises(DataError, match=r"the logits that mean took of generated pictures are not finite"):
        list(look([pictures(4)], Broken(), wanted, "fake"))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("kid", {"subsets": 0}),
        ("kid", {"subset_size": 1}),
        ("kid", {"seed": -1}),
        ("precision_recall", {"k": 0}),
        ("density_coverage", {"k": -2}),
        ("inception_score", {"splits": 0}),
        ("inception_score", {"seed": 2**32}),
        ("memorisation", {"cells": 0}),
        ("ms_ssim", {"pairs": 1}),
        ("lpips", {"pairs": True}),
        ("accuracy_score", {"steps": 0}),
        ("accuracy_score", {"size": 4}),
    ],
)
def test_settings_out_of_range_are_refused_by_metric_and_name(name, settings):
    (setting,) = settings
    with pytest.raises(ConfigError, match=rf"{setting} of {name} is a whole number, \d+ or more.*; not: "):
        registry.make(name, settings)


@pytest.mark.parametrize(
    ("cls", "settings"),
    [
        (PathLength, {"samples": 99}),
        (PathLength, {"batch": 0}),
        (PathLength, {"epsilon": 0.0}),
        (PathLength, {"epsilon": math.nan}),
        (Equivariance, {"samples": 1}),
        (Equivariance, {"batch": 0}),
    ],
)
def test_probes_refuse_theirs_too(cls, settings):
    (setting,) = settings
    with pytest.raises(ConfigError, match=f"{setting} of {cls.name} is"):
        cls(**settings)
    with pytest.raises(ConfigError, match=r"no setting 'sample'; it has: samples, .* Did you mean 'samples'\?"):
        fitted(cls, cls.name, {"sample": 1})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"precision_recal": {"k": 5}}, r"a metric 'precision_recal', which there is none of. Did you mean 'precision"),
        ({"vendi": {}}, "settings are given for vendi, which was not asked for; measured are: fid"),
        ({"fid": {"k": 3}}, "the metric fid has no setting 'k'; it has none"),
    ],
)
def test_settings_that_no_metric_would_see_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        judge([pictures(4)], [pictures(4)], Mean(), ["fid"], settings=settings)


def test_comparing_refuses_them_too():
    with pytest.raises(ConfigError, match="Did you mean 'kid'"):
        compare([pictures(4)], [pictures(4)], [pictures(4)], Mean(), ["kid"], settings={"kidd": {}})


def test_a_class_that_no_row_has_any_share_of_adds_nothing_to_the_inception_score():
    sure = torch.zeros(50, 4)
    sure[:, 0] = 1000
    assert inception_score(sure) == (1.0, 0.0)
    halves = torch.full((40, 3), -2000.0)
    halves[::2, 0], halves[1::2, 1] = 0, 0
    assert inception_score(halves, splits=1)[0] == pytest.approx(2.0, abs=1e-12)


def test_kid_is_as_good_far_from_the_origin():
    one, other = normal(120, 16, 0), normal(120, 16, 1) * 1.2
    for offset, scale in ((1000.0, 1.0), (0.0, 1e-3), (0.0, 1e10)):
        x, y = one * scale + offset, other * scale + offset
        assert kernel_dtype(x, y) is torch.float64
        wanted = float(polynomial_mmd(x.double(), y.double()))
        found = kid(x, y, subsets=1, subset_size=120)[0]
        assert found == pytest.approx(wanted, rel=1e-6)
    assert kernel_dtype(one, other) is torch.float32
    with pytest.raises(DataError, match="must be finite"):
        kid(one * math.nan, other, subset_size=60)


@pytest.mark.parametrize("name", ["precision_recall", "density_coverage"])
def test_features_too_large_for_distances_are_refused_and_large_ones_are_not(name):
    real, fake = normal(60, 8, 0), normal(60, 8, 1)
    assert fed(registry.make(name), real * 1e15, fake * 1e15).compute() == pytest.approx(
        fed(registry.make(name), real, fake).compute()
    )
    with pytest.raises(DataError, match="too large for distances in float32"):
        fed(registry.make(name), real * 1e20, fake * 1e20).compute()


@pytest.mark.parametrize(("name", "figure"), [("fid_infinity", "fid_infinity"), ("class_fid", "class_fid")])
def test_a_singular_covariance_of_many_pictures_is_told(name, figure):
    flat = normal(200, 6, 1)
    flat[:, 4:] = 0
    labels = torch.full((200,), 3)
    metric = registry.make(name)
    metric.update(Seen(normal(200, 6, 0), labels=labels), "real")
    metric.update(Seen(flat, labels=labels), "fake")
    said = metric.remarks()[figure]
    assert "vary in 4 of 6 directions only" in said
    assert ("of class 3" in said) == (name == "class_fid")


def test_pairs_of_real_pictures_are_counted_in_their_own_protocol():
    metric = MSSSIM()
    for side, n in (("real", 40), ("fake", 24)):
        metric.update(Seen(torch.zeros(n, 1), pictures(n, 16)), side)
    found = measured(metric, None, {}, MeasuredBy("pixels", "", "", 40, 24, "train"), Mean(), 0)
    told = {figure.name: figure.protocol.detail for figure in found}
    assert told == {"ms_ssim": "12 pairs, 1 scale", "ms_ssim_real": "20 pairs, 1 scale"}


def test_too_few_pictures_are_said_with_metric_side_and_k():
    with pytest.raises(DataError, match="precision_recall with k=3 needs at least 4 generated pictures; came: 3"):
        fed(registry.make("precision_recall"), normal(10, 4, 0), normal(3, 4, 1)).compute()


def test_an_extractor_without_logits_is_told_which_have_them():
    with pytest.raises(ConfigError, match=r"modes needs the extractor's output 'logits'.*fashion, inception with its"):
        judge([pictures(4)], [pictures(4)], Mean(), [Modes.name])
