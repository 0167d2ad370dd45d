"""What a doctor says: a failure that is known by name, and a finding of it in one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["note", "warning", "serious", "bug"]
Family: TypeAlias = Literal["bug", "data", "nonfinite", "divergence", "diversity", "overfit", "stop", "note"]

SEVERITIES: tuple[Severity, ...] = ("note", "warning", "serious", "bug")


@dataclass(frozen=True)
class Failure:
    """A way in which training fails.

    Args:
        name: its file's name in `detectors/`, or what a check before training calls it.
        title: in two or three words, for headings.
        severity: `bug` is a mistake in code or data that no setting mends; `serious` costs the run.
        family: what kind of treatment it gets.
        meaning: one or two sentences for somebody who has not read a paper.
        advice: what to do, most promising first.
        reference: the paper or measurement that says so.
        explains: names of failures that are its symptoms, which are not reported beside it.
    """

    name: str
    title: str
    severity: Severity
    family: Family
    meaning: str
    advice: str
    reference: str
    explains: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """One signal that speaks for a finding.

    Args:
        signal: its name, by which the history has its course.
        text: what it is, and what it should be.
    """

    signal: str
    text: str


@dataclass(frozen=True)
class Finding:
    """A failure found in a run.

    Args:
        onset: samples seen when its evidence begins.
        at: samples seen when it was found.
        suspects: whom it points at: a network, a layer, a class, rows of the data.
    """

    failure: Failure
    onset: int
    at: int
    evidence: tuple[Evidence, ...] = ()
    suspects: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.failure.name

    @property
    def severity(self) -> Severity:
        return self.failure.severity

    def sentence(self) -> str:
        """One line: what, since when, by what."""
        since = f"since {self.onset:,} samples" if self.onset else "from the beginning"
        whom = f" ({', '.join(self.suspects[:3])})" if self.suspects else ""
        return f"{self.failure.title}{whom}, {since}: {'; '.join(e.text for e in self.evidence)}"

    def __str__(self) -> str:
        return f"{self.sentence()}\n  {self.failure.meaning}\n  What to do: {self.failure.advice}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Finding:
        """The inverse of `to_json`."""
        failure = Failure(**{**data["failure"], "explains": tuple(data["failure"]["explains"])})
        evidence = tuple(Evidence(**e) for e in data["evidence"])
        return Finding(failure, data["onset"], data["at"], evidence, tuple(data["suspects"]))


class Standing:
    """What stands at the last look, each finding as it was when it was found first, or when it got graver.

    Args:
        early: found before the first step, which stands for good.
    """

    def __init__(self, early: Sequence[Finding] = ()) -> None:
        self._ever = {f.name: f for f in early}
        self._now: list[str] = []

    def see(self, now: Sequence[Finding]) -> None:
        """Takes note of all that is found now."""
        self._now = [f.name for f in now]
        for finding in now:
            known = self._ever.get(finding.name)
            if known is None or SEVERITIES.index(finding.severity) > SEVERITIES.index(known.severity):
                self._ever[finding.name] = finding

    def forget(self, samples: int) -> None:
        """Forgets what was found after so many samples."""
        self._ever = {name: f for name, f in self._ever.items() if f.at <= samples}
        self._now = [name for name in self._now if name in self._ever]

    def findings(self) -> list[Finding]:
        """Causes first, their symptoms left out."""
        early = [name for name, f in self._ever.items() if f.at == 0]
        return causes([self._ever[name] for name in dict.fromkeys([*self._now, *early])])

    def ever(self) -> list[Finding]:
        """All that was found at any time."""
        return list(self._ever.values())


def causes(findings: Sequence[Finding]) -> list[Finding]:
    """Findings without those that another one explains; bugs first, then the gravest, then the earliest.

    Two that explain each other both stay.
    """
    explained = {
        g.name for f in findings for g in findings if g.name in f.failure.explains and f.name not in g.failure.explains
    }
    left = [f for f in findings if f.name not in explained]
    return sorted(left, key=lambda f: (-SEVERITIES.index(f.severity), f.onset, f.name))
