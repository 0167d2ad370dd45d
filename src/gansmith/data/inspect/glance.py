"""The cheap part of a look, for every run: seconds at most, on pictures that are decoded already."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .alike import find_alike
from .findings import UNEVEN, WORTH_A_WARNING, share
from .look import PLAIN
from .measure import RECORD, measure

HASHED_BYTES = 512 << 20  # half a second
MEASURED = 800  # pictures; about a second


def glance(pixels: NDArray[np.uint8], class_counts: Mapping[str, int], *, seed: int = 0) -> list[str]:
    """What a user should hear of before training: copies, blanks, black pictures, uneven classes. A sentence each.

    Args:
        pixels: (n h w c) uint8, as they are trained on; may be mapped from a file.
        class_counts: pictures of each class; empty without labels.
        seed: of the draw of pictures that are looked at closely.
    """
    return [*_equal(pixels), *_close(pixels, seed), *_uneven(class_counts)]


def _equal(pixels: NDArray[np.uint8]) -> list[str]:
    """Pictures equal to another, among as many, evenly spread, as can be hashed in a moment."""
    count = min(len(pixels), max(2, HASHED_BYTES // max(1, pixels[0].nbytes)))
    rows = np.linspace(0, len(pixels) - 1, count).astype(np.int64)
    digests = {hashlib.blake2b(pixels[r].tobytes(), digest_size=12).digest() for r in np.unique(rows)}
    looked = len(np.unique(rows))
    copies = looked - len(digests)
    if copies < WORTH_A_WARNING * looked:
        return []
    return [f"{share(copies, looked)} of {looked:,} pictures looked at are equal to another; they are learnt by heart"]


def _close(pixels: NDArray[np.uint8], seed: int) -> list[str]:
    """Near-copies, blanks and darkness in a draw of pictures."""
    count = min(len(pixels), MEASURED)
    rows = np.sort(np.random.default_rng(seed).permutation(len(pixels))[:count])
    measured = [measure(np.ascontiguousarray(pixels[r])) for r in rows]
    records = np.array([m.record for m in measured], RECORD)
    said = []
    if int(records["high"].max()) <= 1:
        said.append("all pictures looked at are black: values of 0 to 1 were probably saved as whole numbers")
    elif (blank := int((records["spread"] < PLAIN).sum())) >= max(1, WORTH_A_WARNING * count):
        said.append(f"{share(blank, count)} of {count:,} pictures looked at are of nearly one colour")
    small = np.stack([m.small for m in measured])
    groups = find_alike(records["digest"], records["hash"], small, records["spread"] < PLAIN)
    alike = len(np.unique(records["digest"])) - len(np.unique(groups))
    if alike >= max(2, WORTH_A_WARNING * count):
        said.append(f"{share(alike, count)} of {count:,} pictures looked at look the same as another")
    return said


def _uneven(class_counts: Mapping[str, int]) -> list[str]:
    counts = {name: c for name, c in class_counts.items() if c}
    if len(counts) < 2:
        return []
    least, most = min(counts, key=lambda k: counts[k]), max(counts, key=lambda k: counts[k])
    if counts[most] <= UNEVEN * counts[least]:
        return []
    ends = f"{counts[most]:,} pictures of {most}, {counts[least]:,} of {least}"
    return [f"classes are uneven ({ends}); rare ones come out poor and alike"]
