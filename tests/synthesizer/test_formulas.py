"""Columns that others determine: found, suggested, left out of what is learnt, and right in every row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

import gansmith as gs
from gansmith.data.tables_read import open_table
from gansmith.errors import ConfigError, DataError
from gansmith.pipelines.tables.constraint_files import read
from gansmith.pipelines.tables.inner import canonical_chunks
from gansmith.pipelines.tables.relations import confirmed, suggestions
from gansmith.pipelines.tables.rules import Rules, fit_rules
from gansmith.tabular.frames import canonicalise, restore

QUICK: dict[str, Any] = {"batch": 100, "samples": 2_000, "quiet": True, "fields": {"width": 32, "latent": 8, "pac": 1}}
KEPT = (
    gs.Sum("gross", "total", "post"),  # in the other order than they are worked out
    gs.Sum("total", "net", "tax"),
    gs.Sum("left", "came", "stay", unit="days"),
    gs.Product("amount", "price", "number"),
)


def bills(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    net, price = np.round(rng.lognormal(4, 1, n), 2), np.round(rng.lognormal(2, 1, n), 2)
    tax, stay, number = np.round(net * rng.choice([0.07, 0.19], n), 2), rng.integers(0, 40, n), rng.integers(1, 60, n)
    came = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1_000, n), unit="D")
    post = np.round(rng.random(n) * 90, 2)
    frame = pd.DataFrame(
        {"net": net, "tax": tax, "total": np.round(net + tax, 2), "post": post, "came": came, "stay": stay}
    )
    frame["gross"] = np.round(frame["total"] + post, 2)
    frame["left"] = came + pd.to_timedelta(stay, unit="D")
    return frame.assign(price=price, number=number, amount=np.round(price * number, 2), other=rng.normal(0, 1, n))


def right(frame: pd.DataFrame) -> bool:
    """Whether every row of made bills keeps all formulas."""
    assert np.abs(frame["total"] - frame["net"] - frame["tax"]).max() < 1e-6
    assert np.abs(frame["gross"] - frame["total"] - frame["post"]).max() < 1e-6
    assert (frame["left"] - frame["came"]).dt.days.eq(frame["stay"]).all()
    return bool(np.abs(frame["amount"] - frame["price"] * frame["number"]).max() <= 0.00501)


def fitted(frame: pd.DataFrame, constraints: Any) -> Rules:
    table = open_table(frame)
    return fit_rules(canonical_chunks(table), table.schema, read(constraints))


def test_determined_columns_are_not_learnt_and_come_back() -> None:
    frame = bills()
    rules = fitted(frame, KEPT)
    assert not {"gross", "total", "left", "amount"} & set(rules.inner.names)
    canonical = canonicalise(frame, rules.schema)
    back = restore(rules.backward(rules.forward(canonical)), rules.schema)
    pd.testing.assert_frame_equal(back, frame)
    again = Rules.from_json(json.loads(json.dumps(rules.to_json())))
    assert again.constraints == rules.constraints
    assert again.inner == rules.inner
    assert again.transforms == rules.transforms


def test_every_row_made_keeps_them(tmp_path: Path) -> None:
    model = gs.TableSynthesizer("ctgan", constraints=KEPT, **QUICK).fit(bills())
    assert right(model.sample(300, seed=0))
    assert right(model.sample(50, where={"total": (50, 200)}, seed=0))
    model.save(tmp_path / "model")
    loaded = gs.TableSynthesizer.load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.sample(50, seed=1), model.sample(50, seed=1))
    holes = bills(60).astype({"stay": float})
    holes.loc[:9, "total"], holes.loc[5:15, "tax"], holes.loc[20:25, "stay"] = np.nan, np.nan, np.nan
    holes.loc[30:33, "left"] = pd.NaT
    holes["gross"] = np.nan
    filled = model.impute(holes, seed=0)
    assert not filled.isna().any().any()
    assert right(filled)
    assert (filled["net"] == holes["net"]).all()


def test_missing_values_stand_where_parts_are_missing() -> None:
    frame = bills()
    frame.loc[:20, ["tax", "total"]] = np.nan
    rules = fitted(frame, [gs.Sum("total", "net", "tax")])
    canonical = canonicalise(frame, rules.schema)
    back = restore(rules.backward(rules.forward(canonical)), rules.schema)
    pd.testing.assert_frame_equal(back, frame)
    frame.loc[30, "total"] = np.nan
    with pytest.raises(DataError, match=r"break Sum\('total', 'net', 'tax'\) in 1 of 600 rows; the first is row 31"):
        fitted(frame, [gs.Sum("total", "net", "tax")])


def test_what_goes_round_in_a_circle_is_left_out_once() -> None:
    rules = fitted(
        bills(), [gs.Sum("total", "net", "tax"), gs.Sum("gross", "total", "post"), gs.Sum("total", "net", "tax")]
    )
    assert [rule.applied for rule in rules.rules] == [True, True, False]
    frame = bills().assign(minus=lambda f: -f["tax"])
    circle = fitted(frame, [gs.Sum("total", "net", "tax"), gs.Sum("net", "total", "minus")])
    assert [rule.applied for rule in circle.rules] == [True, False]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gs.Sum("total", "net"), "3 or more different columns"),
        (lambda: gs.Sum("left", "came", "stay", unit="day"), "no unit 'day'.*Did you mean 'days'"),
        (lambda: fitted(bills(), [gs.Sum("left", "came", "stay")]), "wanted one date that is the sum of another"),
        (lambda: fitted(bills(), [gs.Product("left", "came", "stay")]), "wants a column of kind integer or float"),
        (lambda: fitted(bills(), [gs.Sum("net", "total", "tax")]), "training data break .* in 600 of 600 rows"),
        (lambda: fitted(bills(), [gs.Sum("totl", "net", "tax")]), "Did you mean 'total'"),
    ],
)
def test_what_cannot_be_is_explained(make: Any, message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        make()


def test_what_all_rows_keep_is_found_and_can_be_pasted(tmp_path: Path) -> None:
    frame = bills()
    frame["upper"] = np.round(frame["other"] + np.random.default_rng(1).random(len(frame)), 4)
    frame.loc[::9, "other"] = np.nan
    frame.loc[3, ["tax", "total", "gross"]] = np.nan
    table = open_table(frame)
    found = confirmed(table)
    assert set(found) == {*KEPT, gs.Inequality("other", "upper")}
    told = suggestions(table, ())
    assert "left = came + stay (in days) in all 600 rows" in " ".join(told)
    lines = "\n".join(text.partition("(--constraints): ")[2] for text in told)
    (tmp_path / "kept.yaml").write_text(lines)
    assert set(read(tmp_path / "kept.yaml")) == set(found)
    assert yaml.safe_load(lines)[0] == {"kind": "sum", "columns": ["total", "net", "tax"]}
    assert suggestions(table, found) == []


def test_what_one_row_breaks_is_not_suggested() -> None:
    frame = bills()
    frame.loc[599, "total"] += 0.01
    frame.loc[598, "amount"] += 0.01
    kinds = [c.columns for c in confirmed(open_table(frame))]
    assert ("total", "net", "tax") not in kinds
    assert ("amount", "price", "number") not in kinds
    assert ("left", "came", "stay") in kinds


def test_independent_columns_suggest_nothing(shared_data: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({f"x{i}": rng.normal(i, 1, 500) for i in range(10)} | {"flag": rng.integers(0, 2, 500)})
    assert confirmed(open_table(frame)) == []
    assert confirmed(open_table(shared_data / "tabular" / "adult.csv.gz")) == []


def test_the_plan_tells_of_it() -> None:
    said = list[str]()
    model = gs.TableSynthesizer("ctgan", **QUICK)
    from gansmith.pipelines.plan import Wishes

    model.train(bills(), Wishes(samples=1_000), tell=lambda plan: said.extend(plan.source.notes()), dry_run=True)
    assert any("total = net + tax in all 600 rows" in text for text in said)
