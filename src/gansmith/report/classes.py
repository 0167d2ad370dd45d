"""What is told of single classes and modes: their figures, and how many samples each of them got."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..metrics.realism import covered

LEAST = 16  # pictures of a class, below which its precision and coverage say nothing
MOST_OF_CLASS = 2000
MOST_LABELLED = 10_000  # real pictures whose classes are looked up
COUNTED = "by a classifier"  # and not by the nearest real picture
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
    how: str = COUNTED


def by_class(
    fake: Tensor,
    fake_labels: Tensor | None,
    real: Tensor,
    real_labels: Labels | None,
    *,
    names: Sequence[str],
    seed: int,
) -> dict[str, Any] | None:
    """Precision and coverage of the samples by class, in the order of classes, where these are known.

    Returns:
        `rows`, each class with its name, how many samples it has, and a cell for each figure; None where classes are
        not known.
    """
    if fake_labels is None or real_labels is None:
        return None
    drawn = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))[:MOST_LABELLED]
    known = real_labels(drawn)
    if known is None:
        return None
    rows = [
        {
            "name": _name(c, names),
            "samples": int((fake_labels == c).sum()),
            "cells": _covered(fake[fake_labels == c], real[drawn[known == c]]),
        }
        for c in fake_labels.unique().tolist()
    ]
    return {"rows": rows}


def _name(number: int, names: Sequence[str]) -> str:
    return names[number] if number < len(names) else str(number)


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
    told = [_name(i, modes.names) for i in range(len(modes.fake))]
    return {"how": modes.how, "names": told, "fake": list(map(int, modes.fake)), "real": list(map(int, modes.real))}
