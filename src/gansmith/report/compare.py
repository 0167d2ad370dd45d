"""Several runs side by side: one page, or the same as JSON or CSV; these two of a single run, too."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config import write_text
from ..errors import UserError
from . import charts, pictures
from .build import HEADLINE_PIXELS, facts, flatten, over_time
from .evaluations import identity
from .exhibited import exhibited
from .page import page
from .record import Record, read

ENDINGS = (".html", ".json", ".csv")


def write_comparison(runs: Sequence[Path | str], out: Path | str) -> Path:
    """Writes what several runs are and how good they are, side by side, and returns its path.

    Args:
        runs: their folders, in the order of the columns.
        out: ends in .html, .json or .csv.

    Raises:
        RunFolderError: a folder holds no run.
        UserError: another ending.
    """
    path = Path(out)
    made = {".html": _html, ".json": _json, ".csv": _csv}
    if path.suffix.lower() not in made:
        raise UserError(f"a comparison is written as {', '.join(ENDINGS)}, by the file's ending; this was: {path.name}")
    records = [read(run) for run in runs]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, made[path.suffix.lower()](records))
    return path


def names_of(records: Sequence[Record]) -> list[str]:
    """What the columns are called: folders' names, with as much of the path as tells them apart."""
    parts = [record.folder.resolve().parts for record in records]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(p[-depth:]) for p in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{'/'.join(p)} ({i})" for i, p in enumerate(parts, 1)]


def compared(records: Sequence[Record]) -> tuple[list[dict[str, Any]], list[str]]:
    """Figures that two runs or more have by the same protocol and of the same real pictures: `[{"name", "protocol",
    "values": one a run or None}]`; and the names of those that only one has."""
    kept: dict[tuple[str, str, str], list[dict[str, Any] | None]] = {}
    for number, record in enumerate(records):
        for figure in (f for f in record.evaluation if not str(f["name"]).endswith("-floor")):
            kept.setdefault(identity(figure), [None] * len(records))[number] = figure
    shared = {k: v for k, v in kept.items() if sum(f is not None for f in v) > 1}
    found = [{"name": name, "protocol": by, "values": values} for (name, by, _), values in shared.items()]
    alone = sorted({key[0] for key in kept if key not in shared})
    return found, [name for name in alone if name not in {f["name"] for f in found}]


def reading(row: dict[str, Any], names: Sequence[str]) -> str:
    """What a row says, as far as intervals allow."""
    known = [(f, n) for f, n in zip(row["values"], names, strict=True) if f is not None]
    way = known[0][0].get("better")
    if way is None:
        return "not to be ranked: read it beside that of real pictures"
    known.sort(key=lambda pair: pair[0]["value"], reverse=way == "high")
    (best, name), (second, _) = known[:2]
    if not best.get("interval") or not second.get("interval"):
        return f"{name} is ahead; without intervals it cannot be told from noise"
    apart = best["interval"][1] < second["interval"][0] if way == "low" else best["interval"][0] > second["interval"][1]
    if not apart:
        return "too few samples to tell: the intervals overlap"
    return _doubt(best, second) or f"{name} is better"


def _doubt(best: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """Why two figures do not rank their runs although their intervals are apart; or nothing.

    The bias of a Fréchet distance is about its floor, that of real pictures against real ones, and differs between
    models: at n = 500 and 256 features it puts the worse of two models ahead (see `metrics.compare`).
    """
    floors = [f["floor"] for f in (best, second) if f.get("floor") is not None]
    if not (best.get("biased") and second.get("biased")):
        return ""
    if floors and abs(best["value"] - second["value"]) > max(floors):
        return ""
    known = f", about {max(floors):.3g}, is more than their difference" if floors else " is not known"
    return f"too few samples to tell: its bias{known}; `gansmith compare` takes it out"


def _rows(found: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of one table each protocol."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        told = reading(row, names)
        cells = [{"text": _told(f), "best": f is not None and told == f"{n} is better"} for f, n in _pairs(row, names)]
        tables.setdefault(row["protocol"], []).append({"name": row["name"], "cells": cells, "reading": told})
    return [{"protocol": protocol, "rows": rows} for protocol, rows in tables.items()]


def _pairs(row: dict[str, Any], names: Sequence[str]) -> list[tuple[dict[str, Any] | None, str]]:
    return list(zip(row["values"], names, strict=True))


def _told(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "-"
    interval = figure.get("interval")
    return f"{figure['value']:.4g}" + (f" [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else "")


def _curves(records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """A chart for every figure that two runs or more have logged, one curve a run."""
    groups: dict[str, dict[str, charts.Points]] = {}
    for record, name in zip(records, names, strict=True):
        for figure, points in {**over_time(record.metrics()), **record.curves()}.items():
            groups.setdefault(figure, {})[name] = points
    shared = {figure: curves for figure, curves in groups.items() if len(curves) > 1}
    return [charts.chart({n: curves.get(n, []) for n in names}, figure) for figure, curves in shared.items()]


def _grid(record: Record, name: str) -> dict[str, Any]:
    samples, path = record.grids[-1] if record.grids else (0, None)
    made = pictures.inline(path, most=HEADLINE_PIXELS) if path else None
    src, width, height = made or ("", 0, 0)
    return {"name": name, "samples": samples, "src": src, "width": width, "height": height}


def _beside(tables: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    keys = dict.fromkeys(key for table in tables for key in table)
    return [{"name": key, "told": [table.get(key, "") for table in tables]} for key in keys]


def _facts(record: Record) -> dict[str, str]:
    sizes = record.start.get("parameters") or {}
    speeds = sorted(float(s) for t in record.ticks if (s := t.get("samples_per_second")))
    told = dict(facts(record)) | {f"parameters of {name}": f"{count:,}" for name, count in sizes.items()}
    return told | ({"samples a second (median)": f"{speeds[len(speeds) // 2]:,.0f}"} if speeds else {})


def _html(records: Sequence[Record]) -> str:
    from markupsafe import Markup

    names = names_of(records)
    found, alone = compared(records)
    settings = _beside([dict(flatten(record.config)) for record in records])
    return page(
        "compare.html.j2",
        names=names,
        grids=[_grid(record, name) for record, name in zip(records, names, strict=True)],
        tables=_rows(found, names),
        alone=alone,
        remarks=[{"run": n, "said": said} for record, n in zip(records, names, strict=True) for said in record.remarks],
        charts=[Markup(svg) for svg in _curves(records, names) if svg],  # charts.chart escapes every name
        facts=_beside([_facts(record) for record in records]),
        settings=[row for row in settings if len(set(row["told"])) > 1],
    )


def _json(records: Sequence[Record]) -> str:
    names = names_of(records)
    found, alone = compared(records)
    runs = [
        {
            "name": name,
            "folder": str(record.folder),
            "facts": _facts(record),
            "figures": record.evaluation,
            "remarks": record.remarks,
            "earlier": record.earlier,
            "logged": [metric for metric in record.metrics() if "samples" in metric],
            "classes": _classes(record),
            "curves": record.curves(),
        }
        for name, record in zip(names, records, strict=True)
    ]
    told = [{**row, "reading": reading(row, names)} for row in found]
    return (
        json.dumps(
            {"runs": runs, "compared": told, "not_comparable": alone if len(runs) > 1 else []},
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


HEADER = ["run", "figure", "value", "spread", "low", "high", "floor", "protocol"]
HEADER += ["kind", "samples", "checkpoint", "data"]


def _csv(records: Sequence[Record]) -> str:
    """A row a figure and run; `kind` says which: the newest of an `evaluation`, an `earlier` one, one `logged` during
    training, or one of the samples of a `class` that the report looks at."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for name, record in zip(names_of(records), records, strict=True):
        judged = {str(f["name"]) for f in [*record.evaluation, *record.earlier]}
        kinds = {
            "evaluation": record.evaluation,
            "earlier": record.earlier,
            "logged": [m for m in record.metrics() if "value" in m and str(m.get("name")) not in judged],
            "class": _classes(record),
        }
        for kind, figures in kinds.items():
            writer.writerows(_row(figure) | {"run": name, "kind": kind} for figure in figures)
    return text.getvalue()


def _row(figure: Mapping[str, Any]) -> dict[str, Any]:
    low, high = figure.get("interval") or ("", "")
    return {**figure, "figure": figure["name"], "low": low, "high": high}


def _classes(record: Record) -> list[dict[str, Any]]:
    """Figures of single classes that the report shows and no evaluation has: `precision/Bag`."""
    closely = exhibited(record.folder)
    if not closely or not isinstance(closely["classes"], dict):
        return []
    return [
        {"name": f"{column}/{row['name']}", **cell, "protocol": f"{row['samples']} samples of the class"}
        for row in closely["classes"].get("rows", ())
        for column, cell in row["cells"].items()
    ]
