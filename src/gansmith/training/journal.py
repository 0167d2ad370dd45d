"""log.jsonl: what happened, one JSON object a line. A full disk never stops training."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..config import write_text

Listener = Callable[[dict[str, Any]], None]


class Journal:
    """Appends events to a file and tells its listeners. Without a path it only tells.

    Attributes:
        listeners: called with every event, also when it could not be written.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.listeners: list[Listener] = []
        self._failed = False

    def write(self, event: str, **fields: Any) -> None:
        entry = {"event": event, **_finite(fields)}
        self._append(entry)
        for listener in self.listeners:
            listener(entry)

    def _append(self, entry: dict[str, Any]) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._failed = False
        except OSError as error:
            if not self._failed:
                self._failed = True
                self._tell(f"the log {self.path} cannot be written: {error}; training goes on without it")

    def _tell(self, message: str) -> None:
        for listener in self.listeners:
            listener({"event": "warning", "message": message})

    def rewind(self, step: int) -> None:
        """Drops what was logged after `step`, so that a resumed run's log reads as if never interrupted."""
        if self.path is None or not self.path.exists():
            return
        kept = [e for e in read(self.path) if e.get("step", 0) <= step]
        write_text(self.path, "".join(json.dumps(e, ensure_ascii=False) + "\n" for e in kept))


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; they are written as strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Events of a log; a line cut short by a crash is passed over."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry
