"""What is stated: read from files and mappings, in the units and types of the columns, or refused in words."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from gansmith.errors import DataError
from gansmith.privacy.stated import Stated, read_stated
from gansmith.tabular.schema import Column, Schema

SCHEMA = Schema(
    (
        Column(name="age", kind="integer", dtype="int64"),
        Column(name="came", kind="datetime", dtype="datetime64[us]"),
        Column(name="left", kind="datetime", dtype="datetime64[us, Europe/Paris]", timezone="Europe/Paris"),
        Column(name="ill", kind="category", dtype="str", categories=("no", "yes")),
        Column(name="ward", kind="category", dtype="int64", categories=(7, 3)),
        Column(name="name", kind="identifier", fill="name"),
    )
)
DAY = 86_400e6


def test_a_file_is_read_in_the_units_of_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "stated.yaml"
    path.write_text(
        "bounds:\n  age: [0, 120]\n  came: [1970-01-02, 1970-01-03]\n  left: ['1970-01-02 01:00', 1970-01-04]\n"
        'categories:\n  ill: ["no", "yes", 3]\n  ward: ["3", 7, 7]\nspecial: {age: [0]}\nbulk: {age: [20, 60.5]}\n'
    )
    stated = read_stated(path, SCHEMA)
    assert stated.bounds["age"] == (0, 120)
    assert stated.bounds["came"] == (DAY, 2 * DAY)
    assert stated.bounds["left"] == (DAY, 3 * DAY - 3_600e6), "midnight in Paris is an hour earlier in UTC"
    assert stated.categories == {"ill": ("no", "yes", "3"), "ward": (3, 7)}
    assert (stated.special["age"], stated.bulk["age"]) == ((0.0,), (20.0, 60.5))
    assert stated.of(SCHEMA["age"])
    assert not stated.of(SCHEMA["name"])


def test_mappings_and_nothing_are_taken_too() -> None:
    assert read_stated({"bounds": {"came": (datetime.date(1970, 1, 2), DAY * 3)}}, SCHEMA).bounds["came"] == (
        DAY,
        3 * DAY,
    )
    assert read_stated(None, SCHEMA) == Stated()
    stated = Stated(bounds={"age": (0, 1)})
    assert read_stated(stated, SCHEMA) is stated


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ranges": {"age": (0, 1)}}, r"nothing 'ranges' can be stated.* one of: bounds, bulk, categories, special"),
        ({"bound": {"age": (0, 1)}}, r"Did you mean 'bounds'"),
        ({"bounds": [0, 1]}, r"by column, as bounds: \{age: \[...\]\}"),
        ({"bounds": {"agge": (0, 1)}}, r"Did you mean 'age'"),
        ({"bounds": {"age": (0,)}}, r"wanted two numbers, \[lowest, highest\], this was: \(0,\)"),
        ({"bounds": {"age": (0, "many")}}, r"wanted numbers, this was: 'many'"),
        ({"bounds": {"came": ("soon", "late")}}, r"holds dates; wanted one such as 2015-01-31, this was: 'soon'"),
        ({"bounds": {"came": (None, None)}}, r"wanted dates, such as 2015-01-31, this was: None"),
        ({"bounds": {"age": (9, 1)}}, r"a lower and a higher number, not: 9.0, 1.0"),
        ({"categories": {"ill": [False, True]}}, r"write them in quotes"),
        ({"categories": {"ward": ["north"]}}, r"are numbers, this is none: 'north'"),
        ({"categories": {"ill": "no"}}, r"wanted a list, this was: 'no'"),
        ({"categories": {"name": ["Ann"]}}, r"is of the kind identifier"),
        (["age"], r"what may be stated, each by column"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(given: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_stated(given, SCHEMA)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.yaml, in which things are stated, cannot be read"):
        read_stated(tmp_path / "none.yaml", SCHEMA)
    broken = tmp_path / "broken.yaml"
    broken.write_text("bounds: {age: [0, 1}\n")
    with pytest.raises(DataError, match=r"broken.yaml, in which things are stated, is no YAML \(line 1\)"):
        read_stated(str(broken), SCHEMA)
