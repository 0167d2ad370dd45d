"""Constraints: what they say of rows, what they learn, how columns are changed for them and come back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gansmith.errors import ConfigError, DataError, UserError
from gansmith.pipelines.tables.constraint_files import handed_over, read, write
from gansmith.pipelines.tables.constraints import (
    Constraint,
    Custom,
    FixedCombinations,
    Inequality,
    OneHot,
    Range,
    Rows,
    Unique,
)
from gansmith.pipelines.tables.rules import Rules, fit_rules
from gansmith.tabular.frames import canonicalise, restore
from gansmith.tabular.infer import infer


def grown_up(frame: pd.DataFrame) -> Any:
    return frame["age"] >= 18


def trips(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    start = rng.integers(0, 50, n)
    city = rng.choice(["Rome", "Milan", "Paris", "Lyon"], n, p=[0.5, 0.2, 0.2, 0.1])
    colour = rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            "key": np.arange(n) * 7 + 100,
            "start": start,
            "end": start + rng.integers(0, 20, n),
            "left": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 100, n), unit="D"),
            "age": rng.integers(18, 80, n),
            "city": city,
            "country": np.where(np.isin(city, ["Rome", "Milan"]), "Italy", "France"),
            "red": (colour == 0).astype(int),
            "green": (colour == 1).astype(int),
            "blue": (colour == 2).astype(int),
            "price": np.round(rng.gamma(2, 10, n), 2),
        }
    ).assign(
        back=lambda d: d["left"] + pd.to_timedelta(rng.integers(0, 9, n), unit="D"),
        city=lambda d: d["city"].where(rng.random(n) > 0.1, None),
    )


def fitted(frame: pd.DataFrame, *constraints: Constraint, chunk: int = 150) -> Rules:
    schema = infer(frame)
    chunks = (frame.iloc[i : i + chunk].reset_index(drop=True) for i in range(0, len(frame), chunk))
    return fit_rules(((c, canonicalise(c, schema)) for c in chunks), schema, constraints)


def there_and_back(frame: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    canonical = canonicalise(frame, rules.schema)
    return restore(rules.backward(rules.forward(canonical)), rules.schema)


ALL = (
    Inequality("start", "end"),
    Inequality("left", "back"),
    FixedCombinations("city", "country"),
    OneHot(["red", "green", "blue"]),
    Range("age", 18, 80),
    Unique("key"),
    Custom(grown_up),
)


def test_every_constraint_holds_and_columns_come_back() -> None:
    frame = trips()
    rules = fitted(frame, *ALL)
    names = rules.inner.names
    assert {"end - start", "back - left", "city + country", "red + green + blue"} < set(names)
    assert not {"end", "back", "city", "country", "red"} & set(names)
    assert rules.schema["key"].kind == "identifier"
    back = there_and_back(frame, rules)
    learnt = [c for c in frame.columns if c != "key"]
    pd.testing.assert_frame_equal(back[learnt], frame[learnt])
    assert rules.holds(Rows(frame, canonicalise(frame, rules.schema))).all()


def test_rules_go_through_json() -> None:
    frame = trips()
    rules = fitted(frame, *ALL)
    again = Rules.from_json(json.loads(json.dumps(rules.to_json())), handed_over([grown_up]))
    assert again == rules
    assert again.inner == rules.inner
    with pytest.raises(UserError, match=r"load\(path, custom=\[grown_up\]\)"):
        Rules.from_json(rules.to_json(), handed_over([]))


@pytest.mark.parametrize("ending", ["json", "yaml"])
def test_constraints_go_through_files(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rules.{ending}"
    write(path, ALL)
    assert read(path) == ALL
    assert read([c.to_json() for c in ALL]) == ALL


@pytest.mark.parametrize(
    ("constraint", "change", "message"),
    [
        (
            Inequality("start", "end"),
            {"end": -1},
            r"Inequality\('start', 'end'\) in 2 of 400 rows; the first is row 6 ",
        ),
        (Inequality("left", "back"), {"back": pd.Timestamp("2020-01-01")}, "in 2 of 400 rows"),
        (Range("age", 18, 80), {"age": 12}, r"Range\('age', low=18, high=80\).*row 6 \(age=12\), then 201"),
        (OneHot("red", "green", "blue"), {"red": 1, "green": 1}, "OneHot"),
        (Unique("key"), {"key": 100}, "in 2 of 400 rows"),
        (Custom(grown_up), {"age": 3}, r"Custom\(grown_up\) in 2 of 400 rows; the first is row 6, then 201"),
    ],
)
def test_data_that_break_a_constraint_are_counted(constraint: Constraint, change: dict[str, Any], message: str) -> None:
    frame = trips()
    for name, value in change.items():
        frame.loc[[5, 200], name] = value
    with pytest.raises(DataError, match=message):
        fitted(frame, constraint)


def test_missing_values_are_not_compared() -> None:
    frame = trips()
    frame["end"] = frame["end"].astype("Int64")
    frame.loc[3, "end"] = pd.NA
    rules = fitted(frame, Inequality("start", "end"))
    assert "end - start" in rules.inner.names
    pd.testing.assert_frame_equal(
        there_and_back(frame, rules), restore(canonicalise(frame, rules.schema), rules.schema)
    )
    frame["start"] = frame["start"].astype("Int64")
    frame.loc[9, "start"] = pd.NA
    rejecting = fitted(frame, Inequality("start", "end"))
    assert not rejecting.transforms
    assert rejecting.inner == rejecting.schema


def test_the_last_column_stays_where_the_first_has_missing_values() -> None:
    frame = trips()
    frame["start"] = frame["start"].astype("Int64")
    frame.loc[9, "start"] = pd.NA
    rules = fitted(frame, Inequality("start", "end"))
    assert "end" in rules.inner.names
    assert "start" not in rules.inner.names
    same = there_and_back(frame, rules)
    assert (same["start"].isna() == frame["start"].isna()).all()
    assert (same["start"].dropna() == frame["start"].dropna()).all()


def test_a_chain_of_three_rises() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=300).round(3)
    frame = pd.DataFrame({"a": a, "b": a + rng.random(300).round(3), "c": a + 2 + rng.random(300).round(3)})
    rules = fitted(frame, Inequality("a", "b", "c", strict=True))
    steps = {"b - a": rng.uniform(-0.1, 1, 1000), "c - b": rng.uniform(-1, 3, 1000)}  # -0.1 and -1 become one step
    made = rules.backward({"a": rng.choice(a, 1000), **steps})
    whole = restore(made, rules.schema)
    kept = rules.holds(Rows(whole, canonicalise(whole, rules.schema)))
    assert (whole[kept]["a"] < whole[kept]["b"]).all()
    assert kept.mean() > 0.6  # only what the training range cuts off is left to rejection


def test_columns_taken_twice_are_kept_by_rejection() -> None:
    frame = trips().assign(last=lambda d: d["end"] + 3)
    rules = fitted(frame, Inequality("start", "end"), Inequality("end", "last"))
    assert [r.applied for r in rules.rules] == [True, False]
    frame.loc[0, "last"] = -5
    canonical = canonicalise(frame, rules.schema)
    assert rules.holds(Rows(frame, canonical)).tolist() == [False] + [True] * (len(frame) - 1)


def test_combinations_of_the_data_and_no_others() -> None:
    frame = trips()
    rules = fitted(frame, FixedCombinations("city", "country"))
    wrong = frame.assign(country="France")
    held = rules.holds(Rows(wrong, canonicalise(wrong, rules.schema)))
    assert (held == ~np.isin(wrong["city"].fillna("-"), ["Rome", "Milan"])).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fitted(trips(), Inequality("start", "ende")), "no column 'ende'. Did you mean 'end'"),
        (lambda: fitted(trips(), Inequality("start", "left")), "compares dates with numbers"),
        (lambda: fitted(trips(), Inequality("start", "city")), "'city' is: category"),
        (lambda: fitted(trips(), OneHot("red", "age")), "'age' is not one|wants columns of 0 and 1|OneHot"),
        (lambda: fitted(trips(), Range("age", 90, 10)), "low is above high"),
        (lambda: fitted(trips(), Range("left", low="soon")), "a date such as '2024-01-31', not with: 'soon'"),
        (lambda: Range("age"), "wants low, high or both"),
        (lambda: Inequality("a"), "2 or more different columns"),
        (lambda: Unique("a", "a"), "different columns"),
        (lambda: Custom("no function"), "takes a function"),
        (lambda: read([{"kind": "inequalities"}]), "no constraint 'inequalities'.*Did you mean 'inequality'"),
        (lambda: read([{"kind": "range", "columns": "a", "lo": 3}]), "cannot be made"),
        (lambda: read(["x"]), "not a constraint: 'x'; there are: Inequality"),
        (lambda: read("no_such.yaml"), "the file of constraints no_such.yaml cannot be read"),
        (lambda: read([{"kind": "custom", "predicate": "nowhere:f"}]), "no function 'nowhere:f'"),
        (lambda: Custom(lambda d: d).to_json(), "cannot be saved"),
        (lambda: fitted(trips(), Custom(lambda d: True)), "returned True for 150 rows"),
    ],
)
def test_what_cannot_be_is_told(make: Any, message: str) -> None:
    with pytest.raises((ConfigError, DataError, UserError), match=message):
        make()
