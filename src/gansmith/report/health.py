"""What a doctor saw of a run: findings with their evidence, what was done about them, the signals over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import charts
from .record import Record

ORDER = ("bug", "serious", "warning", "note")
SHOWN = {  # title of a chart: signals, and what is usual of them
    "Variety: 1 is the data's own": ("diversity", "rank", "coverage", "recall"),
    "Modes that are missing": ("missing",),
    "Distance to real examples": ("distance", "average_distance", "distance_floor"),
    "How surely D tells real from generated, in standard deviations": ("separation",),
    "D on training rows, unseen rows, fakes": ("logit/real", "logit/held_out", "logit/fake"),
    "Copies: below -3 is too near to training examples": ("copying",),
}
DONE = {
    "stop": "stopped the run",
    "finish": "ended the run",
    "return": "went back to a healthy checkpoint, with other noise",
    "calm": "went on with calmer settings and fresh optimizers",
    "augment": "augmented what D sees",
}


def health(record: Record) -> dict[str, Any] | None:
    """What the page tells; None where no doctor watched."""
    readings = record.standing("health")
    if not readings and not record.of("watched"):
        return None
    return {
        "looks": len(readings),
        "refused": len(record.of("skip")),
        "findings": _findings(record),
        "treatments": [_treatment(event) for event in record.of("treatment", "undone")],
        "charts": _charts(readings),
    }


def _findings(record: Record) -> list[dict[str, Any]]:
    """Each finding once, the gravest first; `gone` tells those that are no longer seen."""
    found: dict[str, dict[str, Any]] = {}
    for event in record.of("finding", "recovered"):
        name = event["name"] if event["event"] == "recovered" else event["finding"]["failure"]["name"]
        if event["event"] == "finding":
            finding = event["finding"]
            found[name] = {
                **{key: finding["failure"][key] for key in ("title", "severity", "meaning", "advice", "reference")},
                "since": finding["onset"],
                "evidence": [e["text"] for e in finding["evidence"]],
                "suspects": ", ".join(finding["suspects"]),
                "gone": None,
            }
        elif name in found:
            found[name]["gone"] = event["samples"]
    return sorted(found.values(), key=lambda f: (f["gone"] is not None, ORDER.index(f["severity"])))


def _treatment(event: Mapping[str, Any]) -> dict[str, Any]:
    changed = ", ".join(f"{name}={value}" for name, value in event.get("changed", {}).items())
    why = event["finding"]["failure"]["title"]
    done = f"undid this, for it did not help: back to {event['to']}" if event["event"] == "undone" else ""
    return {
        "samples": event.get("at", event["samples"]),
        "why": why,
        "done": done or DONE.get(event["action"], event["action"]),
        "changed": changed,
    }


def _charts(readings: list[dict[str, Any]]) -> list[str]:
    found = []
    for title, names in SHOWN.items():
        curves: dict[str, charts.Points] = {}
        for name in names:
            points = [(float(r["samples"]), float(v)) for r in readings if _is_number(v := r["values"].get(name))]
            if len(points) > 1:
                curves[name.replace("_", " ")] = points
        if curves and (svg := charts.chart(curves, title)):
            found.append(svg)
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
