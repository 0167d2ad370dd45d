"""Rows as delimited text: what pandas' `to_csv` writes, in a tenth of its time, by making the text of each column in
Arrow. Columns of rare types are left to pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from .values import need

PLAIN = (1e-4, 1e10)  # between them Arrow and Python write floats that are not whole alike


def as_csv(frame: Any, *, sep: str = ",", header: bool = True, words: Sequence[str] = ()) -> bytes:
    """A DataFrame as text in UTF-8, without its index: quotes where they are needed, floats as short as they can be.

    Args:
        sep: a comma or a tab.
        words: what is written for a missing value, one for each column, or none at all; dates leave the cell empty.

    Raises:
        DataError: a cell that UTF-8 cannot write.
    """
    words = [*words] or [""] * frame.shape[1]
    try:
        head = _by_pandas(frame.iloc[:0], sep, header=True).encode("utf-8") if header else b""
        body = _by_arrow(frame, sep, words)
        return head + (_by_pandas(spelled(frame, words), sep).encode("utf-8") if body is None else body)
    except UnicodeEncodeError as error:
        raise DataError(f"a cell holds {error.object[error.start]!r}, which UTF-8 cannot write") from None


def _by_pandas(frame: Any, sep: str, *, header: bool = False) -> str:
    text: str = frame.to_csv(None, index=False, header=header, sep=sep, lineterminator="\n")
    return text


def spelled(frame: Any, words: Sequence[str]) -> Any:
    """A copy in which words, one for each column, stand for missing values; dates stay dates."""
    made = frame.copy(deep=False)
    for place, word in enumerate(words):
        series = frame.iloc[:, place]
        if word and series.dtype.kind != "M" and series.isna().any():
            made.isetitem(place, series.astype(object).mask(series.isna(), word))
    return made


def _by_arrow(frame: Any, sep: str, words: Sequence[str]) -> bytes | None:
    """The rows as text; None where a column's type is not known here."""
    pc = need("pyarrow.compute")
    if frame.shape[1] < 2 or not len(frame):  # alone in its row, an empty cell is quoted
        return None
    columns = []
    for place, word in enumerate(words):
        series = frame.iloc[:, place]
        held = _held(series)
        if held is None:
            return None
        if held.null_count and word and series.dtype.kind != "M":
            held = pc.fill_null(pc.cast(held, need("pyarrow").large_string()), word)
        columns.append(held)
    return _joined(columns, sep) if any(_wants_quotes(held, sep) for held in columns) else _written(columns, sep)


def _written(columns: Sequence[Any], sep: str) -> bytes:
    """Rows of cells none of which wants quotes."""
    pa, csv = need("pyarrow"), need("pyarrow.csv")
    sink = pa.BufferOutputStream()
    table = pa.table(list(columns), names=[str(number) for number in range(len(columns))])
    csv.write_csv(table, sink, csv.WriteOptions(include_header=False, delimiter=sep, quoting_style="none"))
    return bytes(sink.getvalue())


def _joined(columns: Sequence[Any], sep: str) -> bytes:
    """Rows of cells some of which want quotes, which Arrow would put around all cells or none."""
    pa, pc = need("pyarrow"), need("pyarrow.compute")
    between, end, empty = (pa.scalar(text, pa.large_string()) for text in (sep, "\n", ""))
    texts = [_quoted(pc.fill_null(pc.cast(held, pa.large_string()), empty), sep) for held in columns]
    rows = pc.binary_join_element_wise(*texts, between)
    return bytes(pc.binary_join(pa.LargeListArray.from_arrays([0, len(rows)], rows), end)[0].as_buffer()) + b"\n"


def _held(series: Any) -> Any:
    """A Series -> a pyarrow array of large strings or integers, null where missing; None where its type is not known
    here."""
    pd, pa, pc = need("pandas"), need("pyarrow"), need("pyarrow.compute")
    kinds, dtype = pd.api.types, series.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _categories(series)
    if isinstance(dtype, pd.ArrowDtype) and not pa.types.is_string(dtype.pyarrow_dtype):
        return None
    if isinstance(dtype, pd.PeriodDtype) or dtype.kind in "mM":
        return _moments(series)
    if dtype in (np.dtype(np.float64), pd.Float64Dtype()):
        return _floats(series.to_numpy(dtype=np.float64, na_value=np.nan))
    if kinds.is_object_dtype(dtype) and kinds.infer_dtype(series, skipna=True) not in ("string", "empty"):
        return None
    if not any(known(dtype) for known in (kinds.is_string_dtype, kinds.is_integer_dtype, kinds.is_bool_dtype)):
        return None
    held = pa.array(series, from_pandas=True)
    held = held.combine_chunks() if isinstance(held, pa.ChunkedArray) else held
    if pa.types.is_boolean(held.type):
        return pc.if_else(held, pa.scalar("True", pa.large_string()), pa.scalar("False", pa.large_string()))
    return held if pa.types.is_integer(held.type) else pc.cast(held, pa.large_string())


def _categories(series: Any) -> Any:
    """The text of each category, taken for each row."""
    pd, pa = need("pandas"), need("pyarrow")
    codes, known = np.asarray(series.cat.codes), pd.Series(series.cat.categories)
    texts = _held(known) if known.dtype == object or pd.api.types.is_string_dtype(known.dtype) else None
    return None if texts is None else texts.take(pa.array(codes, mask=codes < 0))


def _moments(series: Any) -> Any:
    """Dates and spans of time, as pandas writes them: never with a character that wants quotes."""
    pa = need("pyarrow")
    lines = np.array(_by_pandas(series.to_frame(), ",").split("\n")[:-1], dtype=object)
    return pa.array(lines, mask=np.asarray(series.isna()), type=pa.large_string())


def _floats(values: Any) -> Any:
    """The shortest text of each number that reads back as that number, in the form of Python's `repr`."""
    pa, pc = need("pyarrow"), need("pyarrow.compute")
    size = np.abs(values)
    whole = (np.rint(values) == values) & (size < PLAIN[1]) & ~((values == 0) & np.signbit(values))
    texts = pc.cast(pa.array(values, mask=np.isnan(values)), pa.large_string())
    if whole.any():
        zero, nothing = pa.scalar(".0", pa.large_string()), pa.scalar("", pa.large_string())
        texts = pc.if_else(pa.array(whole), pc.binary_join_element_wise(texts, zero, nothing), texts)
    odd = ~(whole | np.isnan(values) | ((size >= PLAIN[0]) & (size < PLAIN[1])))
    if odd.any():
        others = pa.array([repr(v) for v in values[odd].tolist()], type=pa.large_string())
        texts = pc.replace_with_mask(texts, pa.array(odd), others)
    return texts


def _wants_quotes(held: Any, sep: str) -> bool:
    """Whether some cell does; if in doubt, of a null's bytes, it says so."""
    if need("pyarrow").types.is_integer(held.type):
        return False
    _, offsets, data = held.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[held.offset : held.offset + len(held) + 1]
    characters = b"" if data is None else data.slice(int(ends[0]), int(ends[-1] - ends[0])).to_pybytes()
    return any(mark in characters for mark in (sep.encode(), b'"', b"\n", b"\r"))


def _quoted(texts: Any, sep: str) -> Any:
    """Texts with quotes around those that need them."""
    pa, pc = need("pyarrow"), need("pyarrow.compute")
    quote, nothing = pa.scalar('"', pa.large_string()), pa.scalar("", pa.large_string())
    framed = pc.binary_join_element_wise(
        quote, pc.replace_substring(texts, pattern='"', replacement='""'), quote, nothing
    )
    return pc.if_else(pc.match_substring_regex(texts, pattern=f'[{sep}"\r\n]'), framed, texts)
