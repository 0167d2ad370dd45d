"""Decoded pictures on disk, so that each is decoded once.

`<cache>/pictures/<key>/` holds `pixels.npy` (n size size c, uint8, a plain numpy file) and `index.json`. An entry is
made in a temporary folder beside it and renamed, so it is whole or absent; a lock keeps two processes from making
it twice. A small `<key>.alias` leads from settings spelled out to the entry made when they were chosen.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import DataError
from .build import File, Outcome
from .listing import shown

PIXELS, INDEX = "pixels.npy", "index.json"


@dataclass(frozen=True)
class Cached:
    """An entry: its pixels, mapped and not read, and what became of the pictures."""

    folder: Path
    pixels: NDArray[np.uint8]
    outcome: Outcome


def cache_root(chosen: str | os.PathLike[str] | None) -> tuple[Path, list[str]]:
    """Where decoded pictures are kept, and what to say about it.

    The choice, else $GANSMITH_CACHE, else $XDG_CACHE_HOME/gansmith, else ~/.cache/gansmith; a folder that cannot be
    written gives way to one of the user's own in the temporary folder.

    Raises:
        DataError: a folder that was chosen by argument or GANSMITH_CACHE cannot be written.
    """
    named = chosen or os.environ.get("GANSMITH_CACHE")
    root = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gansmith"
    reason = _unwritable(root)
    if reason is None:
        return root, []
    if named:
        raise DataError(f"the cache folder {root} cannot be written ({reason}); name another by GANSMITH_CACHE")
    return _temporary(), [f"{root} cannot be written ({reason}), so decoded pictures are kept in {_temporary()}."]


def _unwritable(folder: Path) -> str | None:
    try:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder / "pictures"):
            return None
    except OSError as e:
        return e.strerror or str(e)


def _temporary() -> Path:
    """A folder that only this user can have made: others could plant pictures in a shared one."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    folder = Path(tempfile.gettempdir()) / f"gansmith-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        info = folder.lstat()
        if stat.S_ISDIR(info.st_mode) and (not hasattr(os, "getuid") or info.st_uid == user):
            (folder / "pictures").mkdir(exist_ok=True)
            return folder
    except OSError as e:
        raise DataError(f"no folder for decoded pictures can be written, not even {folder}: {e}") from e
    raise DataError(f"{folder} belongs to somebody else; name a cache folder by GANSMITH_CACHE")


def look_up(root: Path, key: str) -> Cached | None:
    """The entry of this key, if there is a whole one."""
    pictures = root / "pictures"
    alias = pictures / f"{key}.alias"
    try:
        folder = pictures / (alias.read_text().strip() if alias.exists() else key)
        index = json.loads((folder / INDEX).read_text())
        index["facts"] = Counter(index["facts"])
        index["skipped"] = [(name, reason) for name, reason in index["skipped"]]
        used = index["used"]
        index["used"] = list(range(used)) if isinstance(used, int) else used
        outcome = Outcome(**index)
        pixels = np.load(folder / PIXELS, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    wanted = (len(outcome.used), outcome.size, outcome.size, outcome.channels)
    return Cached(folder, pixels, outcome) if pixels.shape == wanted and pixels.dtype == np.uint8 else None


def make(root: Path, key: str, build: Callable[[File], Outcome], expected_bytes: int) -> tuple[Cached, bool]:
    """The entry of this key, made by `build` if it is not there yet; and whether it was made now.

    Raises:
        DataError: the disk is full, or the folder cannot be written.
    """
    pictures = root / "pictures"
    with FileLock(pictures / f"{key}.lock"):
        if found := look_up(root, key):
            return found, False
        for stale in [pictures / key, *pictures.glob(f".{key}.*")]:  # nobody else can be at work on this key
            shutil.rmtree(stale, ignore_errors=True)
        if (free := shutil.disk_usage(pictures).free) < expected_bytes:
            raise _full(root, expected_bytes, free)
        temporary = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=pictures))
        try:
            outcome = _fill(temporary, build)
            temporary.rename(pictures / key)
        except OSError as e:
            if e.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise _full(root, expected_bytes, shutil.disk_usage(pictures).free) from e
            raise DataError(f"the cache folder {root} cannot be written: {e}") from e
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if key.endswith("-auto"):  # the same pictures will be asked for by their number of channels, too
            spelled_out = f"{key.removesuffix('auto')}{outcome.channels}"
            _write_whole(pictures / f"{spelled_out}.alias", key)
    found = look_up(root, key)
    if found is None:
        raise DataError(f"the cache folder {root} does not give back what was written; name another by GANSMITH_CACHE")
    return found, True


def key_of(stamp: str, size: int, channels: int | None) -> str:
    """Name of the entry for pictures of this stamp, brought to this size and number of channels."""
    return f"{stamp[:40]}-{size}-{channels or 'auto'}"


def _fill(folder: Path, build: Callable[[File], Outcome]) -> Outcome:
    with (folder / PIXELS).open("w+b") as file:
        blank = _header(0, 1, 1)
        file.write(blank)
        outcome = build(file)
        header = _header(len(outcome.used), outcome.size, outcome.channels)
        assert len(header) == len(blank), "numpy pads headers so that the first axis can grow"
        file.seek(0)
        file.write(header)
        file.flush()
        os.fsync(file.fileno())
    index: dict[str, Any] = {**vars(outcome), "facts": dict(outcome.facts)}
    if outcome.used == list(range(len(outcome.used))):
        index["used"] = len(outcome.used)  # a number in place of a million
    _write_whole(folder / INDEX, json.dumps(index))
    return outcome


def _header(n: int, size: int, channels: int) -> bytes:
    """A numpy header of fixed length, whatever the shape."""
    buffer = io.BytesIO()
    shape = (n, size, size, channels)
    npy.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _full(root: Path, needed: int, free: int) -> DataError:
    return DataError(
        f"the cache folder {shown(str(root))} has {free / 1e6:,.0f} MB free, about {needed / 1e6:,.0f} MB are needed; "
        "make room, or name another folder by GANSMITH_CACHE"
    )
