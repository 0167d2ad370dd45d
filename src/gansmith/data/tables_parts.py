"""Tables that have types already: DataFrames, Arrow tables, parquet files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..tabular.values import need
from .listing import digest, shown


class FramePart:
    """A pandas DataFrame in memory."""

    text = False

    def __init__(self, frame: Any, place: str = "the DataFrame") -> None:
        self.frame, self.place, self.remarks = frame, place, _on_index(frame)
        self.names = [str(c) for c in frame.columns]

    def batches(self, size: int) -> Iterator[Any]:
        """Rows as DataFrames of at most `size` rows."""
        for first in range(0, len(self.frame), size):
            yield self.frame.iloc[first : first + size]

    def stamp(self) -> str:
        """A digest of the content."""
        pd = need("pandas")
        columns = []
        for place, name in enumerate(self.names):
            series = self.frame.iloc[:, place]
            try:
                hashes = pd.util.hash_pandas_object(series, index=False)
            except TypeError:  # cells that have no hash; what the columns may hold is judged elsewhere
                hashes = pd.util.hash_pandas_object(series.astype(str), index=False)
            columns.append(f"{name} {series.dtype} {hashlib.sha256(hashes.to_numpy().tobytes()).hexdigest()}")
        return digest([len(self.frame), *columns])


def _on_index(frame: Any) -> list[str]:
    pd = need("pandas")
    index = frame.index
    if isinstance(index, pd.RangeIndex) or (index.name is None and pd.api.types.is_integer_dtype(index.dtype)):
        return []
    return ["The index of the DataFrame is left out; frame.reset_index() makes a column of it."]


class ParquetPart:
    """One parquet file."""

    text = False

    def __init__(self, path: Path) -> None:
        self.path, self.place, self.remarks = path, shown(str(path)), list[str]()
        pa = need("pyarrow")
        try:
            self._nullable = _columns_with_nulls(self._open())
            names = [n for n in self._open().schema_arrow.names if not n.startswith("__index_level_")]
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.place} is no readable parquet file: {str(error).splitlines()[0][:200]}") from None
        self.names = names
        check_types(self._open().schema_arrow, self.place)

    def _open(self) -> Any:
        return need("pyarrow.parquet").ParquetFile(self.path)

    def batches(self, size: int) -> Iterator[Any]:
        """Rows as DataFrames of at most `size` rows."""
        pa = need("pyarrow")
        try:
            for batch in self._open().iter_batches(batch_size=size, columns=self.names):
                yield to_pandas(pa.Table.from_batches([batch]), self._nullable)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.place} is damaged: {str(error).splitlines()[0][:200]}") from None


def _columns_with_nulls(file: Any) -> set[str]:
    """Columns of which it is known, or not told, that values are missing."""
    found, meta = set(), file.metadata
    for group in range(meta.num_row_groups):
        for i in range(meta.num_columns):
            column = meta.row_group(group).column(i)
            stats = column.statistics
            if stats is None or not stats.has_null_count or stats.null_count:
                found.add(column.path_in_schema)
    return found


def check_types(schema: Any, place: str) -> None:
    """
    Raises:
        DataError: a column of an Arrow schema whose cells are no single values.
    """
    types = need("pyarrow").types
    for column in schema:
        inner = column.type.value_type if types.is_dictionary(column.type) else column.type
        if types.is_nested(inner) or types.is_binary(inner) or types.is_large_binary(inner):
            raise DataError(
                f"{place}: column {column.name!r} holds {inner} values; a cell of a table is one number, word or "
                "date: leave the column out, or spread it over columns"
            )


def to_pandas(table: Any, nullable: set[str] | None = None) -> Any:
    """A pyarrow Table -> a DataFrame; whole numbers and booleans with missing values keep their types.

    Args:
        nullable: columns that may miss values; None looks at this table.
    """
    pa, pd = need("pyarrow"), need("pandas")
    if nullable is None:
        nullable = {name for name, column in zip(table.column_names, table.columns, strict=True) if column.null_count}
    frame = table.to_pandas(ignore_metadata=True, date_as_object=True)
    for place, column in enumerate(table.schema):
        if column.name in nullable and (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)):
            dtype = "boolean" if pa.types.is_boolean(column.type) else str(column.type).replace("int", "Int")
            dtype = dtype.replace("uI", "UI")
            values = pd.array(table.column(place).to_pylist(), dtype=dtype)
            frame.isetitem(place, values)
    return frame


def from_arrow(data: Any) -> FramePart:
    """Anything that gives itself as an Arrow stream or through the DataFrame interchange protocol.

    Raises:
        DataError: it does neither, or holds columns that are none of a table.
    """
    pa = need("pyarrow")
    place = f"the {type(data).__name__}"
    try:
        if hasattr(data, "__arrow_c_stream__"):
            table = pa.table(data)
        else:
            table = need("pyarrow.interchange").from_dataframe(data)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{place} cannot be read as a table: {str(error).splitlines()[0][:200]}") from None
    check_types(table.schema, place)
    return FramePart(to_pandas(table), place)
