"""Where weights of frozen networks are found, and how it is made sure that they are the right ones."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ...errors import DataError

CHUNK = 1 << 22


def cache_folder() -> Path:
    """`GANSMITH_CACHE`, or ~/.cache/gansmith."""
    return Path(os.environ.get("GANSMITH_CACHE") or Path.home() / ".cache" / "gansmith").expanduser()


def weights_folders() -> list[Path]:
    """The folders searched, in order."""
    named = os.environ.get("GANSMITH_WEIGHTS")
    return [*([Path(named).expanduser()] if named else []), cache_folder() / "weights"]


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


def checked_weights(name: str, sha256: str, path: str | Path | None = None, *, source: str = "") -> Path:
    """The weights file `name`, with the digest it must have. Nothing is ever downloaded.

    Args:
        name: of the file.
        sha256: of its bytes.
        path: the file or its folder; None searches.
        source: where it is to be had, as a sentence.

    Raises:
        DataError: absent (the message lists where it may lie), or its bytes are not the right ones.
    """
    found = find_weights(name, path)
    if found is None:
        raise absent(name, f" (sha256 {sha256[:12]}…)", source)
    stat = found.stat()
    digest = _file_digest(str(found), stat.st_size, stat.st_mtime_ns)
    if digest != sha256:
        raise DataError(
            f"{found} is damaged or another file: its sha256 is {digest[:12]}…, wanted {sha256[:12]}…; replace it"
        )
    return found


def find_cached(name: str) -> Path | None:
    """The file called `name` in the weights folders, or where torch.hub keeps what others have downloaded."""
    hub = Path(torch.hub.get_dir()) / "checkpoints" / name
    return find_weights(name) or (hub if hub.is_file() else None)


def read_tensors(path: str | Path) -> dict[str, Tensor]:
    """Tensors by name of a safetensors file, or of a torch one (.pt, .pth) that holds a state dict.

    Code in the file never runs: pickles are read as tensors only.

    Raises:
        DataError: absent, damaged, or something else than named tensors.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise DataError(f"no weights file at: {path}")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _read_torch(path)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise DataError(f"cannot read weights from {path}: {str(error).splitlines()[0]}") from None
    named = isinstance(state, Mapping) and bool(state) and all(isinstance(v, Tensor) for v in state.values())
    if not named:
        raise DataError(f"wanted a file of named tensors (a state dict), .safetensors, .pt or .pth; came: {path}")
    return {str(name): value for name, value in state.items()}


def _read_torch(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def absent(name: str, remark: str = "", source: str = "") -> DataError:
    """What is said where the weights `name` are not found.

    Args:
        remark: stands behind "the file".
        source: where it is to be had, as a sentence.
    """
    places = ", ".join(str(folder) for folder in weights_folders())
    return DataError(
        f"the weights {name} are not on this machine, and nothing is downloaded unasked.\n"
        f"Put the file{remark} into one of these folders, or name its folder in GANSMITH_WEIGHTS: {places}"
        + (f"\n{source}" if source else "")
    )


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
