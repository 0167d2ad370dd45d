"""What lies in RUN/evaluation/ as the report shows it. Absent or damaged files leave their part of the page out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .pictures import address
from .sheets import cut

FOLDER, DOCUMENT = "evaluation", "exhibits.json"
TILE = 96  # pixels of the page that a small picture is shown at, about
LARGEST_TILE = 128  # pixels that are kept of a large one, for screens of fine dots
LISTED_MODES = 40  # of more, a silhouette is drawn
SKYLINE, CUT = 160, 4  # height of the silhouette; where it ends, in shares of the most frequent real mode


def exhibited(run: Path) -> dict[str, Any] | None:
    """The values of the section's template; None where the run has no exhibits."""
    folder = run / FOLDER
    try:
        told = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        return {
            "samples": int(told["samples"]),
            "about": {key: str(told.get(key) or "") for key in ("protocol", "extractor", "checkpoint")},
            "neighbours": _neighbours(folder, told),
            "realism": _realism(folder, told),
            "classes": told.get("classes"),
            "modes": _modes(told.get("modes")),
        }
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None


def _tiles(folder: Path, told: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The pictures of a sheet, ready for the page: whole multiples of a pixel where they are small."""
    found = []
    for picture in cut(folder, told["sheets"][name]):
        longest = max(picture.size)
        times = max(1, TILE // longest) if longest <= TILE else TILE / longest
        width, height = (max(1, round(side * times)) for side in picture.size)
        src = address(picture, most=LARGEST_TILE)
        found.append({"src": src, "width": width, "height": height, "smooth": longest > TILE})
    return found


def _neighbours(folder: Path, told: Mapping[str, Any]) -> dict[str, Any] | None:
    part, tiles = told["neighbours"], _tiles(folder, told, "neighbours")
    if not tiles:
        return None
    across = told["sheets"]["neighbours"]["columns"]
    rows = [
        {
            "sample": row["sample"],
            "fake": tiles[number * across],
            "reals": [
                {**tile, "apart": "" if apart is None else f"{apart:.2f}"}
                for tile, apart in zip(tiles[number * across + 1 : (number + 1) * across], row["apart"], strict=True)
            ],
        }
        for number, row in enumerate(part["rows"])
    ]
    median = None if part["median"] is None else f"{part['median']:.2f}"
    return {"rows": rows, "median": median, "copies": part["copies"]}


def _realism(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    part = told["realism"]
    ranks = {
        name: [
            {**tile, "sample": sample["sample"], "realism": _score(sample["realism"])}
            for tile, sample in zip(_tiles(folder, told, name), part[name], strict=False)
        ]
        for name in ("worst", "best")
    }
    real = part.get("real")
    return {"k": part["k"], "fake": _told(part), "real": real and {"n": real["n"], **_told(real)}, **ranks}


def _told(summary: Mapping[str, Any]) -> dict[str, str]:
    return {"median": _score(summary["median"]), "inside": f"{summary['inside']:.0%}"}


def _score(value: float | None) -> str:
    return "∞" if value is None else f"{value:.2f}"


def class_table(told: Mapping[str, Any] | None, figures: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The table of classes: figures of each, and what the exhibits tell of them; None where nothing is known.

    Args:
        told: classes as exhibits.json has them.
        figures: of evaluations; those of single classes, `class-FD/Bag`, make the first columns.
    """
    looked, samples = _looked_at(told)
    measured = _measured(figures)
    columns = list(dict.fromkeys(column for cells in (measured, looked) for _, column in cells))
    if not columns:
        return None
    cells = {place: _cell(cell) for place, cell in {**looked, **measured}.items()}
    names = dict.fromkeys([*samples, *(name for name, _ in measured)])
    rows = [[cells.get((name, column), _cell({})) for column in columns] for name in names]
    return {
        "columns": columns,
        "rows": [{"name": n, "samples": samples.get(n), "cells": row} for n, row in zip(names, rows, strict=True)],
        "counted": any(samples.values()),
        "floors": any(cell["floor"] for row in rows for cell in row),
        "measured": bool(measured),
    }


Cells = dict[tuple[str, str], Mapping[str, Any]]  # by class and column


def _looked_at(told: Mapping[str, Any] | None) -> tuple[Cells, dict[str, Any]]:
    """What exhibits.json tells of classes, and how many samples each has; nothing of a damaged one."""
    try:
        rows = list((told or {}).get("rows", ()))
        cells: Cells = {(str(r["name"]), str(column)): dict(cell) for r in rows for column, cell in r["cells"].items()}
        return cells, {str(row["name"]): row["samples"] for row in rows}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}, {}


def _measured(figures: Sequence[Mapping[str, Any]]) -> Cells:
    """Figures of single classes; where several extractors measured the same, each has a column of its own."""
    found, by = dict[tuple[str, str, str], Mapping[str, Any]](), dict[str, set[str]]()
    for figure in figures:
        family, slash, name = str(figure["name"]).partition("/")
        if slash and not name.endswith("-floor"):
            extractor = str(figure.get("protocol", "")).partition("(")[0]
            found[name, family, extractor] = figure
            by.setdefault(family, set()).add(extractor)
    return {(n, family if len(by[family]) == 1 else f"{family}-{e}"): f for (n, family, e), f in found.items()}


def _cell(told: Mapping[str, Any]) -> dict[str, str]:
    interval, floor = told.get("interval"), told.get("floor")
    return {
        "value": _short(told.get("value")),
        "interval": f"{_short(interval[0])} to {_short(interval[1])}" if interval else "",
        "floor": "" if floor is None else _short(floor),
    }


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else "-"


def _modes(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Shares by mode: a list of bars, or of many modes a silhouette."""
    if not told:
        return None
    fake, real, names = told["fake"], told["real"], told["names"]
    missed = [name for name, count, there in zip(names, fake, real, strict=True) if there and not count]
    found = {
        "how": told["how"],
        "count": len(names),
        "there": sum(1 for there in real if there),
        "hit": sum(1 for count, there in zip(fake, real, strict=True) if count and there),
        "missed": missed,
        "samples": sum(fake),
        "bars": [],
        "skyline": "",
    }
    ours, theirs = ([count / sum(counts) for count in counts] for counts in (fake, real))
    if len(names) > LISTED_MODES:
        return found | {"skyline": _skyline(ours, theirs)}
    most = max(*ours, *theirs)
    bars = zip(names, fake, ours, theirs, strict=True)
    return found | {
        "bars": [
            {
                "name": n,
                "count": c,
                "share": f"{s:.1%}",
                "real": f"{r:.1%}",
                "long": 100 * s / most,
                "mark": 100 * r / most,
            }
            for n, c, s, r in bars
        ]
    }


def _skyline(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """An SVG of shares over modes, the most frequent first: samples as an area, real pictures as a line."""
    top, n = min(max(*ours, *theirs), CUT * max(theirs)), len(ours)

    def steps(shares: Sequence[float]) -> str:
        heights = [SKYLINE * (1 - min(1.0, share / top)) for share in sorted(shares, reverse=True)]
        return " ".join(f"{1000 * x / n:.1f},{y:.1f}" for i, y in enumerate(heights) for x in (i, i + 1))

    return (
        f'<svg class="skyline" viewBox="0 0 1000 {SKYLINE}" preserveAspectRatio="none" role="img" '
        'aria-label="Shares of the modes, the most frequent first">'
        f'<polygon class="ours" points="0,{SKYLINE} {steps(ours)} 1000,{SKYLINE}"/>'
        f'<polyline class="theirs" points="{steps(theirs)}"/></svg>'
    )
