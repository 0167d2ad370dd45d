"""Hugging Face datasets, in memory or saved to disk. Needs the package datasets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError, MissingExtra
from .listing import Blob, Listing, Numbered, Unreadable, choose_split, digest, number_labels, refuse_split, shown

MARKS = ("dataset_dict.json", "state.json")
PICTURE_COLUMNS = ("image", "img", "picture", "x")
LABEL_COLUMNS = ("label", "labels", "class", "fine_label", "y")


def is_saved(folder: Path) -> bool:
    """Whether `Dataset.save_to_disk` wrote this folder."""
    return any((folder / m).is_file() for m in MARKS)


def list_saved(folder: Path, split: str | None) -> Listing:
    """The pictures of a dataset written by `save_to_disk`.

    Raises:
        DataError: damaged, no column of pictures, an absent split.
        MissingExtra: the package datasets is absent.
    """
    try:
        import datasets
    except ImportError as e:
        raise MissingExtra("datasets", "hf") from e
    try:
        loaded = datasets.load_from_disk(str(folder))
    except Exception as e:  # the package raises its own, Arrow's and Python's errors
        reason = " ".join(str(e).split())
        raise DataError(f"{shown(str(folder))} looks like a saved dataset but cannot be opened: {reason}") from e
    return list_dataset(loaded, split, place=shown(str(folder)))


def list_dataset(dataset: Any, split: str | None, *, place: str = "the dataset") -> Listing:
    """The pictures of a `datasets.Dataset`, or of one part of a `datasets.DatasetDict`.

    Raises:
        DataError: no column of pictures, an absent split, rows without label.
    """
    remarks: list[str] = []
    if hasattr(dataset, "keys"):
        if split == "all":
            raise DataError(f"the parts of a DatasetDict are not joined; choose one split: {', '.join(dataset.keys())}")
        chosen, remarks = choose_split(list(dataset.keys()), split, place)
        dataset = dataset[chosen[0]]
    else:
        refuse_split(split, place)
    column = _picture_column(dataset, place)
    values, classes = _labels(dataset, place)
    raw = _undecoded(dataset, column)
    listing = Listing(
        place=place,
        names=Numbered(len(dataset), "row "),
        stamp=_stamp(dataset, raw, column),
        read=lambda rows: _read(raw, column, rows),
        remarks=[f"Pictures come from the column {column!r}.", *remarks],
        hint=f"add a column named {LABEL_COLUMNS[0]}",
    )
    if values is not None:
        listing.labels, listing.classes = number_labels(values, classes)
    return listing


def _undecoded(dataset: Any, column: str) -> Any:
    """The picture column alone, as encoded bytes where it is of the Image kind."""
    from datasets import Image

    raw = dataset.select_columns([column]).with_format(None)
    return raw.cast_column(column, Image(decode=False)) if isinstance(raw.features[column], Image) else raw


def _picture_column(dataset: Any, place: str) -> str:
    from datasets import Image

    features = dataset.features
    fitting = [c for c, f in features.items() if isinstance(f, Image) or getattr(f, "dtype", None) == "binary"]
    if not fitting:
        raise DataError(f"{place} has no column of pictures (Image or binary); it has: {', '.join(features)}")
    return next((c for c in PICTURE_COLUMNS if c in fitting), fitting[0])


def _labels(dataset: Any, place: str) -> tuple[list[Any] | None, tuple[str, ...]]:
    column = next((c for c in LABEL_COLUMNS if c in dataset.features), None)
    if column is None:
        return None, ()
    values = list(dataset.with_format(None)[column])
    if None in values:
        raise DataError(f"{values.count(None)} rows of {place} have no {column}")
    return values, tuple(getattr(dataset.features[column], "names", None) or ())


def _stamp(dataset: Any, raw: Any, column: str) -> str:
    """From the files behind it and what was done to them; from the content where it lives in memory."""
    files = [Path(f["filename"]) for f in dataset.cache_files]
    if files:
        known = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        return digest([dataset._fingerprint, len(dataset), *known])
    blobs = (_read(raw, column, range(i, min(i + 64, len(raw)))) for i in range(0, len(raw), 64))
    return digest(b for part in blobs for b in part)


def _read(raw: Any, column: str, rows: Sequence[int]) -> list[Blob]:
    return [_encoded(v) for v in raw[list(rows)][column]]


def _encoded(value: Any) -> Blob:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict) and value.get("bytes"):
        return bytes(value["bytes"])
    if isinstance(value, dict) and value.get("path"):
        try:
            return Path(value["path"]).read_bytes()
        except OSError as e:
            return Unreadable(f"cannot be read: {e.strerror}")
    return Unreadable("the row holds no picture")
