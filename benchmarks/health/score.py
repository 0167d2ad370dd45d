"""Scores: who flags failing runs, names the right cause, how late, and who cries wolf."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gansmith.health.statistics import wilson

from .baselines import BASELINES
from .calls import Call, Method, Moment, doctor
from .scenario import Scenario
from .trace import Trace, load_all
from .truth import Truth, truth_of

METHODS: dict[str, Method] = {"doctor": doctor, **BASELINES}
LOUD = ("warning", "serious", "bug")  # flags a failing run
GRAVE = ("serious", "bug")  # a false alarm on a healthy one


@dataclass(frozen=True, kw_only=True)
class Row:
    """One method on one run.

    Args:
        truth: whether a fault was planted and the run fails by the oracle. One that was planted to no effect is neither
            failing nor healthy, and counts nowhere.
        flagged: whether anything was said of it once the fault was there.
        named: whether the first cause that stood last was right.
        among: whether a right cause was ever said.
        delay: from the onset to the first call, as a share of the run; None where there was none.
        false: names that were gravely said of a healthy run, or before the fault.
        warned: names of warnings that a healthy run got.
        said: what stood last.
    """

    name: str
    seed: int
    kind: str
    family: str
    method: str
    truth: bool
    flagged: bool
    named: bool
    among: bool
    delay: float | None
    false: tuple[str, ...]
    warned: tuple[str, ...]
    said: tuple[str, ...]


def judge(scenario: Scenario, trace: Trace, truth: Truth, method: str, moments: Sequence[Moment]) -> Row:
    """Holds what a method said against what is true."""
    poll = _interval(trace)
    faulty = scenario.kind == "plant" and truth.fails
    since = max(0, (truth.onset or 0) - poll) if scenario.injected is not None else 0
    before = [m for m in moments if not faulty or m.samples < since]
    after = [m for m in moments if faulty and m.samples >= since and _of(m.calls, LOUD)]
    first, last = (after[0].samples, _of(after[-1].calls, LOUD)) if after else (None, [])
    right = {c.name for m in after for c in m.calls if c.name in scenario.causes}
    excused = set(scenario.causes) if scenario.kind == "control" else set()
    return Row(
        name=scenario.name,
        seed=trace.seed,
        kind=scenario.kind,
        family=scenario.family,
        method=method,
        truth=faulty,
        flagged=bool(after),
        named=bool(last) and last[0] in scenario.causes,
        among=bool(right),
        delay=None if first is None else max(0, first - (truth.onset or 0)) / trace.samples,
        false=tuple(sorted({n for m in before for n in _of(m.calls, GRAVE)} - excused)),
        warned=tuple(sorted({n for m in before for n in _of(m.calls, ("warning",))} - excused)),
        said=tuple(last),
    )


def _of(calls: Iterable[Call], severities: Sequence[str]) -> list[str]:
    return [c.name for c in calls if c.severity in severities]


def _interval(trace: Trace) -> int:
    readings = trace.history.readings
    return readings[0].samples if readings else 0


def share(hits: int, n: int) -> dict[str, Any]:
    """A share with Wilson's 95 % bounds."""
    low, high = wilson(hits, n)
    return {"hits": hits, "n": n, "low": low, "high": high}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Of one method: detection on faulty runs, false alarms on healthy ones."""
    faulty, healthy = [r for r in rows if r.truth], [r for r in rows if r.kind == "control"]
    delays = [r.delay for r in faulty if r.delay is not None]
    return {
        "flagged": share(sum(r.flagged for r in faulty), len(faulty)),
        "named": share(sum(r.named for r in faulty), len(faulty)),
        "among": share(sum(r.among for r in faulty), len(faulty)),
        "false": share(sum(bool(r.false) for r in healthy), len(healthy)),
        "warned": share(sum(bool(r.warned) for r in healthy), len(healthy)),
        "early": share(sum(bool(r.false) for r in faulty), len(faulty)),
        "delay": statistics.median(delays) if delays else None,
    }


def score(
    scenarios: Sequence[Scenario], seeds: Sequence[int], methods: Sequence[str] = tuple(METHODS)
) -> dict[str, Any]:
    """All methods on all traces that were kept of these scenarios and seeds."""
    rows: list[Row] = []
    runs: list[dict[str, Any]] = []
    kept = {s.name: {t.seed: t for t in load_all([s.name], list(seeds))} for s in scenarios}
    for scenario in scenarios:
        twins = kept.get(scenario.twin) or {t.seed: t for t in load_all([scenario.twin], list(seeds))}
        for trace in kept[scenario.name].values():
            truth = truth_of(scenario, trace, list(twins.values()))
            rows += [judge(scenario, trace, truth, m, METHODS[m](trace)) for m in methods]
            runs.append(_run(trace, truth))
    return {
        "seeds": list(seeds),
        "methods": {m: summary([r for r in rows if r.method == m]) for m in methods},
        "families": {
            f: summary([r for r in rows if r.method == methods[0] and r.family == f])
            for f in sorted({s.family for s in scenarios} - {"control"})
        },
        "scenarios": [_told(s, rows, runs) for s in scenarios if kept[s.name]],
        "cost": _cost(runs),
        "rows": [asdict(r) for r in rows if r.method == methods[0]],
    }


def _run(trace: Trace, truth: Truth) -> dict[str, Any]:
    cost = trace.doctor_s / max(trace.cpu_s, 1e-9)
    return {"name": trace.name, "seed": trace.seed, **asdict(truth), "cpu_s": trace.cpu_s, "cost": cost}


def _cost(runs: Sequence[dict[str, Any]]) -> float | None:
    return statistics.median(r["cost"] for r in runs) if runs else None


def _told(scenario: Scenario, rows: Sequence[Row], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One scenario by the first method."""
    own = [r for r in rows if r.name == scenario.name and r.method == rows[0].method]
    these = [r for r in runs if r["name"] == scenario.name]
    said: dict[str, int] = {}
    for row in own:
        for name in row.said or (row.false + row.warned) or ("nothing",):
            said[name] = said.get(name, 0) + 1
    return {
        "name": scenario.name,
        "title": scenario.title,
        "kind": scenario.kind,
        "causes": list(scenario.causes),
        "runs": len(these),
        "fails": sum(r["fails"] for r in these),
        "badness": statistics.median(r["badness"] for r in these),
        "cpu_s": statistics.median(r["cpu_s"] for r in these),
        "said": dict(sorted(said.items(), key=lambda item: -item[1])),
        **summary(own),
    }
