"""The text of rows is what pandas writes, whatever the columns hold."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pandas.testing
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gansmith.errors import DataError
from gansmith.tabular import csvtext
from gansmith.tabular.csvtext import as_csv

CELLS = st.lists(st.text(st.sampled_from('ab,;"\t\n é '), max_size=4), min_size=3, max_size=3)
FLOATS = st.lists(st.floats(width=64), min_size=3, max_size=3)


def theirs(frame: pd.DataFrame, sep: str = ",") -> str:
    return frame.to_csv(index=False, sep=sep, lineterminator="\n")


@settings(max_examples=60, deadline=None)
@given(CELLS, FLOATS, st.lists(st.integers(-(2**63), 2**63 - 1), min_size=3, max_size=3), st.sampled_from(",\t"))
def test_any_cells_are_written_as_pandas_does(
    texts: list[str], floats: list[float], wholes: list[int], sep: str
) -> None:
    frame = pd.DataFrame({"te,xt": texts, "x": floats, "n": wholes, "c": pd.Categorical(texts)})
    assert as_csv(frame, sep=sep).decode() == theirs(frame, sep)


MANY = pd.DataFrame(
    {
        "whole": pd.array([1, None, -3], dtype="Int64"),
        "small": np.array([1, 2, 255], dtype=np.uint8),
        "yes": [True, False, True],
        "perhaps": pd.array([True, None, False], dtype="boolean"),
        "day": pd.to_datetime(["2024-01-31", None, "2024-02-01"]),
        "moment": pd.to_datetime(["2024-01-31 12:30:01", None, "2024-02-01 00:00:00"]),
        "zone": pd.to_datetime(["2024-01-31", None, "2024-02-01"]).tz_localize("Europe/Rome"),
        "span": pd.to_timedelta(["1 days", None, "2 hours"]),
        "month": pd.PeriodIndex(["2024-01", None, "2024-02"], freq="M"),
        "exact": pd.array([1e-5, None, 1e16], dtype="Float64"),
        "word": ["a", None, "b"],
        "sort": pd.Categorical(["x", None, 'y"'], categories=['y"', "x", "z"]),
        "object": pd.Series(["p", np.nan, "q"], dtype=object),
        "nothing": pd.Series([None, None, None], dtype=object),
    }
)


def test_columns_of_all_types_go_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = theirs(MANY)
    monkeypatch.setattr(csvtext, "spelled", None)  # of the slow way
    assert as_csv(MANY).decode() == wanted
    assert as_csv(MANY[1:]).decode() == theirs(MANY[1:])


@pytest.mark.parametrize(
    "other",
    [
        pd.Series([1, "a", None], dtype=object),
        pd.Series([1.1, 2.2, 3.3], dtype="float32"),
        pd.Series(pd.Categorical([1.5, None, 2.5])),
        pd.Series([np.timedelta64(1, "D"), "x", 2], dtype=object),
        pd.Series([1, 2, 3], dtype="int64[pyarrow]"),
    ],
)
def test_columns_of_rare_types_are_left_to_pandas(other: pd.Series) -> None:
    frame = pd.DataFrame({"a": ["x", None, "y,z"], "b": other})
    assert as_csv(frame).decode() == theirs(frame)
    assert as_csv(frame, words=["NA", "NA"]).decode().splitlines()[2].startswith("NA,")


def test_one_column_and_no_rows() -> None:
    for frame in (pd.DataFrame({"a": ["x", None]}), MANY[:0], pd.DataFrame({"a": ["x"], "b": [1]})[:0]):
        assert as_csv(frame).decode() == theirs(frame)
    assert as_csv(MANY[["whole", "word"]], header=False) == b"1,a\n,\n-3,b\n"


def test_words_stand_for_missing_values_and_are_quoted_where_they_must() -> None:
    frame = MANY[["whole", "word", "day"]]
    assert as_csv(frame, header=False, words=["NA", "n/a", "-"]) == b"1,a,2024-01-31\nNA,n/a,\n-3,b,2024-02-01\n"
    assert as_csv(frame, header=False, words=["", "x,y", ""]).splitlines()[1] == b',"x,y",'


def test_a_return_within_a_cell_comes_back() -> None:
    frame = pd.DataFrame({"a": ["x\ry", "z"], "b": [1, 2]})
    pandas.testing.assert_frame_equal(pd.read_csv(io.BytesIO(as_csv(frame))), frame)


def test_a_cell_that_cannot_be_written_is_named() -> None:
    with pytest.raises(DataError, match="UTF-8 cannot write"):
        as_csv(pd.DataFrame({"a": pd.Series(["\ud800", "b"], dtype=object), "b": [1, 2]}))
