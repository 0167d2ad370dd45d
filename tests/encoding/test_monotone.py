"""Piecewise linear maps looked up on a grid say what a search among their knots says."""

from __future__ import annotations

import numpy as np
import pytest

from gansmith.tabular.monotone import Monotone


@pytest.mark.parametrize("knots", [1, 2, 7, 300])
@pytest.mark.parametrize("power", [1, 3])
def test_a_map_is_what_interpolation_says(knots: int, power: int) -> None:
    rng = np.random.default_rng(knots)
    x = np.sort(1 - rng.random(knots) ** power)  # with a high power most knots are crowded together
    y = np.sort(rng.normal(size=knots)) * 1e6
    values = np.concatenate([rng.uniform(-0.2, 1.2, 20_000), x])
    np.testing.assert_allclose(Monotone(x, y)(values), np.interp(values, x, y), rtol=1e-9, atol=1e-3)


def test_equal_knots_are_jumps_and_level_stretches_are_exact() -> None:
    step = Monotone(np.array([0, 0.5, 0.5, 1]), np.array([0.1, 0.1, 0.3, 0.3]))
    values = np.random.default_rng(0).random(10_000)
    assert (step(values) == np.where(values < 0.5, 0.1, 0.3)).all()
    assert step(np.array([-5.0, 0.5, 7.0])).tolist() == [0.1, 0.3, 0.3]


def test_knots_that_differ_by_rounding_are_one() -> None:
    step = Monotone(np.array([0, 0.3, 0.1 + 0.2, 1]), np.array([1.0, 1.0, 2.0, 2.0]))
    assert step(np.array([0.29, 0.31])).tolist() == [1.0, 2.0]
    assert (np.diff(step(np.linspace(0, 1, 1_001))) >= 0).all()


def test_one_knot_jumps_and_missing_values_stay_missing() -> None:
    jump = Monotone(np.array([0.5, 0.5]), np.array([1.0, 2.0]))
    assert jump(np.array([0.4, 0.5, 0.6])).tolist() == [1.0, 2.0, 2.0]
    assert np.isnan(Monotone(np.array([0.0, 1.0]), np.array([0.0, 1.0]))(np.array([np.nan])))[0]
