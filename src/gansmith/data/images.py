"""ImageSource: pictures by row number, decoded once, square, as float32 in [-1, 1]."""

from __future__ import annotations

import copy
import functools
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batch import Batch
from ..errors import DataError
from ..spec import COMBINATIONS, ImageSpec, Spec
from .attributes import combined
from .build import File, Outcome, Progress, as_block, build, choose_size
from .cache import cache_root, key_of, look_up, make
from .decode import FACTS, PADDED, PADDED_TO, VERSION
from .draws import POWERS, ByClass
from .find import list_pictures
from .listing import Listing, digest, shown
from .memory import IN_MEMORY, ON_DEVICE, available_bytes
from .smaller import in_memory, on_disk

LARGEST = 2048  # pixels a side; a larger one is surely a slip


@dataclass(frozen=True)
class Report:
    """What became of the pictures.

    Attributes:
        found: how many there were.
        used: how many are served.
        skipped: (name, reason) of each that is not.
        conversions: what was done, in words, and to how many.
    """

    found: int
    used: int
    skipped: list[tuple[str, str]] = field(default_factory=list)
    conversions: dict[str, int] = field(default_factory=dict)


class ImageSource:
    """Pictures from a folder, a zip, parquet, a Hugging Face dataset, or an array. Implements `Source`.

    A batch holds `x` (b c h w) float32 in [-1, 1], channels last in memory; `y` int64, (b,) where there are classes,
    (b, a), 0 or 1, where there are attributes; `index` (b,) int64, the row numbers.

    Args:
        data: a path, `"bundled:fashion-mnist"`, a `datasets.Dataset`, an array, or a pair (array, labels).
        size: side in pixels; None chooses it from the pictures.
        channels: 1, 3 or 4; None gives 1 if every picture is grey, else 3.
        mirror: whether each picture is also served flipped left to right, as a row of its own (row + n).
        cache: folder for decoded pictures; None is the user's cache folder, False keeps none.
        labels: classes or attributes: None uses them if they are there, True insists, False leaves them.
        classes: where there are no labels: each picture is served once as every one of these classes, as a row of its
            own (row + n for the next), so that a generator of classes can learn from pictures without.
        split: which of train, validation, test to use; None takes train where there is one, `"all"` everything.
        workers: decoding processes; None is one for each core, 0 decodes here.
        progress: called with (done, total) while decoding.

    Raises:
        DataError: the data cannot be read, or are not what was asked for.
        MissingExtra: a package for this kind of data is absent.
    """

    def __init__(
        self,
        data: Any,
        *,
        size: int | None = None,
        channels: int | None = None,
        mirror: bool = False,
        cache: str | os.PathLike[str] | bool | None = None,
        labels: bool | None = None,
        classes: Sequence[str] = (),
        split: str | None = None,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        _check_settings(size, channels)
        listing = list_pictures(data, split)
        _check_labels(listing, labels)
        self._said = list(listing.remarks)
        self._auto = channels is None
        self._why_size = None
        self._entry: tuple[Path, str] | None = None  # of the cache: its folder, and the key of these pictures
        self._smaller: dict[int, ImageSource] = {}
        if size is None:
            size, self._why_size = choose_size(listing)
        where = str(Path(data).resolve()) if isinstance(data, str | os.PathLike) else ""
        pixels, outcome = self._obtain(listing, where, size, channels, cache, workers, progress)
        self._pixels = self._into_memory(pixels)
        self._on_device: dict[torch.device, Tensor | None] = {}
        self._mirror = mirror
        self._names = listing.names
        whole = len(outcome.used) == len(listing)
        self._rows = None if whole else np.asarray(outcome.used, dtype=np.int64)
        self._y = self._labels_of(listing, outcome, labels)
        self._every = tuple(classes) if self._y is None else ()
        self.draws: tuple[str, ...] = () if self._y is None else tuple(POWERS)
        self._place = listing.place
        self.report = _report(listing, outcome)
        self._image = self._spec(listing, outcome)
        self.spec: Spec = self._image
        shape = (outcome.size, outcome.channels, mirror, *self._every)
        given = None if self._y is None else self._y.numpy().tobytes()
        named = [listing.attributes] if self._image.attributes else []
        self.fingerprint = digest([listing.stamp, listing.absent, listing.classes, given, shape, VERSION, *named])

    def __len__(self) -> int:
        return self._once * max(len(self._every), 1)

    @property
    def _once(self) -> int:
        """Rows in which every picture is served, mirrored, too, if it is."""
        return len(self._pixels) * (2 if self._mirror else 1)

    def order(self, draw: str, batch: int, seed: int, among: Tensor | None = None) -> ByClass:
        """Rows drawn by their classes: `balanced`, or by the `root` of the classes' sizes. Of attributes, pictures with
        the same combination are a class. Of rows `among` alone, by their number there, where these are given."""
        assert self._y is not None, "without classes there is no way but shuffling"
        y = self._y if self._y.ndim == 1 else self._y.unique(dim=0, return_inverse=True)[1]
        y = y.repeat(2) if self._mirror else y
        return ByClass(y if among is None else y[among], POWERS[draw], batch, seed)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """The pictures of these rows: `x` (b c h w), `index` (b,), and `y` (b,) or (b, a) where there are labels.

        Raises:
            IndexError: a row that is not there.
        """
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self):
            raise IndexError(f"rows are 0 to {len(self) - 1}, not: {int(rows.min())} to {int(rows.max())}")
        n = len(self._pixels)
        pictures = rows % n if len(self) > n else rows
        x = self._gather(pictures, device)
        if self._mirror:
            turned = (rows % self._once >= n).nonzero().squeeze(1).to(x.device, non_blocking=True)
            x.index_copy_(0, turned, x.index_select(0, turned).flip(2))
        # x is NHWC: the permuted view is channels_last for free. Subtracting first makes the ends exactly -1 and 1.
        x = x.permute(0, 3, 1, 2).to(torch.float32).sub_(127.5).div_(127.5)
        batch = Batch(x=x, index=rows.to(device, non_blocking=True))
        if self._y is not None:
            batch["y"] = self._y[pictures].to(device, non_blocking=True)
        elif self._every:
            batch["y"] = (rows // self._once).to(device, non_blocking=True)
        return batch

    def smaller(self, size: int) -> ImageSource:
        """The same rows as pictures of `size` pixels a side, each pixel the mean of a square; itself if not smaller.

        They are made on the first call: in memory, or in the cache where the pictures themselves are read from disk.

        Raises:
            DataError: `size` does not divide the side; the cache cannot be written.
        """
        if size >= self._image.size:
            return self
        if size not in self._smaller:
            made = self._smaller[size] = copy.copy(self)
            made._smaller, made._on_device, made._said, made._entry = {}, {}, [], None
            made._pixels = self._into_memory(self._means(size))
            made._image = made.spec = replace(self._image, size=size)
        return self._smaller[size]

    def _means(self, size: int) -> NDArray[np.uint8]:
        if self._entry is not None and isinstance(self._pixels, np.memmap):
            return on_disk(self._pixels, size, *self._entry)
        return in_memory(self._pixels, size)

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """All pictures as they were decoded (n h w c), without mirrored ones; may be mapped from a file."""
        return self._pixels

    def names(self, rows: Tensor) -> list[str]:
        """File names (or the like) of these rows, fit to print; for naming a bad batch."""
        n = len(self._pixels)
        return [self._name(r % n) + (" (mirrored)" if r % self._once >= n else "") for r in rows.tolist()]

    def notes(self) -> list[str]:
        """What was done to the data, a sentence each."""
        r, spec = self.report, self._image
        told = _classes(spec) if self._y is None or self._y.ndim == 1 else _attributes(spec, self._y)
        notes = [f"{r.used:,} pictures from {self._place}{told}.", *self._said]
        why = f": {self._why_size}" if self._why_size else ""
        notes.append(f"Size {spec.size} x {spec.size}{why}.")
        if self._auto:
            which = "every picture is grey" if spec.channels == 1 else "pictures are in colour"
            notes.append(f"{spec.channels} channel{'s' * (spec.channels > 1)}: {which}.")
        notes += [f"Pictures: {what}." for what in r.conversions]
        if r.skipped:
            listed = "; ".join(f"{shown(name)}: {reason}" for name, reason in r.skipped[:10])
            notes.append(f"{len(r.skipped):,} of {r.found:,} pictures were skipped: {listed}.")
        if self._mirror:
            notes.append(f"Each picture is also served mirrored: {self._once:,} rows.")
        if self._every:
            notes.append(
                f"They have no classes, so each is served as every one of {len(self._every)}: {len(self):,} rows."
            )
        return notes

    def _name(self, row: int) -> str:
        return shown(self._names[row if self._rows is None else int(self._rows[row])])

    def _gather(self, pictures: Tensor, device: torch.device) -> Tensor:
        """uint8 (b h w c) on the device."""
        if device.type == "cuda" and (held := self._hold(device)) is not None:
            return held.index_select(0, pictures.to(device, non_blocking=True))
        x = torch.from_numpy(np.take(self._pixels, pictures.numpy(), axis=0))  # faster than index_select, measured
        return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)

    def _hold(self, device: torch.device) -> Tensor | None:
        """All pictures on the device, moved there once, if they take a small part of its free memory."""
        if device not in self._on_device:
            free, _ = torch.cuda.mem_get_info(device)
            fits = self._pixels.nbytes <= ON_DEVICE * free
            self._on_device[device] = torch.from_numpy(np.array(self._pixels)).to(device) if fits else None
        return self._on_device[device]

    def _obtain(
        self,
        listing: Listing,
        where: str,
        size: int,
        channels: int | None,
        cache: str | os.PathLike[str] | bool | None,
        workers: int | None,
        progress: Progress | None,
    ) -> tuple[NDArray[np.uint8], Outcome]:
        """The block of pixels: the data's own, made in memory, or from the cache."""
        if (ready := _ready_made(listing, size, channels)) is not None:
            return ready
        run = functools.partial(_build, listing, size, channels, workers, progress)
        if cache is False or not listing.cacheable:
            buffer = io.BytesIO()
            outcome = run(buffer)
            return as_block(buffer.getbuffer(), outcome), outcome
        root, said = cache_root(None if isinstance(cache, bool) else cache)
        key = key_of(digest([where, listing.stamp, listing.absent, VERSION]), size, channels)
        found, fresh = look_up(root, key), False
        if found is None:
            found, fresh = make(root, key, run, len(listing) * size * size * (channels or 3))
        self._entry = root, found.folder.name
        self._said += said
        self._said.append(f"Decoded pictures were {'put in' if fresh else 'taken from'} {shown(str(found.folder))}.")
        return found.pixels, found.outcome

    def _into_memory(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not isinstance(pixels, np.memmap):
            return pixels
        share = f"{pixels.nbytes / 1e6:,.0f} MB"
        if pixels.nbytes <= IN_MEMORY * available_bytes():
            self._said.append(f"They are kept in memory ({share}).")
            return np.array(pixels)
        self._said.append(f"They are read from disk as needed ({share}, over {IN_MEMORY:.0%} of the free memory).")
        return pixels

    def _labels_of(self, listing: Listing, outcome: Outcome, wanted: bool | None) -> Tensor | None:
        known = listing.labels if listing.marks is None else listing.marks
        if known is None or wanted is False:
            return None
        return torch.from_numpy(known if self._rows is None else known[self._rows])

    def _spec(self, listing: Listing, outcome: Outcome) -> ImageSpec:
        if self._y is None:
            counts = (self._once,) * len(self._every)
            return ImageSpec(size=outcome.size, channels=outcome.channels, classes=self._every, class_counts=counts)
        if self._y.ndim == 2:
            known, times = combined(self._y.numpy(), COMBINATIONS)
            return ImageSpec(
                size=outcome.size,
                channels=outcome.channels,
                attributes=listing.attributes,
                combinations=known,
                combination_counts=times,
            )
        found = np.bincount(self._y.numpy(), minlength=len(listing.classes))
        return ImageSpec(
            size=outcome.size,
            channels=outcome.channels,
            classes=listing.classes,
            class_counts=tuple(int(c) for c in found),
        )


def _build(
    listing: Listing, size: int, channels: int | None, workers: int | None, progress: Progress | None, file: File
) -> Outcome:
    return build(listing, size, channels, file, workers, progress)


def _ready_made(listing: Listing, size: int, channels: int | None) -> tuple[NDArray[np.uint8], Outcome] | None:
    """An array's own pixels, where they need no work, or only the padding of the MNIST family."""
    if listing.pixels is None:
        return None
    n, height, width, c = listing.pixels.shape
    if c != (channels or (c if c < 4 else None)):
        return None
    outcome = Outcome(size, c, used=list(range(n)))
    if height == width == size:
        return listing.pixels, outcome
    if (height, width, c, size) == (PADDED, PADDED, 1, PADDED_TO):
        margin = (PADDED_TO - PADDED) // 2
        outcome.facts["padded"] = n
        return np.pad(listing.pixels, ((0, 0), (margin, margin), (margin, margin), (0, 0))), outcome
    return None


def _check_settings(size: int | None, channels: int | None) -> None:
    if size is not None and not 4 <= size <= LARGEST:
        raise DataError(f"pictures can be 4 to {LARGEST} pixels a side, not: {size}")
    if channels not in (None, 1, 3, 4):
        raise DataError(f"pictures have 1 (grey), 3 (RGB) or 4 (RGBA) channels, not: {channels}")


def _check_labels(listing: Listing, wanted: bool | None) -> None:
    if wanted and listing.labels is None and listing.marks is None:
        raise DataError(f"labels were asked for, but {listing.place} has none: {listing.hint}")
    if wanted is not False and listing.labels is not None and len(listing.labels):
        low, high = int(listing.labels.min()), int(listing.labels.max())
        if low < 0 or high >= len(listing.classes):
            raise DataError(
                f"labels of {listing.place} run from {low} to {high}, but there are {len(listing.classes)} classes; "
                "pictures without a label have to be left out, or all labels (labels off)"
            )


def _report(listing: Listing, outcome: Outcome) -> Report:
    found = len(listing) + len(listing.absent)
    done: Counter[str] = outcome.facts
    words = {FACTS[fact].format(n=f"{done[fact]:,}"): done[fact] for fact in FACTS if done[fact]}
    return Report(found, len(outcome.used), outcome.skipped, words)


def _classes(spec: ImageSpec) -> str:
    if not spec.classes:
        return ", without labels"
    named = [f"{name} {count:,}" for name, count in zip(spec.classes, spec.class_counts, strict=True)]
    more = f", and {len(named) - 12} more" if len(named) > 12 else ""
    return f" in {len(named)} classes ({', '.join(named[:12])}{more})"


def _attributes(spec: ImageSpec, marks: Tensor) -> str:
    """Each attribute, and how many of the pictures have it."""
    shares = marks.double().mean(0).tolist()
    named = [f"{name} {share:.0%}" for name, share in zip(spec.attributes, shares, strict=True)]
    more = f", and {len(named) - 12} more" if len(named) > 12 else ""
    return f" with {len(named)} attributes ({', '.join(named[:12])}{more})"
