"""The Inception score on given logits. Its numbers against torch-fidelity's stand in test_parity."""

from __future__ import annotations

import math

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.images.inception_score import InceptionScore, inception_score

from .helpers import normal, spreads


def with_logits(logits: torch.Tensor) -> Seen:
    return Seen(torch.zeros(len(logits), 1), heads={"logits": logits})


def scored(logits, **settings):
    metric = InceptionScore(**settings)
    for part in logits.split(33):
        metric.update(with_logits(part), "fake")
    return metric


def test_sure_and_even_classes_score_their_number():
    sure = torch.eye(10).repeat(100, 1) * 1000
    found = scored(sure, splits=1).compute()
    assert found["inception_score"] == pytest.approx(10.0, rel=1e-9)
    assert found["inception_score_std"] == 0.0


def test_equal_predictions_score_one():
    assert scored(torch.ones(100, 10)).compute()["inception_score"] == pytest.approx(1.0)


def test_two_kinds_of_rows_have_their_closed_form():
    logits = torch.tensor([[0.0, 0.0], [0.0, math.log(3)]]).repeat(50, 1)  # (1/2, 1/2) and (1/4, 3/4), mean (3/8, 5/8)
    first = 0.5 * math.log(0.5 / 0.375) + 0.5 * math.log(0.5 / 0.625)
    second = 0.25 * math.log(0.25 / 0.375) + 0.75 * math.log(0.75 / 0.625)
    assert inception_score(logits, splits=1)[0] == pytest.approx(math.exp((first + second) / 2), rel=1e-6)


def test_reals_are_left_aside_and_order_changes_nothing():
    logits = normal(200, 12, 0) * 2
    metric = scored(logits)
    metric.update(with_logits(normal(50, 12, 1)), "real")
    assert metric.compute() == scored(logits.flip(0)).compute()


def test_influences_foretell_the_spread():
    def draw(i):
        return {"fake": with_logits(normal(400, 6, i) * 2)}

    real, foretold = spreads(lambda: InceptionScore(splits=2), draw, "inception_score", 60)
    assert 0.75 < real / foretold < 1.3


def test_few_pictures_are_remarked_and_fewer_refused():
    metric = scored(normal(100, 12, 0))
    assert "of 100 pictures in 10 splits is biased downwards" in metric.remarks()["inception_score"]
    assert scored(normal(120, 12, 0)).remarks() == {}
    with pytest.raises(DataError, match="10 splits need as many pictures; came: 9"):
        scored(normal(9, 12, 0)).compute()
    with pytest.raises(DataError, match="came: 0"):
        InceptionScore().compute()
    with pytest.raises(DataError, match="finite"):
        scored(torch.full((20, 3), torch.nan)).compute()
