"""Whatever bytes a file holds, it gives a table or a DataError, and a table comes back as it was."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas.testing
import pytest

from gansmith.data.tables_read import open_table
from gansmith.errors import DataError
from gansmith.tabular.frames import canonicalise, restore
from gansmith.tabular.schemafile import load_schema, save_schema, summary
from gansmith.tabular.write import write_csv

hypothesis = pytest.importorskip("hypothesis", reason="fuzzing needs hypothesis, of the extra 'test'")
st = pytest.importorskip("hypothesis.strategies")

WORDS = [
    *("", "0", "1", "-1", "007", "3.14", "1e5", "-0.0", "1e400", "inf", "-Infinity", "nan", "NA", "None", "null", "?"),
    *("-", "True", "False", "yes", "no", "2020-01-31", "31.12.1999", "1/2/2020", "9999-12-31", "0001-01-01", "12:30"),
    *("2020-02-30", "20200131", "a@b.org", "+49 30 1234567", "99999999999999999999", "9223372036854775807", "1,5"),
    *(
        "-9223372036854775808",
        "1.234,56",
        "$5",
        "50%",
        "=1+1",
        "@x",
        " x ",
        "ü",
        "日本",
        "\U0001f600",
        "\u202e",
        "\x00",
    ),
    *("a\nb", 'say "hi"', "'", '"', "550e8400-e29b-41d4-a716-446655440000", "x" * 300, "\uff11\uff12", "0x10", "1_000"),
]


def cells() -> Any:
    letters = st.characters(codec="utf-8", exclude_characters="\r")
    return st.one_of(
        st.sampled_from(WORDS), st.text(letters, max_size=8), st.floats().map(repr), st.integers().map(str)
    )


def columns(rows: int) -> Any:
    """Cells of one kind, or of any: columns that mean something are likelier to reach the far code."""
    one = st.one_of(
        cells(),
        st.sampled_from(["1", "2", "3"]),
        st.integers(-(2**70), 2**70).map(str),
        st.floats(-1e6, 1e6).map(lambda x: f"{x:.3f}"),
        st.integers(0, 10**7).map(lambda n: f"${n / 100:,.2f}"),
        st.integers(0, 100).map(lambda n: f"{n}%"),
        st.dates().map(str),
        st.datetimes().map(lambda d: d.isoformat(" ", "seconds")),
        st.sampled_from(["yes", "no", ""]),
        st.uuids().map(str),
    )
    return st.one_of(st.lists(cells(), min_size=rows, max_size=rows), st.lists(one, min_size=rows, max_size=rows))


@st.composite
def files(draw: Callable[..., Any]) -> bytes:
    """Delimited text: mostly rectangular and quoted right, now and then broken or of another encoding."""
    delimiter, end = (
        draw(st.sampled_from([",", ",", ";", "\t", "|"])),
        draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])),
    )
    rows, wide = draw(st.integers(0, 40)), draw(st.integers(1, 5))
    header = draw(st.lists(cells(), min_size=wide, max_size=wide))
    body = list(zip(*(draw(columns(rows)) for _ in range(wide)), strict=True))
    if draw(st.booleans()):
        body = body * draw(st.integers(1, 8))
    quoted = draw(st.integers(0, 3))
    lines = [delimiter.join(_cell(c, delimiter, quoted) for c in row) for row in [header, *body]]
    text = end.join(lines) + draw(st.sampled_from([end, end, ""]))
    raw = text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"])), "replace")
    for _ in range(draw(st.integers(0, 2)) if draw(st.integers(0, 4)) == 0 else 0):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.binary(max_size=4)) + raw[at + draw(st.integers(0, 3)) :]
    return raw


def _cell(text: str, delimiter: str, quoted: int) -> str:
    needs = any(c in text for c in (delimiter, '"', "\n", "\r"))
    return '"' + text.replace('"', '""') + '"' if quoted and (needs or quoted > 2) else text


def check(content: bytes, name: str = "t.csv") -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        table, said = _opened(path)
        assert path.read_bytes() == content
        hypothesis.event("a table" if table else "an error")
        if table:
            _check_table(table, Path(folder))
        else:
            assert 0 < len(said.splitlines()) <= 3


def _opened(path: Path) -> tuple[Any, str]:
    """The table, or what is wrong with it."""
    try:
        return open_table(path), ""
    except DataError as error:
        return None, str(error)


def _check_table(table: Any, folder: Path) -> None:
    frame = table.frame()
    assert len(frame) == table.rows
    schema = table.schema
    made = restore(canonicalise(frame, schema), schema, rows=len(frame))
    assert made.columns.tolist() == schema.names
    learnt = [c.name for c in schema.learnt if c.format is None or "%z" not in c.format]
    pandas.testing.assert_frame_equal(made[learnt], frame[learnt])
    save_schema(schema, folder / "schema.yaml")
    assert load_schema(folder / "schema.yaml") == schema
    assert len(summary(schema)) == len(schema) + 1
    assert all(isinstance(note, str) for note in table.notes())
    write_csv(made, folder / "back.csv", for_spreadsheets=True)


FEW = hypothesis.settings(max_examples=60, deadline=None, derandomize=True, database=None)
MANY = hypothesis.settings(max_examples=1000, deadline=None, database=None)


@FEW
@hypothesis.given(files())
def test_fuzzed_files_give_a_table_or_a_data_error(content: bytes) -> None:
    check(content)


@FEW
@hypothesis.given(st.binary(max_size=400))
def test_any_bytes_give_a_table_or_a_data_error(content: bytes) -> None:
    for name in ("t.csv", "t.parquet", "t.csv.gz"):
        check(content, name)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@MANY
@hypothesis.given(files())
def test_a_thousand_fuzzed_files(content: bytes) -> None:
    check(content)
