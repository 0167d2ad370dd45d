"""Schedules over samples."""

from __future__ import annotations

import math

import pytest

from gansmith.schedule import Cosine, Linear, Scheduled, at, ramped


@pytest.mark.parametrize(
    ("start", "end", "half_way"),
    [(2e-4, 5e-5, 1.25e-4), (0.05, 0.005, 0.0275), (0.9, 0.99, 0.945), (0.0, 5e6, 2.5e6), (0.0, 0.55, 0.275)],
    ids=["lr", "gamma", "beta2", "EMA half-life", "augmentation"],
)
def test_cosine_at_10_million(start: float, end: float, half_way: float) -> None:
    """The published values half-way through R3GAN's 20 million samples of decay (CIFAR-10)."""
    schedule = Cosine(start, end, 20_000_000)
    assert schedule.at(10_000_000) == pytest.approx(half_way, rel=1e-9)
    assert schedule.at(0) == pytest.approx(start)
    assert schedule.at(20_000_000) == schedule.at(250_000_000) == pytest.approx(end)


def test_cosine_is_a_cosine() -> None:
    assert Cosine(1.0, 0.0, 100).at(25) == pytest.approx(0.5 * (1 + 2**-0.5))
    assert Cosine(1.0, 0.0, 100).at(-5) == 1.0


def test_linear() -> None:
    ramp = Linear(0.0, 0.5, 100, begin=50)
    assert [ramp.at(s) for s in (0, 50, 100, 150, 900)] == [0.0, 0.0, 0.25, 0.5, 0.5]
    assert Linear(1.0, 0.0, 10).at(2.5) == 0.75


def test_constants_stay() -> None:
    assert at(3e-4, 10**9) == 3e-4
    assert at(2, 0) == 2
    assert at(Linear(0.0, 1.0, 10), 5) == 0.5


def test_an_average_of_a_ramped_half_life_forgets_the_beginning() -> None:
    def left(half_life: Scheduled, since: int = 1_000, until: int = 12_000, batch: int = 32) -> float:
        """The share of an average that is still made of the weights that it had after `since` samples."""
        return math.prod(0.5 ** (batch / at(half_life, samples)) for samples in range(since, until, batch))

    assert left(5_000.0) == pytest.approx(0.5 ** (11 / 5), rel=0.01)
    assert left(ramped(5_000.0)) < 1e-6
    assert [at(ramped(5_000.0), samples) for samples in (0, 20_000, 50_000, 10**7)] == [0.0, 2_000.0, 5_000.0, 5_000.0]
