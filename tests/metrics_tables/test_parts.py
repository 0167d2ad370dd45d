"""Intervals, distances, columns and baselines against closed forms and brute force."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

from gansmith.errors import DataError, UserError
from gansmith.metrics.tables import Bootstrap, GaussianCopula, IndependentColumns, intervals, quality
from gansmith.metrics.tables.columns import align
from gansmith.metrics.tables.encode import Measure
from gansmith.metrics.tables.neighbours import Nearest
from gansmith.metrics.tables.privacy import closest, cut, nearer_to_train
from gansmith.tabular.schema import Column, Schema

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
Make = Callable[[int, int], Any]


def test_wilson_is_the_textbook_interval() -> None:
    """Newcombe 1998, table I: 81 of 263 gives (0.2553, 0.3662); 0 of 20 gives (0, 0.1611)."""
    assert intervals.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert intervals.wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert intervals.wilson(20, 20)[1] == 1.0


def test_the_interval_of_a_difference_is_newcombes() -> None:
    """Newcombe 1998, table II, method 10: 56/70 less 48/80 gives (0.0524, 0.3339)."""
    assert intervals.difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_auc_is_scikit_learns_and_its_interval_covers() -> None:
    from sklearn.metrics import roc_auc_score

    rng, covered = np.random.default_rng(0), 0
    truth = 0.5 * (1 + math.erf(1 / math.sqrt(2) / math.sqrt(2)))  # P(N(1,1) > N(0,1))
    for _ in range(200):
        p, q = rng.normal(1, 1, 60), rng.normal(0, 1, 40)
        value, (low, high) = intervals.auc(p, q)
        covered += low <= truth <= high
    assert value == pytest.approx(roc_auc_score([1] * 60 + [0] * 40, np.concatenate([p, q])))
    assert 180 <= covered <= 200
    assert intervals.auc([1, 1], [1, 1])[0] == 0.5


def test_true_positives_at_a_false_positive_rate() -> None:
    assert intervals.true_positives_at([5, 4, 3, 0], [3.5, 2, 1, 0], 0.0) == (0.5, 2)
    assert intervals.true_positives_at([5, 4, 3, 0], [3.5, 2, 1, 0], 0.25) == (0.75, 3)


def test_cramers_v_and_pearson_are_the_textbooks() -> None:
    from scipy.stats.contingency import association

    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 4, 300), rng.integers(0, 3, 300)
    b = np.where(rng.random(300) < 0.5, a % 3, b)
    table = np.zeros((4, 3), int)
    np.add.at(table, (a, b), 1)
    assert quality.cramers_v(a, b) == pytest.approx(association(table))
    assert quality.cramers_v(a * 1_000_000, b) == pytest.approx(association(table))  # too wide to be held whole
    x, y = rng.normal(size=50), rng.normal(size=50)
    assert quality.pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert math.isnan(quality.pearson(x, np.ones(50)))


def test_dates_too_near_for_bins_are_one_bin() -> None:
    """Nanoseconds since 1970 that do not differ leave no room for ten bins of floats."""
    schema = Schema((Column(name="t", kind="datetime"), Column(name="k", kind="category", dtype="str")))
    table = pd.DataFrame({"t": pd.to_datetime(["2024-01-05", "2024-01-05", None, "2024-01-05"]), "k": list("abab")})
    found = quality.trends(align(schema, {"real": table, "fake": table}))
    assert found[0].score == 1.0


def test_nearest_is_what_brute_force_finds(make: Make, schema: Schema) -> None:
    tables = align(schema, {"real": make(120, 0), "fake": make(80, 1)})
    near = Nearest(tables)
    found, rows = near("fake", "real", 2)
    a, b = (np.array(g) for g in zip(*itertools.product(range(80), range(120)), strict=True))
    every = near.measure.exact(tables["fake"], a, tables["real"], b).reshape(80, 120)
    assert found == pytest.approx(np.sort(every, 1)[:, :2], abs=1e-5)  # float32 decides between near ties
    assert every[np.arange(80), rows[:, 0]] == pytest.approx(found[:, 0])


def test_the_distance_is_gowers_by_hand() -> None:
    schema = Schema((Column(name="a", kind="float"), Column(name="k", kind="category", dtype="str")))
    table = pd.DataFrame({"a": [0.0, 10.0, np.nan], "k": ["u", "v", "v"]})
    tables = align(schema, {"real": table})
    measure = Measure(schema.columns, {"a": 0.0}, {"a": 10.0})
    rows = np.array([0, 0, 1]), np.array([1, 2, 2])
    found = measure.exact(tables["real"], rows[0], tables["real"], rows[1])
    assert found == pytest.approx([1.0, 1.0, math.sqrt(0.5)])  # missing against an end of the range costs 1


def test_rows_that_share_a_closest_record_are_no_independent_trials() -> None:
    near, far = np.zeros(6), np.ones(6)
    apart = nearer_to_train(near, far, np.arange(6), np.arange(6))
    assert apart == (1.0, 6.0)
    crowd = nearer_to_train(near, far, np.zeros(6, dtype=int), np.arange(6))
    assert crowd == (1.0, 1.0)
    tied = nearer_to_train(near, near, np.arange(6), np.arange(6))
    assert tied == (0.5, 12.0)


def test_the_share_closer_to_training_covers_one_half_when_nothing_is_remembered(make: Make, schema: Schema) -> None:
    """Fresh rows whose neighbours are hubs: the interval holds 0.5 about as often as it promises."""
    covered = 0
    for seed in range(40):
        tables = {"real": make(60, 3 * seed), "test": make(60, 3 * seed + 1), "fake": make(400, 3 * seed + 2)}
        figures = {f.name: f for f in closest(Nearest(cut(align(schema, tables), seed=0)))}
        low, high = figures["closer-to-training-share"].interval or (0, 1)
        covered += low <= 0.5 <= high
    assert covered >= 34


def test_a_column_of_many_categories_keeps_its_copies() -> None:
    """Random directions blur distances, never whether two rows are the same."""
    schema = Schema((Column(name="k", kind="category", dtype="str"), Column(name="a", kind="float")))
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"k": [f"c{i}" for i in rng.integers(0, 500, 400)], "a": rng.normal(size=400)})
    found, rows = Nearest(align(schema, {"real": real, "fake": real[::-1]}))("fake", "real")
    assert (found[:, 0] == 0).all()
    assert (rows[:, 0] == np.arange(400)[::-1]).all()


def test_tables_that_cannot_be_compared_are_named(make: Make, schema: Schema) -> None:
    real = make(20, 0)
    with pytest.raises(DataError, match=r"the fake table lacks 1 column\(s\) of the schema: level"):
        align(schema, {"real": real, "fake": real.drop(columns="level")})
    with pytest.raises(DataError, match="the fake table has no rows"):
        align(schema, {"real": real, "fake": real[:0]})
    endless = real.assign(x=[np.inf, *real.x[1:]])
    with pytest.raises(DataError, match="the fake table holds an infinite number in column 'x', row 0"):
        align(schema, {"real": real, "fake": endless})


def test_codes_mean_the_same_in_every_table(make: Make, schema: Schema) -> None:
    tables = align(schema, {"real": make(300, 0), "fake": make(50, 1).assign(level="new")})
    names = np.array(tables.levels["level"], dtype=object)
    assert set(names[tables["fake"]["level"]]) == {"new"}
    assert -1 in tables["real"]["level"]
    stamps = tables["real"]["day"]
    assert (stamps == make(300, 0).day.astype("datetime64[ns]").astype("int64").to_numpy()).all()


@pytest.mark.parametrize("kind", [IndependentColumns, GaussianCopula, Bootstrap])
def test_baselines_keep_dtypes_values_and_seeds(kind: Any, make: Make, schema: Schema) -> None:
    real = make(300, 0)
    made = kind(3).fit(real, schema).sample(500)
    assert list(made.columns) == list(real.columns)
    learnt = [c.name for c in schema.learnt]
    assert (made[learnt].dtypes == real[learnt].dtypes).all()
    assert all(made[c].dropna().isin(real[c]).all() for c in learnt)
    assert made.equals(kind(3).fit(real, schema).sample(500))
    assert not made.x.equals(kind(4).fit(real, schema).sample(500).x)
    assert not set(made.id) & set(real.id)
    with pytest.raises(UserError, match="call fit"):
        kind().sample(3)


def test_the_copula_finds_the_correlation_behind_thresholds() -> None:
    """A normal pair with rho 0.7, one of them seen only as three classes and one only as a flag."""
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal([0, 0, 0], [[1, 0.7, 0.5], [0.7, 1, 0.5], [0.5, 0.5, 1]], 20_000)
    real = pd.DataFrame(
        {"a": z[:, 0], "k": np.array(["l", "m", "h"])[np.digitize(z[:, 1], [-0.5, 0.8])], "f": z[:, 2] > 0.3}
    )
    kinds = {"a": "float", "k": "category", "f": "boolean"}
    schema = Schema(tuple(Column(name=n, kind=k) for n, k in kinds.items()))  # type: ignore[arg-type]
    found = np.abs(GaussianCopula(0).fit(real, schema).correlation_)
    assert found[0, 1] == pytest.approx(0.7, abs=0.04)
    assert found[0, 2] == pytest.approx(0.5, abs=0.04)
    assert found[1, 2] == pytest.approx(0.5, abs=0.06)
    assert np.linalg.eigvalsh(GaussianCopula(0).fit(real, schema).correlation_).min() > 0


def test_trends_tell_the_baselines_apart(make: Make, schema: Schema) -> None:
    real = make(2000, 0)
    scores = {}
    for kind in (IndependentColumns, GaussianCopula, Bootstrap):
        tables = align(schema, {"real": real, "fake": kind(1).fit(real, schema).sample(2000)})
        scores[kind.__name__] = quality.score(quality.shapes(tables), quality.trends(tables))
    shapes, pairs = ([s[i] for s in scores.values()] for i in (1, 2))
    assert min(shapes) > 0.96
    assert pairs[0] < 0.75 < 0.8 < pairs[1] < pairs[2]
