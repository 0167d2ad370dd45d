"""Writes DataFrames as CSV: the same bytes for the same rows, whole or not at all, and harmless to spreadsheets."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

from ..errors import DataError
from .csvtext import as_csv
from .schema import Schema
from .schemafile import write_whole
from .values import need

_FORMULA = re.compile(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"-+|[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def write_csv(frame: Any, path: Path | str, *, for_spreadsheets: bool = False, append: bool = False) -> None:
    """Writes a DataFrame as CSV (tabs for .tsv, packed for .gz), in UTF-8, with line feeds, without an index.

    Args:
        for_spreadsheets: put an apostrophe before text that a spreadsheet would take for a formula: text that begins
            with `=`, `+`, `-` or `@` (OWASP, "CSV injection"). Numbers stay as they are.
        append: add the rows, without a header, to a file that is there; a file that is not there gets one.

    Raises:
        DataError: the file cannot be written.
    """
    path = Path(path)
    there = append and path.exists() and path.stat().st_size > 0
    content = _as_csv(harmless(frame) if for_spreadsheets else frame, path, header=not there)
    if not append:
        write_whole(path, content)
        return
    try:
        with open(path, "ab") as file:
            file.write(content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None


def _as_csv(frame: Any, path: Path, *, header: bool) -> bytes:
    suffixes = [s.lower() for s in path.suffixes]
    raw = as_csv(frame, sep="\t" if {".tsv", ".tab"} & set(suffixes) else ",", header=header)
    return gzip.compress(raw, mtime=0) if suffixes[-1:] == [".gz"] else raw


def words_for(frame: Any, schema: Schema, *, for_spreadsheets: bool = False) -> list[str]:
    """How each column of a frame writes a missing value: as the training data had it (`Column.missing`)."""
    known = {column.name: column.missing for column in schema if column.nulls}
    words = [known.get(name, "") for name in frame.columns]
    return [f"'{word}" if is_formula(word) else word for word in words] if for_spreadsheets else words


def harmless(frame: Any) -> Any:
    """A copy whose names and text no spreadsheet takes for formulas."""
    pd = need("pandas")
    made = frame.copy(deep=False)
    for place in range(made.shape[1]):
        series = made.iloc[:, place]
        if not isinstance(series.dtype, pd.CategoricalDtype | pd.StringDtype) and series.dtype != object:
            continue
        held = series.astype(object)
        found = {v: f"'{v}" for v in held.dropna().unique().tolist() if isinstance(v, str) and is_formula(v)}
        if found:
            made.isetitem(place, held.map(lambda v, found=found: found.get(v, v) if isinstance(v, str) else v))
    made.columns = pd.Index([f"'{c}" if isinstance(c, str) and is_formula(c) else c for c in made.columns])
    return made


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would compute this text; a plain number is no formula, nor are dashes alone."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text.strip())
