"""Intervals from resampled influences: their width, their pairing, their bounds."""

from __future__ import annotations

import pytest
import torch

from gansmith.metrics.bootstrap import interval, resampled

from .helpers import normal


def test_the_width_is_that_of_a_mean():
    values = normal(400, 1, 0)[:, 0]
    moved = resampled({"fake": values - values.mean()}, {"fake": 400}, resamples=4000)
    assert float(moved.std()) == pytest.approx(float(values.std()) / 20, rel=0.05)
    low, high = interval(5.0, moved)
    assert (high - low) / 2 == pytest.approx(1.96 * float(values.std()) / 20, rel=0.08)


def test_sides_add_up_and_a_sample_stands_for_more_pictures():
    values = normal(400, 1, 0)[:, 0]
    values = values - values.mean()
    both = resampled({"real": values, "fake": values}, {"real": 400, "fake": 400}, resamples=4000)
    assert float(both.std()) == pytest.approx(float(values.std()) / 20 * 2**0.5, rel=0.06)
    sampled = resampled({"fake": values}, {"fake": 1600}, resamples=4000)
    assert float(sampled.std()) == pytest.approx(float(values.std()) / 40, rel=0.06)


def test_equal_seeds_draw_equal_pictures():
    a, b = normal(300, 1, 0)[:, 0].double(), normal(300, 1, 1)[:, 0].double()
    counts = {"real": 300}
    apart = resampled({"real": a}, counts) - resampled({"real": b}, counts)
    assert torch.allclose(apart, resampled({"real": a - b}, counts), atol=1e-12)


def test_blocks_change_nothing_but_which_are_drawn(monkeypatch):
    values = normal(100, 1, 0)[:, 0]
    monkeypatch.setattr("gansmith.metrics.bootstrap.BLOCK", 150)
    assert len(resampled({"fake": values}, {"fake": 100}, resamples=7)) == 7


def test_intervals_stay_within_the_figures_range():
    assert interval(0.98, torch.linspace(-0.1, 0.1, 99).double(), (0.0, 1.0))[1] == 1.0
