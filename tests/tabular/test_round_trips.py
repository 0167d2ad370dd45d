"""What comes in comes back: every dtype, with and without missing values, through JSON and back."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandas.testing
import pyarrow as pa
import pytest

from gansmith.errors import DataError
from gansmith.tabular.frames import canonicalise, restore
from gansmith.tabular.infer import infer
from gansmith.tabular.schema import Schema

N = 400
DAY0 = pd.to_datetime("2020-01-01")


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def holes(values: Any) -> Any:
    return pd.Series(values).mask(rng().random(N) < 0.1)


def ints(high: int = 1000) -> Any:
    return pd.Series(rng().integers(0, high, N))


def seconds(high: int = 10**7, unit: str = "s") -> Any:
    return pd.Series(DAY0 + pd.to_timedelta(rng().integers(0, high, N), unit=unit))


def words(*choices: str) -> Any:
    return pd.Series(rng().choice(choices, N))


def objects(values: Any) -> Any:
    return pd.Series(list(values), dtype=object)


CASES: dict[str, tuple[str, Callable[[], Any]]] = {
    "int64": ("integer", ints),
    "int8": ("integer", lambda: (ints(100) - 50).astype("int8")),
    "Int64 with nulls": ("integer", lambda: holes(ints().astype("Int64"))),
    "few large integers with nulls": ("category", lambda: holes((2**63 - 1 - ints(3)).astype("Int64"))),
    "few integers": ("category", lambda: ints(5)),
    "few Int8 with nulls": ("category", lambda: holes(ints(5).astype("Int8"))),
    "float64": ("float", lambda: pd.Series(rng().normal(size=N))),
    "two decimals": ("float", lambda: pd.Series(rng().normal(size=N).round(2))),
    "float32": ("float", lambda: pd.Series(rng().normal(size=N).round(3)).astype("float32")),
    "float with nulls": ("float", lambda: holes(rng().normal(size=N))),
    "Float64 with nulls": ("float", lambda: holes(pd.Series(rng().normal(size=N).round(1)).astype("Float64"))),
    "integers held as floats": ("integer", lambda: holes(ints().astype(float))),
    "few integers held as floats": ("category", lambda: holes(ints(3).astype(float))),
    "negative zero": ("float", lambda: pd.Series(np.where(rng().random(N) < 0.1, -0.0, rng().normal(size=N)))),
    "sparse": ("float", lambda: pd.Series(pd.arrays.SparseArray(rng().normal(size=N)))),
    "bool": ("boolean", lambda: pd.Series(rng().random(N) < 0.3)),
    "constant bool": ("boolean", lambda: pd.Series([True] * N)),
    "boolean with nulls": ("boolean", lambda: holes(pd.Series(rng().random(N) < 0.3).astype("boolean"))),
    "bool objects with None": ("boolean", lambda: objects([True, False, None, True] * (N // 4))),
    "words": ("category", lambda: words("a", "b", "c")),
    "words with nulls": ("category", lambda: holes(words("a", "b", "c"))),
    "string with nulls": ("category", lambda: holes(words("a", "b").astype("string"))),
    "objects with None": ("category", lambda: objects(["a", None, "b", "b"] * (N // 4))),
    "yes and no": ("boolean", lambda: words("yes", "No")),
    "ordered levels, one unused": (
        "category",
        lambda: pd.Series(pd.Categorical(words("lo", "hi"), categories=["lo", "mid", "hi"], ordered=True)),
    ),
    "levels that are integers": ("category", lambda: pd.Series(pd.Categorical(ints(3) + 1, categories=[3, 1, 2]))),
    "levels that are floats": ("category", lambda: pd.Series(pd.Categorical(ints(3) / 2))),
    "levels with nulls": ("category", lambda: pd.Series(pd.Categorical(holes(words("a", "b"))))),
    "dates in microseconds": ("datetime", seconds),
    "dates in nanoseconds": ("datetime", lambda: seconds().astype("datetime64[ns]")),
    "days": ("datetime", lambda: seconds(1000, "D")),
    "dates with nulls": ("datetime", lambda: holes(seconds(10**6, "min"))),
    "dates in a zone": ("datetime", lambda: seconds().dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")),
    "days in a zone": ("datetime", lambda: seconds(1000, "D").dt.tz_localize("America/New_York")),
    "dates as text": ("datetime", lambda: seconds(1000, "D").dt.strftime("%d.%m.%Y")),
    "times as text, with nulls": ("datetime", lambda: holes(seconds().dt.strftime("%m/%d/%Y %I:%M %p"))),
    "dates as numbers": ("datetime", lambda: seconds(1000, "D").dt.strftime("%Y%m%d").astype("int64")),
    "date objects": ("datetime", lambda: objects(seconds(1000, "D").dt.date)),
    "date objects with None": (
        "datetime",
        lambda: objects([dt.date(2020, 1, 1 + i % 28), None][i % 2] for i in range(N)),
    ),
    "datetime objects": (
        "datetime",
        lambda: objects(dt.datetime(2020, 1, 1) + dt.timedelta(hours=i) for i in range(N)),
    ),
    "time objects": ("datetime", lambda: objects(dt.time(i % 24, i % 60) for i in range(N))),
    "a constant date": ("datetime", lambda: pd.Series([DAY0] * N)),
    "Decimals": ("float", lambda: objects(Decimal(i) / 100 for i in range(0, 7 * N, 7))),
    "timedeltas": ("float", lambda: pd.Series(pd.to_timedelta(rng().integers(0, 10**6, N), unit="s"))),
    "periods": ("datetime", lambda: pd.Series(pd.period_range("2000-01", periods=N, freq="M"))),
    "a constant word": ("category", lambda: pd.Series(["x"] * N)),
    "a constant integer": ("category", lambda: pd.Series([7] * N)),
    "a constant float": ("category", lambda: pd.Series([1.5] * N)),
    "nothing, as float": ("category", lambda: pd.Series([np.nan] * N)),
    "nothing, as text": ("category", lambda: pd.Series([None] * N, dtype="str")),
    "nothing, as dates": ("category", lambda: pd.Series([pd.NaT] * N)),
    "numbers and words": ("category", lambda: objects([1, "a", 2.5, "b"] * (N // 4))),
    "codes with leading zeros": ("category", lambda: ints(30).map("{:03d}".format)),
    "numbers as text": ("integer", lambda: ints().astype(str)),
    "few numbers as text": ("category", lambda: words("1", "2", "3.0")),
    "amounts with a currency": ("float", lambda: pd.Series(rng().lognormal(5, 2, N)).map("${:,.2f}".format)),
    "percents with nulls": ("integer", lambda: holes(ints(101).map("{}%".format))),
    "few numbers with a unit": ("category", lambda: words("5 kg", "10 kg", "20 kg")),
    "integer objects": ("integer", lambda: objects(int(i) for i in ints())),
    "Arrow integers": ("integer", lambda: ints().astype("int64[pyarrow]")),
    "Arrow text": ("category", lambda: words("a", "b").astype(pd.ArrowDtype(pa.string()))),
    "Arrow stamps": ("datetime", lambda: seconds().astype("timestamp[us][pyarrow]")),
    "Arrow bools": ("boolean", lambda: pd.Series(rng().random(N) < 0.5).astype("bool[pyarrow]")),
    "Arrow days": ("datetime", lambda: seconds(1000, "D").dt.date.astype(pd.ArrowDtype(pa.date32()))),
}


@pytest.mark.parametrize("case", CASES)
def test_a_column_comes_back_as_it_was(case: str) -> None:
    kind, make = CASES[case]
    frame = make().rename("x").to_frame()
    schema = infer(frame)
    assert schema["x"].kind == kind
    assert Schema.from_json(json.loads(json.dumps(schema.to_json()))) == schema
    pandas.testing.assert_frame_equal(restore(canonicalise(frame, schema), schema), frame)


def test_order_of_columns_and_names_come_back() -> None:
    frame = pd.DataFrame({"z": [1, 2, 3] * 20, "a b": ["x", "y", "z"] * 20, "": [0.5, 1.5, 2.25] * 20})
    schema = infer(frame)
    back = restore(canonicalise(frame[["", "a b", "z"]], schema), schema)
    pandas.testing.assert_frame_equal(back, frame)


def test_what_a_network_makes_is_rounded_clipped_and_typed() -> None:
    frame = pd.DataFrame({"i": range(0, 1000, 7), "f": np.arange(143) / 100, "d": pd.date_range("2020", periods=143)})
    schema = infer(frame)
    day = 86_400e6
    low = schema["d"].low
    assert low is not None
    made = {"i": np.array([-5.0, 3.4, 9e9]), "f": np.array([-1.0, 0.123456, 7.0])}
    back = restore({**made, "d": np.array([0.0, low + 1.7 * day, 1e18])}, schema)
    assert back["i"].tolist() == [0, 3, 994]
    assert back["f"].tolist() == [0.0, 0.12, 1.42]
    assert back["d"].dt.strftime("%Y-%m-%d").tolist() == ["2020-01-01", "2020-01-02", "2020-05-22"]
    assert back.dtypes.tolist() == frame.dtypes.tolist()


def test_missing_values_without_a_place_for_them_are_refused() -> None:
    frame = pd.DataFrame({"i": range(0, 1000, 7)})
    schema = infer(frame)
    with pytest.raises(DataError, match="'i' has missing values, and its dtype int64"):
        restore({"i": np.array([1.0, np.nan])}, schema)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"a": [1.0, 2.0, np.nan], "b": ["x", "y", "x"]}, "'a' has no value in row 3"),
        ({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "zz"]}, "'b', row 3: no category 'zz'"),
        ({"a": [1.0, np.inf, 3.0], "b": ["x", "y", "x"]}, "'a' is infinite in row 2"),
        ({"a": ["1", "2", "three"], "b": ["x", "y", "x"]}, "'a', row 3: wanted a number, this was: 'three'"),
        ({"b": ["x", "y", "x"]}, "lacks the column 'a'"),
    ],
)
def test_values_that_do_not_fit_are_named_by_row_and_column(frame: dict[str, Any], message: str) -> None:
    schema = infer(pd.DataFrame({"a": np.arange(100) / 3, "b": ["x", "y"] * 50}))
    with pytest.raises(DataError, match=message):
        canonicalise(pd.DataFrame(frame), schema)


def test_the_first_row_of_a_chunk_counts_in_messages() -> None:
    schema = infer(pd.DataFrame({"b": ["x", "y"] * 50}))
    with pytest.raises(DataError, match="row 1,002"):
        canonicalise(pd.DataFrame({"b": ["x", "q"]}), schema, first=1000)


def test_dates_of_another_format_are_named() -> None:
    schema = infer(pd.DataFrame({"d": ["2020-01-31", "2020-02-01"] * 10}))
    with pytest.raises(DataError, match=r"row 2: wanted a date written as %Y-%m-%d, this was: '31\.1\.2020'"):
        canonicalise(pd.DataFrame({"d": ["2020-01-31", "31.1.2020"]}), schema)


def test_amounts_written_otherwise_are_named() -> None:
    schema = infer(pd.DataFrame({"a": [f"${i:,}.50" for i in range(300)]}))
    assert schema["a"].format == "${:.2f}"
    with pytest.raises(DataError, match=r"'a', row 2: wanted a number written as \$1234\.50, this was: '7 EUR'"):
        canonicalise(pd.DataFrame({"a": ["$1.50", "7 EUR"]}), schema)


@pytest.mark.parametrize(("values", "dtype"), [([[1]], "list"), ([b"x"], "bytes"), ([{"a": 1}], "dict")])
def test_cells_that_are_no_single_values_are_refused(values: list[Any], dtype: str) -> None:
    with pytest.raises(DataError, match=f"'x' holds a {dtype} in row 1"):
        infer(pd.DataFrame({"x": values * 3}))


def test_adult_comes_back_and_quickly(shared_data: Path) -> None:
    frame = pd.read_csv(shared_data / "tabular" / "adult.csv.gz")
    schema = infer(frame)
    begun = time.process_time()
    canonical = canonicalise(frame, schema)
    took = time.process_time() - begun
    pandas.testing.assert_frame_equal(restore(canonical, schema), frame)
    assert took < 0.6  # 0.1 s alone on a core; twice the bar for a busy machine


def test_a_million_rows_are_restored_in_seconds(shared_data: Path) -> None:
    frame = pd.read_csv(shared_data / "tabular" / "adult.csv.gz")
    schema = infer(frame)
    canonical = {name: np.resize(values, 1_000_000) for name, values in canonicalise(frame, schema).items()}
    begun = time.process_time()
    assert len(restore(canonical, schema)) == 1_000_000
    assert time.process_time() - begun < 8
