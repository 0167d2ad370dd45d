"""Opens tables of every kind: what the columns are, and the rows as a stream, in bounded memory."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from ..errors import DataError, MissingExtra, did_you_mean
from ..tabular.frames import as_dtype
from ..tabular.infer import Inference, check_names
from ..tabular.recognise import PLACEHOLDERS
from ..tabular.schema import NUMERIC, Column, Schema
from ..tabular.schemafile import load_schema
from ..tabular.values import TEXT, need, numbers_among, text_dtype
from .attributes import is_table as of_attributes
from .listing import digest, shown
from .tables_csv import CsvFile
from .tables_parts import FramePart, ParquetPart, from_arrow
from .tables_sniff import sniff

Part: TypeAlias = CsvFile | ParquetPart | FramePart
CHUNK = 65_536
_TEXT = (".csv", ".tsv", ".tab")
_PACKED = (".gz", ".bz2")
WANTED = "a .csv, .tsv, .csv.gz or .parquet file, several of them, a folder of them, a DataFrame or an Arrow table"


def is_table(data: Any) -> bool:
    """Whether `data` is a table: a path to a .csv, .tsv or .parquet of single values, a folder or list of such, a
    DataFrame, or what gives itself as an Arrow stream. Reads nothing but names, and the columns of parquet files."""
    if isinstance(data, Table):
        return True
    if isinstance(data, str | os.PathLike):
        return _is_table_path(Path(os.fspath(data)).expanduser())
    if isinstance(data, list | tuple):
        return bool(data) and all(isinstance(d, str | os.PathLike) and is_table(d) for d in data)
    if "Image" in repr(getattr(data, "features", "")):  # a data set of pictures
        return False
    return _is_frame(data) or hasattr(data, "__arrow_c_stream__") or hasattr(data, "__dataframe__")


def _is_table_path(path: Path) -> bool:
    if path.is_dir():
        names = [p for p in sorted(path.iterdir()) if not p.name.startswith((".", "_"))]
        tables = [p for p in names if _suffix(p) in (*_TEXT, ".parquet")]
        if any(p.is_dir() for p in names) and any(of_attributes(p.name) for p in tables):
            return False  # folders of pictures, and what they have
        return bool(tables) and len(tables) == sum(p.is_file() for p in names) and all(map(_is_table_path, tables))
    if glob.has_magic(str(path)) and not path.exists():
        found = glob.glob(str(path))
        return bool(found) and all(_is_table_path(Path(p)) for p in found)
    return _suffix(path) in _TEXT or (_suffix(path) == ".parquet" and path.is_file() and _holds_values(path))


def _holds_values(path: Path) -> bool:
    try:
        ParquetPart(path)
    except (DataError, MissingExtra):  # without pyarrow a folder of pictures asks for it in its own words
        return False
    return True


def _suffix(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    return suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in _PACKED else "".join(suffixes[-1:])


def _is_frame(data: Any) -> bool:
    return type(data).__module__.split(".")[0] == "pandas" and hasattr(data, "columns") and hasattr(data, "iloc")


def open_table(
    data: Any,
    *,
    schema: Schema | Path | str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
    name_hints: bool = True,
) -> Table:
    """A table, its columns understood from one pass over all rows (two where words come late among numbers).

    Args:
        data: a path to delimited text (packed by gzip or not) or parquet, a glob, a folder, a list of paths that make
            one table, a pandas DataFrame, an array of two dimensions (its columns become x0, x1, ...), or anything that
            gives itself as an Arrow stream or through the DataFrame interchange protocol.
        schema: columns as the user describes them, or the file of such a schema; columns that are not in it are left
            out, and what it leaves open is found in the data.
        delimiter, encoding, header: of text; found by looking when left out.
        name_hints: whether column names such as `customer_id` may speak for a kind.

    Raises:
        DataError: nothing is there, it cannot be read, it has no rows, or it does not fit the schema.
        MissingExtra: pandas or pyarrow are absent.
    """
    if isinstance(data, Table):
        return data
    parts = _parts(data, delimiter, encoding, header)
    wanted = load_schema(schema) if isinstance(schema, str | Path) else schema
    return Table(parts, wanted, name_hints)


def _parts(data: Any, delimiter: str | None, encoding: str | None, header: bool | None) -> list[Part]:
    if _is_frame(data):
        return [FramePart(data)]
    if hasattr(data, "__array_interface__") and getattr(data, "ndim", 0) == 2:
        pd = need("pandas")
        return [FramePart(pd.DataFrame(data, columns=[f"x{i}" for i in range(data.shape[1])]))]
    if isinstance(data, str | os.PathLike):
        data = [data]
    if isinstance(data, list | tuple) and data and all(isinstance(d, str | os.PathLike) for d in data):
        paths = [found for d in data for found in _files(Path(os.fspath(d)).expanduser())]
        return [_open_file(path, delimiter, encoding, header) for path in paths]
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__dataframe__"):
        return [from_arrow(data)]
    raise DataError(f"data is of the type {type(data).__name__}; wanted {WANTED}")


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = [p for p in sorted(path.iterdir()) if p.is_file() and _suffix(p) in (*_TEXT, ".parquet")]
        if not found:
            raise DataError(f"the folder {shown(str(path))} holds no .csv, .tsv or .parquet files")
        return found
    if path.exists():
        return [path]
    if glob.has_magic(str(path)):
        matched = [Path(p) for p in sorted(glob.glob(str(path)))]
        if matched:
            return matched
        raise DataError(f"no file matches {shown(str(path))}")
    near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
    raise DataError(f"no such file or folder: {shown(str(path))}.{near} Wanted {WANTED}")


def _open_file(path: Path, delimiter: str | None, encoding: str | None, header: bool | None) -> Part:
    try:
        with open(path, "rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise DataError(f"{shown(str(path))} cannot be read: {error.strerror or error}") from None
    if magic == b"PAR1":
        return ParquetPart(path)
    if _suffix(path) == ".parquet":
        raise DataError(f"{shown(str(path))} is no parquet file: it does not begin with PAR1")
    return CsvFile(sniff(path, delimiter, encoding, header))


class Table:
    """A table that was opened (see `open_table`).

    Attributes:
        schema: its columns.
        rows: how many there are.
        names: of the columns, as in the data; more than in the schema where that leaves some out.
        fingerprint: changes whenever the content does.
    """

    def __init__(self, parts: list[Part], wanted: Schema | None = None, name_hints: bool = True) -> None:
        self._parts, self.names = parts, parts[0].names
        check_names(self.names)
        self._remarks = [remark for part in parts for remark in part.remarks]
        self._check_alike()
        self._states = [_state(part) for part in parts]
        inference = self._inferred(wanted, name_hints)
        self.schema, self.rows = inference.schema(), inference.rows
        if not self.rows:
            raise DataError(f"{parts[0].place} has columns and no rows; wanted at least one row")
        self._remarks += inference.remarks() + _on_left_out(self.names, self.schema)
        self.fingerprint = digest([self.rows, *(_stamp(part) for part in parts)])

    def _check_alike(self) -> None:
        """All parts must have the same columns; their order may differ."""
        first = self._parts[0]
        for part in self._parts[1:]:
            if part.text != first.text:
                raise DataError(f"{first.place} is text and {part.place} is not; give files of one kind")
            check_names(part.names)
            odd = sorted(set(part.names) ^ set(first.names))
            if odd:
                owner = part if odd[0] in part.names else first
                raise DataError(
                    f"files of one table have the same columns; {odd[0]!r} is in {owner.place} and not in "
                    f"{(first if owner is part else part).place}"
                )
            if part.names != first.names:
                self._remarks.append(
                    f"{part.place} has its columns in another order; they are put in that of the first."
                )

    def _inferred(self, wanted: Schema | None, hints: bool) -> Inference:
        text, as_words = self._parts[0].text, dict[str, str]()
        while True:
            inference = Inference(self.names, name_hints=hints, wanted=wanted, from_file=text, as_words=as_words)
            for part in self._parts:
                if isinstance(part, CsvFile):
                    for batch in part.batches(checked=True):
                        inference.add_texts(batch)
                    inference.add_blanks(part.blanks)
                else:
                    for frame in part.batches(max(CHUNK, len(part.frame)) if isinstance(part, FramePart) else CHUNK):
                        inference.add(frame[self.names] if part is not self._parts[0] else frame)
            if not inference.again:
                return inference
            as_words |= inference.again

    def chunks(self, size: int = CHUNK) -> Iterator[Any]:
        """The rows as DataFrames of at most `size` rows, with the columns and dtypes of the schema.

        Raises:
            DataError: a file has changed since it was opened.
        """
        for part, state in zip(self._parts, self._states, strict=True):
            if _state(part) != state:
                raise DataError(f"{part.place} has changed since it was opened; open it anew")
            if isinstance(part, CsvFile):
                yield from _text_chunks(part.batches(), self.schema, size)
            else:
                for frame in part.batches(size):
                    yield _as_schema(frame, part.names, self.schema)

    def frame(self) -> Any:
        """All rows as one DataFrame, in memory."""
        return need("pandas").concat(list(self.chunks()), ignore_index=True)

    def remark(self, text: str) -> None:
        """Adds to the notes, once."""
        if text not in self._remarks:
            self._remarks.append(text)

    def notes(self) -> list[str]:
        """What a user should know of how the table was read and understood, a sentence each."""
        return list(self._remarks) + _on_columns(self.schema)


def _state(part: Part) -> tuple[int, ...]:
    if isinstance(part, FramePart):
        return ()
    info = part.path.stat()
    return info.st_size, info.st_mtime_ns


def _stamp(part: Part) -> str:
    if isinstance(part, FramePart):
        return part.stamp()
    import hashlib

    with open(part.path, "rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _on_left_out(names: list[str], schema: Schema) -> list[str]:
    left = [n for n in names if n not in schema.names]
    return [f"Left out, as the schema does not name them: {', '.join(left[:10])}."] if left else []


def _on_columns(schema: Schema) -> list[str]:
    """Identifiers, constants and empty columns."""
    found = []
    for column in schema:
        if column.kind == "identifier":
            found.append(f"{column.name}: an identifier; it is not learnt, and filled with: {column.fill}.")
        elif column.kind in ("category", "boolean") and len(column.categories) < 2 and not column.nulls:
            found.append(f"{column.name}: all rows have the same value.")
        elif column.kind == "category" and not column.categories:
            found.append(f"{column.name}: no row has a value.")
    return found


def _as_schema(frame: Any, names: list[str], schema: Schema) -> Any:
    """The schema's columns of a chunk that has types; categories in all their levels."""
    pd = need("pandas")
    made = {}
    for column in schema:
        series = frame.iloc[:, names.index(column.name)]
        if isinstance(series.dtype, pd.CategoricalDtype) and set(series.cat.categories) <= set(column.levels):
            series = series.cat.set_categories(list(column.levels))
        made[column.name] = series
    found = pd.DataFrame(made, copy=False)
    found.index = pd.RangeIndex(len(found))
    return found


def _text_chunks(batches: Iterable[Mapping[str, Any]], schema: Schema, size: int) -> Iterator[Any]:
    pa = need("pyarrow")
    held: list[Any] = []
    for batch in batches:
        held.append(pa.record_batch([batch[n] for n in schema.names], names=[str(i) for i in range(len(schema))]))
        while sum(len(b) for b in held) >= size:
            whole = pa.Table.from_batches(held).combine_chunks()
            yield _typed(whole.slice(0, size), schema)
            held = whole.slice(size).to_batches()
    if sum(len(b) for b in held):
        yield _typed(pa.Table.from_batches(held), schema)


def _typed(table: Any, schema: Schema) -> Any:
    pd = need("pandas")
    made = {c.name: _typed_column(table.column(i).combine_chunks(), c) for i, c in enumerate(schema)}
    return pd.DataFrame(made, index=pd.RangeIndex(table.num_rows), copy=False)


def _typed_column(array: Any, column: Column) -> Any:
    """Text -> a Series of the column's dtype, or of text where that is not what the text holds."""
    pd, pa, dtype = need("pandas"), need("pyarrow"), column.dtype
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if dtype in ("bool", "boolean"):
        truth = {"True": True, "False": False, None: None}
        values = array.to_pylist()
        if set(values) <= truth.keys():
            return pd.Series([truth[v] for v in values], dtype=dtype)
    if dtype not in (*TEXT, "category", "bool", "boolean") and column.format is None:
        known = array.drop_null()
        found = numbers_among(known) if len(known) else (np.zeros(0), np.zeros(0, dtype=bool))
        if found is not None:
            return _numbers(array, found[0], found[1], column)
    if column.format is not None and column.kind in NUMERIC:  # a dash among amounts or dates is a missing one
        words = need("pyarrow.compute").is_in(array, value_set=pa.array(sorted(PLACEHOLDERS)))
        array = need("pyarrow.compute").if_else(words, pa.scalar(None, pa.string()), array)
    held = array.to_pandas()
    return held.astype("category" if dtype == "category" else text_dtype(dtype) if dtype in TEXT else object)


def _numbers(array: Any, known: Any, absent: Any, column: Column) -> Any:
    valid = np.asarray(array.is_valid().to_numpy(zero_copy_only=False)).copy()
    valid[np.flatnonzero(valid)[absent]] = False
    pd = need("pandas")
    if known.dtype.kind == "i" and column.dtype in ("int64", "Int64"):
        if valid.all():
            return pd.Series(known).astype(column.dtype)
        whole = np.zeros(len(array), dtype=np.int64)
        whole[valid] = known
        return pd.Series(pd.arrays.IntegerArray(whole, ~valid))
    values = np.full(len(array), np.nan)
    values[valid] = known
    return as_dtype(values, ~valid, column)
