"""What columns are taken for, and what people may say about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gansmith.data.tables_read import open_table
from gansmith.errors import DataError
from gansmith.tabular.infer import Inference, infer
from gansmith.tabular.schema import Column, Schema
from gansmith.tabular.tally import Distinct, Numbers

N = 300


def kind_of(values: Any, name: str = "x", **options: Any) -> Column:
    return infer(pd.DataFrame({name: values}), **options)[name]


def random_words(n: int, length: int = 8) -> list[str]:
    letters = np.random.default_rng(1).integers(97, 123, (n, length))
    return ["".join(map(chr, row)) for row in letters]


@pytest.mark.parametrize(
    ("name", "values", "fill"),
    [
        ("x", [f"user{i}@mail.org" for i in range(N)], "email"),
        ("x", [f"user{i % 9}@mail.org" for i in range(N)], "email"),
        ("x", [f"{i:08x}-0000-4000-8000-{i:012x}" for i in range(N)], "uuid4"),
        ("x", [f"+49 30 {i:07d}" for i in range(N)], "phone_number"),
        ("x", [f"10.0.{i % 256}.{i // 256}" for i in range(N)], "ipv4"),
        ("Name", [f"Anna{chr(65 + i % 26)} Smith{chr(97 + i // 26)}" for i in range(N)], "name"),
        ("x", [f"Anna{chr(97 + i % 26)} Smith{chr(97 + i // 26)}" for i in range(N)], "name"),
        ("Treating doctor", [f"Ann{'abcdef'[i % 6]} Smith" for i in range(N)], "name"),
        ("first name", ["Ann", "Bob", "Cy"] * (N // 3), "first_name"),
        ("last_name", [f"Smith{i % 100}" for i in range(N)], "last_name"),
        ("phone", list(range(4_930_000_000, 4_930_000_000 + 7 * N, 7)), "pattern:%#########"),
        ("x", [f"AB-{(i * 7919) % 9000 + 1000}" for i in range(N)], "pattern:AB-%###"),
        ("x", list(range(100, 100 + N)), "sequence"),
        ("x", [int(i) for i in np.random.default_rng(0).permutation(N)], "sequence"),
        ("customer_id", list(range(0, 7 * N, 7)), "sequence"),
        ("x", [f"the {a} of {b}" for a, b in zip(random_words(N), random_words(N)[::-1], strict=True)], "sentence"),
    ],
)
def test_identifiers_are_recognised(name: str, values: list[Any], fill: str) -> None:
    column = kind_of(values, name)
    assert (column.kind, column.fill) == ("identifier", fill)


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("store_id", [i % 40 for i in range(N)], "category"),
        ("zip_code", [10_000 + 97 * (i % 50) for i in range(N)], "category"),
        ("city", [f"City {i % 60}" for i in range(N)], "category"),
        ("income", [int(i) for i in np.random.default_rng(0).integers(1e4, 1e6, N)], "integer"),
        ("age", [18 + i % 60 for i in range(N)], "integer"),
        ("children", [i % 5 for i in range(N)], "category"),
        ("rate", [i % 7 / 4 for i in range(N)], "category"),
        ("customer", ["new", "old", "Very Old"] * (N // 3), "category"),
        ("answer", ["y", "n"] * (N // 2), "boolean"),
        ("sex", ["M", "F"] * (N // 2), "category"),
        ("hash", [2**60 + (i % 3) for i in range(N)], "category"),
    ],
)
def test_what_repeats_is_no_identifier(name: str, values: list[Any], kind: str) -> None:
    assert kind_of(values, name).kind == kind


def test_names_say_nothing_without_hints() -> None:
    values = list(range(0, 7 * N, 7))
    assert kind_of(values, "customer_id", name_hints=False).kind == "integer"


def test_categories_are_listed_by_frequency_and_counted() -> None:
    column = kind_of(pd.Series(["b"] * 5 + ["a"] * 7 + ["c"] * 5 + [None] * 3))
    assert column.categories == ("a", "b", "c")
    assert column.counts == (7, 5, 5, 3)


def test_values_that_pile_up_are_special() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(100, 5000, 2000)
    values[:300], values[300:330], values[330:350] = 0, 999, 9999
    assert kind_of(values).special == (0.0, 999.0, 9999.0)
    assert kind_of(rng.normal(size=2000)).special == ()
    assert kind_of(rng.integers(0, 100, 2000)).special == ()


def test_digits_after_the_point_are_counted() -> None:
    assert kind_of(np.arange(N) / 8).decimals == 3
    assert kind_of(np.arange(N) / 3).decimals is None
    assert kind_of((np.arange(N) / 100).astype("float32")).decimals == 2


def test_dates_that_may_be_read_in_two_ways_are_remarked_on() -> None:
    inference = Inference(["when"])
    inference.add(pd.DataFrame({"when": [f"0{1 + i % 9}/0{1 + i % 7}/2020" for i in range(N)]}))
    assert inference.schema()["when"].format == "%m/%d/%Y"
    assert "dates are read as %m/%d/%Y; %d/%m/%Y would fit as well" in inference.remarks()[0]


def test_a_wanted_schema_stands_and_the_rest_is_found() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3] * 40, "b": range(0, 840, 7), "c": ["x"] * 120})
    wanted = Schema((Column(name="b", kind="category"), Column(name="a", kind="integer", low=0.0, high=9.0)))
    schema = infer(frame, wanted=wanted)
    assert schema.names == ["a", "b"]
    assert (schema["a"].kind, schema["a"].low, schema["a"].high, schema["a"].dtype) == ("integer", 0.0, 9.0, "int64")
    assert len(schema["b"].categories) == 120


def test_kinds_left_over_from_before_an_edit_do_no_harm() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3] * 40})
    found = infer(frame)["a"].to_json()
    schema = infer(frame, wanted=Schema((Column.from_json({**found, "kind": "integer"}),)))
    assert (schema["a"].kind, schema["a"].categories, schema["a"].high) == ("integer", (), 3.0)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("integer", "'a' cannot be integer: it does not hold numbers, but 'x', 'y'"),
        ("datetime", "'a' cannot be datetime: it does not hold dates in one format"),
    ],
)
def test_a_kind_that_cannot_be_is_refused(kind: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        infer(pd.DataFrame({"a": ["x", "y"] * 10}), wanted=Schema((Column(name="a", kind=kind),)))


def test_a_described_column_that_is_missing_is_refused() -> None:
    with pytest.raises(DataError, match=r"the schema has a column 'agee', the data have none\. Did you mean 'age'"):
        infer(pd.DataFrame({"age": [1]}), wanted=Schema((Column(name="agee", kind="integer"),)))


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match=r"'a' \(columns 1 and 3\)"):
        infer(pd.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]))


@pytest.mark.parametrize("size", [37, 100])
def test_chunks_say_the_same_as_the_whole(size: int) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "i": rng.integers(0, 1000, N),
            "f": rng.normal(size=N).round(2),
            "c": rng.choice(["a", "b", "c"], N),
            "n": pd.Series(rng.normal(size=N)).mask(rng.random(N) < 0.1),
            "d": pd.date_range("2020", periods=N, freq="h"),
            "t": pd.date_range("2020", periods=N).strftime("%d.%m.%Y"),
            "k": pd.Categorical(rng.choice(["u", "v"], N), categories=["v", "u", "w"], ordered=True),
        }
    )
    inference = Inference(list(frame.columns))
    for first in range(0, N, size):
        inference.add(frame.iloc[first : first + size])
    assert inference.schema() == infer(frame)


def test_different_values_are_counted_in_bounded_memory() -> None:
    tally, exact = Distinct(most=1000), Distinct(most=1000)
    for first in range(0, 200_000, 10_000):
        values = np.arange(first, first + 10_000).astype(float)
        tally.add(values, np.ones(10_000, dtype=np.int64))
        exact.add(values % 500, np.ones(10_000, dtype=np.int64))
    assert len(tally.values) == 1000
    assert not tally.exact
    assert tally.single
    assert abs(tally.number - 200_000) < 0.1 * 200_000  # three standard deviations at 1000 kept
    assert exact.exact
    assert exact.number == 500
    assert set(exact.counts) == {400}


def test_a_sample_of_numbers_takes_rows_alike() -> None:
    numbers = Numbers()
    for first in range(0, 200_000, 20_000):
        numbers.add(np.arange(first, first + 20_000))
    assert len(numbers.sample.values) == 50_000
    assert abs(numbers.sample.values.mean() - 100_000) < 2_000
    assert numbers.consecutive


def test_adult_is_understood(shared_data: Path) -> None:
    schema = open_table(shared_data / "tabular" / "adult.csv.gz").schema
    kinds = {c.name: c.kind for c in schema}
    assert [n for n, k in kinds.items() if k == "integer"] == [
        "age", "fnlwgt", "capital-gain", "capital-loss", "hours-per-week"
    ]  # fmt: skip
    assert set(kinds.values()) == {"integer", "category"}
    assert schema["capital-gain"].special == (0.0, 99999.0)
    assert "?" in schema["workclass"].categories
    assert schema["education-num"].categories[:2] == (9, 10)
    assert schema["education-num"].dtype == "int64"


def test_nsl_kdd_is_understood(shared_data: Path) -> None:
    schema = open_table(shared_data / "tabular" / "nsl_kdd_train20.csv.gz").schema
    assert not [c for c in schema if c.kind in ("identifier", "datetime")]
    assert schema["serror_rate"].special == (0.0, 1.0)
    assert schema["serror_rate"].decimals == 2
    assert schema["service"].kind == "category"
    assert schema["num_outbound_cmds"].categories == (0,)
