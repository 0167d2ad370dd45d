"""How much samples are truncated: one number for all, or one for each class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

from ..errors import DataError, UserError, did_you_mean
from ..recipes.base import Wish
from ..spec import Spec

Truncation: TypeAlias = float | Mapping[str | None, float] | Mapping[str, float]


def strengths(truncation: Truncation, spec: Spec) -> Wish:
    """The number, or one for each class of `spec` in order; classes that are not named take that of None, or 1.

    Raises:
        DataError: no such class; the message names the nearest.
        UserError: numbers for classes where there are none, or what is no number.
    """
    if not isinstance(truncation, Mapping):
        return _finite(truncation)
    asked, classes = {name: _finite(value) for name, value in truncation.items()}, getattr(spec, "classes", ())
    names = [name for name in asked if name is not None]
    if names and not classes:
        raise UserError(f"this model knows no classes; give one number for truncation, not one for: {names[0]}")
    for name in names:
        if name not in classes:
            raise DataError(f"no class {name!r}; known: {', '.join(classes[:20])}.{did_you_mean(name, classes)}")
    usual = asked.get(None, 1.0)
    return tuple(asked.get(name, usual) for name in classes) if names else usual


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise UserError(f"wanted a number for truncation, usually between 0 and 1, not: {value}")
    return float(value)
