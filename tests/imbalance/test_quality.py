"""Rows as numbers, and the filter that tells rows on the manifold from rows off it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gansmith.imbalance.features import Features, looks_categorical
from gansmith.imbalance.quality import JUDGES, conformal, passes


def test_rows_as_numbers() -> None:
    frame = pd.DataFrame(
        {
            "n": [1.0, 3.0, np.nan, 4.0],
            "c": ["a", "b", "a", None],
            "d": pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"]),
        }
    )
    features = Features.fitted(frame, ["c"])
    plain = features.plain(frame)
    assert plain.shape == (4, 4)  # n, d, where n is missing, the code of c
    assert plain[:, 1] == pytest.approx((np.arange(4) - 1.5) / np.std(np.arange(4)))
    assert plain[2, 0] == pytest.approx((3 - frame["n"].mean()) / frame["n"].std(ddof=0))  # the median stands in
    assert list(plain[:, 2]) == [0, 0, 1, 0]
    assert list(plain[:, 3]) == [0, 1, 0, 3]
    asked = features(pd.DataFrame({"n": [2.0, 2.0], "c": ["z", "a"], "d": frame["d"][:2].to_numpy()}))
    assert asked.shape == (2, 2 + 2 + 4)
    both = features(frame.iloc[[0, 1]].assign(n=1.0, d=frame["d"][0]))
    assert np.linalg.norm(both[0] - both[1]) == pytest.approx(1)  # another category is one standard deviation


def test_what_is_a_category_by_its_dtype() -> None:
    frame = pd.DataFrame({"t": ["a"], "b": [True], "i": [1], "f": [1.5], "d": pd.to_datetime(["2020-01-01"])})
    frame["k"] = frame["i"].astype("category")
    assert [looks_categorical(frame[name]) for name in frame] == [True, True, False, False, False, True]


def test_the_filter_is_a_share_of_real_rows() -> None:
    real = np.array([1.0, 2.0, 3.0, 4.0])
    assert list(conformal(real, np.array([0.0, 2.5, 3.0, 9.0]))) == [1.0, 3 / 5, 3 / 5, 1 / 5]
    assert list(passes(np.array([0.2, 0.21]), 0.05, 4)) == [False, True]  # stranger than all four never passes
    assert list(passes(np.array([0.05, 0.06]), 0.05, 1000)) == [False, True]


@pytest.mark.parametrize("name", JUDGES)
def test_the_filter_tells_rows_of_the_class_from_others(name: str) -> None:
    rng = np.random.default_rng(0)
    own, others = rng.normal(0, 1, (150, 4)), rng.normal(3, 1, (600, 4))
    judge = JUDGES[name](own, others, 0)
    good, bad = judge(rng.normal(0, 1, (400, 4))), judge(rng.normal(3, 1, (400, 4)))
    kept_good, kept_bad = passes(good, 0.05, 150).mean(), passes(bad, 0.05, 150).mean()
    assert kept_good > 0.8
    assert kept_bad < 0.02
    assert ((good > 0) & (good <= 1)).all()


def test_the_neighbours_drop_rows_far_from_everything() -> None:
    rng = np.random.default_rng(1)
    judge = JUDGES["knn"](rng.normal(0, 1, (60, 3)), rng.normal(2, 1, (60, 3)), 0)
    assert not passes(judge(np.full((5, 3), -30.0)), 0.05, 60).any()


def test_three_rows_are_enough() -> None:
    rng = np.random.default_rng(2)
    own = rng.normal(0, 1, (3, 2))
    for judge in JUDGES.values():
        assert judge(own, rng.normal(3, 1, (20, 2)), 0)(own).shape == (3,)
