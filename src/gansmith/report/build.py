"""The report of a run: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from ..config import write_text
from . import charts, pictures
from .evaluations import latest, origin
from .exhibited import class_table, exhibited
from .health import health
from .page import page
from .record import PROBLEMS, Record, read

MOST_GRIDS = 24
HEADLINE_PIXELS, STRIP_PIXELS = 1536, 768
MOST_EVENTS = 200
PLAIN = ("event", "step", "samples", "seconds", "figures", "reason", "message")  # told elsewhere in a row of events
NORMS = {"gradient_norm": "Gradient norms", "weight_norm": "Weight norms"}


def write_report(run: Path | str, out: Path | str | None = None) -> Path:
    """Writes `report.html` of a run and returns its path. Works on a run that is still going on.

    Args:
        run: the run folder.
        out: where to write; `report.html` in the run folder when left out.

    Raises:
        RunFolderError: there is no such folder, or it holds no log.
    """
    record = read(run)
    path = Path(out) if out else record.folder / "report.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, render(record))
    return path


def render(record: Record) -> str:
    """The page as text."""
    from markupsafe import Markup

    closely = exhibited(record.folder)
    if closely and closely["modes"]:
        closely["modes"]["skyline"] = Markup(closely["modes"]["skyline"])  # numbers alone
    watched = health(record)
    if watched:
        watched["charts"] = [Markup(svg) for svg in watched["charts"]]
    classes = class_table(closely["classes"] if closely else None, record.evaluation)
    return page(
        "report.html.j2",
        title=os.fsencode(record.folder.resolve().name).decode("utf-8", "replace"),
        facts=facts(record),
        grids=grids(record),
        stages=stages(record),
        figures=judged(record),
        remarks=record.remarks,
        closely=closely,
        health=watched,
        classes=classes,
        charts=[Markup(svg) for svg in panels(record)],  # made by charts.chart, which escapes every name
        events=events(record),
        ended=bool(record.of("end")),
        notes=_texts(record.start.get("notes")),
        skipped=_texts(record.start.get("skipped")),
        settings=list(flatten(record.config)),
        machine=list(flatten({k: record.start[k] for k in ("device", "versions", "parameters") if k in record.start})),
        command=_command(record),
        unreadable=record.unreadable,
    )


def facts(record: Record) -> list[tuple[str, str]]:
    """The line under the title: what was trained, on what, how long."""
    config, last = record.config, record.last
    recipe, about = config.get("recipe"), config.get("about") or {}
    name = recipe.get("name") if isinstance(recipe, Mapping) else recipe
    train = config.get("train") or {}
    spec = config.get("spec") or {}
    told = [
        ("recipe", name),
        ("data", about.get("data")),
        ("one example", ", ".join(_spec_facts(spec)) or None),
        ("samples seen", f"{int(last['samples']):,}" if "samples" in last else None),
        ("training time", duration(last.get("seconds"))),
        ("seed", train.get("seed")),
        ("precision", train.get("precision")),
        ("device", (record.start.get("device") or {}).get("name")),
    ]
    return [(label, str(value)) for label, value in told if value is not None]


def _spec_facts(spec: Mapping[str, Any]) -> list[str]:
    """`["image", "size 32", "channels 1", "10 classes"]`, whatever kind of data it is."""
    told = []
    for name, value in spec.items():
        if name == "kind":
            told.append(str(value))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            told.append(f"{name} {value}")
        elif isinstance(value, list) and value and isinstance(value[0], str):
            told.append(f"{len(value)} {name}")
    return told


def duration(seconds: Any) -> str | None:
    """`2 h 13 min`, `4 min 10 s`; None when it is not known."""
    if not isinstance(seconds, int | float):
        return None
    whole = timedelta(seconds=round(seconds))
    hours, rest = divmod(int(whole.total_seconds()), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def grids(record: Record) -> list[dict[str, Any]]:
    """The sample grids to show, oldest first; the last is the headline and may be larger."""
    chosen = pictures.spread(record.grids, MOST_GRIDS)
    shown = []
    for number, (samples, path) in enumerate(chosen, 1):
        made = pictures.inline(path, most=HEADLINE_PIXELS if number == len(chosen) else STRIP_PIXELS)
        if made:
            shown.append({"samples": samples, "src": made[0], "width": made[1], "height": made[2]})
    return shown


def stages(record: Record) -> dict[str, Any] | None:
    """The newest picture of what samples are made through, and the names of its rows; None where there is none."""
    for samples, path in reversed(record.stages):
        made, names = pictures.inline(path, most=HEADLINE_PIXELS), pictures.note(path, "stages")
        if made and isinstance(names, list):
            src, width, height = made
            return {"samples": samples, "src": src, "width": width, "height": height, "names": _texts(names)}
    return None


def judged(record: Record) -> list[dict[str, Any]]:
    """The newest figures of all evaluations, one of each protocol, or else the newest quick ones.

    A floor that stands beside its figure is not told again; figures of single classes have a table of their own.
    """
    told = record.evaluation or latest([m for m in record.metrics() if "value" in m and "name" in m])
    floored = {f"{m['name']}-floor" for m in told if m.get("floor") is not None}
    return [_figure(m, told[-1]) for m in told if m["name"] not in floored and "/" not in str(m["name"])]


def _figure(told: Mapping[str, Any], newest: Mapping[str, Any]) -> dict[str, Any]:
    spread, floor, interval = told.get("spread"), told.get("floor"), told.get("interval")
    return {
        "name": str(told["name"]),
        "value": _number(told["value"]),
        "spread": None if spread is None else _number(spread),
        "interval": f"{_number(interval[0])} to {_number(interval[1])}" if interval else None,
        "floor": None if floor is None else _number(floor),
        "floor_of": str(told.get("floor_of") or ""),
        "protocol": str(told.get("protocol", "")) + origin(told, newest),
    }


def panels(record: Record) -> list[str]:
    """The charts: losses of each phase, logits, gradient norms, judgements, and what else was reported."""
    groups: dict[str, dict[str, charts.Points]] = {}
    for name, points in sorted(record.curves().items()):
        groups.setdefault(panel(name), {})[name] = points
    for name, points in over_time(record.metrics()).items():
        groups[f"Judged in passing: {name}"] = {name: points}
    speed = [(float(t["samples"]), float(s)) for t in record.ticks if (s := t.get("samples_per_second"))]
    if speed:
        groups["Speed"] = {"samples a second": speed}
    ordered = sorted(groups, key=lambda title: (_rank(title), title))
    return [svg for title in ordered if (svg := charts.chart(groups[title], title))]


def over_time(metrics: Iterable[Mapping[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Figures that were measured at two moments or more."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for metric in metrics:
        if "samples" in metric and isinstance(metric.get("value"), int | float):
            curves.setdefault(str(metric["name"]), []).append((float(metric["samples"]), float(metric["value"])))
    return {name: points for name, points in curves.items() if len({x for x, _ in points}) > 1}


def panel(name: str) -> str:
    """The chart that a figure belongs to, from its name alone: `D/adv` is a loss of phase D."""
    phase, _, figure = name.rpartition("/")
    if figure in NORMS:
        return NORMS[figure]
    if "logit" in figure:
        return "Logits"
    return f"Losses of {phase}" if phase else "Other figures"


def _rank(title: str) -> int:
    starts = ("Judged", "Losses", "Logits", "Gradient", "Weight", "Other", "Speed")
    return next(i for i, start in enumerate(starts) if title.startswith(start))


def events(record: Record) -> list[dict[str, str]]:
    """What went wrong or was mended, and where the run was resumed; an uneventful run has none."""
    told = [e for e in record.of(*PROBLEMS, "start") if e["event"] != "start" or e.get("resumed_from")]
    return [
        {
            "kind": "resumed" if event["event"] == "start" else str(event["event"]).replace("_", " "),
            "samples": f"{int(event['samples']):,}" if "samples" in event else "",
            "text": in_words(event),
        }
        for event in told[-MOST_EVENTS:]
    ]


def in_words(event: Mapping[str, Any]) -> str:
    """The reason or message of an event, then whatever else it tells."""
    if event["event"] == "start":
        return f"from {event['resumed_from']}"
    first = [str(event[key]) for key in ("reason", "message") if event.get(key)]
    rest = {k: v for k, v in event.items() if k not in PLAIN and v not in (None, [], "")}
    return "; ".join(
        [*first, *(f"{k} {', '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in rest.items())]
    )


def flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """`{"a": {"b": 1}}` as `("a.b", "1")`."""
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "" if value is None else str(value)


def _texts(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else []


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _command(record: Record) -> str:
    command = (record.config.get("about") or {}).get("command") or record.start.get("command") or ""
    return command if isinstance(command, str) else shlex.join(str(part) for part in command)
