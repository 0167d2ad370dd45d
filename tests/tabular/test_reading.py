"""Tables of every kind are opened, understood and streamed; what is wrong with them is said."""

from __future__ import annotations

import bz2
import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandas.testing
import pyarrow as pa
import pyarrow.parquet
import pytest

from gansmith.data.tables_read import is_table, open_table
from gansmith.errors import DataError
from gansmith.tabular.frames import canonicalise, restore

Written = Callable[..., Path]
ROWS = "age,sex\n" + "".join(f"{20 + i % 50},{'FM'[i % 2]}\n" for i in range(300))


def mixed(n: int = 500) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "i": rng.integers(0, 1000, n),
            "f": rng.normal(size=n).round(3),
            "c": rng.choice(["a", 'say "b"', "c, d", "two\nlines"], n),
            "g": pd.Series(rng.normal(size=n)).mask(rng.random(n) < 0.1),
            "b": rng.random(n) < 0.5,
            "t": pd.date_range("2020", periods=n).strftime("%d.%m.%Y"),
            "k": rng.integers(0, 9, n),
        }
    )


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.csv.bz2", "t.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    frame = mixed()
    frame["k"] = frame["k"].astype("Int64").mask(frame.index % 7 == 0)
    path = tmp_path / name
    if name.endswith("parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if "tsv" in name else ",")
    before = path.read_bytes()
    table = open_table(path)
    assert table.rows == 500
    pandas.testing.assert_frame_equal(table.frame(), frame)
    back = restore(canonicalise(table.frame(), table.schema), table.schema)
    pandas.testing.assert_frame_equal(back, frame)
    assert [len(c) for c in table.chunks(64)] == [64] * 7 + [52]
    assert path.read_bytes() == before


def test_chunks_keep_dtypes_when_only_a_late_one_misses_values(written: Written) -> None:
    rows = "".join(f"{i % 977 * 3}\n" for i in range(100_000)) + '""\n'
    table = open_table(written("a\n" + rows))
    assert {str(c["a"].dtype) for c in table.chunks(1000)} == {"Int64"}


def test_a_late_word_among_numbers_is_said(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansmith.data.tables_csv.BLOCK", 4096)
    table = open_table(written("a\n" + "".join(f"{i * 7}\n" for i in range(5000)) + "foo\n"))
    assert "a: row 5,001 holds 'foo' among numbers, so it is taken as text" in table.notes()[0]
    assert table.schema["a"].dtype == "str"
    assert table.frame()["a"].tolist()[-1] == "foo"


def test_words_for_missing_values_are_read_as_such_among_numbers(written: Written) -> None:
    table = open_table(written("a\n" + "".join(f"{i * 7}\n" for i in range(300)) + "?\n?\n"))
    assert table.notes() == ["a: '?' stands among numbers 2 times and is read as a missing value."]
    assert table.schema["a"].kind == "integer"
    assert table.frame()["a"].isna().sum() == 2


def test_several_files_are_one_table(tmp_path: Path) -> None:
    frame = mixed(300)
    frame[:100].to_csv(tmp_path / "1.csv", index=False)
    frame[100:].iloc[:, ::-1].to_csv(tmp_path / "2.csv", index=False)
    for data in (tmp_path, str(tmp_path / "*.csv"), [tmp_path / "1.csv", tmp_path / "2.csv"]):
        table = open_table(data)
        assert table.rows == 300
        pandas.testing.assert_frame_equal(table.frame(), frame)
    assert "another order" in table.notes()[0]


def test_files_of_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match=r"'b' is in .*1\.csv and not in .*2\.csv"):
        open_table(tmp_path)


def test_dataframes_and_what_gives_itself_as_arrow() -> None:
    frame = mixed(100)
    arrow = pa.Table.from_pandas(frame)

    class Stream:
        def __arrow_c_stream__(self, requested: Any = None) -> Any:
            return arrow.__arrow_c_stream__(requested)

    class Interchange:
        def __dataframe__(self, nan_as_null: bool = False, allow_copy: bool = True) -> Any:
            return pa.table({"i": [1, 2, 3], "f": [0.5, 1.5, 2.5]}).__dataframe__()

    for data in (frame, arrow, Stream()):
        assert is_table(data)
        pandas.testing.assert_frame_equal(open_table(data).frame(), frame)
    assert open_table(Interchange()).rows == 3


def test_an_index_that_means_something_is_said_to_be_left_out() -> None:
    assert "reset_index" in open_table(mixed(50).set_index("t")).notes()[0]
    assert open_table(mixed(50)[::2]).notes() == []


def test_parquet_types_come_back(tmp_path: Path) -> None:
    import datetime as dt

    n = 60
    table = pa.table(
        {
            "days": pa.array([dt.date(2020, 1, 1) + dt.timedelta(i) for i in range(n)]),
            "count": pa.array([None if i % 7 == 0 else i % 3 for i in range(n)], pa.int32()),
            "flag": pa.array([None if i % 5 == 0 else i % 2 == 0 for i in range(n)]),
            "level": pa.array(["lo", "hi", "lo"] * (n // 3)).dictionary_encode(),
            "when": pa.array([dt.datetime(2020, 1, 1, i % 24) for i in range(n)], pa.timestamp("us", tz="UTC")),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet", row_group_size=20)
    opened = open_table(tmp_path / "t.parquet")
    assert [(c.kind, c.dtype) for c in opened.schema] == [
        ("datetime", "date"),
        ("category", "Int32"),
        ("boolean", "boolean"),
        ("category", "category"),
        ("datetime", "datetime64[us, UTC]"),
    ]
    frame = opened.frame()
    pandas.testing.assert_frame_equal(restore(canonicalise(frame, opened.schema), opened.schema), frame)


def test_what_is_a_table(tmp_path: Path, written: Written) -> None:
    pyarrow.parquet.write_table(pa.table({"image": pa.array([b"x"])}), tmp_path / "pictures.parquet")
    assert is_table(written(ROWS))
    assert is_table([written(ROWS)])
    assert is_table(str(tmp_path / "*.csv"))
    assert not is_table(tmp_path / "pictures.parquet")
    assert not is_table(tmp_path)
    assert not is_table(np.zeros((3, 8, 8)))
    assert not is_table("bundled:fashion-mnist")
    with pytest.raises(DataError, match="'image' holds binary values"):
        open_table(tmp_path / "pictures.parquet")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a;b\n1,5;2\n3,25;4\n", ["separated by semicolons", "Decimal commas are read as points: a."]),
        ("a\tb\n1.5\t2\n3.25\t4\n", ["separated by tabs"]),
        ("a|b\n1.5|2\n3.25|4\n", ["separated by bars"]),
    ],
)
def test_delimiters_and_decimal_commas_are_found_and_said(written: Written, text: str, said: list[str]) -> None:
    table = open_table(written(text))
    assert table.frame().to_numpy().tolist() == [[1.5, 2.0], [3.25, 4.0]]
    assert all(words in note for words, note in zip(said, table.notes(), strict=False))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1.5,2,x\n2.5,3,y\n", ["column_1", "column_2", "column_3"]),
        ("country,2019,2020\nde,1,2\nfr,3,4\n", ["country", "2019", "2020"]),
        ("0,1,2\n5,6,7\n8,9,9\n", ["0", "1", "2"]),
        (",a\n0,x\n1,y\n", ["Unnamed: 0", "a"]),
        ("a,b\nr1,1,2\nr2,3,4\n", ["Unnamed: 0", "a", "b"]),
        ('"a\nb",c\n1,2\n', ["a\nb", "c"]),
        ("\n\na,b\n1,2\n", ["a", "b"]),
    ],
)
def test_headers_are_told_from_rows(written: Written, text: str, names: list[str]) -> None:
    assert open_table(written(text)).frame().columns.tolist() == names


def test_codes_and_long_numbers_stay_text(written: Written) -> None:
    frame = open_table(written("code,long\n007,99999999999999999999\n012,1\n")).frame()
    assert frame.to_numpy().tolist() == [["007", "99999999999999999999"], ["012", "1"]]


@pytest.mark.parametrize(
    "content", [b"\xef\xbb\xbfa,b\n\xc3\xbc,1\n", "a,b\nü,1\n".encode("utf-16"), b"a,b\r\xc3\xbc,1\r"]
)
def test_marks_of_order_and_old_line_ends(written: Written, content: bytes) -> None:
    assert open_table(written(content)).frame().to_dict("list") == {"a": ["ü"], "b": [1]}


def test_an_encoding_may_be_named(written: Written) -> None:
    path = written("a,b\nMüller,1\n".encode("cp1252"))
    assert open_table(path, encoding="cp1252").frame()["a"].tolist() == ["Müller"]


BAD: dict[str, tuple[str | bytes, dict[str, Any], str]] = {
    "empty": ("", {}, r"is empty; wanted a header and rows"),
    "blank": ("\n \n", {}, r"is empty"),
    "header only": ("a,b\n", {}, r"has a header and no rows"),
    "same names": ("a,b,a\n1,2,3\n", {}, r"'a' \(columns 1 and 3\)"),
    "ragged": ("a,b\n" + "1,2\n" * 5 + "1\n1,2\n1,2,3\n", {}, r"2 rows do not .* line 7 has 1, line 9 has 3"),
    "ragged below quoted lines": ('a,b\n"x\ny",2\n1\n', {}, r"line 4 has 1"),
    "infinite": ("a,b\n1,2\n2,inf\n3,4\n", {}, r"'b' is infinite in row 2"),
    "not UTF-8": ("a\nx\nMüller\n".encode("latin-1"), {}, r"line 3 holds the byte 0xFC.*'cp1252'.*Müller"),
    "not UTF-8, late": (b"a\n" + b"x\n" * 200_000 + b"\xfc\n", {}, r"line 200,002 holds the byte 0xFC"),
    "unknown encoding": ("a\n1\n", {"encoding": "utf9"}, r"no encoding is called 'utf9'. Did you mean 'utf-8'"),
    "wrong encoding": (b"a\n\x81\n", {"encoding": "cp1252"}, r"not CP1252: line 2"),
    "cut UTF-16": ("a,b\n1,ü\n".encode("utf-16")[:-1], {}, r"is not UTF-16"),
    "open quote": ('a,b\n1,"2\n3,4\n', {}, r"double quote that line 2 opens is not closed"),
    "open quote, short rows": ("a,b\n" + "1,2\n" * 9 + '"1,2\n3,4\n', {}, r"double quote that line 11 opens"),
    "open quote at the end": ('a,b\n1,2\n3,"4', {}, r"double quote that line 3 opens"),
    "open quote, packed": (gzip.compress(b'a,b\n1,2\n3,"4'), {}, r"double quote that line 3 opens"),
    "open quote, UTF-16": ('a,b\n1,2\n3,"4'.encode("utf-16"), {}, r"double quote that line 3 opens"),
    "quote closed in another row": ('a,b\n1,"2\n3,4\n5,"6\n7,8\n', {}, r"double quote that line 2 opens"),
    "open quote in the header": ('"a,b\n1,2\n', {}, r"double quote that line 1 opens"),
    "open quote, long file": ("a,b\n" + "1,2\n" * 90_000 + '3,"4\n' + "5,6\n" * 90_000, {}, r"that line 90,002 opens"),
    "zero byte": ("a,b\n1,x\n2,\0y\n", {}, r"line 3 holds a zero byte"),
    "zero byte, late": ("a,b\n" + "1,2\n" * 90_000 + "3\0,4\n5,6\n", {}, r"line 90,002 holds a zero byte"),
    "zero byte in the header": ("alpha\0,beta\n1,2\n", {}, r"line 1 holds a zero byte"),
    "wrong delimiter": ("a,b\n1,2\n", {"delimiter": ";"}, r"holds no ';'; commas would make 2 columns"),
    "long delimiter": ("a,b\n1,2\n", {"delimiter": ";;"}, r"a delimiter is one letter"),
    "workbook": (b"PK\x03\x04xx", {}, r"Excel workbook"),
    "zeros": (b"\x00\x01" * 100, {}, r"holds zero bytes and is no text"),
    "cut gzip": (gzip.compress(b"a,b\n1,2\n" * 10_000)[:60], {}, r"cannot be read"),
    "cut bzip2": (bz2.compress(b"a,b\n1,2\n" * 10_000)[:60], {}, r"cannot be read"),
    "cut parquet": (b"PAR1abc", {}, r"no readable parquet file"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_explained(written: Written, case: str) -> None:
    content, options, message = BAD[case]
    path = written(content)
    before = path.read_bytes()
    with pytest.raises(DataError, match=message) as caught:
        open_table(path, **options)
    assert str(caught.value).count("\n") < 3
    assert path.read_bytes() == before


@pytest.mark.parametrize("cell", ['5" pipe', '"two" words', '"two\nlines"', '"say ""hi"""'])
def test_quotes_that_swallow_nothing_are_fine(written: Written, cell: str) -> None:
    table = open_table(written("a,b\n" + f"1,x\n2,{cell}\n" * 3))
    assert table.rows == 6


def test_paths_that_lead_nowhere(written: Written, tmp_path: Path) -> None:
    written(ROWS)
    with pytest.raises(DataError, match=r"Did you mean 'table\.csv'"):
        open_table(tmp_path / "tabel.csv")
    with pytest.raises(DataError, match="no file matches"):
        open_table(str(tmp_path / "*.tsv"))
    with pytest.raises(DataError, match="data is of the type int"):
        open_table(5)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no \.csv"):
        open_table(tmp_path / "empty")


def test_a_file_that_changes_meanwhile_is_noticed(written: Written) -> None:
    path = written(ROWS)
    table = open_table(path)
    path.write_text(ROWS + "1,F\n")
    with pytest.raises(DataError, match="has changed since it was opened"):
        next(iter(table.chunks()))


def test_the_fingerprint_follows_the_content(written: Written) -> None:
    one, same = open_table(written(ROWS, "a.csv")), open_table(written(ROWS, "b.csv"))
    other = open_table(written(ROWS + "1,F\n", "c.csv"))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    frame = mixed(50)
    changed = frame.copy()
    changed.loc[3, "c"] = "a" if changed.loc[3, "c"] != "a" else "zz"
    assert open_table(frame).fingerprint == open_table(frame.copy()).fingerprint != open_table(changed).fingerprint


def test_the_smallest_tables(written: Written) -> None:
    assert open_table(written("a\n1\n")).rows == 1
    table = open_table(written('name\nx\n""\ny\n'))
    assert (table.rows, table.schema["name"].nulls) == (3, True)
    assert open_table(written("a,b\n,\n,\n")).notes() == ["a: no row has a value.", "b: no row has a value."]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = [_peak(tmp_path / f"{n}.csv", n) for n in (200_000, 3_000_000)]
    assert peaks[1] - peaks[0] < 250  # the larger file has 120 MB, and four times that as a DataFrame


def _peak(path: Path, rows: int) -> float:
    """Peak resident memory, in MB, of a process that opens a table and goes through its rows."""
    with open(path, "w") as file:
        file.write("id,amount,city,mail\n")
        file.writelines(_lines(rows))
    code = (
        "import resource, sys\nfrom gansmith.data.tables_read import open_table\n"
        "table = open_table(sys.argv[1])\nassert sum(map(len, table.chunks())) == table.rows\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    return float(done.stdout)


def _lines(rows: int) -> Iterator[str]:
    amounts = np.random.default_rng(0).lognormal(3, 1, 10_000).round(2).tolist()
    return (f"{i},{amounts[i * 7 % 10_000]},city{i % 500},u{i}@example.org\n" for i in range(rows))
