"""All scenarios by name."""

from __future__ import annotations

from .controls import CONTROLS
from .plants import MORE, STUDY
from .plants_pictures import PICTURES
from .scenario import Scenario
from .unseen import UNSEEN

TUNED: dict[str, Scenario] = {s.name: s for s in (*STUDY, *MORE, *PICTURES, *CONTROLS)}
APART: dict[str, Scenario] = {s.name: s for s in UNSEEN}
ALL: dict[str, Scenario] = TUNED | APART


def chosen(patterns: tuple[str, ...]) -> list[Scenario]:
    """Scenarios whose names begin with one of `patterns`; `tuned`, `unseen`, `plants` and `controls` are sets of them.

    Raises:
        SystemExit: there is none of that name.
    """
    groups = {
        "tuned": list(TUNED.values()),
        "unseen": list(APART.values()),
        "plants": [s for s in TUNED.values() if s.kind == "plant"],
        "controls": [s for s in TUNED.values() if s.kind == "control"],
    }
    found: dict[str, Scenario] = {}
    for pattern in patterns or ("tuned", "unseen"):
        those = groups.get(pattern) or [s for name, s in ALL.items() if name.startswith(pattern)]
        if not those:
            raise SystemExit(f"no scenario begins with {pattern!r}; there are: {', '.join(ALL)}")
        found |= {s.name: s for s in those}
    return list(found.values())
