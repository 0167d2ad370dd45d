"""What a report tells of a watched run: findings, what was done about them and undone, batches that were refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gansmith.health.finding import Failure, Finding
from gansmith.report.health import health
from gansmith.report.record import Record

BAD = Finding(Failure("divergence", "Training diverges", "serious", "divergence", "m", "a", "r"), 300, 400).to_json()


def told(*events: dict[str, Any]) -> dict[str, Any]:
    page = health(Record(Path("run"), events=[{"event": "watched", "samples": 0}, *events]))
    assert page is not None
    return page


def test_a_run_that_nobody_watched_has_no_page() -> None:
    assert health(Record(Path("run"))) is None


def test_treatments_and_their_undoing_are_told_in_order() -> None:
    calm = {"event": "treatment", "samples": 500, "action": "calm", "finding": BAD, "changed": {"lr": 1e-4}}
    undone = {"event": "undone", "samples": 900, "action": "calm", "finding": BAD, "to": "step-000000010"}
    rows = told(calm, undone)["treatments"]
    assert [r["samples"] for r in rows] == [500, 900]
    assert rows[0]["changed"] == "lr=0.0001"
    assert rows[1]["done"] == "undid this, for it did not help: back to step-000000010"


def test_refused_batches_are_counted() -> None:
    assert told()["refused"] == 0
    assert told(*({"event": "skip", "samples": n, "reason": "NaN"} for n in (1, 2, 3)))["refused"] == 3
