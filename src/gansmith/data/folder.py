"""A folder of pictures, nested as one likes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import DataError
from .listing import MAX_BYTES, Listing, Unreadable, shown
from .tree import Entry, Tree, list_tree


def list_folder(root: Path, split: str | None) -> Listing:
    """The pictures below `root`.

    Raises:
        DataError: no pictures, a folder that cannot be read, or an absent split.
    """
    return list_tree(Tree(place=shown(str(root)), entries=walk(root), read=lambda e: _read(root, e)), split)


def walk(root: Path) -> list[Entry]:
    """Every regular file below `root`, sorted by name. Links are followed; circles, and links to a folder that `root`
    itself lies in, are not.

    Raises:
        DataError: a folder that cannot be read.
    """
    found: list[Entry] = []
    seen = {(info.st_dev, info.st_ino) for info in map(os.stat, root.resolve().parents)}
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            info = os.stat(os.path.join(root, folder))
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
            with os.scandir(os.path.join(root, folder)) as items:
                for item in items:
                    _visit(item, folder, found, waiting)
        except OSError as e:
            raise DataError(f"cannot read the folder {shown(str(Path(root, folder)))}: {e.strerror}") from e
    found.sort(key=lambda e: os.fsencode(e.name))
    return found


def _visit(item: os.DirEntry[str], folder: str, found: list[Entry], waiting: list[str]) -> None:
    name = folder + item.name
    if item.name.startswith("."):
        return
    if item.is_dir():
        waiting.append(name + "/")
        return
    try:
        info = item.stat()
    except OSError:  # a link to nothing: listed, so that it is counted when it cannot be read
        found.append(Entry(name, 0, 0))
        return
    if stat.S_ISREG(info.st_mode):  # a pipe would wait for ever
        found.append(Entry(name, info.st_size, info.st_mtime_ns))


def _read(root: Path, entry: Entry) -> bytes:
    if entry.size > MAX_BYTES:
        raise Unreadable(f"a file of {entry.size:,} bytes; at most {MAX_BYTES:,} are read")
    with open(os.path.join(root, entry.name), "rb") as file:
        return file.read(MAX_BYTES + 1)
