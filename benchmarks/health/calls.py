"""What a method says of a run, moment by moment: the form in which doctors and baselines are compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from gansmith.health.detectors import detect_all
from gansmith.health.finding import Finding, Standing, causes
from gansmith.health.history import History

from .trace import Trace


class Call(NamedTuple):
    """A failure said to be there: its name ("" if the method knows none) and how grave it is said to be."""

    name: str
    severity: str


class Moment(NamedTuple):
    """What stands at one time, the most likely cause first."""

    samples: int
    calls: tuple[Call, ...]


Method: TypeAlias = Callable[[Trace], list[Moment]]


def doctor(trace: Trace) -> list[Moment]:
    """The doctor's findings as they would have stood after each reading: today's detectors over what was read then."""
    standing, moments = Standing(trace.contract), [_moment(0, causes(trace.contract))]
    history = History([], trace.history.length, trace.history.facts)
    for reading in trace.history.readings:
        history.readings.append(reading)
        standing.see(detect_all(history))
        moments.append(_moment(reading.samples, standing.findings()))
    return moments


def _moment(samples: int, findings: list[Finding]) -> Moment:
    return Moment(samples, tuple(Call(f.name, f.severity) for f in findings))
