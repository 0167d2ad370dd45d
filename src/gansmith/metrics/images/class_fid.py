"""Fréchet distance within each class, and its mean (intra-FID: Miyato & Koyama 2018, arXiv:1802.05637)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ...errors import DataError
from ..base import Reduction, Seen, Side, Streaming
from ..functional import checked_finite, frechet_distance, frechet_influences, moments
from ..words import called
from ._frechet import SIDES, flat, too_few


class ClassFID(Streaming):
    """One distance a class, `class_fid/3`, and their mean, `class_fid`: each in [0, inf).

    The mean sees a generator that confuses classes, which FID does not. Both sides need class labels.
    """

    name: ClassVar[str] = "class_fid"
    needs: ClassVar[frozenset[str]] = frozenset({"features", "labels"})
    states: ClassVar[dict[str, Reduction]] = {s: "cat" for side in SIDES for s in (side, f"{side}_labels")}
    compared_as: ClassVar[str] = ""
    titles: ClassVar[Mapping[str, tuple[str, str]]] = {"class_fid": ("class-FID", "class-FD")}
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = {"class_fid": (0.0, math.inf)}

    def update(self, seen: Seen, side: Side) -> None:
        if side not in SIDES:
            return
        if seen.labels is None:
            raise DataError(f"class_fid needs the class of every picture, and the {called(side)} ones have none")
        self.add(side, checked_finite(seen.features.detach().float().cpu()))
        self.add(f"{side}_labels", seen.labels.long().cpu())

    def _classes(self) -> list[int]:
        """The classes of both sides.

        Raises:
            DataError: a class has fewer than two pictures on a side.
        """
        labels = {side: self.whole(f"{side}_labels").long() for side in SIDES}
        classes: list[int] = torch.cat(list(labels.values())).unique().tolist()
        for c in classes:
            n = {side: int((labels[side] == c).sum()) for side in SIDES}
            if min(n.values()) < 2:
                came = f"class {c} has {n['real']} real and {n['fake']} generated"
                raise DataError(f"class_fid needs at least 2 pictures of every class on both sides; {came}")
        if not classes:
            raise DataError("class_fid needs pictures with classes; none came")
        return classes

    def _rows(self, c: int) -> tuple[Tensor, Tensor]:
        real, fake = (self.whole(side)[self.whole(f"{side}_labels") == c] for side in SIDES)
        return real, fake

    def compute(self) -> dict[str, float]:
        found = {}
        for c in self._classes():
            real, fake = self._rows(c)
            found[f"class_fid/{c}"] = frechet_distance(*moments(real), *moments(fake))
        return {"class_fid": sum(found.values()) / len(found), **found}

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """Those within the class, made larger as only a share of a resample is of it; the mean has their mean."""
        labels = {side: _labels(sample[side]) for side in SIDES}
        found: dict[str, dict[Side, Tensor]] = {}
        classes = self._classes()
        for c in classes:
            real, fake = self._rows(c)
            rows = (sample[side].features[labels[side] == c] for side in SIDES)
            moved = frechet_influences(moments(real), moments(fake), *rows)
            found[f"class_fid/{c}"] = {s: _spread(m, labels[s] == c) for s, m in zip(SIDES, moved, strict=True)}
        mean: dict[Side, Tensor] = {s: torch.stack([f[s] for f in found.values()]).mean(0) for s in SIDES}
        return {"class_fid": mean, **found}

    def rests_on(self) -> dict[str, tuple[int, int]]:
        """The pictures of its own that each class's distance rests on."""
        counts = {c: tuple(map(len, self._rows(c))) for c in self._classes()}
        return {f"class_fid/{c}": (real, fake) for c, (real, fake) in counts.items()}

    def detail(self) -> str:
        found = self.rests_on().values()
        fewest = min(min(counts) for counts in found)
        return f"{len(found)} classes of {fewest} or more" if len(found) > 1 else "1 class"

    def remarks(self) -> dict[str, str]:
        fewest = min(min(map(len, self._rows(c))) for c in self._classes())
        said = too_few(fewest, self.whole("fake").shape[1])
        said = said.replace("pictures", "pictures in the smallest class", 1) or self._flat()
        return {"class_fid": said} if said else {}

    def _flat(self) -> str:
        """Says in which class the features leave directions out, of the first such class; else an empty string."""
        for c in self._classes():
            if said := flat(dict(zip(SIDES, map(moments, self._rows(c)), strict=True))):
                return said.replace("pictures", f"pictures of class {c}", 1)
        return ""


def _labels(seen: Seen) -> Tensor:
    assert seen.labels is not None
    return seen.labels.long()


def _spread(values: Tensor, where: Tensor) -> Tensor:
    out = torch.zeros(len(where), dtype=torch.float64)
    out[where] = values * (len(where) / max(1, int(where.sum())))
    return out


METRIC = ClassFID
