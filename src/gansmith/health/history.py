"""What was seen of a run, moment by moment; all that detectors look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Samples: TypeAlias = npt.NDArray[np.int64]
Values: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reading:
    """What was seen at one moment.

    Args:
        samples, step: of training, so far.
        values: signals by name, see docs/health.md; one that could not be had is absent, one that is not finite is NaN.
        counts: examples by cluster or class: `clusters/real`, `clusters/fake`, `classes/fake`, ...
        notes: names that go with signals: the first tensor that was not finite, the rows of a batch that was refused.
    """

    samples: int
    step: int
    values: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        values = {name: value if np.isfinite(value) else None for name, value in self.values.items()}
        counts = {name: list(found) for name, found in self.counts.items()}
        return {"samples": self.samples, "step": self.step, "values": values, "counts": counts, "notes": self.notes}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Reading:
        """The inverse of `to_json`; whatever was not finite is NaN."""
        values = {name: float("nan") if value is None else float(value) for name, value in data["values"].items()}
        counts = {name: tuple(int(n) for n in found) for name, found in data["counts"].items()}
        return Reading(int(data["samples"]), int(data["step"]), values, counts, dict(data.get("notes", {})))


@dataclass
class History:
    """A run as its doctor knows it.

    Args:
        readings: in order.
        length: samples that the run is meant to take; None where nobody knows.
        facts: what does not change: `loss` (its name), `compares` (D's logits mean something only in comparison),
            `classes` (their names), `bounds` of the data, `examples` in the training data, `batch`,
            `half_life` of each average in samples.
    """

    readings: list[Reading] = field(default_factory=list)
    length: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def samples(self) -> int:
        """At the last reading; 0 before the first."""
        return self.readings[-1].samples if self.readings else 0

    def values(self, name: str) -> tuple[Samples, Values]:
        """Samples and values of the readings that have this signal."""
        found = [(r.samples, r.values[name]) for r in self.readings if name in r.values]
        return np.array([s for s, _ in found], dtype=np.int64), np.array([v for _, v in found], dtype=np.float64)

    def last(self, name: str) -> float | None:
        """The newest value of a signal; None if there was none."""
        return next((r.values[name] for r in reversed(self.readings) if name in r.values), None)

    def names(self, prefix: str) -> Sequence[str]:
        """Signals of that beginning (`gradient/`), in alphabetical order."""
        return sorted({name for r in self.readings for name in r.values if name.startswith(prefix)})

    def counts(self, name: str) -> list[tuple[int, tuple[int, ...]]]:
        """Samples and counts of the readings that have them."""
        return [(r.samples, r.counts[name]) for r in self.readings if name in r.counts]

    def note(self, name: str) -> str | None:
        """The first note of that name."""
        return next((r.notes[name] for r in self.readings if name in r.notes), None)

    def until(self, samples: int) -> History:
        """The same run when it had seen so many samples."""
        return History([r for r in self.readings if r.samples <= samples], self.length, self.facts)

    def to_json(self) -> dict[str, Any]:
        facts = {name: list(value) if isinstance(value, tuple) else value for name, value in self.facts.items()}
        return {"readings": [r.to_json() for r in self.readings], "length": self.length, "facts": facts}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> History:
        """The inverse of `to_json`."""
        facts = {name: tuple(v) if isinstance(v, list) else v for name, v in data["facts"].items()}
        return History([Reading.from_json(r) for r in data["readings"]], data["length"], facts)
