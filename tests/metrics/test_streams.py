"""The streaming classes: equal to the functions, whatever the parts, their order, and how they were merged."""

from __future__ import annotations

import copy

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.balls import precision_recall
from gansmith.metrics.base import Metric, Seen
from gansmith.metrics.functional import frechet_distance, moments
from gansmith.metrics.images.fid import FID
from gansmith.metrics.images.kid import KID
from gansmith.metrics.images.precision_recall import PrecisionRecall

from .test_functional import sets

A, B = (x[:, :16].contiguous() for x in sets("full rank"))
MAKERS = {
    "fid": FID,
    "kid": lambda: KID(subsets=10, subset_size=200),
    "precision_recall": PrecisionRecall,
}


def fed(make, a_parts, b_parts):
    metric = make()
    for part in a_parts:
        metric.update(Seen(part), "real")
    for part in b_parts:
        metric.update(Seen(part), "fake")
    return metric


@pytest.mark.parametrize("name", MAKERS)
def test_parts_of_any_size_and_order_give_the_same(name):
    make = MAKERS[name]
    whole = fed(make, [A], [B]).compute()
    parts = fed(make, A.split(37), B.split(500)).compute()
    turned = fed(make, reversed(A.split(64)), reversed(B.split(1))).compute()
    assert parts == pytest.approx(whole, rel=1e-9)
    assert turned == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("name", MAKERS)
def test_merging_in_any_order_gives_the_same(name):
    make = MAKERS[name]
    whole = fed(make, [A], [B]).compute()
    shares = [fed(make, [a], [b]) for a, b in zip(A.chunk(3), B.chunk(3), strict=True)]
    for order in ((0, 1, 2), (2, 0, 1)):
        first, *others = (copy.deepcopy(shares[i]) for i in order)
        for other in others:
            first.merge(other)
        assert first.compute() == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("name", MAKERS)
def test_states_are_declared_saved_and_reduced_as_declared(name):
    make = MAKERS[name]
    metric: Metric = fed(make, [A], [B])
    states = metric.state_dict()
    assert set(states) == set(metric.states)
    again = make()
    again.load_state_dict(states)
    assert again.compute() == metric.compute()
    halves = [fed(make, [a], [b]).state_dict() for a, b in zip(A.chunk(2), B.chunk(2), strict=True)]
    combine = {"sum": lambda x, y: x + y, "cat": lambda x, y: torch.cat([x, y])}
    reduced = make()
    reduced.load_state_dict({s: combine[how](halves[0][s], halves[1][s]) for s, how in metric.states.items()})
    assert reduced.compute() == pytest.approx(metric.compute(), rel=1e-9)


def test_streams_equal_the_functions():
    assert fed(MAKERS["fid"], A.split(100), [B]).compute()["fid"] == pytest.approx(
        frechet_distance(*moments(A), *moments(B)), rel=1e-9
    )
    found = fed(MAKERS["precision_recall"], A.split(100), [B]).compute()
    assert (found["precision"], found["recall"]) == precision_recall(A, B)


def test_fid_keeps_its_memory_whatever_it_sees():
    metric = FID()
    metric.update(Seen(A), "real")
    before = {name: value.shape for name, value in metric.state_dict().items()}
    for _ in range(4):
        metric.update(Seen(A), "real")
    assert {name: value.shape for name, value in metric.state_dict().items()} == before
    assert metric.state_dict()["real_count"] == 5 * len(A)


def test_kid_takes_smaller_subsets_of_small_sides_and_says_so():
    metric = fed(KID, [A[:300]], [B[:90]])
    found = metric.compute()
    assert metric.detail() == "100 subsets of 45"
    assert found["kid_std"] > 0


def test_empty_sides_are_refused():
    for make, wanted in zip(MAKERS.values(), ("at least 2", "at least 4", "at least 4"), strict=True):
        with pytest.raises(DataError, match=wanted):
            fed(make, [A], []).compute()
