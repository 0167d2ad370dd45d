"""How a file writes missing values is kept, column by column, and written again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pandas.testing
import pytest

from gansmith.data.tables_read import open_table
from gansmith.pipelines.tables.stream import write_blocks
from gansmith.privacy.prepare import bare
from gansmith.tabular.csvtext import spelled
from gansmith.tabular.frames import canonicalise, restore
from gansmith.tabular.schema import Column, Schema
from gansmith.tabular.write import words_for

CELLS = {
    "age": ["NA", "NA", "n/a"],
    "score": ["-", "-", ""],
    "ward": ["N/A", "N/A", "null"],
    "seen": ["-", "?", "-"],
    "mail": ["none@example.org", "NA", "NA"],
    "whole": ["7", "8", "9"],
}
WORDS = {"age": "NA", "score": "-", "ward": "N/A", "seen": "-", "mail": "NA", "whole": ""}


@pytest.fixture
def path(written: Callable[..., Path]) -> Path:
    """A hundred full rows and three that lack values, each column in a spelling of its own."""
    lines = [
        f"{i % 60},{i / 8},{'abc'[i % 3]},2024-{1 + i % 12:02d}-{1 + i % 28:02d},p{i}@example.org,{i * 7 % 90}"
        for i in range(100)
    ]
    lines += [",".join(CELLS[name][i] for name in CELLS) for i in range(3)]
    return written("\n".join([",".join(CELLS), *lines]) + "\n")


def test_the_most_frequent_spelling_of_each_column_is_kept(path: Path) -> None:
    schema = open_table(path).schema
    assert {column.name: column.missing for column in schema} == WORDS
    kinds = {column.name: column.kind for column in schema}
    assert kinds == {"age": "integer", "score": "float", "ward": "category", "seen": "datetime", "mail": "identifier",
                     "whole": "integer"}  # fmt: skip


@pytest.mark.parametrize("name", ["made.csv", "made.tsv"])
def test_files_of_text_get_it_back_and_frames_do_not(path: Path, tmp_path: Path, name: str) -> None:
    table = open_table(path)
    made = restore(canonicalise(table.frame(), table.schema), table.schema)
    assert made["score"].isna().sum() == 3
    write_blocks(tmp_path / name, [made[:50], made[50:]], table.schema)
    cells = [line.split("\t" if name.endswith("tsv") else ",") for line in (tmp_path / name).read_text().splitlines()]
    assert [row[:4] for row in cells[-3:]] == [["NA", "-", "N/A", "-"]] * 3
    again = open_table(tmp_path / name)
    pandas.testing.assert_frame_equal(again.frame()[list(CELLS)[:4]], made[list(CELLS)[:4]])


def test_parquet_has_missing_values_of_its_own(path: Path, tmp_path: Path) -> None:
    table = open_table(path)
    made = restore(canonicalise(table.frame(), table.schema), table.schema)
    write_blocks(tmp_path / "made.parquet", [made], table.schema)
    assert pd.read_parquet(tmp_path / "made.parquet")["ward"].isna().sum() == 3


def test_spreadsheets_take_a_dash_as_it_is(path: Path, tmp_path: Path) -> None:
    table = open_table(path)
    write_blocks(tmp_path / "made.csv", [table.frame()], table.schema, for_spreadsheets=True)
    assert (tmp_path / "made.csv").read_text().splitlines()[-1].split(",")[1] == "-"


def test_a_word_that_runs_is_made_harmless(tmp_path: Path) -> None:
    schema = Schema((Column(name="a", kind="float", nulls=True, missing="=1+1"),))
    write_blocks(tmp_path / "made.csv", [pd.DataFrame({"a": [1.5, np.nan]})], schema, for_spreadsheets=True)
    assert (tmp_path / "made.csv").read_text() == "a\n1.5\n'=1+1\n"


def test_columns_without_a_word_stay_as_they_are() -> None:
    frame = pd.DataFrame({"a": [1.5, np.nan], "d": pd.to_datetime(["2024-01-01", None])})
    schema = Schema((Column(name="a", kind="float", nulls=True), Column(name="d", kind="datetime", nulls=True)))
    pandas.testing.assert_frame_equal(spelled(frame, words_for(frame, schema)), frame)


def test_a_private_model_does_not_know_it() -> None:
    assert bare(Column(name="a", kind="float", nulls=True, missing="NA")).missing == ""


def test_words_among_other_words_are_words(written: Callable[..., Path]) -> None:
    column = open_table(written("a,b\n" + "x,1.5\n-,2.5\n?,3.5\n" * 20)).schema["a"]
    assert (set(column.categories), column.nulls, column.missing) == ({"x", "-", "?"}, False, "")
