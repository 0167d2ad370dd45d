"""TableSynthesizer: fit, sample, conditions, constraints, files, save, load, resume; and scikit-learn's conventions."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gansmith as gs
from gansmith.errors import ConfigError, DataError, RunFolderError, UserError
from gansmith.recipes.ctabgan import CTABGAN

from .conftest import SMALL, constraints, shop


def test_rows_have_the_form_of_the_training_data(plain: Any, orders: pd.DataFrame) -> None:
    made = plain.sample(300, seed=1)
    assert list(made.columns) == list(orders.columns)
    assert made.dtypes.astype(str).tolist() == orders.dtypes.astype(str).tolist()
    assert len(made) == 300
    assert set(made["city"]) <= set(orders["city"])
    assert made["price"].between(orders["price"].min(), orders["price"].max()).all()
    assert (made["price"] == made["price"].round(2)).all()
    assert made["note"].isna().any()
    assert not set(made["mail"]) & set(orders["mail"])
    assert made["mail"].str.contains("@").all()


def test_shares_are_those_of_the_data(plain: Any) -> None:
    made = plain.sample(2_000, seed=3)
    assert abs((made["city"] == "Rome").mean() - 0.4) < 0.05
    assert abs(made["vip"].mean() - 0.18) < 0.06


@pytest.mark.slow
def test_it_learns() -> None:
    """What forty steps do not give: a falling held-out score, and in the rows what hangs together in the data."""
    trained = gs.TableSynthesizer("ctgan", **{**SMALL, "samples": 150_000}).fit(shop())
    assert min(score for _, score in trained.scores_) < 0.7 * trained.scores_[0][1]
    made = trained.sample(4_000, seed=3)
    vip = made["vip"].astype(bool)
    assert made["price"][vip].mean() > made["price"][~vip].mean() + 25  # 50 in the data
    assert vip[made["city"] == "Paris"].mean() > vip[made["city"] != "Paris"].mean() + 0.15  # 0.4 in the data


def test_the_same_seed_gives_the_same_bytes(plain: Any, tmp_path: Path) -> None:
    a, b = plain.sample(150, seed=7), plain.sample(150, seed=7)
    assert a.to_csv() == b.to_csv()
    assert not a.equals(plain.sample(150, seed=8))
    fresh = [plain.sample(50).to_csv() for _ in range(3)]
    assert len(set(fresh)) == 3
    again = gs.TableSynthesizer("ctgan", **SMALL).fit(shop())
    assert again.sample(150, seed=7).to_csv() == a.to_csv()
    paths = [plain.sample_to(tmp_path / f"{i}.csv", 150, seed=7) for i in (1, 2)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_text() == a.to_csv(index=False)


def test_conditions_are_met_by_every_row(plain: Any) -> None:
    made = plain.sample(
        80,
        where={"city": ["Rome", "Paris"], "vip": True, "price": (60, 100), "day": ("2024-03-01", "2024-06-30")},
        seed=0,
    )
    assert len(made) == 80
    assert set(made["city"]) == {"Rome", "Paris"}
    assert made["vip"].all()
    assert made["price"].between(60, 100).all()
    assert made["day"].between(pd.Timestamp("2024-03-01"), pd.Timestamp("2024-06-30")).all()
    assert plain.sample(20, where={"note": None}, seed=0)["note"].isna().all()
    assert (plain.sample(20, where={"start": 77}, seed=0)["start"] == 77).all()
    assert plain.sample(0, where={"vip": True}, seed=0).columns.tolist() == made.columns.tolist()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives up early."""
    from gansmith.pipelines.tables import drawing

    monkeypatch.setattr(drawing, "BUDGET", 30_000)
    monkeypatch.setattr(drawing, "BUDGET_EACH", 0)


@pytest.mark.usefixtures("impatient")
def test_a_failure_says_how_far_it_came(bound: Any, tmp_path: Path) -> None:
    where = {"start": (200, None), "end": (None, 100), "vip": True}
    told = r"found 0 of 50 rows after making [\d,]+ with start from 200 and end up to 100 and vip = True that keep Ineq"
    with pytest.raises(gs.ConditionFailed, match=told) as failed:
        bound.sample(50, where=where, seed=0)
    assert "of 1,500 training rows 0 are like that" in str(failed.value)
    assert (len(failed.value.found), list(failed.value.found)) == (0, bound.schema_.names)
    assert failed.value.draws >= 30_000
    loaded = gs.TableSynthesizer.load(bound.save(tmp_path / "model"))
    with pytest.raises(
        gs.ConditionFailed, match=r"each alone is true of this share of the training rows: .*vip = True in"
    ):
        loaded.sample(50, where=where, seed=0)


def test_constraints_are_kept_in_every_row(bound: Any, orders: pd.DataFrame) -> None:
    made = bound.sample(3_000, seed=0)
    pairs = set(map(tuple, orders[["city", "country"]].to_numpy()))
    assert set(map(tuple, made[["city", "country"]].to_numpy())) <= pairs
    assert (made["start"] <= made["end"]).all()
    assert made["order"].is_unique
    assert not set(made["order"]) & set(orders["order"])
    assert made.dtypes.astype(str).tolist() == orders.dtypes.astype(str).tolist()


def test_conditions_and_constraints_together(bound: Any) -> None:
    made = bound.sample(60, where={"city": "Lyon", "end": (100, 200)}, seed=0)
    assert set(made["country"]) == {"France"}
    assert made["end"].between(100, 200).all()
    assert (made["start"] <= made["end"]).all()
    with pytest.raises(UserError, match="no training row has city = 'Rome' and country = 'France'"):
        bound.sample(5, where={"city": "Rome", "country": "France"})


@pytest.mark.usefixtures("impatient")
def test_unique_values_that_run_out_are_told(orders: pd.DataFrame, plain: Any) -> None:
    from gansmith.pipelines.tables.drawing import Drawer
    from gansmith.pipelines.tables.rules import Rule, Rules

    rules = Rules(plain.schema_, (Rule(gs.Unique("city", "vip")),))
    drawer = Drawer(plain.generator_.nets, plain.generator_.recipe, plain.spec_, rules)
    (made,) = drawer.blocks(4, (), 0)
    assert not made.duplicated(["city", "vip"]).any()
    with pytest.raises(gs.ConditionFailed, match=r"of 9 rows after making .* that keep Unique\('city', 'vip'\)"):
        list(Drawer(plain.generator_.nets, plain.generator_.recipe, plain.spec_, rules).blocks(9, (), 0))


def test_files(plain: Any, tmp_path: Path) -> None:
    path = plain.sample_to(tmp_path / "a.csv", 500, seed=0, for_spreadsheets=True)
    assert ",'=late," in path.read_text()
    assert ",=late," not in path.read_text()
    with pytest.raises(UserError, match="exists; add overwrite=True"):
        plain.sample_to(path, 5)
    assert len(pd.read_csv(plain.sample_to(path, 5, overwrite=True))) == 5
    back = pd.read_parquet(plain.sample_to(tmp_path / "a.parquet", 200, where={"vip": True}))
    assert (len(back), back["vip"].all()) == (200, True)
    assert pd.read_csv(plain.sample_to(tmp_path / "none.csv", 0)).columns.tolist() == plain.schema_.names
    with pytest.raises(UserError, match=r"this was: a\.xlsx"):
        plain.sample_to(tmp_path / "a.xlsx", 5)


def test_save_and_load(bound: Any, tmp_path: Path) -> None:
    bound.save(tmp_path / "model")
    loaded = gs.TableSynthesizer.load(tmp_path / "model")
    assert loaded.sample(100, seed=5).equals(bound.sample(100, seed=5))
    assert loaded.constraints == tuple(constraints())
    assert loaded.sample(20, where={"city": "Rome"}, seed=0)["country"].eq("Italy").all()
    assert {p.suffix for p in (tmp_path / "model").iterdir()} == {".json", ".safetensors", ".md"}
    with pytest.raises(RunFolderError, match="is empty, not"):
        bound.save(tmp_path / "model")
    with pytest.raises(RunFolderError, match="load the run folder instead"):
        loaded.resume()
    with pytest.raises(RunFolderError, match="no such model or run folder"):
        gs.TableSynthesizer.load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunFolderError, match="holds no synthesizer"):
        gs.TableSynthesizer.load(tmp_path / "empty")


def test_resuming_is_as_if_never_stopped(orders: pd.DataFrame, tmp_path: Path) -> None:
    data = tmp_path / "orders.csv"
    orders.to_csv(data, index=False)
    given = {**SMALL, "constraints": constraints()}
    whole = gs.TableSynthesizer("ctgan", **{**given, "samples": 10_000}, out=tmp_path / "whole").fit(data)
    half = gs.TableSynthesizer("ctgan", **{**given, "samples": 5_000}, out=tmp_path / "half").fit(data)
    assert half.data_ == str(data)
    with pytest.raises(UserError, match="never overwritten"):
        half.sample_to(data, 5, overwrite=True)
    later = gs.TableSynthesizer.load(tmp_path / "half").resume(samples=10_000)
    assert later.scores_ == whole.scores_
    assert later.sample(100, seed=0).equals(whole.sample(100, seed=0))


def test_a_temporary_run_goes_with_its_object(orders: pd.DataFrame) -> None:
    made = gs.TableSynthesizer("ctgan", **{**SMALL, "samples": 500}).fit(orders)
    run = made.run_
    assert run.is_dir()
    kept = pickle.loads(pickle.dumps(made))
    del made
    import gc

    gc.collect()
    assert not run.exists()
    assert kept.run_ is None
    assert len(kept.sample(3, seed=0)) == 3


def test_scikit_learns_conventions() -> None:
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.utils import estimator_checks as checks
    from sklearn.utils.validation import check_is_fitted

    made = gs.TableSynthesizer("ctgan", seed=3, fields={"latent": 8})
    for check in (
        checks.check_no_attributes_set_in_init,
        checks.check_get_params_invariance,
        checks.check_set_params,
        checks.check_parameters_default_constructible,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_valid_tag_types,
    ):
        check("TableSynthesizer", made)
    assert repr(made) == "TableSynthesizer(recipe='ctgan', seed=3, fields={'latent': 8})"
    assert clone(made).get_params() == made.get_params()
    assert clone(made).set_params(seed=4).seed == 4
    for call in (made.sample, lambda: made.save("x"), lambda: made.impute(shop(5)), made.resume):
        with pytest.raises(NotFittedError, match="call fit"):
            call()
    with pytest.raises(NotFittedError):
        check_is_fitted(made)
    with pytest.raises(ValueError, match=r"no parameter 'samplse'.*Did you mean 'samples'"):
        made.set_params(samplse=3)


def test_fitting_leaves_parameters_and_data_alone(plain: Any, orders: pd.DataFrame) -> None:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(plain)
    assert orders.equals(shop())
    assert plain.get_params() == gs.TableSynthesizer("ctgan", **SMALL).get_params()
    assert plain.n_features_in_ == 10
    assert plain.feature_names_in_.tolist() == list(orders.columns)
    assert copy.deepcopy(plain.constraints) == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "ctgann"}, "no recipe 'ctgann'. Did you mean 'ctgan'"),
        ({"recipe": "dcgan"}, "dcgan"),
        ({"target": "price"}, "makes no use of a target"),
        ({"recipe": "ctabgan", "target": "prise", "fields": None}, "no column 'prise'. Did you mean 'price'"),
        ({"holdout": 1.5}, "at least 0 and less than 1, not: 1.5"),
        ({"batch": 5_000}, "batch of 5000"),
        ({"samples": 100, "minutes": 1}, "samples or minutes"),
        ({"constraints": [gs.Inequality("end", "start")]}, "the training data break"),
        ({"fields": {"latnt": 3}}, "recipe.latnt.*Did you mean 'latent'"),
    ],
)
def test_what_cannot_be_is_told_before_training(options: dict[str, Any], message: str, orders: pd.DataFrame) -> None:
    with pytest.raises((ConfigError, DataError, UserError), match=message):
        gs.TableSynthesizer(**{"recipe": "ctgan", **SMALL, **options}).fit(orders)


@pytest.mark.parametrize("n", [-1, True])
def test_numbers_of_rows_that_cannot_be(plain: Any, n: Any) -> None:
    from gansmith.pipelines.tables.synthesizer import TableSynthesizer

    assert isinstance(plain, TableSynthesizer)
    with pytest.raises(UserError, match="whole number, 0 or more"):
        plain.sample(n)


def test_missing_values_are_filled_in_to_fit(bound: Any, orders: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    holes = orders.head(200).copy()
    for name in ("country", "price", "end", "note"):
        holes[name] = holes[name].astype(object).where(rng.random(200) > 0.3, None)
    done = bound.impute(holes, seed=1)
    assert done.drop(columns="mail").notna().all().all()
    for name in holes:
        known = holes[name].notna()
        assert (done.loc[known, name] == holes.loc[known, name]).all(), name
    pairs = set(map(tuple, orders[["city", "country"]].to_numpy()))
    assert set(map(tuple, done[["city", "country"]].to_numpy())) <= pairs
    assert (done["start"] <= done["end"]).all()
    assert done["price"].dtype == orders["price"].dtype
    assert bound.impute(holes, seed=1).equals(done)
    assert holes["price"].isna().any()


def test_settings_of_the_recipe_may_be_schedules(orders: pd.DataFrame, tmp_path: Path) -> None:
    from gansmith.schedule import Cosine

    fields = {"lr": Cosine(1e-3, 1e-5, 1_000), "width": 16, "latent": 4}
    made = gs.TableSynthesizer("ctgan", fields=fields, samples=500, batch=250, quiet=True, out=tmp_path / "run").fit(
        orders
    )
    assert made.generator_.recipe.lr == fields["lr"]
    again = gs.TableSynthesizer.load(tmp_path / "run")
    assert again.generator_.recipe.lr == fields["lr"]
    assert again.sample(5, seed=0).equals(made.sample(5, seed=0))


def test_arrays_are_tables_too() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    made = gs.TableSynthesizer("ctgan", samples=500, batch=100, quiet=True, fields={"width": 16, "latent": 4}).fit(x)
    assert list(made.sample(5, seed=0).columns) == ["x0", "x1", "x2"]


def test_a_predictor_that_is_sure_may_be_surprised() -> None:
    """On rows that are easily told C's gradients all but vanish, and one row that it gets wrong stands out by 10^5."""
    phases = CTABGAN(target="kind").phases()
    assert not phases["C"].outliers
    assert phases["D"].outliers
