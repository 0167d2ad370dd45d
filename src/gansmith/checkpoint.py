"""A checkpoint: a folder of safetensors and JSON, written whole or not at all, checked on reading, never code.

`manifest.json` holds the sha256 of every other file and is written last; the folder is built under a
temporary name, flushed to disk and renamed. A crash at any moment leaves the previous checkpoint as it was.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .errors import CheckpointError, RunFolderError

MANIFEST = "manifest.json"
_STEP = re.compile(r"^step-(\d{9,})$")
_TEMPORARY = ".unfinished-"


def step_folder(run: Path, step: int) -> Path:
    return run / f"step-{step:09d}"


def write(
    folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], documents: Mapping[str, Mapping[str, Any]]
) -> None:
    """Writes `NAME.safetensors` for each entry of `tensors` and `NAME.json` for each of `documents`.

    Raises:
        CheckpointError: the disk is full, or the folder may not be written; what stood there before still stands.
    """
    temporary = folder.parent / f"{_TEMPORARY}{folder.name}-{os.getpid()}"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        for name, entries in tensors.items():
            save_file({k: _savable(v) for k, v in entries.items()}, temporary / f"{name}.safetensors")
        for name, document in documents.items():
            (temporary / f"{name}.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
        digests = {path.name: digest(path) for path in sorted(temporary.iterdir())}
        (temporary / MANIFEST).write_text(json.dumps({"sha256": digests}, indent=1), encoding="utf-8")
        for path in temporary.iterdir():
            _flush(path)
        _flush(temporary)
        _swap_in(temporary, folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise CheckpointError(_write_failure(folder, tensors, error)) from error


def _savable(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous().clone()


def _swap_in(temporary: Path, folder: Path) -> None:
    """Renames into place; a checkpoint of the same name is moved aside first and removed afterwards."""
    aside = folder.parent / f"{_TEMPORARY}old-{folder.name}-{os.getpid()}"
    if folder.exists():
        os.rename(folder, aside)
    os.rename(temporary, folder)
    _flush(folder.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_failure(folder: Path, tensors: Mapping[str, Mapping[str, Tensor]], error: Exception) -> str:
    need = sum(t.numel() * t.element_size() for entries in tensors.values() for t in entries.values())
    text = f"could not save {folder}: {error}"
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        free = shutil.disk_usage(_existing(folder)).free
        text = f"could not save {folder}: the disk is full. It needs {_size(need)} and {_size(free)} are free"
    return f"{text}\nearlier checkpoints are untouched; make room or change permissions, then: gansmith resume"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e6 else f"{count / 1e3:,.0f} KB"


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def is_permission(error: BaseException) -> bool:
    """Whether a failed save was refused (waiting will not help) rather than out of room."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def digest(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint, or None if every file is there and has the digest it was written with."""
    try:
        digests = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["sha256"])
    except FileNotFoundError:
        return f"{folder.name} has no {MANIFEST}: it was not finished"
    except (OSError, ValueError, KeyError, TypeError):
        return f"{folder.name}/{MANIFEST} is unreadable"
    for name, wanted in digests.items():
        path = folder / name
        if not path.is_file():
            return f"{folder.name}/{name} is missing"
        if digest(path) != wanted:
            return f"{folder.name}/{name} is damaged: its sha256 is not the one it was written with"
    return None


def steps(run: Path) -> list[Path]:
    """The checkpoints of a run, oldest first, undamaged or not."""
    found = [p for p in run.iterdir() if _STEP.match(p.name)] if run.is_dir() else []
    return sorted(found, key=step_of)


def step_of(path: Path) -> int:
    """The step at which a checkpoint was written."""
    return int(path.name.removeprefix("step-"))


def newest(run: Path) -> tuple[Path, list[str]]:
    """The newest undamaged checkpoint of a run folder (or the folder itself if it is one), and what was passed over.

    Raises:
        RunFolderError: not a run folder, or no checkpoint in it.
        CheckpointError: every checkpoint is damaged.
    """
    if not run.exists():
        raise RunFolderError(f"no such run folder: {run}")
    if (run / MANIFEST).exists() or (run / "recipe.json").exists():
        problem = damage(run)
        if problem:
            raise CheckpointError(f"{problem}; use another checkpoint of that run")
        return run, []
    problems: list[str] = []
    for folder in reversed(steps(run)):
        problem = damage(folder)
        if problem is None:
            return folder, problems
        problems.append(problem)
    if problems:
        raise CheckpointError(f"every checkpoint in {run} is damaged: {problems[0]}")
    raise RunFolderError(f"no checkpoint in {run}; start one with: gansmith train DATA --out {run}")


def read_tensors(folder: Path, name: str) -> dict[str, Tensor]:
    """The tensors of `NAME.safetensors`, on the CPU.

    Raises:
        CheckpointError: absent or unreadable.
    """
    try:
        return load_file(folder / f"{name}.safetensors")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {folder / name}.safetensors: {error}") from None


def read_document(folder: Path, name: str) -> dict[str, Any]:
    """The contents of `NAME.json`.

    Raises:
        CheckpointError: absent or unreadable.
    """
    try:
        data = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {folder / name}.json: {error}") from None
    if not isinstance(data, dict):
        raise CheckpointError(f"{folder / name}.json should hold an object, it holds: {type(data).__name__}")
    return data


def load_into(module: torch.nn.Module, tensors: Mapping[str, Tensor], *, what: str) -> None:
    """Copies tensors into a module whose names and shapes are exactly theirs.

    Raises:
        CheckpointError: a name is missing or unknown, or a shape differs; the first few are listed.
    """
    own = module.state_dict()
    wrong = [
        *(f"{k} is missing" for k in own.keys() - tensors.keys()),
        *(f"{k} is not known" for k in tensors.keys() - own.keys()),
        *(
            f"{k} has shape {tuple(tensors[k].shape)}, wanted {tuple(own[k].shape)}"
            for k in own.keys() & tensors.keys()
            if own[k].shape != tensors[k].shape
        ),
    ]
    if wrong:
        raise CheckpointError(f"the weights of {what} do not fit its networks: {'; '.join(sorted(wrong)[:3])}")
    module.load_state_dict(dict(tensors))


def prune(run: Path, keep: int, spare: Sequence[Path] = ()) -> list[Path]:
    """Removes all but the newest `keep` checkpoints, and those in `spare`; call it only after a newer one is safely
    written."""
    gone = [path for path in steps(run)[:-keep] if path not in spare] if keep > 0 else []
    remove(run, gone)
    return gone


def remove(run: Path, folders: Sequence[Path]) -> None:
    """Removes checkpoints of a run; a killed process leaves none of them half there."""
    for folder in folders:
        aside = run / f"{_TEMPORARY}old-{folder.name}-{os.getpid()}"
        os.rename(folder, aside)
        shutil.rmtree(aside, ignore_errors=True)


def clean(run: Path) -> None:
    """Removes what a killed process left half-written; call it only while holding the run's lock."""
    for path in _leftovers(run):
        if "-old-" in path.name or path.name.startswith(f"{_TEMPORARY}old-"):
            _restore_or_remove(run, path)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _leftovers(run: Path) -> Iterator[Path]:
    return (p for p in list(run.iterdir()) if p.name.startswith(_TEMPORARY))


def _restore_or_remove(run: Path, aside: Path) -> None:
    """A checkpoint moved aside is put back when the one meant to replace it never arrived."""
    match = re.search(r"step-\d{9,}", aside.name)
    target = run / match.group() if match else None
    later = steps(run)
    if target and not target.exists() and damage(aside) is None and (not later or later[-1].name < target.name):
        os.rename(aside, target)
    else:
        shutil.rmtree(aside, ignore_errors=True)
