"""Ends a run by computing time, so that whatever else the machine does spoils no figure."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import Any

from gansmith.training.monitors import Monitor, View


def write(place: Path, told: dict[str, Any]) -> None:
    """Whole or not at all: a run may be killed at any moment."""
    half = place.with_suffix(".part")
    half.write_text(json.dumps(told), encoding="utf-8")
    half.replace(place)


class CpuClock(Monitor):
    """Ends a run after so many seconds of this process' computing, pauses between restarts not counted."""

    def __init__(self, seconds: float, place: Path) -> None:
        self.seconds, self.place = seconds, place
        self._before, self._begun = 0.0, 0.0

    def start(self, view: View) -> None:
        told = json.loads(self.place.read_text()) if self.place.exists() and view.samples else {}
        self._before, self._begun = float(told.get("cpu", 0.0)), time.process_time()

    def saved(self, view: View, path: Path) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        told = {"cpu": self.spent, "samples": view.samples, "mib": peak}
        self.place.parent.mkdir(parents=True, exist_ok=True)
        write(self.place, told)

    def stepped(self, view: View) -> None:
        self.enough = self.spent >= self.seconds

    @property
    def spent(self) -> float:
        return self._before + time.process_time() - self._begun
