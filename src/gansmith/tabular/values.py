"""What the cells of a pandas column mean, as plain arrays, whatever dtype they came in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import DataError, MissingExtra
from .dates import microseconds
from .recognise import PLACEHOLDERS

TEXT = ("str", "string", "string[pyarrow]", "object", "time")
"""Dtypes of columns that hold text."""

Family = Literal["number", "moment", "discrete", "text", "mixed"]

_OBJECTS: dict[str, tuple[Family, str]] = {  # pandas' name of what an object column holds -> family, our dtype
    "string": ("text", "object"), "empty": ("text", "object"), "boolean": ("discrete", "object"),
    "integer": ("number", "object"), "floating": ("number", "object"), "mixed-integer-float": ("number", "object"),
    "decimal": ("number", "decimal"), "date": ("moment", "date"), "datetime": ("moment", "object"),
    "datetime64": ("moment", "object"), "time": ("text", "time"),
}  # fmt: skip


def need(package: str) -> Any:
    """The module `package` of the extra `tables`.

    Raises:
        MissingExtra: it is absent.
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError:
        raise MissingExtra(package.split(".")[0], "tables") from None


def family(series: Any, name: str) -> tuple[Family, str]:
    """What the values of a pandas Series are, and the dtype to come back to.

    Raises:
        DataError: cells that are no single values (lists, bytes, complex numbers).
    """
    pd = need("pandas")
    dtype, kinds = series.dtype, pd.api.types
    if isinstance(dtype, pd.CategoricalDtype):
        return "discrete", "category"
    if isinstance(dtype, pd.IntervalDtype) or kinds.is_complex_dtype(dtype):
        raise DataError(f"column {name!r} holds {dtype} values; give numbers, words or dates instead")
    if kinds.is_bool_dtype(dtype):
        return "discrete", str(dtype)
    if isinstance(dtype, pd.PeriodDtype) or kinds.is_datetime64_any_dtype(dtype):
        return "moment", str(dtype)
    if kinds.is_numeric_dtype(dtype) or kinds.is_timedelta64_dtype(dtype):
        return "number", str(dtype)
    return _family_of_objects(series, name)


def _family_of_objects(series: Any, name: str) -> tuple[Family, str]:
    pd = need("pandas")
    if isinstance(series.dtype, pd.StringDtype):
        return "text", "str" if str(series.dtype) == "str" else "string"
    if isinstance(series.dtype, pd.ArrowDtype):
        return _family_of_arrow(series.dtype, name)
    found = pd.api.types.infer_dtype(series, skipna=True)
    if found in _OBJECTS:
        return _OBJECTS[found]
    plain = (bool, int, float, str, np.generic)
    for row, value in enumerate(series.tolist()):
        if not isinstance(value, plain) and not _missing(value):
            raise DataError(
                f"column {name!r} holds a {type(value).__name__} in row {row + 1}; a cell of a table is one number, "
                "word or date"
            )
    return "mixed", "object"


def _family_of_arrow(dtype: Any, name: str) -> tuple[Family, str]:
    """Arrow types that pandas counts among objects."""
    types, held = need("pyarrow").types, dtype.pyarrow_dtype
    if types.is_string(held) or types.is_large_string(held):
        return "text", "string[pyarrow]"
    if types.is_date(held):
        return "moment", str(dtype)
    raise DataError(f"column {name!r} holds {dtype} values; give numbers, words or dates instead")


def text_dtype(dtype: str) -> Any:
    """What pandas takes for one of TEXT."""
    pd = need("pandas")
    if dtype == "string[pyarrow]":
        return pd.ArrowDtype(need("pyarrow").string())
    old = int(pd.__version__.split(".")[0]) < 3  # there, str makes the text "None" of None
    return object if dtype in ("object", "time") or (old and dtype == "str") else dtype


def _missing(value: Any) -> bool:
    found = need("pandas").isna(value)
    return found if isinstance(found, bool) else False


def numbers(series: Any, name: str) -> npt.NDArray[Any]:
    """A Series of the family number without missing values -> integers where they are integers, else float64.

    Raises:
        DataError: a number beyond 64 bits.
    """
    pd = need("pandas")
    if pd.api.types.is_timedelta64_dtype(series.dtype):
        return np.asarray(series.dt.total_seconds(), dtype=np.float64)
    if series.dtype == object:
        try:
            series = pd.to_numeric(series.astype(object).map(float) if _has_decimals(series) else series)
        except (ValueError, TypeError, OverflowError):
            raise DataError(f"column {name!r} holds numbers beyond 64 bits; give them as text") from None
        if series.dtype == object:
            raise DataError(f"column {name!r} holds numbers beyond 64 bits; give them as text")
    kind = getattr(series.dtype, "kind", "f")
    return np.asarray(series.to_numpy(dtype=np.dtype(kind + "8") if kind in "iu" else np.float64))


def _has_decimals(series: Any) -> bool:
    return bool(need("pandas").api.types.infer_dtype(series) == "decimal")


def moments(series: Any) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], str | None]:
    """A Series of the family moment -> microseconds in UTC (n,), the same on the local clock, and the zone's name."""
    pd = need("pandas")
    if isinstance(series.dtype, pd.PeriodDtype):
        series = series.dt.to_timestamp()
    if isinstance(series.dtype, pd.ArrowDtype):
        series = _from_arrow(series)
    if not pd.api.types.is_datetime64_any_dtype(series.dtype):
        series = pd.to_datetime(series)
    zone = getattr(series.dtype, "tz", None)
    stamps = microseconds(series)
    return (
        stamps,
        microseconds(series.dt.tz_localize(None)) if zone is not None else stamps,
        str(zone) if zone else None,
    )


def _from_arrow(series: Any) -> Any:
    """A Series of an Arrow type of dates -> the same of a type of NumPy."""
    pd, pa = need("pandas"), need("pyarrow")
    zone = getattr(series.dtype.pyarrow_dtype, "tz", None)
    held = pa.array(series).cast(pa.timestamp("us", tz=zone))
    return pd.Series(held.to_pandas().to_numpy() if zone is None else held.to_pandas(), index=series.index)


def texts(series: Any) -> Any:
    """A Series of text (or of times of day) -> a pyarrow array of strings, null where missing."""
    pa = need("pyarrow")
    if series.dtype == object:
        values = [None if _missing(v) else str(v) for v in series.tolist()]
        return pa.array(values, type=pa.string())
    found = pa.array(series, from_pandas=True)
    found = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    return found.cast(pa.string()) if pa.types.is_large_string(found.type) else found


def scalars(values: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    """Category values as JSON holds them: true or false, numbers, text; anything else becomes its text."""
    return np.array([_scalar(v) for v in values.tolist()] or [], dtype=object)


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value if isinstance(value, bool | int | float | str) else str(value)


# text that is numbers


def parse_numbers(texts: Any) -> npt.NDArray[Any] | None:
    """A pyarrow array of strings without nulls -> int64 or float64 (n,), or None if some are no numbers.

    Codes such as `007`, and whole numbers of more digits than 64 bits hold, are no numbers: their digits matter.
    """
    pc = need("pyarrow.compute")
    for form in (lambda t: t, pc.utf8_trim_whitespace):
        head = _cast(form(texts[:32]))  # a cast that fails is slow, and words mostly come early
        found = head if head is None or len(texts) <= 32 else _cast(form(texts))
        if found is not None:
            return None if _any(form(texts), r"^[-+]?0[0-9]") else found
    return None


def _cast(texts: Any) -> npt.NDArray[Any] | None:
    pa, pc = need("pyarrow"), need("pyarrow.compute")
    try:
        return _to_numpy(pc.cast(texts, pa.int64()))
    except pa.ArrowInvalid:
        pass
    try:
        found = _to_numpy(pc.cast(texts, pa.float64()))
    except pa.ArrowInvalid:
        return None
    too_long = (np.abs(found) > 2.0**53).any() and _any(texts, r"^[-+]?[0-9]{17,}$")
    return None if too_long else found


def numbers_among(texts: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]] | None:
    """Numbers in a pyarrow array of strings without nulls, placeholders such as `?` allowed among them.

    Returns:
        The numbers, and where in `texts` (n,) a placeholder or a written NaN stands; None if there are other words.
    """
    pa, pc = need("pyarrow"), need("pyarrow.compute")
    found, absent = parse_numbers(texts), np.zeros(len(texts), dtype=bool)
    if found is None:
        absent = _to_numpy(pc.is_in(texts, value_set=pa.array(sorted(PLACEHOLDERS))))
        if not absent.any() or absent.all():
            return None
        found = parse_numbers(texts.filter(pa.array(~absent)))
    if found is None:
        return None
    if found.dtype.kind == "f" and np.isnan(found).any():
        absent[np.flatnonzero(~absent)[np.isnan(found)]] = True
        found = found[~np.isnan(found)]
    return found, absent


def _any(texts: Any, pattern: str) -> bool:
    pc = need("pyarrow.compute")
    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def _to_numpy(array: Any) -> npt.NDArray[Any]:
    return np.asarray(array.to_numpy(zero_copy_only=False))


def check_finite(values: npt.NDArray[Any], name: str, row_of: Callable[[int], int]) -> None:
    """
    Args:
        row_of: the row in the table, from 1, of a place in `values`.

    Raises:
        DataError: an infinite value; the first row is named.
    """
    if values.dtype.kind != "f" or not np.isinf(values).any():
        return
    bad = np.flatnonzero(np.isinf(values))
    more = f" (and in {len(bad) - 1:,} more)" if len(bad) > 1 else ""
    raise DataError(
        f"column {name!r} is infinite in row {row_of(int(bad[0])):,}{more}; leave such cells empty, "
        "or write the number that they stand for"
    )
