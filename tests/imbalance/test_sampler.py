"""GANOverSampler: imbalanced-learn's contract, what comes back, provenance, and the quality filter."""

from __future__ import annotations

import pickle
import signal
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import make_pipeline
from imblearn.utils.estimator_checks import estimator_checks_generator
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

import gansmith as gs
from gansmith.imbalance import GANOverSampler
from gansmith.imbalance.filling import FewerRowsWarning

from .tables import clinic

FAST = {"fields": {"calibrate": False, "width": 64}, "samples": 1_500, "quality": None}


def checks(*samplers: GANOverSampler) -> list[Any]:
    """imbalanced-learn's checks of an over-sampler; its own decorator hands a generator to pytest, which warns."""
    pairs = [pair for sampler in samplers for pair in estimator_checks_generator(sampler)]
    return [pytest.param(sampler, check, id=f"{check.func.__name__}-{sampler.recipe}") for sampler, check in pairs]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "check"),
    checks(
        GANOverSampler("ctgan", samples=1_000, quality=None, random_state=0),
        GANOverSampler(samples=15_000, batch=50, random_state=0),
    ),
)
def test_imbalanced_learns_own_checks(sampler: GANOverSampler, check: Any) -> None:
    check(sampler)


def test_there_are_as_many_checks_as_there_should_be() -> None:
    names = [case.id for case in checks(GANOverSampler())]
    assert len(names) >= 16
    assert {"check_samplers_nan-ctabgan", "check_samplers_string-ctabgan"} <= set(names)


def rare(rows: int = 120, few: int = 20, seed: int = 0) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    y = (np.arange(rows) < few).astype(int)
    return rng.normal(size=(rows, 3)) + 4 * y[:, None], y


@pytest.fixture(scope="module")
def grown() -> tuple[GANOverSampler, pd.DataFrame, pd.Series, pd.DataFrame, pd.Series]:
    """A mixed table, over-sampled once for several tests."""
    frame = clinic().astype({"ward": "category"}).set_index(np.arange(1000, 1300))
    frame["seen"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(300) % 90, "D")
    frame["dose"] = pd.array([1, 2, None] * 100, dtype="Int64")
    frame["small"] = np.float32(0.5) * np.arange(300)
    X, y = frame.drop(columns="died"), frame["died"]
    sampler = GANOverSampler(**FAST, random_state=0)
    return sampler, X, y, *sampler.fit_resample(X, y)


def test_a_dataframe_comes_back_as_it_was(grown: Any) -> None:
    _, X, y, X_new, y_new = grown
    assert list(X_new.columns) == list(X.columns)
    assert dict(X_new.dtypes) == dict(X.dtypes)
    assert y_new.dtype == y.dtype
    assert y_new.name == "died"
    assert X_new.iloc[:300].equals(X.reset_index(drop=True))
    assert len(set(Counter(y_new).values())) == 1
    made = X_new.iloc[300:]
    assert set(made["ward"]) <= {"general", "intensive"}
    assert made["age"].between(X["age"].min(), X["age"].max()).all()
    assert made["seen"].between(X["seen"].min(), X["seen"].max()).all()
    assert set(made["dose"].dropna()) <= {1, 2}
    assert len(made.drop_duplicates()) > 0.9 * len(made)


def test_provenance_tells_every_row_apart(grown: Any) -> None:
    sampler, X, y, X_new, y_new = grown
    told = sampler.provenance_
    assert len(told) == len(X_new)
    assert list(told["origin"]) == ["real"] * 300 + ["generated"] * (len(X_new) - 300)
    assert list(told["index"][:300]) == list(X.index)
    assert told["index"][300:].isna().all()
    assert list(told["class"]) == list(y_new)
    assert told["quality"].isna().all()  # there was no filter
    assert sampler.sampling_strategy_ == {"yes": int((y == "no").sum() - (y == "yes").sum())}
    assert list(sampler.feature_names_in_) == list(X.columns)


def test_the_same_seed_gives_the_same_rows() -> None:
    X, y = rare()
    first, _ = GANOverSampler(**FAST, random_state=3).fit_resample(X, y)
    again, _ = GANOverSampler(**FAST, random_state=3).fit_resample(X, y)
    other, _ = GANOverSampler(**FAST, random_state=4).fit_resample(X, y)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("quality", ["knn", pytest.param("classifier", marks=pytest.mark.slow)])
def test_the_filter_keeps_rows_of_the_class_and_tells_their_quality(quality: str) -> None:
    X, y = rare()
    sampler = GANOverSampler(samples=40_000, fields={"calibrate": False}, quality=quality, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    made, told = X_new[120:], sampler.provenance_["quality"][120:]
    assert Counter(y_new) == {0: 100, 1: 100}
    assert sampler.shortfall_ == {}
    assert ((told > 0.05) & (told <= 1)).all()
    assert np.linalg.norm(made.mean(axis=0) - 4) < np.linalg.norm(made.mean(axis=0))
    assert (made.sum(axis=1) > 6).mean() > 0.95  # on the rare class's side of the middle


def test_too_few_good_rows_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansmith.imbalance.filling.ROUNDS", 1)
    monkeypatch.setattr("gansmith.imbalance.filling.GREED", 1)
    X, y = rare()
    sampler = GANOverSampler(**{**FAST, "samples": 500, "quality": "knn"}, reject=0.6, random_state=0)
    with pytest.warns(FewerRowsWarning, match=r"class '1' gets .* new rows instead of 80"):
        X_new, y_new = sampler.fit_resample(X, y)
    short = sampler.shortfall_[1]
    assert 0 < short <= 80
    assert len(X_new) == len(y_new) == len(sampler.provenance_) == 200 - short


@pytest.mark.parametrize("few", [1, pytest.param(2, marks=pytest.mark.slow), 3])
def test_a_handful_of_rows(few: int) -> None:
    X, y = rare(8, few)
    X_new, y_new = GANOverSampler(**FAST, random_state=0).fit_resample(X, y)
    assert np.array_equal(X_new[:8], X)
    assert Counter(y_new) == {0: 8 - few, 1: 8 - few}


def test_the_rare_rows_alone() -> None:
    X, y = rare()
    X_new, _ = GANOverSampler(**FAST, learn_from="rare", random_state=0).fit_resample(X, y)
    own = X[y == 1]
    assert (X_new[120:] >= own.min(axis=0) - 1e-9).all()  # of the others it knows nothing
    assert (X_new[120:] <= own.max(axis=0) + 1e-9).all()


def test_a_strategy_and_a_balanced_table_cost_no_training() -> None:
    X, y = rare(40, 20)
    X_new, y_new = GANOverSampler(recipe="there is no such recipe").fit_resample(X, y)
    assert np.array_equal(X_new, X)
    assert np.array_equal(y_new, y)
    _, grown = GANOverSampler(**FAST, sampling_strategy={1: 25}, random_state=0).fit_resample(X, y)
    assert Counter(grown) == {0: 20, 1: 25}


def test_ctrl_c_is_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error would be swallowed by a search over parameters; and nothing is left behind."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    X, y = rare()
    timer = threading.Timer(2.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            GANOverSampler(**{**FAST, "samples": 10**8}).fit_resample(X, y)
    finally:
        timer.join()
    assert not list(tmp_path.iterdir())


def test_it_stands_in_a_pipeline() -> None:
    X, y = rare()
    pipeline = make_pipeline(GANOverSampler(**FAST, random_state=0), LogisticRegression())
    assert cross_val_score(pipeline, X, y, cv=2, scoring="average_precision", error_score="raise").mean() > 0.9
    assert pickle.loads(pickle.dumps(clone(pipeline))).get_params()["ganoversampler__samples"] == 1_500


def test_names_that_are_no_text_and_the_targets_own() -> None:
    X, y = rare()
    frame = pd.DataFrame({"class": X[:, 0], "x0": np.where(X[:, 1] > 2, "u", "v")})
    X_new, _ = GANOverSampler(**FAST, random_state=0).fit_resample(frame, y)
    assert list(X_new.columns) == ["class", "x0"]
    assert set(X_new["x0"]) == {"u", "v"}
    X_new, _ = GANOverSampler(**FAST, random_state=0).fit_resample(frame.set_axis([7, 3], axis=1), y)
    assert list(X_new.columns) == [7, 3]


@pytest.mark.parametrize("given", [["x1"], [1], [False, True]])
def test_numbers_may_be_categories(given: list[Any]) -> None:
    X, y = rare()
    frame = pd.DataFrame({"x0": X[:, 0], "x1": (X[:, 1] > 2) * 7 + 2})
    X_new, _ = GANOverSampler(**FAST, categorical_features=given, random_state=0).fit_resample(frame, y)
    assert set(X_new["x1"]) == {2, 9}
    assert X_new["x1"].dtype == frame["x1"].dtype


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"quality": "good"}, "no quality filter 'good'; known: knn, classifier"),
        ({"learn_from": "some"}, "'all' or 'rare'"),
        ({"reject": 1.0}, "a share, at least 0 and below 1"),
        ({"samples": 0}, "samples is a whole number above 0"),
        ({"categorical_features": ["wrd"]}, "X has not: 'wrd'. Did you mean 'ward'"),
        ({"categorical_features": [True]}, "a mask of 1 columns; X has 4"),
        ({"categorical_features": None}, "does not name: ward, smoker"),
        ({"recipe": "ctgann"}, "ctgann"),
    ],
)
def test_what_cannot_work_is_refused(settings: dict[str, Any], message: str) -> None:
    frame = clinic()
    with pytest.raises(gs.GansmithError, match=message):
        GANOverSampler(**settings).fit_resample(frame.drop(columns="died"), frame["died"])


def test_data_that_cannot_be_learnt_are_refused() -> None:
    X, y = rare()
    with pytest.raises(gs.GansmithError, match="sparse matrix"):
        GANOverSampler().fit_resample(sparse.csr_matrix(X), y)
    X[3, 1] = np.inf
    with pytest.raises(gs.GansmithError, match="column 1 of X holds infinite values"):
        GANOverSampler().fit_resample(X, y)
    twice = pd.DataFrame(X[:, :2], columns=["a", "a"])
    with pytest.raises(gs.GansmithError, match="two columns called 'a'"):
        GANOverSampler().fit_resample(twice, y)
