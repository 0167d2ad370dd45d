"""The run folder: made, locked and cleaned by one process at a time."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .. import checkpoint
from ..config import write_text, write_yaml
from ..errors import RunFolderError

CONFIG, LOG, SAMPLES, REPORT, TENSORBOARD = "config.yaml", "log.jsonl", "samples", "report.html", "tb"
EVALUATION, EXHIBITS, BEST = "evaluation.json", "evaluation", "best"
QUALITY = "quality.html"
STAGES = "stages"  # within SAMPLES
_OURS = (CONFIG, LOG, SAMPLES, REPORT, TENSORBOARD, EVALUATION, EXHIBITS, BEST, QUALITY, "quality.json")


def command(verb: str, run: Path, *more: str) -> str:
    """A command about a run as one can paste it into a shell."""
    return shlex.join(["gansmith", verb, str(run), *more])


def holds_run(folder: Path) -> bool:
    """Whether a run lives there: a checkpoint. One that ended before its first has left nothing to go on with."""
    return bool(checkpoint.steps(folder))


def refuse_taken(folder: Path) -> None:
    """Refuses a folder that holds a run, or things that are not a run's.

    Raises:
        RunFolderError: says how to go on with the run, or how to replace it.
    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"a run needs a folder; this is a file: {folder}")
    if holds_run(folder):
        raise RunFolderError(
            f"{folder} holds a run already. To go on with it: {command('resume', folder)}\n"
            "To start anew and lose it, add --overwrite; to keep it, choose another --out"
        )
    strangers = [p.name for p in folder.iterdir() if not p.name.startswith(".")] if folder.is_dir() else []
    if strangers and set(strangers) - set(_OURS):
        raise RunFolderError(f"{folder} is not empty and holds no run: {strangers[0]}; choose another --out")


def empty(folder: Path) -> None:
    """Removes a run's own files, and nothing else, from a folder."""
    for path in [*(folder / name for name in _OURS), *checkpoint.steps(folder)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, *, make: bool = True) -> Iterator[None]:
    """Holds the folder for this process; the lock falls with the process, however it ends.

    Args:
        make: makes the folder if there is none.

    Raises:
        RunFolderError: another process holds it, the folder cannot be written, or there is none.
    """
    if not make and not folder.is_dir():
        raise RunFolderError(f"no such run folder: {folder}")
    owner = folder / ".owner"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise RunFolderError(
            f"{folder} is in use by {_name_of(owner)}; wait for it, stop it, or choose another --out"
        ) from None
    except OSError as error:
        raise RunFolderError(f"cannot write to the run folder {folder}: {error.strerror}") from None
    try:
        with suppress(OSError):  # it only serves a message; a full disk must not keep a run from being resumed
            write_text(owner, f"process {os.getpid()} on {socket.gethostname()}\n")
        yield
    finally:
        with suppress(OSError):  # else a folder gone read-only would hide the error that says so
            owner.unlink(missing_ok=True)
        lock.release()


def _name_of(owner: Path) -> str:
    try:
        return owner.read_text(encoding="utf-8").strip() or "another process"
    except OSError:
        return "another process"


def describe(folder: Path, settings: Mapping[str, Any]) -> None:
    """Writes config.yaml: everything that is needed to do the run again.

    Raises:
        RunFolderError: the disk is full, or the folder may not be written.
    """
    try:
        write_yaml(folder / CONFIG, settings)
    except OSError as error:
        raise RunFolderError(f"cannot write {folder / CONFIG}: {error.strerror}; make room, or mend it") from None
