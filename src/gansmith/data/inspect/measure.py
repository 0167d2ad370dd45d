"""One picture, measured once: all that the checks need to know of it, in about a kilobyte. Imports no torch.

The perceptual hash is the signs of the lowest frequencies of a cosine transform, each against their median
(Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions"): it outlives other sizes, other
compression and other brightness. What it takes to be alike is compared once more, by `SMALL` pixels a side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..decode import open_picture
from ..listing import Blob, Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SMALL = 16  # pixels a side of the picture that is kept for comparing
HASHED = 32  # pixels a side that the hash is taken from
LOW = 8  # frequencies a side that are in the hash; all but the first, which is the brightness
LEVELS = 32  # steps of the histogram of values
STATED = 128  # pixels a side, at most about twice as many, from which traits are taken
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # as Pillow weighs red, green and blue
TRAITS = 5

RECORD = np.dtype(
    [
        ("digest", np.uint64),  # of the pixels; equal for equal pictures
        ("hash", np.uint64),  # the perceptual hash
        ("width", np.int32),
        ("height", np.int32),
        ("low", np.uint8),  # least and greatest value of any channel
        ("high", np.uint8),
        ("colour", np.bool_),  # red, green and blue differ somewhere
        ("spread", np.float32),  # largest standard deviation of a channel, of 255
        ("mean", np.float32, (3,)),  # of each channel, of 255
        ("square", np.float32, (3,)),  # mean square of each channel
        ("traits", np.float32, (TRAITS,)),  # see `_traits`
    ]
)


class Measured(NamedTuple):
    """What is kept of one picture.

    Attributes:
        record: one element of RECORD, as an array ().
        small: (16 16 3) uint8, the whole picture without regard to its shape.
        light: (3 32) float32, the share of its values in each of 32 steps, by channel.
        facts: which of `decode.FACTS` apply.
    """

    record: NDArray[Any]
    small: NDArray[np.uint8]
    light: NDArray[np.float32]
    facts: tuple[str, ...]


Answer: TypeAlias = Measured | Unreadable


def measure_all(blobs: Sequence[Blob]) -> list[Answer]:
    """Each picture's measures, or why there are none."""
    answers: list[Answer] = []
    for blob in blobs:
        try:
            answers.append(measure(blob))
        except Unreadable as e:
            answers.append(e)
    return answers


def measure(blob: Blob) -> Measured:
    """Decodes and measures one picture.

    Args:
        blob: an encoded picture, or pixels (h w c).

    Raises:
        Unreadable: with the reason.
    """
    picture, facts = open_picture(blob)
    rgb = picture.convert("RGB")
    coarse = np.asarray(rgb.reduce(max(1, min(rgb.size) // STATED)), dtype=np.float32)
    flat = coarse.reshape(-1, 3)
    extremes = np.array(picture.getextrema()).reshape(-1, 2)
    record = np.zeros((), RECORD)
    record["digest"] = _digest(picture)
    record["hash"] = perceptual_hash(_grid(rgb.convert("L"), HASHED))
    record["width"], record["height"] = picture.size
    record["low"], record["high"] = extremes[:, 0].min(), extremes[:, 1].max()
    record["colour"] = bool((coarse != coarse[:, :, :1]).any())
    record["spread"] = flat.std(0).max()
    record["mean"], record["square"] = flat.mean(0), (flat**2).mean(0)
    record["traits"] = _traits(coarse)
    return Measured(record, _grid(rgb, SMALL), _light(flat), facts)


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """63 bits of a grey picture (32 32); few of them differ between pictures that look alike."""
    low = (_COSINES @ grey.astype(np.float64) @ _COSINES.T).reshape(-1)[1:]
    return int(np.packbits(np.append(low > np.median(low), False)).view(">u8")[0])


def _cosines() -> NDArray[np.float64]:
    """The lowest rows of the orthonormal cosine transform DCT-II (8 32)."""
    k, x = np.arange(LOW)[:, None], np.arange(HASHED)[None, :]
    rows: NDArray[np.float64] = np.sqrt(2 / HASHED) * np.cos(np.pi * (2 * x + 1) * k / (2 * HASHED))
    rows[0] /= np.sqrt(2)
    return rows


_COSINES = _cosines()


def _grid(picture: Picture, side: int) -> NDArray[np.uint8]:
    """The whole picture in side x side pixels, each the mean of what it covers."""
    way = Image.Resampling.BOX if min(picture.size) >= side else Image.Resampling.BILINEAR
    return np.asarray(picture.resize((side, side), way), dtype=np.uint8)


def _digest(picture: Picture) -> int:
    h = hashlib.blake2b(f"{picture.mode} {picture.size}".encode(), digest_size=8)
    h.update(picture.tobytes())
    return int.from_bytes(h.digest(), "big")


def _light(flat: NDArray[np.float32]) -> NDArray[np.float32]:
    step = (flat * (LEVELS / 256)).astype(np.int64)
    counts = np.stack([np.bincount(step[:, c], minlength=LEVELS) for c in range(3)])
    return (counts / len(flat)).astype(np.float32)


def _traits(coarse: NDArray[np.float32]) -> list[float]:
    """What sets a picture apart and does not show in a small one.

    Fineness (mean and median of the steps between neighbours), saturation, brightness, contrast.
    """
    grey = coarse @ GREY
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    steps = [float(f(a)) if a.size else 0.0 for f in (np.mean, np.median) for a in (across, down)]
    return [
        float(np.log1p(steps[0] + steps[1])),
        float(np.log1p(steps[2] + steps[3])),
        float((coarse.max(2) - coarse.min(2)).mean()) / 64,
        float(grey.mean()) / 64,
        float(np.log1p(grey.std())),
    ]
