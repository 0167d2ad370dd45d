"""The paired tests, against figures worked out by hand, scipy, and what they promise under the null."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gansmith.imbalance.paired import combined_f, corrected_t, holm, name_of_test, paired_test


def test_the_f_test_against_a_worked_example() -> None:
    differences = np.array([[0.02, 0.04], [0.01, 0.03], [0.03, 0.01], [0.02, 0.02], [0.04, 0.00]])
    # sums of squares: 20+10+10+8+16 = 64e-4; variances s_i^2: 2+2+2+0+8 = 14e-4; f = 64 / 28
    assert combined_f(differences) == pytest.approx(stats.f.sf(64 / 28, 10, 5), rel=1e-9)


def test_the_f_test_holds_its_level_and_has_power() -> None:
    rng = np.random.default_rng(0)
    null = [combined_f(rng.normal(size=(5, 2))) < 0.05 for _ in range(2000)]
    assert 0.005 < np.mean(null) < 0.05  # cautious by construction: numerator and denominator share a part
    moved = [combined_f(rng.normal(4, 1, size=(5, 2))) < 0.05 for _ in range(500)]
    assert np.mean(moved) > 0.5


def test_the_t_test_is_students_when_folds_share_nothing() -> None:
    differences = np.random.default_rng(1).normal(0.3, 1, size=15)
    assert corrected_t(differences, 0.0) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, rel=1e-9)
    assert corrected_t(differences, 0.25) > corrected_t(differences, 0.0)


def test_methods_that_do_the_same_are_alike() -> None:
    assert paired_test(np.zeros((5, 2))) == 1.0
    assert paired_test(np.zeros((3, 5))) == 1.0
    assert paired_test(np.full((3, 5), 0.1)) < 1e-12


def test_the_plan_chooses_the_test() -> None:
    differences = np.random.default_rng(2).normal(size=(3, 5))
    assert paired_test(differences) == corrected_t(differences.ravel(), 1 / 4)
    assert paired_test(differences[:, :2].repeat(2, 0)[:5]) == combined_f(differences[:, :2].repeat(2, 0)[:5])
    assert (name_of_test(5, 2), name_of_test(3, 5)) == ("combined 5x2cv F test", "corrected resampled t test")


def test_holm_against_a_worked_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
