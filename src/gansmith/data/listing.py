"""Listing: the pictures that a folder, an archive, a table or an array holds, before any is decoded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, did_you_mean

SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
MAX_BYTES = 512 << 20  # of one file; a picture at the pixel limit, uncompressed, needs less


class NoSuchSplit(DataError):
    """The data are not divided, or not into a part of this name."""


class Unreadable(Exception):
    """One picture cannot be used; the text says why."""


Blob: TypeAlias = bytes | NDArray[np.uint8] | Unreadable
"""An encoded picture, pixels (h w c), or the reason why there is neither."""


class Names:
    """Many names in little memory: one byte string and the place where each ends."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [os.fsencode(n) for n in names]
        self._bytes = b"".join(encoded)
        self._ends = np.cumsum([len(e) for e in encoded], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, i: int) -> str:
        start = int(self._ends[i - 1]) if i else 0
        return os.fsdecode(self._bytes[start : int(self._ends[i])])


class Numbered:
    """Names of pictures that have none: `"picture 17"`."""

    def __init__(self, length: int, place: str = "picture ") -> None:
        self._length, self._place = length, place

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, i: int) -> str:
        return f"{self._place}{i}"


@dataclass
class Listing:
    """The pictures of one data set, in a fixed order.

    Attributes:
        place: how to name the data to the user.
        names: of each picture; files relative to `place`.
        stamp: hex digest that changes whenever a picture does.
        read: encoded pictures (or pixels) of these rows; called from several threads.
        labels: class number of each picture (n,), or None.
        classes: names of the classes, in the order of their numbers.
        marks: (n, a), 0 or 1, whether each picture has each attribute, or None; there are no labels then.
        attributes: their names.
        remarks: sentences on how the data was understood.
        absent: (name, reason) of pictures that the data names and does not hold.
        pixels: (n h w c) where the data is an array of uint8 already; it needs no decoding.
        cacheable: False where the converted pictures are small enough to be made anew each time.
        pad_to: side to which pictures are padded with black, where that is what the set calls for.
        hint: how to give this data labels, for the error where they are asked for and absent.
    """

    place: str
    names: Names | Numbered
    stamp: str
    read: Callable[[Sequence[int]], list[Blob]]
    labels: NDArray[np.int64] | None = None
    classes: tuple[str, ...] = ()
    marks: NDArray[np.int64] | None = None
    attributes: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    absent: list[tuple[str, str]] = field(default_factory=list)
    pixels: NDArray[np.uint8] | None = None
    cacheable: bool = True
    hint: str = "put the pictures of each class in a subfolder of its own, or leave out the wish for labels"

    def __len__(self) -> int:
        return len(self.names)


def shown(name: str) -> str:
    """A file name that can be printed: bytes that are not UTF-8 become `\\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def digest(parts: Iterable[object]) -> str:
    """sha256, in hex, over the text of each part; the order counts."""
    h = hashlib.sha256()
    for part in parts:
        h.update(part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass"))
        h.update(b"\0")
    return h.hexdigest()


def number_labels(values: Sequence[object], classes: tuple[str, ...] = ()) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class numbers and class names; whole numbers are put in the order of numbers, all else of text.

    Where `classes` are known already, the values are their numbers.
    """
    if classes:
        return np.array(values, dtype=np.int64), classes
    distinct = set(values)
    if all(isinstance(v, int | np.integer) or str(v).lstrip("-").isdecimal() for v in distinct):
        order = sorted(distinct, key=lambda v: int(str(v)))
    else:
        order = sorted(distinct, key=str)
    number = {v: i for i, v in enumerate(order)}
    return np.array([number[v] for v in values], dtype=np.int64), tuple(shown(str(v)) for v in order)


def choose_split(present: Sequence[str], split: str | None, place: str) -> tuple[list[str], list[str]]:
    """Which of the split names in `present` to use, and what to say about it.

    Args:
        present: split names as the data spells them.
        split: the user's choice; `"all"` takes everything, None the training part where there is one.

    Raises:
        NoSuchSplit: the wanted split is not there.
    """
    listed = ", ".join(sorted(present))
    if split == "all":
        return list(present), [f"All splits are used together: {listed}."]
    wanted = SPLITS.get((split or "train").lower(), split)
    chosen = [p for p in present if p == split or SPLITS.get(p.lower()) == wanted]
    if chosen:
        left = sorted(set(present) - set(chosen))
        return chosen, [f"The split {', '.join(sorted(chosen))!r} is used; left alone: {', '.join(left) or 'nothing'}."]
    if split is None:
        return list(present), [f"No part is named train, so all are used together: {listed}."]
    raise NoSuchSplit(f"{place} has no split {split!r}; it has: {listed}.{did_you_mean(split, present)}")


def refuse_split(split: str | None, place: str) -> None:
    """Raises NoSuchSplit where a split is wanted of data that has none."""
    if split not in (None, "all"):
        raise NoSuchSplit(
            f"{place} is not divided into splits (folders or parts named train, test, …); wanted: {split}"
        )
