"""Writes the page on a data set, and beside it everything that it says as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ...config import write_text
from ...data.inspect.findings import Finding
from ...data.inspect.look import Look
from ...errors import DataError, several
from ..pictures import spread
from . import plots
from .thumbnails import Thumbnails

GROUPS, IN_GROUP = 24, 8
SINGLES = 24
MOSAIC = 52
CLASSES, EXAMPLES = 40, 6
ILLUSTRATED = 12  # classes that are shown with examples
LISTED = 50  # unreadable pictures that are named


def write_inspection(path: Path | str, seen: Look, found: Sequence[Finding], *, title: str, command: str = "") -> Path:
    """Writes the page as HTML, and beside it, with the ending `.json`, what it says as data.

    Args:
        path: of the HTML file; its folder is made.
        seen, found: the look and its findings.
        title: what the data are called.
        command: that made the page.

    Returns:
        The path of the HTML file.

    Raises:
        DataError: the path ends in `.json`, or cannot be written.
    """
    path = Path(path)
    if path.suffix == ".json":
        raise DataError(
            f"the report is an HTML file and puts its data beside it; give a path that ends in .html: {path}"
        )
    page, data = render(seen, found, title=title, command=command), document(seen, found, title=title)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, page)
        write_text(path.with_suffix(".json"), json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise DataError(f"cannot write the report {path}: {error.strerror or error}") from error
    return path


def document(seen: Look, found: Sequence[Finding], *, title: str) -> dict[str, Any]:
    """All that was found, every picture named, ready for JSON."""
    survey = seen.survey
    strange = {} if seen.strange is None else dict(zip(seen.own.tolist(), seen.strange.tolist(), strict=True))
    return {
        "gansmith": __version__,
        "data": title,
        "findings": [f.to_json() for f in found],
        "summary": seen.summary(),
        "copies": [_group(seen, group) for group in seen.copies],
        "conflicting_labels": [_group(seen, group) for group in seen.conflicts],
        "leaks": {
            part.name: [
                {"name": survey.name(i), "identical": equal, "in_data": [survey.name(j) for j in seen.like(i)]}
                for equal, chosen in zip((True, False), seen.leaks(number), strict=True)
                for i in chosen
            ]
            for number, part in enumerate(survey.parts[1:], 1)
        },
        "near_constant": [survey.name(int(i)) for i in seen.plain],
        "outliers": [{"name": survey.name(i), "strangeness": round(strange[i], 3)} for i in seen.outliers],
        "unreadable": [{"name": name, "reason": reason} for name, reason in survey.parts[0].unreadable],
    }


def _group(seen: Look, group: Sequence[int]) -> dict[str, Any]:
    digests = seen.survey.records["digest"][list(group)]
    return {"identical": bool((digests == digests[0]).all()), "names": [seen.survey.name(i) for i in group]}


def render(seen: Look, found: Sequence[Finding], *, title: str, command: str = "") -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("gansmith.report.inspect", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    summary, show = seen.summary(), Thumbnails(seen)
    colour = summary["colour"] > 0
    return environment.get_template("inspect.html.j2").render(
        title=title,
        facts=_facts(seen, summary),
        findings=found,
        mosaic=show(spread(seen.own.tolist(), MOSAIC)),
        copies=[_shown(seen, show, group) for group in seen.copies[:GROUPS]],
        more_copies=max(0, len(seen.copies) - GROUPS),
        leaks=[_leak(seen, show, number) for number in range(1, len(seen.survey.parts))],
        conflicts=[_shown(seen, show, group) for group in seen.conflicts[:GROUPS]],
        plain=show(seen.plain[:SINGLES].tolist()),
        more_plain=max(0, len(seen.plain) - SINGLES),
        strangest=_strangest(seen, show),
        outliers=len(seen.outliers),
        classes=_classes(seen, show),
        more_classes=max(0, len(seen.class_counts) - CLASSES),
        sizes=summary["sizes"][:8],
        size_plot=Markup(plots.sizes(dict(seen.sizes.most_common(400)), seen.side)) if len(seen.sizes) > 1 else "",
        value_plot=Markup(plots.values(summary["histogram"], colour=colour)),
        channels=_channels(summary, colour=colour),
        formats=summary["formats"],
        unreadable=seen.survey.parts[0].unreadable[:LISTED],
        more_unreadable=max(0, summary["unreadable"] - LISTED),
        remarks=seen.survey.parts[0].listing.remarks,
        command=command,
        version=__version__,
    )


def _facts(seen: Look, summary: dict[str, Any]) -> list[tuple[str, str]]:
    kinds = "colour" if not summary["grey"] else "grey" if not summary["colour"] else "grey and colour"
    (w, h), _ = seen.sizes.most_common(1)[0]
    told = [
        ("pictures", f"{summary['pictures']:,}"),
        ("classes", f"{len(summary['classes'])}" if summary["classes"] else ""),
        ("size", f"{w} x {h}" if summary["distinct_sizes"] == 1 else f"{summary['distinct_sizes']:,} sizes"),
        ("size that suits", f"{seen.side} x {seen.side}"),
        ("colour", kinds),
        ("values", f"{summary['lowest']} to {summary['highest']}"),
        *((part.name, several(len(seen.survey.of(i)), "picture")) for i, part in enumerate(seen.survey.parts) if i),
    ]
    return [(label, value) for label, value in told if value]


def _shown(seen: Look, show: Thumbnails, group: list[int]) -> dict[str, Any]:
    return {
        "pictures": show(group[:IN_GROUP]),
        "more": max(0, len(group) - IN_GROUP),
        "count": len(group),
        "identical": _group(seen, group)["identical"],
    }


def _leak(seen: Look, show: Thumbnails, number: int) -> dict[str, Any]:
    equal, alike = seen.leaks(number)
    pairs = [(i, True) for i in equal] + [(i, False) for i in alike]
    return {
        "name": seen.survey.parts[number].name,
        "identical": len(equal),
        "alike": len(alike),
        "pairs": [
            {"theirs": show([i])[0], "ours": show(seen.like(i)[:2]), "identical": same} for i, same in pairs[:GROUPS]
        ],
    }


def _strangest(seen: Look, show: Thumbnails) -> list[dict[str, Any]]:
    """The outliers, and at least the twelve pictures that come nearest to it."""
    if seen.strange is None:
        return []
    count = max(SINGLES // 2, min(len(seen.outliers), SINGLES))
    order = (-seen.strange).argsort(kind="stable")[:count]
    thumbnails = show(int(i) for i in seen.own[order])
    return [{**t, "far": f"{seen.strange[i]:.1f}"} for t, i in zip(thumbnails, order, strict=True)]


def _classes(seen: Look, show: Thumbnails) -> list[dict[str, Any]]:
    """The largest classes with their shares of the largest, and examples of the first few."""
    labels = seen.survey.labels()
    if labels is None or not seen.class_counts:
        return []
    most = max(*seen.class_counts.values(), 1)
    ordered = sorted(enumerate(seen.class_counts.items()), key=lambda item: -item[1][1])[:CLASSES]
    rows = []
    for rank, (number, (name, count)) in enumerate(ordered):
        members = seen.own[labels == number].tolist() if rank < ILLUSTRATED else []
        rows.append(
            {
                "name": name,
                "count": f"{count:,}",
                "width": f"{100 * count / most:.2f}",
                "pictures": show(spread(members, EXAMPLES)),
            }
        )
    return rows


def _channels(summary: dict[str, Any], *, colour: bool) -> list[tuple[str, str, str]]:
    names = ("red", "green", "blue") if colour else ("grey",)
    pairs = zip(names, summary["mean"], summary["deviation"], strict=False)
    return [(name, f"{mean:.1f}", f"{deviation:.1f}") for name, mean, deviation in pairs]
