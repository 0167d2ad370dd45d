"""The correction of an optimizer for steps of lazy regularisation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gansmith.game import Game, Solver
from gansmith.recipes.dcgan import DCGAN
from gansmith.schedule import Linear

LAZY = Solver(lr=2e-3, beta1=0.5, beta2=0.99, lazy=True)


def test_rates_make_up_for_the_further_steps() -> None:
    recipe = DCGAN(game=Game(r1=1.0, penalty_every=16, penalty_step="after"), solver=LAZY)
    for name in ("D", "penalty"):
        found = recipe.hyper(name, 0)
        assert found["lr"] == pytest.approx(2e-3 * 16 / 17)
        assert found["betas"] == pytest.approx((0.5 ** (16 / 17), 0.99 ** (16 / 17)))
    assert recipe.hyper("G", 0) == {"lr": 2e-3, "betas": (0.5, 0.99)}


def test_without_further_steps_or_without_asking_nothing_changes() -> None:
    plain = Game(r1=1.0, penalty_every=16)
    assert DCGAN(game=plain, solver=LAZY).hyper("D", 0)["lr"] == 2e-3
    after = replace(plain, penalty_step="after")
    assert DCGAN(game=after, solver=replace(LAZY, lazy=False)).hyper("D", 0)["lr"] == 2e-3


def test_schedules_and_zero_momentum_are_corrected_too() -> None:
    solver = Solver(lr=Linear(1.0, 0.0, 100), beta1=0.0, lazy=True)
    assert solver.hyper(("D",), 50, [1, 4]) == {"lr": pytest.approx(0.4), "betas": (0.0, pytest.approx(0.999**0.8))}
