"""Whether a run fails, and since when: the oracle's measures against those of healthy twins."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from .scenario import Oracle, Scenario
from .trace import Trace

SLACK: dict[Oracle, float] = {"distance": 0.05, "copied": 0.25, "misread": 0.1}
MARGIN = 1.25  # above the twins' band
Z = 2.58  # 99 % of a normal band
LAST = 3  # looks at the end that must lie outside


@dataclass(frozen=True)
class Truth:
    """Of one run.

    Args:
        fails: whether the oracle's measure lies outside the twins' band at the end.
        onset: samples at which the fault came in, or else at which the measure left the band for good; None for a run
            without any fault.
        badness: the measure at the end.
        limit: of the band there.
    """

    fails: bool
    onset: int | None
    badness: float
    limit: float


def band(twins: Sequence[Trace], measure: Oracle) -> list[float]:
    """The highest value that is still healthy at each look: 99 % of twins, and some margin."""
    if not twins:
        return []
    rows = [[look.get(measure, 0.0) for look in trace.oracle] for trace in twins]
    near = [[v for row in rows for v in row[max(0, i - 1) : i + 2]] for i in range(min(map(len, rows)))]
    return [MARGIN * max(*values, _upper(values)) + SLACK[measure] for values in near]


def _upper(values: Sequence[float]) -> float:
    return statistics.mean(values) + Z * statistics.pstdev(values)


def truth_of(scenario: Scenario, trace: Trace, twins: Sequence[Trace]) -> Truth:
    """Of a plant by its twins; of a control nothing is known beforehand, and its own measure is only told."""
    values = [look.get(scenario.oracle, 0.0) for look in trace.oracle]
    limits = band(twins, scenario.oracle) or [math.inf] * len(values)
    outside = [v > limit for v, limit in zip(values, limits, strict=True)]
    fails = all(outside[-LAST:])
    onset = None
    if scenario.injected is not None:
        onset = round(scenario.injected * trace.samples)
    elif fails:
        first = len(outside) - next((i for i, out in enumerate(reversed(outside)) if not out), len(outside))
        onset = round(trace.oracle[first]["samples"])
    return Truth(fails, onset, values[-1], limits[-1])
