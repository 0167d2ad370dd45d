"""Statistics of detectors: against definitions, known values, and their own promises under noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gansmith.health.statistics import (
    crossed,
    cusum,
    holm,
    mann_kendall_z,
    mann_whitney_z,
    medians,
    page_hinkley,
    persists,
    tail,
    total_variation,
    two_proportions,
    wilson,
)

NAN = float("nan")


def first_alarm(z: np.ndarray, limit: float) -> int:
    over = np.flatnonzero(cusum(z) > limit)
    return int(over[0]) + 1 if len(over) else len(z)


def test_a_cusum_is_its_recursion() -> None:
    path = cusum(np.array([1.0, -3.0, 2.0, 0.5, 0.0]), allowance=0.5)
    assert path == pytest.approx([0.5, 0.0, 1.5, 1.5, 1.0])


def test_a_cusum_passes_over_what_is_missing_and_keeps_its_bounds() -> None:
    path = cusum(np.array([9.0, NAN, 9.0, 9.0]), allowance=1.0, cap=3.0, ceiling=5.0)
    assert path == pytest.approx([2.0, 2.0, 4.0, 5.0])


@pytest.mark.parametrize(("limit", "expected"), [(3.0, 118), (4.0, 336)])
def test_a_cusum_runs_as_long_under_noise_as_the_tables_say(limit: float, expected: int) -> None:
    """Montgomery's tables are two-sided: 59 and 168 readings."""
    random = np.random.default_rng(0)
    lengths = [first_alarm(random.standard_normal(4_000), limit) for _ in range(150)]
    assert np.mean(lengths) == pytest.approx(expected, rel=0.25)


def test_a_cusum_sees_a_shift_as_soon_as_the_tables_say() -> None:
    """8.38 readings for one standard deviation at h = 4."""
    random = np.random.default_rng(1)
    lengths = [first_alarm(1 + random.standard_normal(200), 4.0) for _ in range(400)]
    assert np.mean(lengths) == pytest.approx(8.38, rel=0.08)


def test_crossing_tells_where_the_rise_began() -> None:
    assert crossed(np.array([0.0, 0.0, 2.0, 4.5]), 4.0) == 2
    assert crossed(np.array([2.0, 4.5]), 4.0) == 0
    assert crossed(np.array([0.0, 5.0, 3.0]), 4.0) is None
    assert crossed(np.array([]), 4.0) is None


def test_page_hinkley_is_its_definition() -> None:
    x, allowance = np.array([1.0, 1.2, 0.9, 3.0, 3.2]), 0.1
    sums = np.cumsum([x[i] - x[: i + 1].mean() - allowance for i in range(len(x))])
    lowest = np.minimum.accumulate(np.minimum(sums, 0))
    assert page_hinkley(x, allowance=allowance) == pytest.approx(sums - lowest)


def test_page_hinkley_rises_after_a_shift_and_not_before() -> None:
    random = np.random.default_rng(2)
    x = np.concatenate([random.normal(5, 0.1, 30), random.normal(7, 0.1, 10)])
    path = page_hinkley(np.insert(x, 3, NAN), allowance=0.25)
    assert path[:31].max() < 0.5
    assert path[-1] > 3


@pytest.mark.parametrize(
    ("bad", "polls", "begun"),
    [([0, 1, 1, 1], 3, 1), ([0, 1, 1, 1], 4, None), ([1, 1], 2, 0), ([1, 1, 0], 1, None), ([], 1, None)],
)
def test_persistence(bad: list[int], polls: int, begun: int | None) -> None:
    assert persists(np.array(bad, dtype=bool), polls) == begun


def test_the_tail_of_the_normal_distribution() -> None:
    assert tail([0.0, 1.959964, -1.0]) == pytest.approx([0.5, 0.025, 0.8413447], abs=1e-6)
    assert tail(3.0) == pytest.approx(1.349898e-3, rel=1e-5)


def test_two_proportions_by_hand() -> None:
    z = two_proportions([10, 90, 0], [30, 70, 0])
    error = math.sqrt(0.2 * 0.8 * (1 / 100 + 1 / 100))
    assert z == pytest.approx([-0.2 / error, 0.2 / error, 0.0])
    assert two_proportions([0, 0], [3, 4]) == pytest.approx([0, 0])


def test_two_proportions_keep_their_level() -> None:
    random = np.random.default_rng(3)
    shares = np.full(16, 1 / 16)
    z = np.array(
        [two_proportions(random.multinomial(512, shares), random.multinomial(2_000, shares)) for _ in range(500)]
    )
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.05, abs=0.01)


def test_total_variation_by_hand() -> None:
    a, b = np.array([[1.0, 1, 2], [5, 0, 0], [0, 0, 0]]), np.array([[2.0, 2, 0], [0, 0, 3], [0, 0, 1]])
    assert total_variation(a, b) == pytest.approx([0.5, 1.0, 0.5])


def test_running_medians() -> None:
    assert medians(np.array([5.0, 1, 3, 9, 2])) == pytest.approx([5, 3, 3, 3, 3])
    assert len(medians(np.array([]))) == 0


def test_holm_goes_on_until_the_first_that_stays() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005], 0.05).tolist() == [True, False, False, True]
    assert holm([0.01, 0.01], 0.05).tolist() == [True, True]
    assert holm([0.2, 0.6], 0.05).tolist() == [False, False]
    assert holm([], 0.05).tolist() == []


def test_mann_whitney_counts_pairs() -> None:
    random = np.random.default_rng(4)
    a, b = random.integers(0, 6, 30).astype(float), random.integers(1, 7, 40).astype(float)
    u = sum((x > y) + (x == y) / 2 for x in a for y in b)
    times = np.unique(np.concatenate([a, b]), return_counts=True)[1]
    variance = 30 * 40 / 12 * (71 - (times**3 - times).sum() / (70 * 69))
    assert mann_whitney_z(a, b) == pytest.approx((u - 600) / math.sqrt(variance))


def test_mann_whitney_of_nothing_and_of_equals() -> None:
    assert mann_whitney_z([], [1.0]) == 0
    assert mann_whitney_z([2.0, 2.0], [2.0]) == 0
    assert mann_whitney_z([1.0], [2.0, 3.0]) < 0


def test_mann_kendall_by_pairs() -> None:
    x = [1.0, 3.0, 2.0, 4.0, 6.0, 5.0]
    score = sum(np.sign(x[j] - x[i]) for i in range(6) for j in range(i + 1, 6))
    assert mann_kendall_z(x) == pytest.approx((score - 1) / math.sqrt(6 * 5 * 17 / 18))
    assert mann_kendall_z(x[::-1]) == pytest.approx(-mann_kendall_z(x))
    assert mann_kendall_z([1.0, 1.0, 1.0]) == 0
    assert mann_kendall_z([]) == 0


def test_mann_kendall_keeps_its_level() -> None:
    random = np.random.default_rng(5)
    z = [mann_kendall_z(random.standard_normal(12)) for _ in range(1_000)]
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.045, abs=0.02)


def test_wilson_for_as_many_runs_as_the_benchmark_has() -> None:
    assert wilson(35, 35)[0] == pytest.approx(35 / (35 + 1.96**2))
    assert wilson(0, 35)[1] == pytest.approx(1 - 35 / (35 + 1.96**2))
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
