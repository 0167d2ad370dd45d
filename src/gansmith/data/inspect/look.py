"""A look: a survey, and what comparing its pictures with each other tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..build import Progress, choose_size
from ..decode import FACTS, PADDED, PADDED_TO
from .alike import find_alike
from .measure import LEVELS
from .outliers import FENCE, strangeness
from .survey import Part, Survey, survey

PLAIN = 4.0  # of 255: a standard deviation below it leaves a picture without content


@dataclass(frozen=True)
class Look:
    """What is known of a data set.

    Attributes:
        survey: the measures; the first part is the data, further parts are what must not be in it.
        group: (n,) which pictures are alike, over all parts; see `find_alike`.
        strange: how far each picture of the data lies beyond the usual; None where there are too few.
        side: pixels a side that training would choose.
    """

    survey: Survey
    group: NDArray[np.int64]
    strange: NDArray[np.float64] | None
    side: int

    @cached_property
    def own(self) -> NDArray[np.int64]:
        """The pictures of the data, without further parts."""
        return self.survey.of(0)

    @cached_property
    def records(self) -> NDArray[Any]:
        """Their records."""
        return self.survey.records[self.own]

    @cached_property
    def copies(self) -> list[list[int]]:
        """Groups of the data's pictures that are alike, the largest first."""
        return _groups(self.own, self.group[self.own])

    @cached_property
    def identical(self) -> int:
        """Pictures of the data that are equal, pixel for pixel, to an earlier one."""
        return len(self.own) - len(np.unique(self.records["digest"]))

    @cached_property
    def alike(self) -> int:
        """Pictures of the data that look like an earlier one, without being equal to it."""
        return len(self.own) - len(np.unique(self.group[self.own])) - self.identical

    @cached_property
    def plain(self) -> NDArray[np.int64]:
        """Pictures of the data that are of nearly one colour, the plainest first."""
        spread = self.records["spread"]
        order = np.argsort(spread, kind="stable")
        return self.own[order[spread[order] < PLAIN]]

    @cached_property
    def outliers(self) -> list[int]:
        """Pictures of the data that are least like the others, the strangest first."""
        if self.strange is None:
            return []
        order = np.argsort(-self.strange, kind="stable")
        return [int(i) for i in self.own[order[self.strange[order] > FENCE]]]

    @cached_property
    def class_counts(self) -> dict[str, int]:
        """Pictures of each class, in the order of the classes; empty where there are no labels."""
        labels, names = self.survey.labels(), self.survey.parts[0].listing.classes
        if labels is None:
            return {}
        counts = np.bincount(labels[(labels >= 0) & (labels < len(names))], minlength=len(names))
        return {name: int(c) for name, c in zip(names, counts, strict=True)}

    @cached_property
    def unlabelled(self) -> int:
        """Pictures whose label is none of the classes."""
        labels = self.survey.labels()
        return 0 if labels is None else len(labels) - sum(self.class_counts.values())

    @cached_property
    def conflicts(self) -> list[list[int]]:
        """Groups of equal pictures that carry several labels."""
        labels = self.survey.labels()
        if labels is None:
            return []
        same = _groups(self.own, self.records["digest"])
        return [g for g in same if len(set(labels[np.searchsorted(self.own, g)].tolist())) > 1]

    def leaks(self, part: int) -> tuple[list[int], list[int]]:
        """Pictures of a further part that are in the data: equal ones, and ones that look like one."""
        theirs, records = self.survey.of(part), self.survey.records
        equal = np.isin(records["digest"][theirs], self.records["digest"])
        alike = np.isin(self.group[theirs], self.group[self.own]) & ~equal
        return theirs[equal].tolist(), theirs[alike].tolist()

    def like(self, i: int, most: int = 5) -> list[int]:
        """At most `most` of the data's pictures in the group of picture `i`, those equal to it first."""
        order, keys = self._by_group
        first, last = np.searchsorted(keys, self.group[i], "left"), np.searchsorted(keys, self.group[i], "right")
        found = order[first:last]
        equal = self.survey.records["digest"][found] == self.survey.records["digest"][i]
        return [int(j) for j in found[np.argsort(~equal, kind="stable")][:most]]

    @cached_property
    def _by_group(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order = self.own[np.argsort(self.group[self.own], kind="stable")]
        return order, self.group[order]

    @cached_property
    def sizes(self) -> Counter[tuple[int, int]]:
        """How many of the data's pictures have each (width, height)."""
        pairs, counts = np.unique(
            np.stack([self.records["width"], self.records["height"]], 1), axis=0, return_counts=True
        )
        return Counter({(int(w), int(h)): int(c) for (w, h), c in zip(pairs, counts, strict=True)})

    @cached_property
    def padded(self) -> int:
        """Pictures that training pads with black and does not enlarge: those of the MNIST family."""
        r = self.records
        return int(((r["width"] == PADDED) & (r["height"] == PADDED) & ~r["colour"]).sum()) * (self.side == PADDED_TO)

    def summary(self) -> dict[str, Any]:
        """The figures, ready for JSON."""
        r, part = self.records, self.survey.parts[0]
        short, long = np.minimum(r["width"], r["height"]), np.maximum(r["width"], r["height"])
        mean = r["mean"].astype(np.float64).mean(0)
        deviation = np.sqrt(np.maximum(r["square"].astype(np.float64).mean(0) - mean**2, 0))
        return {
            "pictures": len(self.own),
            "found": part.found,
            "unreadable": len(part.unreadable),
            "classes": self.class_counts,
            "training_side": self.side,
            "sizes": [[w, h, c] for (w, h), c in self.sizes.most_common(100)],
            "distinct_sizes": len(self.sizes),
            "short_side": [int(v) for v in np.percentile(short, (0, 50, 100))],
            "aspect_above_1.5": int((long > 1.5 * short).sum()),
            "below_training_side": int((short < self.side).sum()) - self.padded,
            "colour": int(r["colour"].sum()),
            "grey": int((~r["colour"]).sum()),
            "formats": {FACTS[f].replace("{n} ", ""): c for f, c in part.facts.items() if f not in ("cropped",)},
            "lowest": int(r["low"].min()),
            "highest": int(r["high"].max()),
            "mean": [round(float(v), 3) for v in mean],
            "deviation": [round(float(v), 3) for v in deviation],
            "histogram": (part.light / part.light.sum(1, keepdims=True)).round(6).tolist(),
            "histogram_step": 256 // LEVELS,
            "identical": self.identical,
            "alike": self.alike,
            "near_constant": len(self.plain),
            "outliers": None if self.strange is None else len(self.outliers),
        }


def look(parts: Sequence[Part], *, workers: int | None = None, progress: Progress | None = None) -> Look:
    """Measures the pictures of these parts and compares them with each other.

    Args:
        parts: the data, and then what must not be in it.
        workers, progress: see `survey`.

    Raises:
        DataError: a part of which no picture can be read.
    """
    side, _ = choose_size(parts[0].listing)
    made = survey(parts, workers=workers, progress=progress)
    r = made.records
    group = find_alike(r["digest"], r["hash"], made.small, r["spread"] < PLAIN)
    own = len(made.of(0))  # the first part comes first
    return Look(made, group, strangeness(made.small[:own], r["traits"][:own]), side)


def _groups(members: NDArray[np.int64], keys: NDArray[Any]) -> list[list[int]]:
    """Members (n,) that share a key, in groups of two or more, the largest group first, then the earliest."""
    order = np.argsort(keys, kind="stable")
    bounds = np.flatnonzero(np.diff(keys[order])) + 1
    found = [g.tolist() for g in np.split(members[order], bounds) if len(g) > 1]
    return sorted(found, key=lambda g: (-len(g), g[0]))
