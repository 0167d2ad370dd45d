"""Pictures made smaller: each pixel the mean of a square of the larger picture's, to the nearest whole number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..errors import DataError
from .build import File, Outcome
from .cache import look_up, make

PART = 1 << 26  # bytes of pictures looked at in one go


def in_memory(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """uint8 pictures (n s s c) as (n size size c); halves go to the even neighbour, so that nothing grows brighter.

    Raises:
        DataError: `size` does not divide s.
    """
    n, _, _, channels = pixels.shape
    made, done = np.empty((n, size, size, channels), np.uint8), 0
    for part in _parts(pixels, size):
        made[done : done + len(part)] = part
        done += len(part)
    return made


def on_disk(pixels: NDArray[np.uint8], size: int, root: Path, key: str) -> NDArray[np.uint8]:
    """The same from the cache `root`, where the larger pictures are the entry `key`: made once, mapped and not read.

    Raises:
        DataError: `size` does not divide s, the disk is full, or the folder cannot be written.
    """
    n, _, _, channels = pixels.shape
    name = f"{key}-means-{size}"

    def build(file: File) -> Outcome:
        for part in _parts(pixels, size):
            file.write(part.tobytes())
        return Outcome(size, channels, used=list(range(n)))

    found = look_up(root, name) or make(root, name, build, n * size * size * channels)[0]
    return found.pixels


def _parts(pixels: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    n, side, _, channels = pixels.shape
    if side % size:
        raise DataError(f"pictures of {side} pixels have no squares whose means are pictures of: {size}")
    step = max(1, PART // (side * side * channels))
    for first in range(0, n, step):
        x = torch.from_numpy(np.array(pixels[first : first + step])).permute(0, 3, 1, 2)
        means = F.avg_pool2d(x.float(), side // size)  # sums up to 2^24 and divisions by powers of two are exact
        yield means.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
