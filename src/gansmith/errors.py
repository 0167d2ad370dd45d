"""Every error that gansmith raises on purpose.

GansmithError                  base; the command line prints it without a traceback
├── UserError (exit 2)         what the user gave cannot work; the message says what to give instead
│   ├── ConfigError            an unknown or ill-typed setting
│   ├── DataError              the data cannot be read, or are not what the recipe needs
│   ├── SpecError              the recipe cannot make examples of this shape
│   ├── RunFolderError         a run folder that exists, is missing, is locked, or holds other data
│   └── MissingExtra           an optional package is absent
├── CheckpointError (exit 1)   a checkpoint that is damaged, incomplete or cannot be written
├── TrainingFailed (exit 1)    training stopped: non-finite values persisted, memory ran out
└── Interrupted (exit 130/143) a signal asked for a stop; the run was saved
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GansmithError(Exception):
    """Base of all errors raised on purpose. `exit_code` is what the command line exits with."""

    exit_code = 1


class UserError(GansmithError):
    """What the user gave cannot work."""

    exit_code = 2


class ConfigError(UserError):
    """An unknown or ill-typed setting."""


class DataError(UserError):
    """The data cannot be read, or are not what the recipe needs."""


class SpecError(UserError):
    """The recipe cannot make examples of this shape."""


class RunFolderError(UserError):
    """A run folder that exists, is missing, is locked, or was made with other data."""


class MissingExtra(UserError):
    """An optional package is absent.

    Args:
        package: the import name that was not found.
        extra: the extra of gansmith that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs the package {package}; install it with: pip install 'gansmith[{extra}]'")


class CheckpointError(GansmithError):
    """A checkpoint that is damaged, incomplete or could not be written."""


class TrainingFailed(GansmithError):
    """Training stopped because going on would have been useless."""


class Interrupted(GansmithError):
    """A signal asked for a stop, and the run was saved.

    Args:
        message: how to go on.
        signal_number: decides the exit code, 128 + signal_number.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`" Did you mean 'latent'?"`, or an empty string when nothing known is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def several(count: int, noun: str) -> str:
    """`"1 picture"`, `"2,000 pictures"`; the plural of `noun` takes an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
