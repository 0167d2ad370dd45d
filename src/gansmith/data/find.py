"""Which kind of data the user gave, and the listing of its pictures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import DataError, did_you_mean
from .archive import list_zip
from .arrays import list_array, list_npy, list_npz
from .bundled import PREFIX, list_bundled
from .folder import list_folder, walk
from .huggingface import is_saved, list_dataset, list_saved
from .listing import Listing, refuse_split, shown
from .parquet import list_parquet
from .tree import is_picture

KINDS = (
    "pictures (a folder, a .zip, .parquet, a saved dataset, .npz, .npy, bundled:fashion-mnist) or a table (.csv, .tsv, "
    ".csv.gz, .parquet, a folder of such files)"
)
FILES = {".zip": list_zip, ".parquet": list_parquet, ".npz": list_npz, ".npy": list_npy}


def list_pictures(data: Any, split: str | None) -> Listing:
    """The pictures of whatever the user gave.

    Raises:
        DataError: nothing is there, it is of no known kind, it holds no pictures, or it cannot be read.
        MissingExtra: a package for this kind of data is absent.
    """
    if isinstance(data, str) and data.startswith(PREFIX):
        return list_bundled(data, split)
    if isinstance(data, str | os.PathLike):
        return _list_path(Path(os.fspath(data)).expanduser(), split)
    if (hasattr(data, "features") and hasattr(data, "cast_column")) or hasattr(data, "keys"):
        return list_dataset(data, split)
    pictures, labels = data if isinstance(data, tuple) and len(data) == 2 else (data, None)
    if hasattr(pictures, "ndim") and hasattr(pictures, "dtype"):
        refuse_split(split, "an array")
        return list_array(pictures, labels)
    raise DataError(f"data is a {type(data).__name__}; wanted a path, a datasets.Dataset, an array, or (array, labels)")


def _list_path(path: Path, split: str | None) -> Listing:
    if path.is_dir():
        return _list_directory(path, split)
    if not path.exists():
        raise DataError(_nothing_there(path))
    if path.suffix.lower() in FILES:
        return FILES[path.suffix.lower()](path, split)
    if is_picture(path.name):
        raise DataError(f"{shown(str(path))} is one picture; give the folder that holds many")
    raise DataError(f"{shown(str(path))} is of no kind that is known; wanted {KINDS}")


def _list_directory(path: Path, split: str | None) -> Listing:
    if is_saved(path):
        return list_saved(path, split)
    names = [e.name for e in walk(path)]
    if any(n.endswith(".parquet") for n in names) and not any(map(is_picture, names)):
        return list_parquet(path, split)
    return list_folder(path, split)


def _nothing_there(path: Path) -> str:
    parent = path.parent
    near = did_you_mean(path.name, [p.name for p in parent.iterdir()]) if parent.is_dir() else ""
    return f"no such file or folder: {shown(str(path))}.{near} Wanted {KINDS}"
