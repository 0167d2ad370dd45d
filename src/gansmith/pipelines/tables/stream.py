"""Rows to a file, block by block: whole or not at all, in memory that does not grow with the number of rows."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from ...errors import MissingExtra, UserError
from ...tabular.csvtext import as_csv
from ...tabular.schema import Column, Schema
from ...tabular.write import harmless, words_for

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = {".csv": ",", ".tsv": "\t", ".csv.gz": ",", ".tsv.gz": "\t", ".parquet": ""}
Sink: TypeAlias = Callable[["pd.DataFrame"], None]


def ending_of(path: Path) -> str:
    """Which of ENDINGS a file has.

    Raises:
        UserError: none of them.
    """
    for ending in ENDINGS:
        if path.name.lower().endswith(ending):
            return ending
    raise UserError(f"rows are written as {', '.join(ENDINGS)}, by the file's ending; this was: {path.name}")


def write_blocks(
    path: Path | str,
    blocks: Iterable[pd.DataFrame],
    schema: Schema,
    *,
    for_spreadsheets: bool = False,
    overwrite: bool = False,
) -> Path:
    """Writes blocks of rows to one file, through a temporary one beside it.

    Args:
        for_spreadsheets: text that a spreadsheet would run as a formula gets an apostrophe before it.
        overwrite: replace a file that is there.

    Raises:
        UserError: an ending that is not known, a file that is there, or one that cannot be written.
    """
    path = Path(path)
    ending = ending_of(path)
    refuse_taken(path, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _whole(path) as unfinished:
            if ending == ".parquet":
                sinks = _parquet(unfinished, schema, for_spreadsheets)
            else:
                sinks = _text(unfinished, schema, for_spreadsheets, ending)
            with sinks as sink:
                for block in blocks:
                    sink(block)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    return path


def refuse_taken(path: Path, *, overwrite: bool) -> None:
    """Refuses a file that is there.

    Raises:
        UserError: it is, and `overwrite` is off; or it is a folder.
    """
    if path.is_dir():
        raise UserError(f"wanted the name of a file to write, this is a folder: {path}")
    if path.exists() and not overwrite:
        raise UserError(f"{path} exists; add overwrite=True (--overwrite) to replace it, or choose another name")


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place when all went well, and is removed when not."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".unfinished")
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.chmod(0o644)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def _text(path: Path, schema: Schema, for_spreadsheets: bool, ending: str) -> Iterator[Sink]:
    """CSV or TSV; the same rows give the same bytes, compressed or not."""
    with path.open("wb") as raw:
        packed: IO[bytes] = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if ending.endswith(".gz") else raw  # type: ignore[assignment]
        first = True

        def sink(block: pd.DataFrame) -> None:
            nonlocal first
            words = words_for(block, schema, for_spreadsheets=for_spreadsheets)
            made = harmless(block) if for_spreadsheets else block
            packed.write(as_csv(made, sep=ENDINGS[ending], header=first, words=words))
            first = False

        yield sink
        if packed is not raw:
            packed.close()


@contextmanager
def _parquet(path: Path, schema: Schema, for_spreadsheets: bool) -> Iterator[Sink]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("pyarrow", "tables") from None
    writer: Any = None

    def sink(block: pd.DataFrame) -> None:
        nonlocal writer
        block = harmless(block) if for_spreadsheets else block
        if writer is None:
            guessed = pa.Schema.from_pandas(block, preserve_index=False)
            fields = [_field(field, schema[field.name]) for field in guessed]
            writer = pq.ParquetWriter(path, pa.schema(fields, metadata=guessed.metadata))
        writer.write_table(pa.Table.from_pandas(block, schema=writer.schema, preserve_index=False))

    try:
        yield sink
    finally:
        if writer is not None:
            writer.close()


def _field(field: Any, column: Column) -> Any:
    """The Arrow type of a column, from the whole of its schema: one block may hold nothing but missing values."""
    import pyarrow as pa

    if not pa.types.is_null(field.type):
        return field
    words = {"integer": pa.int64(), "float": pa.float64(), "boolean": pa.bool_(), "datetime": pa.timestamp("us")}
    text = column.format is not None or column.kind not in words
    return field.with_type(pa.string() if text else words[column.kind])
