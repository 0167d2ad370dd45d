"""DataFrames to canonical columns, and back to what the user had: dtypes, precision, nulls, ranges, order."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DataError, did_you_mean
from . import decorated
from .dates import DAY, parse, render
from .fill import filled
from .recognise import PLACEHOLDERS
from .schema import DISCRETE, Canonical, Column, Schema, rows_of
from .values import TEXT, check_finite, family, moments, need, numbers, numbers_among, text_dtype, texts

Array = npt.NDArray[Any]


def canonicalise(frame: Any, schema: Schema, *, first: int = 0) -> dict[str, Array]:
    """A pandas DataFrame -> canonical columns (see `tabular.schema`) of all but the identifiers.

    Args:
        frame: has the columns of the schema, more are passed over; their dtypes may differ where the values agree.
        first: number of the frame's first row within its table, for messages.

    Raises:
        DataError: a column is missing, or a value does not fit; row (counted from 1) and column are named.
    """
    held = {str(name): place for place, name in enumerate(frame.columns)}
    found = {}
    for column in schema.learnt:
        if column.name not in held:
            raise DataError(
                f"the table lacks the column {column.name!r}.{did_you_mean(column.name, held)} "
                f"It has: {', '.join(list(held)[:20])}"
            )
        found[column.name] = _canonical(frame.iloc[:, held[column.name]], column, first)
    return found


def _canonical(series: Any, column: Column, first: int) -> Array:
    missing = np.asarray(series.isna())
    known = series[~missing] if missing.any() else series
    rows = np.flatnonzero(~missing)
    codes = column.kind in DISCRETE
    out = np.full(len(series), -1, dtype=np.int64) if codes else np.full(len(series), np.nan)
    if len(known):
        out[rows] = _codes(known, column, rows + first) if codes else _amounts(known, column, rows + first)
        missing = out < 0 if codes else np.isnan(out)
    if missing.any() and not column.nulls:
        row = first + int(np.flatnonzero(missing)[0]) + 1
        raise DataError(
            f"column {column.name!r} has no value in row {row:,}, and its schema says that none is missing; "
            "fill it in, or write nulls: true in the schema"
        )
    return out


def _misfit(column: Column, row: int, value: Any, wanted: str) -> DataError:
    return DataError(f"column {column.name!r}, row {row + 1:,}: wanted {wanted}, this was: {value!r}")


# numbers and dates


def _amounts(known: Any, column: Column, rows: Array) -> Array:
    """Values that are not missing -> float64."""
    sort, _ = family(known, column.name)
    if column.kind == "datetime":
        return _moments(known, column, rows, sort)
    if sort == "text":
        return _text_numbers(known, column, rows)
    if sort == "discrete" and str(known.dtype) == "category":
        return _amounts(known.astype(known.cat.categories.dtype), column, rows)
    if sort != "number":
        raise _misfit(column, int(rows[0]), known.iloc[0], "a number")
    values = numbers(known, column.name)
    check_finite(values, column.name, lambda i: int(rows[i]) + 1)
    return values.astype(np.float64)


def _text_numbers(known: Any, column: Column, rows: Array) -> Array:
    if column.format is not None:
        return _decorated(known, column, rows)
    found = numbers_among(texts(known))
    if found is None:
        at = next(i for i, text in enumerate(known.astype(object)) if not _is_number(str(text)))
        raise _misfit(column, int(rows[at]), known.iloc[at], "a number")
    values, absent = found
    check_finite(values, column.name, lambda i: int(rows[~absent][i]) + 1)
    out = np.full(len(known), np.nan)
    out[~absent] = values
    return out


def _decorated(known: Any, column: Column, rows: Array) -> Array:
    form, held = column.format or "", [str(v) for v in known.tolist()]
    found = decorated.among(held, form)
    if found is None:
        at = next(i for i, text in enumerate(held) if decorated.among([text], form) is None)
        example = decorated.write(np.array([1234.5]), form)[0]
        raise _misfit(column, int(rows[at]), held[at], f"a number written as {example}")
    values, absent = found
    out = np.full(len(held), np.nan)
    out[~absent] = values
    return out


def _is_number(text: str) -> bool:
    pa = need("pyarrow")
    return numbers_among(pa.array([text, "0"])) is not None


def _moments(known: Any, column: Column, rows: Array, sort: str) -> Array:
    if sort == "moment":
        return moments(known)[0]
    form = column.format or "%Y-%m-%d %H:%M:%S"
    written = numbers(known, column.name).astype(np.int64).astype(str) if sort == "number" else known.astype(str)
    values = parse(np.asarray(written, dtype=object), form)
    strange = np.isnan(values) & ~np.isin(written, list(PLACEHOLDERS))
    if strange.any():
        at = int(np.flatnonzero(strange)[0])
        raise _misfit(column, int(rows[at]), known.iloc[at], f"a date written as {form}")
    return values


# categories


def _codes(known: Any, column: Column, rows: Array) -> Array:
    """Values that are not missing -> the numbers of their categories."""
    sort, _ = family(known, column.name)
    words = all(isinstance(c, str) for c in column.categories)
    if sort == "text" and words:
        found = _text_codes(texts(known), column)
    elif sort == "text":
        found = _text_codes(texts(known), column) if column.dtype in TEXT else _number_codes(known, column)
    elif str(known.dtype) == "category":
        numbers_of = {_key(c): i for i, c in enumerate(column.categories)}
        codes = np.array([numbers_of.get(_key(c), -1) for c in known.cat.categories.tolist()] or [-1])
        found = codes[np.asarray(known.cat.codes)]
    elif sort == "number" and not words:
        found = _plain_codes(numbers(known, column.name), column)
    else:
        found = _plain_codes(known.astype(object), column)
    if (found < 0).any():
        _refuse(known, column, rows, int(np.flatnonzero(found < 0)[0]))
    return found


def _text_codes(array: Any, column: Column) -> Array:
    pa, pc = need("pyarrow"), need("pyarrow.compute")
    known = pa.array([str(c) for c in column.categories], type=pa.string())
    return np.asarray(pc.fill_null(pc.index_in(array, value_set=known), -1)).astype(np.int64)


def _number_codes(known: Any, column: Column) -> Array:
    """Numbers that came as text."""
    found = numbers_among(texts(known))
    if found is None or found[1].any():
        return _text_codes(texts(known), column)
    return _plain_codes(found[0], column)


def _plain_codes(values: Any, column: Column) -> Array:
    """The number of the category of each value; 1 and 1.0 are the same, True and "True" are not."""
    pd = need("pandas")
    if isinstance(values, np.ndarray) and all(type(c) in (int, float) for c in column.categories):
        return np.asarray(pd.Index(list(column.categories)).get_indexer(values))
    places, different = pd.factorize(pd.Series(values).astype(object))
    numbers_of = {_key(c): i for i, c in enumerate(column.categories)}
    found = np.array([numbers_of.get(_key(v), -1) for v in different], dtype=np.int64)
    return np.asarray(found[places])


def _key(value: Any) -> tuple[str, Any]:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool):
        return "bool", value
    return ("number", value) if isinstance(value, int | float) else ("text", str(value))


def _refuse(known: Any, column: Column, rows: Array, at: int) -> None:
    value = known.iloc[at]
    names = [str(c) for c in column.categories]
    raise DataError(
        f"column {column.name!r}, row {int(rows[at]) + 1:,}: no category {str(value)!r}."
        f"{did_you_mean(str(value), names)} There are: {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"
    )


# back


def restore(canonical: Canonical, schema: Schema, *, start: int = 0, seed: int = 0, rows: int | None = None) -> Any:
    """Canonical columns -> a pandas DataFrame as the user had it.

    Numbers are rounded to the column's decimals and clipped to its range, dates to its step and range; categories,
    nulls and dtypes come back as they were. Identifiers are filled: row i of them depends on (seed, start + i) alone.

    Args:
        canonical: a column for each learnt one of the schema, n entries each.
        start: number of the first row.
        rows: n, for a schema of identifiers alone.
    """
    pd = need("pandas")
    n = rows_of(canonical) if canonical else rows or 0
    made = {c.name: _restored(canonical, c, n, start, seed) for c in schema}
    frame = pd.DataFrame(made, index=pd.RangeIndex(n), copy=False)
    frame.columns = pd.Index(schema.names, dtype=frame.columns.dtype)
    return frame


def _restored(canonical: Canonical, column: Column, n: int, start: int, seed: int) -> Any:
    if column.kind == "identifier":
        return filled(column, n, start=start, seed=seed)
    values = np.asarray(canonical[column.name])
    if column.kind in DISCRETE:
        return _categories(values, column)
    missing = np.isnan(values)
    if column.kind == "datetime":
        return _dates(values, missing, column)
    return as_dtype(_rounded(values, column), missing, column)


def _rounded(values: Array, column: Column) -> Array:
    decimals = 0 if column.kind == "integer" else column.decimals
    found = values if decimals is None else np.round(values, decimals)
    return np.clip(found, column.low, column.high) if column.low is not None or column.high is not None else found


def as_dtype(values: Array, missing: Array, column: Column) -> Any:
    """Numbers (n,) -> a pandas Series of the column's dtype.

    Raises:
        DataError: values are missing and the dtype has no place for that.
    """
    pd, dtype = need("pandas"), column.dtype
    if dtype.startswith("timedelta"):
        return pd.to_timedelta(pd.Series(values), unit="s").astype(dtype)
    if dtype in TEXT or dtype == "decimal":
        return _as_objects(values, missing, column)
    if dtype == "category":
        return _as_categorical(np.where(missing, np.nan, values), column)
    kind = pd.api.types.pandas_dtype(dtype)
    if not pd.api.types.is_integer_dtype(kind):
        return pd.Series(values).astype(kind)
    return _integers(_whole(np.where(missing, 0, values), kind), missing, column)


def _whole(values: Array, kind: Any) -> Array:
    """Rounded floats -> integers; the largest float below the end of the range stands for what is beyond."""
    plain = np.dtype(getattr(kind, "numpy_dtype", kind))
    low, high = np.iinfo(plain).min, np.iinfo(plain).max
    top = float(high) if float(high) <= high else np.nextafter(float(high), 0)
    return np.clip(np.round(values), float(low), top).astype(plain)


def _as_objects(values: Array, missing: Array, column: Column) -> Any:
    """Numbers as text, or as Python objects."""
    from decimal import Decimal

    pd, out = need("pandas"), np.full(len(values), None, dtype=object)
    known = values[~missing]
    if column.format is not None:
        made: Any = decorated.write(known, column.format)
    elif column.kind == "integer":
        made = _whole(known, np.dtype(np.int64)).astype(object)
    else:
        made = known.astype(object)
    if column.dtype == "decimal":
        made = [Decimal(f"{v:.{column.decimals}f}" if column.decimals is not None else str(v)) for v in made]
    elif column.dtype != "object" and column.format is None:
        made = [str(v) for v in made]
    out[~missing] = made
    return pd.Series(out, dtype=text_dtype(column.dtype) if column.dtype in TEXT else object)


def _categories(codes: Array, column: Column) -> Any:
    """Codes -> a pandas Series of the categories' values."""
    pd, missing, dtype = need("pandas"), codes < 0, column.dtype
    known = list(column.categories)
    if dtype == "category":
        return _as_categorical(codes, column)
    held = np.empty(len(known) + 1, dtype=object)
    held[:-1], held[-1] = known, None  # -1, a missing value, is the last
    if dtype in TEXT:
        if dtype == "object":
            return pd.Series(held[codes], dtype=text_dtype(dtype))
        words = _words(tuple(map(str, known)), dtype)
        return pd.Series((words if missing.any() else words[:-1]).take(codes))
    if dtype in ("bool", "boolean", "bool[pyarrow]"):
        return pd.Series(held[codes], dtype=dtype)
    if whole := _exact_integers(known, dtype):
        return _integers(np.array([*known, 0], dtype=whole)[codes], missing, column)
    return as_dtype(np.where(missing, np.nan, _floats(known)[codes]), missing, column)


@lru_cache(maxsize=256)
def _words(texts: tuple[str, ...], dtype: str) -> Any:
    """A pandas array of texts, and of a missing one at the end."""
    return need("pandas").array([*texts, None], dtype=text_dtype(dtype))


def _exact_integers(known: list[Any], dtype: str) -> Any:
    """The NumPy type of an integer dtype, where all categories are integers; else None."""
    pd = need("pandas")
    kind = pd.api.types.pandas_dtype(dtype)
    if not pd.api.types.is_integer_dtype(kind) or not known or not all(isinstance(c, int) for c in known):
        return None
    return np.dtype(getattr(kind, "numpy_dtype", kind))


def _integers(values: Array, missing: Array, column: Column) -> Any:
    """Integers -> a Series of an integer dtype.

    Raises:
        DataError: values are missing and the dtype has no place for that.
    """
    pd = need("pandas")
    if not missing.any():
        return pd.Series(values).astype(column.dtype)
    if not pd.api.types.is_extension_array_dtype(column.dtype):
        raise DataError(
            f"column {column.name!r} has missing values, and its dtype {column.dtype} has no place for them"
        )
    held = pd.array(values, dtype=column.dtype)
    held[missing] = pd.NA
    return pd.Series(held)


def _floats(known: list[Any]) -> Array:
    return np.array([*known, np.nan], dtype=np.float64)


def _as_categorical(codes: Array, column: Column) -> Any:
    """Codes -> a Series of the dtype category, its levels in their own order."""
    pd = need("pandas")
    levels = list(column.levels or column.categories)
    at = {_key(level): i for i, level in enumerate(levels)}
    places = np.array([*(at[_key(c)] for c in column.categories), -1], dtype=np.int64)
    return pd.Series(pd.Categorical.from_codes(places[codes], categories=levels, ordered=column.ordered))


def _dates(values: Array, missing: Array, column: Column) -> Any:
    """Microseconds -> dates of the column's dtype, or text in its format."""
    pd, step = need("pandas"), column.step or 1.0
    held = np.where(missing, 0, values)
    if column.timezone is None or step < DAY:
        held = np.floor(held / step) * step
    if column.low is not None or column.high is not None:
        held = np.clip(held, column.low, column.high)
    if column.format is not None:
        return _as_text(held, missing, column)
    stamps = held.astype(np.int64).astype("datetime64[us]")
    stamps[missing] = np.datetime64("NaT")
    return _as_moments(pd.Series(stamps), column)


def _as_text(held: Array, missing: Array, column: Column) -> Any:
    pd = need("pandas")
    written = render(held, column.format or "")
    if column.dtype not in TEXT:  # a whole number such as 20240131
        return as_dtype(np.where(missing, np.nan, written.astype(np.float64)), missing, column)
    if column.dtype == "time":
        return pd.Series([None if m else pd.Timestamp(w).time() for w, m in zip(written, missing, strict=True)])
    written[missing] = None
    return pd.Series(written, dtype=text_dtype(column.dtype))


def _as_moments(series: Any, column: Column) -> Any:
    """Naive UTC stamps -> the column's dtype."""
    pd, dtype = need("pandas"), column.dtype
    if column.timezone is not None:
        series = series.dt.tz_localize("UTC").dt.tz_convert(column.timezone)
        if column.step == DAY:
            series = series.dt.tz_localize(None).dt.round("D").dt.tz_localize(
                column.timezone, ambiguous=True, nonexistent="shift_forward"
            )  # fmt: skip
    if dtype == "date":
        return series.dt.date.astype(object).where(series.notna(), None)
    if dtype == "object":
        return pd.Series([None if pd.isna(v) else v.to_pydatetime() for v in series], dtype=object)
    return series.dt.to_period(dtype[7:-1]) if dtype.startswith("period[") else series.astype(dtype)
