"""What is done about findings: a policy read off measurements (docs/health.md), as a pure state machine.

    bug          -> stop: nothing is tuned around a mistake
    divergence   -> calmer settings in place, with fresh optimizers: G is still diverse (cured 3 of 3)
    no diversity -> back to the last healthy checkpoint, other noise, calmer settings (3 of 3; in place 1 of 3)
    overfitting  -> augment what D sees; where that is done already, stop at the best average

What is no more than a warning, such as a plateau, is told and not acted on: `--patience` ends a run that gets no
better. Where an action has not helped within its window it is undone, where it was taken in place, and the next one is
tried; after three the run ends.
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
IN_PLACE = ("calm", "augment")  # actions whose run is kept as it was before them, so that they can be undone
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
        undoes: the action before it, which did not help: the run first goes back to where it was before that.
    """

    action: Action
    finding: Finding
    attempt: int = 1
    undoes: Action | None = None

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
    _on_trial: bool = False

    def decide(self, findings: Sequence[Finding], samples: int) -> Remedy | None:
        """What to do now, `samples` samples into the run; None for nothing."""
        self._readings += 1
        names = {f.name for f in findings}
        self._standing = {name: self._standing.get(name, 0) + 1 for name in names}
        if self.tried and self._waits(samples):
            return None
        if self._on_trial and not any(f.failure.family == self._tried_for for f in findings):
            self._on_trial = False  # it helped
        for finding in findings:
            if self._standing[finding.name] < (1 if finding.severity == "bug" else POLLS):
                continue
            if finding.severity not in ("serious", "bug"):
                continue
            remedy = self._for(finding)
            if remedy is not None:
                self.took(remedy, samples)
                return remedy
        return None

    @property
    def _tried_for(self) -> str:
        """The family of failures that the last action was taken against."""
        return self.tried[-1].finding.failure.family

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
        left: list[Action] = [a for a in cures if a not in used] or [a for a in cures if a == "return"] or ["finish"]
        if attempt > ATTEMPTS:
            if "finish" in used:
                return None
            left = ["finish"]
        fruitless = self._on_trial and self._tried_for == finding.failure.family and self.tried[-1].action in IN_PLACE
        return Remedy(left[0], finding, attempt, undoes=self.tried[-1].action if fruitless else None)

    def took(self, remedy: Remedy, samples: int) -> None:
        """Notes what is done, or was done before a restart."""
        self.tried.append(remedy)
        self._since, self._readings, self._standing, self._on_trial = samples, 0, {}, True

    def returned(self, samples: int) -> None:
        """The run is at another place than it was: the window counts from there."""
        self._since, self._readings, self._standing = samples, 0, {}
