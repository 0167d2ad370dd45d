"""Detectors, one module each: `FAILURE` says what is found, `detect(history)` finds it or returns None.

They are found by listing this folder; modules with a leading underscore are helpers. A detector judges the run as it
stands at its last reading, keeps silent until the evidence suffices, and does without signals that a run does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from ..finding import Finding
from ..history import History


@cache
def detectors() -> Mapping[str, ModuleType]:
    """Every detector's module by its name, in alphabetical order."""
    names = sorted(m.name for m in iter_modules(__path__) if not m.name.startswith("_"))
    return {name: import_module(f"{__name__}.{name}") for name in names}


def detect_all(history: History) -> list[Finding]:
    """What every detector finds at this moment, symptoms beside their causes; `finding.causes` tells them apart."""
    if not history.readings:
        return []
    looked = (module.detect(history) for module in detectors().values())
    return [finding for finding in looked if finding is not None]
