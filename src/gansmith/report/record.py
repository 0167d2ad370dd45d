"""What a run folder tells: settings, log, pictures, evaluation. Reading stops at nothing but a missing folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import RunFolderError
from .evaluations import figures_of, judgements, latest, remarks_of

PROBLEMS = ("skip", "rollback", "oom", "warning", "failed", "save_failed", "damaged", "alarm")


@dataclass
class Record:
    """One run, as its folder tells it.

    Attributes:
        config: the content of config.yaml, empty when there is none.
        events: the log's lines in order; what a rollback or a resume made void is left out of `ticks`.
        unreadable: lines of the log that were no JSON (a process killed while it wrote leaves one).
        grids: sample grids as (samples seen, file), oldest first.
        stages: the same of what samples are made through, where the recipe has stages.
        evaluation: figures of `gansmith evaluate`, newest judgement last; of those measured twice, the newer.
        earlier: those that were measured again, oldest first.
        remarks: what was said of the figures of `evaluation`.
    """

    folder: Path
    config: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    unreadable: int = 0
    grids: list[tuple[int, Path]] = field(default_factory=list)
    stages: list[tuple[int, Path]] = field(default_factory=list)
    evaluation: list[dict[str, Any]] = field(default_factory=list)
    earlier: list[dict[str, Any]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of these kinds, in order."""
        return [e for e in self.events if e.get("event") in kinds]

    @property
    def ticks(self) -> list[dict[str, Any]]:
        """Ticks whose work stands, one at a time."""
        kept: dict[int, dict[str, Any]] = {}
        for tick in self.standing("tick"):
            kept[tick["samples"]] = tick
        return list(kept.values())

    def standing(self, kind: str) -> list[dict[str, Any]]:
        """Events of a kind that stand: a run that went back overrides what it had logged past that point."""
        kept: list[dict[str, Any]] = []
        for event in self.of(kind, "rollback", "resume", "start"):
            samples = event.get("samples", 0)
            while kept and kept[-1]["samples"] > samples:
                kept.pop()
            if event["event"] == kind and "samples" in event:
                kept.append(event)
        return kept

    @property
    def start(self) -> dict[str, Any]:
        """The newest start event, empty when the log has none."""
        starts = self.of("start", "resume")
        return starts[-1] if starts else {}

    @property
    def last(self) -> dict[str, Any]:
        """The newest event that says how far the run is."""
        told = [e for e in self.events if "samples" in e and e.get("event") != "metric"]
        return told[-1] if told else {}

    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """Every figure over the samples seen: `{"D/adv": [(samples, value), ...]}`."""
        curves: dict[str, list[tuple[float, float]]] = {}
        for tick in self.ticks:
            for name, value in tick.get("figures", {}).items():
                if isinstance(value, int | float):
                    curves.setdefault(name, []).append((float(tick["samples"]), float(value)))
        return curves

    def metrics(self) -> list[dict[str, Any]]:
        """Figures judged during training and after it, oldest first."""
        return self.of("metric")


def read(folder: Path | str) -> Record:
    """Reads a run folder.

    Raises:
        RunFolderError: there is no such folder, or it holds no log.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunFolderError(f"no such run folder: {folder}")
    if not (folder / "log.jsonl").is_file():
        raise RunFolderError(f"this is no run folder (it has no log.jsonl; `gansmith train DATA` makes one): {folder}")
    grids, stages = _grids(folder / "samples"), _grids(folder / "samples" / "stages")
    judged = judgements(folder / "evaluation.json")
    figures = figures_of(judged)
    newest = latest(figures)
    kept = set(map(id, newest))
    earlier = [figure for figure in figures if id(figure) not in kept]
    record = Record(folder, _config(folder), grids=grids, stages=stages, evaluation=newest, earlier=earlier)
    record.remarks = remarks_of(judged)
    for line in _lines(folder / "log.jsonl"):
        if isinstance(line, Mapping):
            record.events.append(dict(line))
        else:
            record.unreadable += 1
    return record


def _lines(path: Path) -> Iterator[Any]:
    """The log's lines; None for one that cannot be read."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError:
                    yield None


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _grids(folder: Path) -> list[tuple[int, Path]]:
    """Pictures in a folder, by the number in their name."""
    found = []
    for path in folder.glob("*.png"):
        digits = re.findall(r"\d+", path.stem)
        if digits:
            found.append((int(digits[-1]), path))
    return sorted(found)
