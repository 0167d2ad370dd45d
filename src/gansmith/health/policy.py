"""What is done about findings: a policy read off measurements (docs/health.md), as a pure state machine.

    bug          -> stop: nothing is tuned around a mistake
    divergence   -> calmer settings in place, with fresh optimizers: G is still diverse (cured 3 of 3)
    no diversity -> back to the last healthy checkpoint, other noise, calmer settings (3 of 3; in place 1 of 3)
    overfitting  -> augment what D sees; where that is done already, stop at the best average

What is no more than a warning, such as a plateau, is told and not acted on: `--patience` ends a run that gets no
better. Where an action has not helped within its window the next one is tried; after three the run ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from .finding import Finding

Action: TypeAlias = Literal["stop", "calm", "return", "augment", "finish"]

ATTEMPTS = 3
WINDOW = 0.15  # of a run of known length: how long an action has to show that it helps
LEAST_WINDOW = 6  # readings, at the least
POLLS = 2  # readings in a row that a finding must stand before anything is done
CURES: dict[str, tuple[Action, ...]] = {
    "bug": ("stop",),
    "divergence": ("calm", "return"),
    "diversity": ("return",),
    "overfit": ("augment", "finish"),
}


@dataclass(frozen=True)
class Remedy:
    """What the trainer is asked to do.

    Args:
        action: `stop` the run with an error; `calm`er settings in place; `return` to the newest checkpoint that is not
            younger than `onset`, with calmer settings; `augment` what D sees; `finish` the run as if it were as long as
            asked, with the best weights kept.
        finding: why.
        attempt: number of this action, from 1.
    """

    action: Action
    finding: Finding
    attempt: int = 1

    def to_json(self) -> dict[str, Any]:
        return {"action": self.action, "finding": self.finding.to_json(), "attempt": self.attempt}


@dataclass
class Policy:
    """Decides after each reading; remembers what it tried.

    Args:
        offers: actions that this run can take (`stop` and `finish` it always can).
        length: samples that the run is meant to take.
    """

    offers: frozenset[str]
    length: int | None = None
    tried: list[Remedy] = field(default_factory=list)
    _since: int = 0
    _readings: int = 0
    _standing: dict[str, int] = field(default_factory=dict)

    def decide(self, findings: Sequence[Finding], samples: int) -> Remedy | None:
        """What to do now, `samples` samples into the run; None for nothing."""
        self._readings += 1
        names = {f.name for f in findings}
        self._standing = {name: self._standing.get(name, 0) + 1 for name in names}
        if self.tried and self._waits(samples):
            return None
        for finding in findings:
            if self._standing[finding.name] < (1 if finding.severity == "bug" else POLLS):
                continue
            if finding.severity not in ("serious", "bug"):
                continue
            remedy = self._for(finding)
            if remedy is not None:
                self.tried.append(remedy)
                self._since, self._readings, self._standing = samples, 0, {}
                return remedy
        return None

    def _waits(self, samples: int) -> bool:
        """Whether the last action still has time to show that it helps."""
        window = WINDOW * self.length if self.length else 0.0
        return self._readings < LEAST_WINDOW or samples - self._since < window

    def _for(self, finding: Finding) -> Remedy | None:
        cures = [a for a in CURES.get(finding.failure.family, ()) if a in self.offers or a in ("stop", "finish")]
        used = [r.action for r in self.tried if r.finding.failure.family == finding.failure.family]
        attempt = len(self.tried) + 1
        if not cures:
            return None
        if attempt > ATTEMPTS:
            return Remedy("finish", finding, attempt) if "finish" not in used else None
        left = [a for a in cures if a not in used] or [a for a in cures if a == "return"] or ["finish"]
        return Remedy(left[0], finding, attempt)

    def took(self, remedy: Remedy, samples: int) -> None:
        """Notes what was done before a restart."""
        self.tried.append(remedy)
        self._since = samples

    def returned(self, samples: int) -> None:
        """The run is at another place than it was: the window counts from there."""
        self._since, self._readings, self._standing = samples, 0, {}
