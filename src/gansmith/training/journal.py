"""log.jsonl: what happened, one JSON object a line. A full disk never stops training."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..config import write_text

Listener = Callable[[dict[str, Any]], None]


class Journal:
    """Appends events to a file and tells its listeners. Without a path it only tells.

    Attributes:
        listeners: called with every event, also when it could not be written.
        early: the first events, from before anybody listened.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.listeners: list[Listener] = []
        self.early: deque[dict[str, Any]] = deque(maxlen=16)
        self._failed = False

    def listen(self, listener: Listener) -> None:
        """Adds a listener, and tells it what happened before anybody listened (a damaged checkpoint, say)."""
        for entry in self.early:
            listener(entry)
        self.listeners.append(listener)

    def write(self, event: str, **fields: Any) -> None:
        entry = {"event": event, **_finite(fields)}
        self._append(entry)
        self._tell(entry)

    def _append(self, entry: dict[str, Any]) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                cut_short = "\n" if self._failed else ""
                file.write(cut_short + json.dumps(entry, ensure_ascii=False) + "\n")
            self._failed = False
        except OSError as error:
            if not self._failed:
                self._failed = True
                message = f"the log {self.path} cannot be written: {error}; training goes on without it"
                self._tell({"event": "warning", "message": message})

    def _tell(self, entry: dict[str, Any]) -> None:
        if not self.listeners:
            self.early.append(entry)
        for listener in self.listeners:
            listener(entry)

    def rewind(self, step: int) -> None:
        """Drops what was logged after `step`, so that a resumed run's log reads as if never interrupted."""
        if self.path is None or not self.path.exists():
            return
        kept = [e for e in read(self.path) if e.get("step", 0) <= step]
        try:
            write_text(self.path, "".join(json.dumps(e) + "\n" for e in kept))
        except OSError as error:
            self._tell({"event": "warning", "message": f"the log {self.path} cannot be rewound: {error}"})


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
