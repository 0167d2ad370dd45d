"""Parquet files of pictures, as Hugging Face writes them. Needs pyarrow."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, MissingExtra
from .listing import (
    SPLITS,
    Blob,
    Listing,
    Numbered,
    Unreadable,
    choose_split,
    digest,
    number_labels,
    refuse_split,
    shown,
)

PICTURE_COLUMNS = ("image", "img", "picture", "jpg", "png", "x")
LABEL_COLUMNS = ("label", "labels", "class", "fine_label", "y")
KEPT_GROUPS = 8  # row groups held in memory; each reading thread walks through one at a time


def list_parquet(path: Path, split: str | None) -> Listing:
    """The pictures of a parquet file, or of all parquet files below a folder.

    A column of encoded pictures (binary, or a struct with `bytes`), and one of labels where there are any. Files
    named `train-…`, `test-…` are splits.

    Raises:
        DataError: a damaged file, no column of pictures, an absent split.
        MissingExtra: pyarrow is absent.
    """
    files, remarks = _choose_files(path, split)
    table = _Table(files)
    place = shown(str(path))
    values, classes = table.labels()
    listing = Listing(
        place=place,
        names=Numbered(len(table), f"{place} row "),
        stamp=digest((f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files),
        read=table.read,
        remarks=[f"Pictures come from the column {table.column!r}.", *remarks],
        hint=f"add a column named {LABEL_COLUMNS[0]}",
    )
    if values is not None:
        listing.labels, listing.classes = number_labels(values, classes)
    return listing


def _choose_files(path: Path, split: str | None) -> tuple[list[Path], list[str]]:
    if path.is_file():
        refuse_split(split, shown(str(path)))
        return [path], []
    files = sorted(path.rglob("*.parquet"))
    splits: dict[str, list[Path]] = {}
    for file in files:
        stem = file.name.removesuffix(".parquet").split("-")[0]
        named = next((n for n in (stem, file.parent.name) if n.lower() in SPLITS), "")
        splits.setdefault(named, []).append(file)
    if set(splits) == {""}:
        refuse_split(split, shown(str(path)))
        return files, []
    chosen, remarks = choose_split([s for s in splits if s], split, shown(str(path)))
    return sorted(f for c in chosen for f in splits[c]), remarks


class _Table:
    """Rows of several parquet files, read by row group."""

    def __init__(self, files: list[Path]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet as pq
        except ImportError as e:
            raise MissingExtra("pyarrow", "parquet") from e
        self._files = files
        self._groups: list[tuple[int, int]] = []
        self._parquet: list[Any] = []
        starts = [0]
        for number, file in enumerate(files):
            try:
                opened = pq.ParquetFile(file, memory_map=True)
            except (pyarrow.ArrowException, OSError) as e:
                raise DataError(f"{shown(str(file))} is not a parquet file, or is damaged: {e}") from e
            self._parquet.append(opened)
            for group in range(opened.metadata.num_row_groups):
                self._groups.append((number, group))
                starts.append(starts[-1] + opened.metadata.row_group(group).num_rows)
        self._starts = np.array(starts)
        self._damaged = (pyarrow.ArrowException, OSError)
        schema = self._parquet[0].schema_arrow
        self.column = _picture_column(schema, files[0])
        self._label = next((c for c in LABEL_COLUMNS if c in schema.names), None)
        self._schema = schema
        self._held: OrderedDict[int, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def labels(self) -> tuple[list[Any] | None, tuple[str, ...]]:
        """The labels, and names of the classes where the file knows them."""
        if self._label is None:
            return None, ()
        values: list[Any] = []
        for file, opened in zip(self._files, self._parquet, strict=True):
            try:
                values += opened.read([self._label]).column(0).to_pylist()
            except (*self._damaged, KeyError) as e:
                raise DataError(f"{shown(str(file))} is damaged, or lacks the column {self._label}: {e}") from e
        if None in values:
            raise DataError(f"{values.count(None)} rows of {shown(str(self._files[0]))} … have no {self._label}")
        return values, _class_names(self._schema, self._label)

    def read(self, rows: Sequence[int]) -> list[Blob]:
        blobs: list[Blob] = []
        for row in rows:
            group = int(np.searchsorted(self._starts, row, side="right")) - 1
            try:
                blobs.append(_encoded(self._group(group)[row - int(self._starts[group])]))
            except self._damaged as e:
                blobs.append(Unreadable(f"its part of the parquet file is damaged: {e}"))
        return blobs

    def _group(self, group: int) -> Any:
        with self._lock:  # a ParquetFile serves one thread at a time
            if group not in self._held:
                file, number = self._groups[group]
                self._held[group] = self._parquet[file].read_row_group(number, columns=[self.column]).column(0)
                if len(self._held) > KEPT_GROUPS:
                    self._held.popitem(last=False)
            self._held.move_to_end(group)
            return self._held[group]


def _encoded(value: Any) -> Blob:
    plain = value.as_py()
    data = plain.get("bytes") if isinstance(plain, dict) else plain
    return data if isinstance(data, bytes) else Unreadable("the row holds no picture")


def _picture_column(schema: Any, file: Path) -> str:
    import pyarrow.types as kinds

    def fits(field: Any) -> bool:
        struct = kinds.is_struct(field.type) and field.type.get_field_index("bytes") >= 0
        return bool(struct or kinds.is_binary(field.type) or kinds.is_large_binary(field.type))

    fitting = [f.name for f in schema if fits(f)]
    if not fitting:
        raise DataError(
            f"{shown(str(file))} has no column of pictures (binary, or a struct with 'bytes'); it has: "
            f"{', '.join(schema.names)}"
        )
    return next((c for c in PICTURE_COLUMNS if c in fitting), fitting[0])


def _class_names(schema: Any, column: str) -> tuple[str, ...]:
    """Names from the note that Hugging Face's datasets leaves in the schema."""
    try:
        noted = json.loads(schema.metadata[b"huggingface"])["info"]["features"][column]["names"]
        return tuple(str(n) for n in noted)
    except (TypeError, KeyError, ValueError):
        return ()
