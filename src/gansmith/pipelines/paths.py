"""Names of files as text. Under an ASCII locale Python hands out names with escaped bytes, which no file can hold."""

from __future__ import annotations

import os
from pathlib import Path


def readable(path: Path | str) -> str:
    """A name as UTF-8 text that can be printed and kept, whatever the locale."""
    return os.fsencode(path).decode("utf-8", "replace")


def native(text: str) -> str:
    """The name that `readable` gave, as this process's locale needs it to open the file."""
    return os.fsdecode(text.encode("utf-8"))
