"""Looks at the beginning of delimited text: its encoding, what separates its cells, whether it has a header."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import DataError, did_you_mean
from ..tabular.recognise import MISSING
from .listing import shown
from .tables_faults import on_quote, on_zero, open_quote

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SNIFFED = 256 << 10  # bytes that are looked at before a file is read
_NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*")
_COMMA_NUMBER = re.compile(r"[-+]?\d+(,\d+)?")
_KINDS = {b"PK\x03\x04": "a zip archive or an Excel workbook", b"%PDF": "a PDF", b"\x89PNG": "a picture",
          b"\xd0\xcf\x11\xe0": "an old Excel workbook", b"SQLite": "a database"}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """How one file of delimited text is to be read.

    Attributes:
        delimiter, encoding: chosen or found.
        names: of the columns.
        header: whether the first row holds them.
        skip: empty lines before it.
        comma: columns whose numbers have a decimal comma.
        remarks: sentences on what was guessed.
    """

    path: Path
    delimiter: str
    encoding: str
    names: list[str]
    header: bool
    skip: int = 0
    comma: frozenset[str] = frozenset()
    remarks: list[str] = field(default_factory=list)


def sniff(path: Path, delimiter: str | None = None, encoding: str | None = None, header: bool | None = None) -> Layout:
    """How a file of delimited text is to be read.

    Args:
        delimiter, encoding, header: chosen by the user; None to find out.

    Raises:
        DataError: empty, no text, not of the encoding, no rows, or not separated by the delimiter.
    """
    place, raw = shown(str(path)), _beginning(path)
    _refuse_binary(raw, place)
    encoding, remarks = _encoding(raw, encoding, place)
    text = _decoded(raw, encoding, path).replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise DataError(f"{place} is empty; wanted a header and rows")
    skip = len(text) - len(text.lstrip("\n"))
    complete = len(raw) < SNIFFED
    if "\0" in text:
        raise on_zero(place, io.StringIO(text))
    delimiter, said = _delimiter(text.lstrip("\n"), delimiter, path, complete)
    if line := open_quote(io.StringIO(text, newline=""), delimiter, complete=complete):
        raise on_quote(place, line)
    rows = _rows(text.lstrip("\n"), delimiter, complete)
    named, why = _has_header(rows) if header is None else (header, [])
    if named and len(rows) < 2 and complete:
        raise DataError(f"{place} has a header and no rows; wanted at least one row below {', '.join(rows[0])[:80]!r}")
    names, unnamed = _names(rows, named)
    comma = _decimal_commas(rows[named:], names, delimiter)
    if comma:
        why = [*why, f"Decimal commas are read as points: {', '.join(sorted(comma)[:8])}."]
    return Layout(path, delimiter, encoding, names, named, skip, comma, [*remarks, *said, *why, *unnamed])


def opened(path: Path) -> Any:
    """The file's bytes as a binary file, unpacked where it is packed."""
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic[:2] == b"\x1f\x8b":
        return gzip.open(path)
    return bz2.open(path) if magic[:3] == b"BZh" else open(path, "rb")


def _beginning(path: Path) -> bytes:
    try:
        with opened(path) as file:
            found: bytes = file.read(SNIFFED)
            return found
    except (OSError, EOFError) as error:
        raise DataError(f"{shown(str(path))} cannot be read: {error}") from None


def _refuse_binary(raw: bytes, place: str) -> None:
    for magic, kind in _KINDS.items():
        if raw.startswith(magic):
            raise DataError(f"{place} is {kind}, not a table of text; save the table as CSV or parquet")
    if raw[:2] not in (b"\xff\xfe", b"\xfe\xff") and raw[:4096].count(0) > len(raw[:4096]) // 10:
        raise DataError(f"{place} holds zero bytes and is no text; save the table as CSV (UTF-8) or parquet")


def _encoding(raw: bytes, chosen: str | None, place: str) -> tuple[str, list[str]]:
    if chosen is not None:
        try:
            return codecs.lookup(chosen).name, []
        except LookupError:
            known = ("utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030", "euc-kr")
            raise DataError(
                f"no encoding is called {chosen!r}.{did_you_mean(chosen, known)} Common ones: {', '.join(known)}"
            ) from None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16", [f"{place} is read as UTF-16, as its first bytes say."]
    return "utf-8", []


def _decoded(raw: bytes, encoding: str, path: Path) -> str:
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    try:
        return str(decoder.decode(raw, final=len(raw) < SNIFFED))
    except UnicodeError:
        raise not_decoded(path, encoding) from None


def not_decoded(path: Path, encoding: str) -> DataError:
    """The error for a file that is not of this encoding; the first bad line is named."""
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    place, line, bad = shown(str(path)), 0, b""
    with opened(path) as file:
        for line, bad in enumerate(file, 1):
            try:
                decoder.decode(bad)
            except UnicodeError as error:
                return DataError(_advice(place, encoding, line, bad, error))
    return DataError(f"{place} is not {encoding.upper()}: it ends in the middle of a letter; save a copy as UTF-8")


def _advice(place: str, encoding: str, line: int, bad: bytes, error: UnicodeError) -> str:
    at = getattr(error, "start", 0)
    guess = "cp1252" if encoding == "utf-8" else "utf-8"
    seen = bad[max(0, at - 12) : at + 12].decode(guess, "replace").strip()
    return (
        f"{place} is not {encoding.upper()}: line {line:,} holds the byte 0x{bad[at : at + 1].hex().upper()}. "
        f"Written in {guess!r}, it reads there: {seen!r}; save a copy as UTF-8, or in Python: "
        f"fit(pandas.read_csv(..., encoding={guess!r}))"
    )


def _rows(text: str, delimiter: str, complete: bool) -> list[list[str]]:
    """Rows at the beginning; the last one, cut off, is left out."""
    rows = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            rows.append(row) if row else None
    except csv.Error:  # a cell beyond all bounds, or a stray carriage return; what came before it will do
        pass
    return rows if complete or len(rows) < 2 else rows[:-1]


def _delimiter(text: str, chosen: str | None, path: Path, complete: bool) -> tuple[str, list[str]]:
    """What separates the cells, and what to say about it.

    Raises:
        DataError: the chosen one separates nothing, and another would.
    """
    widths = {d: _width(_rows(text[:65536], d, complete and len(text) <= 65536)[:100]) for d in DELIMITERS}
    best = max(widths, key=lambda d: widths[d])
    if chosen is not None:
        if len(chosen) != 1 or chosen in '"\r\n':
            raise DataError(f"a delimiter is one letter such as ',' or ';', this was: {chosen!r}")
        if chosen not in text and widths[best] > 1:
            raise DataError(
                f"{shown(str(path))} holds no {chosen!r}; {DELIMITERS[best]} would make {widths[best]} columns: "
                f"leave the delimiter out, or say {best!r}"
            )
        return chosen, []
    usual = "\t" if {".tsv", ".tab"} & set(path.suffixes) else ","
    if widths[usual] > 1 or widths[best] <= 1:
        return usual, []
    return best, [f"The columns of {shown(path.name)} are separated by {DELIMITERS[best]} (found by looking)."]


def _width(rows: list[list[str]]) -> int:
    """The number of columns if nearly all rows have as many as the first, else 0."""
    if not rows:
        return 0
    wide, body = len(rows[0]), [len(r) for r in rows[1:]]
    if body and Counter(body).most_common(1)[0][0] == wide + 1 > 2:  # R leaves out the name of the row names
        wide += 1
    return wide if sum(w == wide for w in body) >= 0.9 * len(body) else 0


def _has_header(rows: list[list[str]]) -> tuple[bool, list[str]]:
    """Whether the first row holds names: it does unless it looks like the rows below.

    Numbers stand in it above numbers, and no word above numbers; numbers that count up (years, 0 1 2 …) are names.
    """
    first, body = rows[0], rows[1:201]
    numeric = [i for i in range(len(first)) if body and all(_is_number(r, i) for r in body)]
    wordy = [i for i in numeric if not _NUMBER.fullmatch(first[i])]
    if not numeric or wordy or _counts_up([first[i] for i in numeric], len(first)):
        return True, []
    return False, ["The first row holds numbers above numbers, so it is taken as data; columns are named column_1 …"]


def _is_number(row: list[str], i: int) -> bool:
    return i >= len(row) or row[i] in MISSING or bool(_NUMBER.fullmatch(row[i]))


def _counts_up(cells: list[str], of: int) -> bool:
    """Whether numbers in the first row are names: years one after another, or 0 1 2 … throughout the row."""
    if len(cells) < 2 or not all(c.strip().isdecimal() for c in cells):
        return False
    numbers = [int(c) for c in cells]
    begins = 1900 <= numbers[0] <= 2100 or (numbers[0] in (0, 1) and len(cells) == of)
    return begins and all(b - a == 1 for a, b in pairwise(numbers))


def _names(rows: list[list[str]], header: bool) -> tuple[list[str], list[str]]:
    wide = max(Counter(len(r) for r in rows).items(), key=lambda item: (item[1], item[0]))[0]
    if not header:
        return [f"column_{i + 1}" for i in range(wide)], []
    first = [*([""] if wide == len(rows[0]) + 1 and len(rows) > 1 else []), *rows[0]]
    empty = [i for i, name in enumerate(first) if not name.strip()]
    names = [f"Unnamed: {i}" if i in empty else name for i, name in enumerate(first)]
    said = [f"Columns without a name are called {', '.join(names[i] for i in empty[:5])}."] if empty else []
    return names, said


def _decimal_commas(rows: list[list[str]], names: list[str], delimiter: str) -> frozenset[str]:
    if delimiter == ",":
        return frozenset()
    found = set()
    for i, name in enumerate(names):
        cells = [r[i] for r in rows if i < len(r) and r[i] not in MISSING]
        if any("," in c for c in cells) and all(_COMMA_NUMBER.fullmatch(c) for c in cells):
            found.add(name)
    return frozenset(found)
