"""Decodes a whole listing, in parallel and in order, into one block of uint8 pixels."""

from __future__ import annotations

import functools
import io
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .crew import PATIENCE, at_work
from .decode import PADDED, PADDED_TO, Shape, shape
from .listing import Listing, Unreadable, shown
from .worker import Result, convert_all

Progress: TypeAlias = Callable[[int, int], None]
"""Called now and then with how many pictures are done, and how many there are."""

File: TypeAlias = io.BufferedRandom | io.BytesIO
"""What pixels are written to; read back only where grey has to become RGB."""

TOLERATED = 0.05  # share of pictures that may be unusable
SAMPLE = 256  # pictures whose headers decide the size


@dataclass
class Outcome:
    """What became of the pictures.

    Attributes:
        used: rows of the listing that are in the block, in order.
        skipped: (name, reason).
        facts: how often each of decode.FACTS applied.
        size, channels: of the block.
    """

    size: int
    channels: int = 1
    used: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)


def choose_size(listing: Listing) -> tuple[int, str]:
    """The largest power of two that is not above the median short side, from 16 to 256; and why."""
    median = native_size(listing)
    if median == 0:
        return 16, "no picture could be read"
    if median == PADDED_TO and all(s == (PADDED, PADDED, True) for s in _shapes(listing)):
        return PADDED_TO, f"grey pictures of {PADDED} x {PADDED} are padded to the next power of two"
    size = min(256, max(16, 1 << (median.bit_length() - 1)))
    return size, f"the median short side is {median} pixels; the largest power of two up to it, from 16 to 256"


def native_size(listing: Listing) -> int:
    """The median short side in pixels, 32 for grey pictures of 28 x 28, which are padded; 0 if none can be read."""
    found = _shapes(listing)
    if found and all(s == (PADDED, PADDED, True) for s in found):
        return PADDED_TO
    short = sorted(min(s.width, s.height) for s in found)
    return short[len(short) // 2] if short else 0


def sides_between(listing: Listing) -> tuple[int, int]:
    """The smallest and the largest short side of a sample of the pictures; (0, 0) if none can be read."""
    short = [min(s.width, s.height) for s in _shapes(listing)] or [0]
    return min(short), max(short)


def are_grey(listing: Listing) -> bool:
    """Whether a sample of the pictures is grey, by their headers alone."""
    return all(s.grey for s in _shapes(listing))


def _shapes(listing: Listing) -> list[Shape]:
    step = max(1, len(listing) // SAMPLE)
    return [s for s in map(shape, listing.read(range(0, len(listing), step))) if s]


def build(
    listing: Listing, size: int, channels: int | None, file: File, workers: int | None, progress: Progress | None
) -> Outcome:
    """Writes the pixels of every usable picture to `file` (n size size c), in the order of the listing.

    The result does not depend on the number of workers.

    Raises:
        DataError: more than 5 % (and more than one) of the pictures are unusable; decoding processes keep dying.
    """
    outcome = Outcome(size, channels or 1, skipped=list(listing.absent))
    total = len(listing) + len(listing.absent)
    allowed = max(1, math.floor(TOLERATED * total))
    done, last = 0, time.monotonic()
    task = functools.partial(convert_all, size=size, channels=channels)
    with at_work(listing, task, workers, PATIENCE) as results:
        for rows, chunk in results:
            for row, result in zip(rows, chunk, strict=True):
                _take(outcome, listing, row, result, file)
            if len(outcome.skipped) >= max(10, allowed + 1):
                raise too_many(listing.place, outcome.skipped, done + len(rows), allowed)
            done += len(rows)
            if progress and (time.monotonic() - last > 0.2 or done == len(listing)):
                progress(done, len(listing))
                last = time.monotonic()
    if len(outcome.skipped) > allowed or not outcome.used:
        raise too_many(listing.place, outcome.skipped, total, allowed)
    return outcome


def too_many(place: str, skipped: list[tuple[str, str]], looked_at: int, allowed: int) -> DataError:
    first = "; ".join(f"{shown(name)}: {reason}" for name, reason in skipped[:10])
    return DataError(
        f"{len(skipped)} of the first {looked_at:,} pictures of {place} cannot be used; at most {allowed} may "
        f"(5 %, or one). Mend or remove them.\nThe first {min(10, len(skipped))}: {first}"
    )


def _take(outcome: Outcome, listing: Listing, row: int, result: Result, file: File) -> None:
    if isinstance(result, Unreadable):
        outcome.skipped.append((listing.names[row], str(result)))
        return
    pixels = result.pixels
    if pixels.shape[2] > outcome.channels:
        _widen(file, outcome, pixels.shape[2])
    elif pixels.shape[2] < outcome.channels:
        pixels = np.repeat(pixels, outcome.channels, axis=2)
    file.write(pixels.tobytes())
    outcome.used.append(row)
    outcome.facts.update(result.facts)


def _widen(file: File, outcome: Outcome, channels: int) -> None:
    """The first coloured picture came: what was grey so far becomes RGB, from the back so that nothing is lost."""
    one = outcome.size**2
    start = file.tell() - one * len(outcome.used)
    for i in reversed(range(len(outcome.used))):
        file.seek(start + i * one)
        grey = np.frombuffer(file.read(one), np.uint8)
        file.seek(start + i * one * channels)
        file.write(np.repeat(grey, channels).tobytes())
    file.seek(start + one * len(outcome.used) * channels)
    outcome.channels = channels


def as_block(data: bytes | bytearray | memoryview, outcome: Outcome) -> NDArray[np.uint8]:
    """The bytes that `build` wrote, as (n size size c)."""
    return np.frombuffer(data, np.uint8).reshape(-1, outcome.size, outcome.size, outcome.channels)
