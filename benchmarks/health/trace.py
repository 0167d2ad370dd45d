"""What is kept of one played run: all that a detector or a baseline may look at, and what is true of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gansmith.health.finding import Finding
from gansmith.health.history import History

from .oracle import Measures

PLACE = Path(__file__).resolve().parents[2] / "runs" / "health"
LONGEST = 4000  # losses kept of each network


@dataclass(kw_only=True)
class Trace:
    """One run.

    Args:
        name: of its scenario.
        seed: of everything random in it.
        steps: it took.
        samples: it saw.
        contract: findings before the first step.
        history: what the doctor read, and when.
        played: findings as the run's own doctor had them at its end.
        oracle: measures at equal distances, each with `samples`.
        losses: of every step, by network.
        cpu_s: seconds of the training itself.
        doctor_s: of the doctor, with what it prepares.
        machine: where it was played.
    """

    name: str
    seed: int
    steps: int
    samples: int
    contract: list[Finding] = field(default_factory=list)
    history: History = field(default_factory=History)
    played: list[Finding] = field(default_factory=list)
    oracle: list[Measures] = field(default_factory=list)
    losses: dict[str, list[float]] = field(default_factory=dict)
    cpu_s: float = 0.0
    doctor_s: float = 0.0
    machine: str = ""

    @property
    def path(self) -> Path:
        return path_of(self.name, self.seed)

    @property
    def batch(self) -> int:
        return self.samples // self.steps

    def keep(self) -> None:
        """Writes it whole or not at all."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(self.to_json(), allow_nan=False), encoding="utf-8")
        part.replace(self.path)

    def to_json(self) -> dict[str, Any]:
        plain = {k: v for k, v in self.__dict__.items() if k not in ("contract", "history", "played", "losses")}
        losses = {name: [_rounded(v) for v in values[:LONGEST]] for name, values in self.losses.items()}
        return {
            **plain,
            "losses": losses,
            "contract": [f.to_json() for f in self.contract],
            "played": [f.to_json() for f in self.played],
            "history": self.history.to_json(),
        }

    @staticmethod
    def from_json(data: dict[str, Any]) -> Trace:
        """The inverse of `to_json`; losses that were not finite are NaN."""
        losses = {name: [math.nan if v is None else v for v in values] for name, values in data["losses"].items()}
        found = {name: [Finding.from_json(f) for f in data[name]] for name in ("contract", "played")}
        return Trace(**{**data, **found, "losses": losses, "history": History.from_json(data["history"])})


def _rounded(value: float) -> float | None:
    return float(f"{value:.5g}") if math.isfinite(value) else None


def path_of(name: str, seed: int) -> Path:
    return PLACE / "traces" / f"{name}-{seed}.json"


def samples_path(name: str, seed: int) -> Path:
    """Of samples in the course of a run: an archive of arrays (n ...), named by the percentage of the run."""
    return PLACE / "samples" / f"{name}-{seed}.npz"


def load(name: str, seed: int) -> Trace | None:
    """A trace that was kept; None where there is none."""
    path = path_of(name, seed)
    return Trace.from_json(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def load_all(names: list[str], seeds: range | list[int]) -> Iterator[Trace]:
    """Those of them that were kept."""
    for name in names:
        for seed in seeds:
            if (trace := load(name, seed)) is not None:
                yield trace
