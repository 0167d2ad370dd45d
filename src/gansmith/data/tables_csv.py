"""Delimited text: its rows as a stream, its mistakes by line."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..tabular.recognise import MISSING
from ..tabular.values import need
from .listing import shown
from .tables_faults import TAIL, on_quote, on_zero, open_quote
from .tables_sniff import Layout, not_decoded, opened

BLOCK = 4 << 20  # bytes read at a time; no row may be longer
SHOWN_ROWS = 5


class CsvFile:
    """One file of delimited text.

    Args:
        layout: how it is to be read (see `sniff`).

    Attributes:
        blanks: of each column, the words that mean a missing value and how often each stands, once read `checked`.
    """

    text = True

    def __init__(self, layout: Layout) -> None:
        self.layout, self.path, self.remarks = layout, layout.path, layout.remarks
        self.blanks: dict[str, Counter[str]] = {}
        self.names, self.delimiter, self.encoding = layout.names, layout.delimiter, layout.encoding

    @property
    def place(self) -> str:
        return shown(str(self.path))

    def batches(self, *, checked: bool = False) -> Iterator[dict[str, Any]]:
        """Rows as pyarrow arrays of strings by column, some thousand at a time.

        Args:
            checked: look for zero bytes and for quotes that swallow lines, and count `blanks`; once is enough.

        Raises:
            DataError: rows of another length, bytes that are not of the encoding, and what `checked` looks for; lines
                are named.
        """
        pa, ragged, breaks = need("pyarrow"), [0], False
        self.blanks = {name: Counter() for name in self.names} if checked else self.blanks
        try:
            with _native(self.path) as file, self._reader(file, ragged, blank=not checked) as reader:
                for batch in reader:
                    breaks = breaks or (checked and self._breaks(batch))
                    columns = dict(zip(self.names, batch.columns, strict=True))
                    if checked:
                        columns = {name: self._blanked(array, self.blanks[name]) for name, array in columns.items()}
                    if not ragged[0]:
                        yield {name: self._points(array, name) for name, array in columns.items()}
        except (pa.ArrowInvalid, OSError, EOFError, UnicodeError) as error:
            raise self._explained(error) from None
        if breaks or ragged[0] or (checked and self._ends_in_quote()):
            self._check_quotes()
        if ragged[0]:
            raise self._ragged(ragged[0])

    def _breaks(self, batch: Any) -> bool:
        """Whether a cell holds a line break.

        Raises:
            DataError: a cell holds a zero byte.
        """
        held = [bytes(column.buffers()[2] or b"") for column in batch.columns]
        if any(b"\0" in cells for cells in held):
            with self._lines() as lines:
                raise on_zero(self.place, lines)
        return any(b"\n" in cells or b"\r" in cells for cells in held)

    def _ends_in_quote(self) -> bool:
        """Whether the last line alone opens a quote and does not close it."""
        if self.encoding.startswith(("utf-16", "utf-32")):
            return True  # lines cannot be told by bytes: the whole file has to be looked at
        end = _tail(self.path).decode(self.encoding, "replace").splitlines()[-1:]
        return open_quote(end, self.delimiter) is not None

    @staticmethod
    def _blanked(array: Any, count: Counter[str]) -> Any:
        """The cells, null where they mean a missing value; `count` takes in how that was written."""
        pa, pc = need("pyarrow"), need("pyarrow.compute")
        absent = pc.is_in(array, value_set=pa.array(MISSING))
        if not pc.any(absent).as_py():
            return array
        for word in pc.value_counts(array.filter(absent)).to_pylist():
            count[word["values"]] += word["counts"]
        return pc.if_else(absent, pa.scalar(None, pa.string()), array)

    def _reader(self, file: Any, ragged: list[int], *, blank: bool) -> Any:
        arrow, pa = need("pyarrow.csv"), need("pyarrow")

        def other_length(row: Any) -> str:
            ragged[0] += 1
            return "skip"

        return arrow.open_csv(
            file,
            read_options=arrow.ReadOptions(
                column_names=_numbered(len(self.names)),
                skip_rows=self.layout.skip,
                skip_rows_after_names=int(self.layout.header),
                use_threads=False,
                block_size=BLOCK,
                encoding=_codec(self.encoding),
            ),
            parse_options=arrow.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=other_length
            ),
            convert_options=arrow.ConvertOptions(
                column_types={name: pa.string() for name in _numbered(len(self.names))},
                null_values=list(MISSING),
                strings_can_be_null=blank,
            ),
        )

    def _points(self, array: Any, name: str) -> Any:
        """Decimal commas as points."""
        if name not in self.layout.comma:
            return array
        return need("pyarrow.compute").replace_substring_regex(array, r"^([-+]?\d+),(\d+)$", r"\1.\2")

    def _explained(self, error: Exception) -> DataError:
        text = str(error)
        if isinstance(error, UnicodeError) or "UTF8" in text:
            return not_decoded(self.path, self.encoding)
        if "straddling" in text or "block" in text:
            try:
                self._check_quotes()
            except DataError as found:
                return found
            return DataError(f"a row of {self.place} is longer than {BLOCK >> 20} MiB; is it a table of rows?")
        return DataError(f"{self.place} cannot be read: {text.splitlines()[0][:200]}")

    def _ragged(self, count: int) -> DataError:
        wanted, found = len(self.names), []
        for line, cells in self._records():
            if cells and len(cells) != wanted:
                found.append(f"line {line:,} has {len(cells)}")
            if len(found) == SHOWN_ROWS:
                break
        more = ", …" if count > len(found) else ""
        return DataError(
            f"{count:,} {'row does' if count == 1 else 'rows do'} not have {wanted} cells in {self.place}, one for "
            f"each column: {', '.join(found)}{more}; mend these lines, and put cells that hold a "
            f"{self.delimiter!r} in double quotes"
        )

    def _check_quotes(self) -> None:
        """Raises DataError where a double quote swallows lines."""
        with self._lines() as lines:
            line = open_quote(lines, self.delimiter)
        if line is not None:
            raise on_quote(self.place, line)

    def _lines(self) -> io.TextIOWrapper:
        codec = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        return io.TextIOWrapper(opened(self.path), encoding=codec, errors="replace", newline="")

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Line on which each record begins, from 1, and its cells; for messages, not for speed."""
        with self._lines() as text:
            reader = csv.reader(text, delimiter=self.delimiter)
            line = 0
            for cells in reader:
                yield line + 1, cells
                line = reader.line_num


def _native(path: Path) -> Any:
    """The file for Arrow, unpacked where it is packed.

    Its threads read ahead, and one that had to ask Python for bytes while the program ends would end it with a signal.
    """
    pa = need("pyarrow")
    with open(path, "rb") as file:
        magic = file.read(4)
    packed = "gzip" if magic[:2] == b"\x1f\x8b" else "bz2" if magic[:3] == b"BZh" else None
    file = pa.OSFile(str(path), "rb")
    return pa.CompressedInputStream(file, packed) if packed else file


def _numbered(n: int) -> list[str]:
    return [f"c{i}" for i in range(n)]


def _codec(encoding: str) -> str:
    return "utf8" if encoding in ("utf-8", "utf-8-sig") else encoding


def _tail(path: Path) -> bytes:
    """The last bytes of a file, unpacked where it is packed."""
    with opened(path) as file:
        if isinstance(file, io.BufferedReader):
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
        tail = b""
        while block := file.read(1 << 20):
            tail = (tail + block)[-TAIL:]
    return tail.rstrip(b"\r\n")
