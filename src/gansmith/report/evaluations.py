"""What evaluation.json of a run holds: the newest judgement, and under `earlier` those before it, oldest first.

None is lost: a run is judged again and again, by other metrics, against other pictures, after more training.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

EARLIER = "earlier"


def judgements(path: Path) -> list[dict[str, Any]]:
    """Every judgement in the file, oldest first, each `{"checkpoint", "data", "fingerprint", "figures", "remarks"}`;
    none where there is no such file, or none that can be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(content, dict):
        return []
    before = content.get(EARLIER)
    newest = {name: value for name, value in content.items() if name != EARLIER}
    found = [*(before if isinstance(before, list) else []), newest]
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("figures"), list)]


def with_earlier(newest: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What the file is to hold next: the newest judgement, and behind it all those that it holds."""
    return {**newest, EARLIER: judgements(path)}


def figures_of(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All figures of these judgements, in order, each with the `checkpoint` and the `data` it is of."""
    return [
        {**figure, **{name: judgement[name] for name in ("checkpoint", "data", "fingerprint") if name in judgement}}
        for judgement in found
        for figure in judgement["figures"]
        if isinstance(figure, dict) and {"name", "value"} <= figure.keys()
    ]


def remarks_of(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """What was said of the `latest` figures of these judgements, each sentence once: their bias, how many scores were
    searched, what they were compared with."""
    taken, said = set[tuple[str, str, str]](), list[str]()
    for judgement in reversed(found):
        own = set(map(identity, figures_of([judgement])))
        if own - taken:
            said += map(str, judgement.get("remarks") or ())
        taken |= own
    return list(dict.fromkeys(said))


def identity(figure: Mapping[str, Any]) -> tuple[str, str, str]:
    """What two figures must share to be the same one, measured twice: name, protocol, pictures."""
    return str(figure["name"]), str(figure.get("protocol", "")), str(figure.get("fingerprint", ""))


def latest(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of figures measured more than once, the last; newest judgement last."""
    kept: dict[tuple[str, str, str], dict[str, Any]] = {}
    for figure in figures:
        kept.pop(identity(figure), None)
        kept[identity(figure)] = figure
    return list(kept.values())


def origin(figure: Mapping[str, Any], newest: Mapping[str, Any]) -> str:
    """In what a figure differs from the newest one, of which checkpoint and against which pictures; or nothing."""
    checkpoint, data = figure.get("checkpoint"), figure.get("data")
    of = f" of {checkpoint}" if checkpoint and checkpoint != newest.get("checkpoint") else ""
    other = figure.get("fingerprint") != newest.get("fingerprint")
    return of + (f" against {data or 'other pictures'}" if other else "")
