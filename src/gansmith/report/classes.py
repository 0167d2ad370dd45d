"""What is told of single classes and modes: their figures, and how many samples each of them got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..metrics.base import Figure
from ..metrics.realism import covered

LEAST = 16  # pictures of a class, below which its precision and coverage say nothing
MOST_OF_CLASS = 2000
MOST_LABELLED = 10_000  # real pictures whose classes are looked up
FLOOR = "-floor"
Labels = Callable[[Tensor], Tensor | None]


@dataclass(frozen=True)
class Modes:
    """How often each mode was seen.

    Args:
        fake: among the samples, by mode.
        real: among real pictures.
        names: of the modes; their numbers when empty.
        how: how the mode of a picture is known, as the rest of a sentence.
    """

    fake: Sequence[int]
    real: Sequence[int]
    names: Sequence[str] = ()
    how: str = "by a classifier"


def by_class(
    fake: Tensor,
    fake_labels: Tensor | None,
    real: Tensor,
    real_labels: Labels | None,
    *,
    figures: Sequence[Figure],
    names: Sequence[str],
    seed: int,
) -> dict[str, Any] | None:
    """Figures by class: those that came, and precision and coverage of the samples where classes are known.

    Returns:
        `columns`, the figures' names; `rows`, each class with a cell for every column; None where nothing is known.
    """
    rows: dict[str, dict[str, Any]] = {}
    for figure in figures:
        family, slash, member = figure.name.partition("/")
        if slash and not member.endswith(FLOOR):
            cell = {"value": figure.value, "interval": figure.interval, "floor": figure.floor}
            _row(rows, member, names)["cells"][family] = cell
    if fake_labels is not None and real_labels is not None:
        drawn = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))[:MOST_LABELLED]
        known = real_labels(drawn)
        for c in [] if known is None else fake_labels.unique().tolist():
            cells = _covered(fake[fake_labels == c], real[drawn[known == c]])
            row = _row(rows, str(c), names)
            row["cells"] |= cells
            row["samples"] = int((fake_labels == c).sum())
    columns = list(dict.fromkeys(column for row in rows.values() for column in row["cells"]))
    return {"columns": columns, "rows": [rows[key] for key in sorted(rows, key=_place)]} if columns else None


def _row(rows: dict[str, dict[str, Any]], member: str, names: Sequence[str]) -> dict[str, Any]:
    return rows.setdefault(member, {"name": _name(member, names), "samples": None, "cells": {}})


def _name(member: str, names: Sequence[str]) -> str:
    return names[int(member)] if member.isdigit() and int(member) < len(names) else member


def _place(member: str) -> tuple[int, str]:
    return (int(member) if member.isdigit() else 1 << 62, member)


def _covered(fake: Tensor, real: Tensor) -> dict[str, dict[str, Any]]:
    """Precision and coverage of one class against equally many real pictures of it, and of as many others of these."""
    n = min(len(fake), len(real) // 2, MOST_OF_CLASS)
    if n < LEAST:
        return {}
    ours, theirs = covered(fake[:n], real[:n]), covered(real[n : 2 * n], real[:n])
    cells = zip(("precision", "coverage"), ours, theirs, strict=True)
    return {name: {"value": value, "interval": None, "floor": floor} for name, value, floor in cells}


def modes_of(
    modes: Modes | None,
    which: Tensor,
    fake_labels: Tensor | None,
    real_labels: Labels | None,
    *,
    names: Sequence[str],
    shares: Sequence[int],
) -> dict[str, Any] | None:
    """Counts by mode, as they came; else those of samples without classes, by the class of the nearest real picture.

    Args:
        which: the nearest real picture of each sample, (n,).
        shares: how many real pictures each class has.
    """
    if modes is None and fake_labels is None and real_labels is not None and len(shares) > 1:
        found = real_labels(which)
        if found is not None:
            fake = found.bincount(minlength=len(shares)).tolist()
            modes = Modes(fake, list(shares), names, "by the class of the real picture nearest to a sample")
    if modes is None or len(modes.fake) < 2 or not sum(modes.fake) or not sum(modes.real):
        return None
    told = [_name(str(i), modes.names) for i in range(len(modes.fake))]
    return {"how": modes.how, "names": told, "fake": list(map(int, modes.fake)), "real": list(map(int, modes.real))}
