"""Schemas as YAML that people edit, and CSV that is safe, whole and the same each time."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pandas.testing
import pytest

from gansmith.data.tables_read import open_table
from gansmith.errors import DataError
from gansmith.tabular.infer import infer
from gansmith.tabular.schema import Schema
from gansmith.tabular.schemafile import load_schema, save_schema, summary
from gansmith.tabular.write import is_formula, write_csv


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": range(100),
            "age": [20 + i % 60 for i in range(100)],
            "smokes": ["yes", "no"] * 50,
            "city": [f"Stadt ü {i % 3}" for i in range(100)],
            "seen": pd.date_range("2020-01-31", periods=100),
            "half": pd.Series([0.5, None, 0.25, 0.125] * 25),
        }
    )


def test_a_schema_is_saved_edited_and_used(tmp_path: Path) -> None:
    schema, path = infer(frame()), tmp_path / "schema.yaml"
    save_schema(schema, path)
    assert load_schema(path) == schema
    text = path.read_text(encoding="utf-8")
    assert "Stadt ü 0" in text
    assert text.startswith("# The columns of a table.")
    path.write_text("columns:\n- {name: age, kind: category}\n- {name: id, kind: identifier, fill: uuid4}\n")
    edited = open_table(frame(), schema=path).schema
    assert [(c.name, c.kind, c.dtype) for c in edited] == [("id", "identifier", "int64"), ("age", "category", "int64")]
    assert edited["id"].fill == "uuid4"
    assert len(edited["age"].categories) == 60


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns: [{name: a, kind: numbr}]", "'a' has no kind 'numbr'"),
        ("columns: [{name: a, kind: integer, hihg: 3}]", "no field 'hihg'.* Did you mean 'high'"),
        ("columns: [{name: a}]", "'a' has no kind; known: integer"),
        ("columns: [{kind: float}]", "column 1 of the schema has no name"),
        ("columns: [{name: a, kind: float, low: much}]", "'a', low: input should be a valid number.*: 'much'"),
        ("columns: [{name: a, kind: category, categories: 5}]", "'a', categories: "),
        ("columns: [{name: a, kind: float}, {name: a, kind: float}]", "two columns 'a'"),
        ("columns: []", "holds no list of columns"),
        ("just words", "holds no list of columns"),
        ("columns: [", "is no YAML"),
        ("columns: [{name: a, kind: datetime, format: '%Q'}]", "a part %Q that is unknown"),
    ],
)
def test_a_schema_with_mistakes_is_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "schema.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_schema(path)


def test_a_schema_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_schema(tmp_path / "none.yaml")
    with pytest.raises(DataError, match="cannot be written"):
        save_schema(Schema(()), tmp_path / "no" / "schema.yaml")


def test_the_summary_says_what_each_column_is() -> None:
    rows = summary(infer(frame()))
    assert rows[0] == ("column", "kind", "values", "missing", "notes")
    assert rows[1] == ("id", "identifier", "", "", "not learnt; filled with sequence")
    assert rows[2] == ("age", "integer", "20 to 79", "", "")
    assert rows[3][:3] == ("smokes", "boolean", "no, yes")
    assert rows[5][2] == "2020-01-31 to 2020-05-09"
    assert rows[6][3] == "25.0%"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz"])
def test_writing_is_whole_repeatable_and_comes_back(tmp_path: Path, name: str) -> None:
    write_csv(frame(), tmp_path / name)
    first = (tmp_path / name).read_bytes()
    write_csv(frame(), tmp_path / name)
    assert (tmp_path / name).read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [name]
    back = open_table(tmp_path / name).frame()
    pandas.testing.assert_frame_equal(back, frame().assign(seen=frame()["seen"].dt.strftime("%Y-%m-%d")))


def test_appended_parts_make_the_same_bytes(tmp_path: Path) -> None:
    whole = frame()
    write_csv(whole, tmp_path / "whole.csv")
    for first in range(0, 100, 30):
        write_csv(whole[first : first + 30], tmp_path / "parts.csv", append=True)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def test_spreadsheets_meet_no_formulas(tmp_path: Path) -> None:
    risky = pd.DataFrame(
        {
            "=name": ["=1+1", "+49 30 1", "-x", "@SUM(A1)", "plain", "-5", None],
            "number": [-1.5, 2, 3, 4, 5, 6, 7],
            "kept": pd.Categorical(["=x", "y", "y", "y", "y", "y", "y"]),
        }
    )
    before = risky.copy(deep=True)
    write_csv(risky, tmp_path / "t.csv", for_spreadsheets=True)
    assert (tmp_path / "t.csv").read_text().splitlines() == [
        "'=name,number,kept",
        "'=1+1,-1.5,'=x",
        "'+49 30 1,2.0,y",
        "'-x,3.0,y",
        "'@SUM(A1),4.0,y",
        "plain,5.0,y",
        "-5,6.0,y",
        ",7.0,y",
    ]
    pandas.testing.assert_frame_equal(risky, before)
    assert is_formula(" =1+1")
    assert is_formula("\t=1")
    assert not is_formula("-5e3")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    for append in (False, True):
        with pytest.raises(DataError, match="cannot be written"):
            write_csv(frame(), tmp_path / "no" / "t.csv", append=append)
    with pytest.raises(DataError, match="UTF-8 cannot write"):
        write_csv(pd.DataFrame({"a": ["\ud800"]}, dtype=object), tmp_path / "t.csv")
