"""A survey: every picture of one or more listings, measured, about a kilobyte of each kept."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..build import Progress
from ..crew import at_work
from ..listing import Blob, Listing, Unreadable, shown
from ..memory import IN_MEMORY, available_bytes
from .measure import LEVELS, RECORD, SMALL, Measured, measure_all


@dataclass
class Part:
    """One listing of a survey.

    Attributes:
        name: what to call it: `train`, `test`, or the name of a folder.
        unreadable: (name, reason) of each picture that cannot be used, and of those that the data names in vain.
        facts: how often each of `decode.FACTS` applied.
        light: (3 32), the sum over pictures of the shares of values in each step, by channel.
    """

    name: str
    listing: Listing
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)
    light: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, LEVELS)))

    @property
    def found(self) -> int:
        """How many pictures there are, usable or not."""
        return len(self.listing) + len(self.listing.absent)


@dataclass
class Survey:
    """The measures of n pictures, those of the first part first.

    Attributes:
        part: (n,) number of the part that each is of.
        row: (n,) its row in that part's listing.
        records: (n,) of `RECORD`.
        small: (n 16 16 3) uint8, on disk where it would take much of the memory.
    """

    parts: tuple[Part, ...]
    part: NDArray[np.int8]
    row: NDArray[np.int64]
    records: NDArray[Any]
    small: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.records)

    def of(self, part: int) -> NDArray[np.int64]:
        """The pictures of this part."""
        return np.flatnonzero(self.part == part)

    def name(self, i: int) -> str:
        """The file name (or the like) of picture `i`, fit to print."""
        return shown(self.parts[int(self.part[i])].listing.names[int(self.row[i])])

    def blob(self, i: int) -> Blob:
        """Picture `i`, read once more."""
        part: Part = self.parts[int(self.part[i])]
        return part.listing.read([int(self.row[i])])[0]

    def labels(self) -> NDArray[np.int64] | None:
        """Class numbers of the first part's pictures, or None."""
        known = self.parts[0].listing.labels
        return None if known is None else known[self.row[self.of(0)]]


def survey(parts: Sequence[Part], *, workers: int | None = None, progress: Progress | None = None) -> Survey:
    """Measures every picture of these listings. Memory beyond about 100 bytes a picture is bounded.

    Args:
        workers: decoding processes; None is one for each core, 0 decodes here.
        progress: called with (done, total).

    Raises:
        DataError: a part of which no picture can be read; decoding processes that keep dying.
    """
    total = sum(len(p.listing) for p in parts)
    made = Survey(
        tuple(parts), np.zeros(total, np.int8), np.zeros(total, np.int64), np.zeros(total, RECORD), _room(total)
    )
    kept = done = 0
    last = time.monotonic()
    for number, part in enumerate(parts):
        before = kept
        part.unreadable += part.listing.absent
        with at_work(part.listing, measure_all, workers) as chunks:
            for rows, answers in chunks:
                for row, answer in zip(rows, answers, strict=True):
                    kept += _keep(made, kept, number, row, answer)
                done += len(rows)
                if progress and (time.monotonic() - last > 0.2 or done == total):
                    progress(done, total)
                    last = time.monotonic()
        if kept == before:
            raise _nothing(part)
    return Survey(made.parts, made.part[:kept], made.row[:kept], made.records[:kept], made.small[:kept])


def _keep(made: Survey, place: int, number: int, row: int, answer: Measured | Unreadable) -> bool:
    part = made.parts[number]
    if isinstance(answer, Unreadable):
        part.unreadable.append((shown(part.listing.names[row]), str(answer)))
        return False
    made.part[place], made.row[place] = number, row
    made.records[place], made.small[place] = answer.record, answer.small
    part.light += answer.light
    part.facts.update(answer.facts)
    return True


def _room(n: int) -> NDArray[np.uint8]:
    shape = (n, SMALL, SMALL, 3)
    if np.prod(shape, dtype=np.int64) < IN_MEMORY / 4 * available_bytes():
        return np.zeros(shape, np.uint8)
    with tempfile.TemporaryFile(prefix="gansmith-inspect-") as file:  # the map keeps it until the survey has gone
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _nothing(part: Part) -> DataError:
    first = "; ".join(f"{shown(name)}: {reason}" for name, reason in part.unreadable[:3])
    return DataError(f"none of the {part.found:,} pictures of {part.listing.place} can be read. The first: {first}")
