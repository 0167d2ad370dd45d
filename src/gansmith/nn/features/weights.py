"""Where weights of frozen networks are found, and how it is made sure that they are the right ones."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ...errors import DataError

CHUNK = 1 << 22


def cache_folder() -> Path:
    """`GANSMITH_CACHE`, or ~/.cache/gansmith."""
    return Path(os.environ.get("GANSMITH_CACHE") or Path.home() / ".cache" / "gansmith").expanduser()


def weights_folders() -> list[Path]:
    """The folders searched, in order."""
    named = os.environ.get("GANSMITH_WEIGHTS")
    checkout = Path(__file__).resolve().parents[4]  # src/gansmith/nn/features/weights.py -> the checkout
    beside = [checkout.parent / "shared" / "data" / "weights"] if (checkout / "pyproject.toml").is_file() else []
    return [*([Path(named).expanduser()] if named else []), cache_folder() / "weights", *beside]


def find_weights(name: str, path: str | Path | None = None) -> Path | None:
    """The file called `name` at `path` (a file, or a folder that holds it), else in the first folder that has it.

    Raises:
        DataError: `path` was given and is no such file.
    """
    if path is not None:
        given = Path(path).expanduser()
        found = given / name if given.is_dir() else given
        if not found.is_file():
            raise DataError(f"no weights file at: {found}")
        return found
    return next((folder / name for folder in weights_folders() if (folder / name).is_file()), None)


def checked_weights(name: str, sha256: str, path: str | Path | None = None) -> Path:
    """The weights file `name`, with the digest it must have. Nothing is ever downloaded.

    Raises:
        DataError: absent (the message lists where it may lie), or its bytes are not the right ones.
    """
    found = find_weights(name, path)
    if found is None:
        places = ", ".join(str(folder) for folder in weights_folders())
        raise DataError(
            f"the weights {name} are not on this machine, and nothing is downloaded unasked.\n"
            f"Put the file (sha256 {sha256[:12]}…) into one of these folders, or name its folder in "
            f"GANSMITH_WEIGHTS: {places}"
        )
    stat = found.stat()
    digest = _file_digest(str(found), stat.st_size, stat.st_mtime_ns)
    if digest != sha256:
        raise DataError(
            f"{found} is damaged or another file: its sha256 is {digest[:12]}…, wanted {sha256[:12]}…; replace it"
        )
    return found


@lru_cache(maxsize=32)
def _file_digest(path: str, size: int, mtime: int) -> str:
    """sha256 of a file; size and mtime are only part of the key under which it is remembered."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def tensors_digest(state: Mapping[str, Tensor]) -> str:
    """First 12 hex digits of a sha256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:12]
