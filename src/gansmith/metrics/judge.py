"""Judging a generator: one pass over its pictures feeds every metric; every figure carries how far it can be trusted.

Beside each figure: the protocol it was measured by, its 95 % interval, its floor (the same metric of real pictures
against real ones), and a warning where so few pictures bias it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from jaxtyping import Float, UInt8
from torch import Tensor

from ..errors import ConfigError, DataError
from .balls import ball_counts, precision_recall, radii
from .base import Extractor, Figure, MeasuredBy, Metric, Seen, Side, Working
from .doubts import doubts
from .extractors import figure_name
from .featurecache import Progress, remembered
from .floors import Floor, StreamedFloor, floor_of, halves
from .functional import FrechetReference, frechet_distance, moments
from .kept import LIMIT, Kept
from .measured import as_floor, beside, measured
from .onepass import Part, noted, wants
from .registry import looks_itself, make, names
from .settings import given_in_vain

__all__ = ["FewPictures", "QuickJudge", "judge", "lines", "real_floor"]


Hear: TypeAlias = Callable[[Mapping[str, Metric], Mapping[str, Seen]], None]


class FewPictures(UserWarning):
    """A figure rests on so few pictures that it is biased."""


def judge(
    real: Iterable[Part],
    fake: Iterable[Part],
    extractor: Extractor,
    metrics: Sequence[str] = ("fid", "kid", "precision_recall"),
    *,
    held: Iterable[Part] | None = None,
    spare: Iterable[Part] | None = None,
    split: str = "train",
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 2020,
    floor: bool = True,
    intervals: bool = True,
    real_key: str | None = None,
    keys: Mapping[str, str] | None = None,
    cache: Path | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
    working: Working | None = None,
    warn: Callable[[str], None] | None = None,
    hear: Hear | None = None,
) -> list[Figure]:
    """Compares generated pictures with real ones.

    Args:
        real: uint8 pictures (b h w c) in parts, or pairs of them and their classes (b,); left untouched when `real_key`
            is in the cache.
        fake: the same of generated ones.
        extractor: takes the features.
        metrics: names; `registry.names()` lists them.
        held: real pictures that training never saw, for metrics of memorisation.
        spare: further real pictures of the same split: as many as fakes give floors at the figures' own n. Without
            them, floors are of two halves of `real`.
        split: the part of the data that `real` is, for the protocol.
        settings: of the metrics, by metric: `{"precision_recall": {"k": 5}}`.
        seed: of halves, samples and resamples.
        floor: whether to give floors, as figures named `FID-floor`.
        intervals: whether to give 95 % intervals.
        real_key: what `real` is (the source's fingerprint, the split, how many); None caches nothing.
        keys: the same of other sides, `held` and `spare`.
        cache: folder of the cached features; None is the usual one.
        limit: pictures a side that are kept for metrics of neighbours, floors and intervals; of more, a random sample.
            Sums (FID, sFID, Vendi) see all.
        progress: called with the side and the number of its pictures done.
        working: called by metrics that compute for long, with what they do, how much is done, and of how much.
        warn: told of biased figures and of sides that look wrong; None issues a FewPictures warning.
        hear: called once all pictures are seen, with the metrics by name and with what was kept of each side.

    Returns:
        Figures in the order of `metrics`, each with its interval and the value of its floor; those of one metric
        together, their floors after them.

    Raises:
        ConfigError: an unknown metric or setting, an extractor without a head that is needed, no held-out pictures.
        DataError: too few pictures, features that are not finite, classes that are needed and did not come.
    """
    given_in_vain(settings or {}, metrics, names())
    fresh = {name: partial(make, name, (settings or {}).get(name)) for name in metrics}
    fed = {name: new() for name, new in fresh.items()}
    wanted = wants(fed.values(), extractor)
    if wanted.held and held is None:
        asking = ", ".join(name for name, metric in fed.items() if "held" in metric.needs)
        raise ConfigError(f"{asking} needs real pictures that training never saw; give them as held=")
    _ready(fed, working)
    run = _Run(dict(fed), extractor, split, seed, intervals, limit, fresh if floor else {}, spare is not None)
    known = {"real": real_key, **(keys or {})}
    sides = {"real": real, "fake": noted(fake, run.shapes), "held": held if wanted.held else None, "spare": spare}
    for side, parts in sides.items():
        if parts is not None:
            key = known.get(side)
            run.take(side, remembered(parts, extractor, wanted, side, key=key, folder=cache, progress=progress))
    warn, samples = warn or _issue, {side: kept.sample() for side, kept in run.kept.items()}
    if hear is not None:
        hear(fed, samples)
    for doubt in doubts(samples, extractor.name):
        warn(doubt)
    del fed, samples
    found = {name: run.figures(name, warn) for name in fresh}
    run.forget_fakes()  # floors are of real pictures alone, and copy them
    return beside([f for name in fresh for f in (*found[name], *run.floors_of(fresh[name]()))])


def _ready(metrics: Mapping[str, Any], working: Working | None) -> None:
    """Looks for what metrics need besides pictures before any is looked at, and lets them tell how far they are."""
    for metric in metrics.values():
        getattr(metric, "prepare", lambda: None)()
        if hasattr(metric, "working"):
            metric.working = working


@dataclass
class _Run:
    """One judgement in progress: the metrics, and what was kept of each side."""

    fed: dict[str, Metric]
    extractor: Extractor
    split: str
    seed: int
    intervals: bool
    limit: int
    floors: dict[str, partial[Metric]]
    spare: bool
    kept: dict[str, Kept] = field(default_factory=dict)
    shapes: dict[str, None] = field(default_factory=dict)  # of the fakes

    def __post_init__(self) -> None:
        self.streamed = {
            name: StreamedFloor(new(), self.seed, spare=self.spare)
            for name, new in self.floors.items()
            if _streams(m := self.fed[name]) and "held" not in m.needs and ("pixels" in m.needs or "real" in m.sides)
        }

    def take(self, side: str, parts: Iterator[Seen]) -> None:
        """Feeds one side; what can only be computed from rows is fed afterwards, from what was kept."""
        kept = self.kept[side] = Kept(self.limit, self.seed)
        for seen in parts:
            kept.add(seen)
            for metric in self.fed.values():
                if _streams(metric) and side != "spare":
                    metric.update(seen, _side(side))
            for floor in self.streamed.values():
                floor.add(seen, side, self.kept["fake"].count if "fake" in self.kept else 0)
        for metric in self.fed.values():
            if not _streams(metric) and side != "spare" and kept.count:
                metric.update(kept.sample(), _side(side))

    def figures(self, name: str, warn: Callable[[str], None]) -> list[Figure]:
        """What a metric found, with spreads, intervals and remarks."""
        metric = self.fed[name]
        sides = [side for side in self.kept if side != "spare"]
        counts = {_side(side): self._count(metric, side) for side in sides}
        by = self._protocol(metric, counts["real"], counts["fake"], self.split)
        sample = {_side(side): self.kept[side].sample() for side in sides}
        found = measured(metric, sample if self.intervals else None, counts, by, self.extractor, self.seed)
        for name, said in getattr(metric, "remarks", dict)().items():
            warn(f"{figure_name(name, self.extractor)}-{self.extractor.name} {said}")
        return found

    def forget_fakes(self) -> None:
        """Frees what was kept of generated pictures, and the metrics that hold it; their numbers are still known."""
        self.fed.clear()
        if "fake" in self.kept:
            self.kept["fake"].forget()

    def floors_of(self, metric: Metric) -> list[Figure]:
        """The same metric of real pictures on every side; none where they are too few.

        Args:
            metric: a fresh one, only to ask what it needs.
        """
        if (streamed := self.streamed.get(metric.name)) is not None:
            return self._of_streamed(streamed)
        kept = {side: k.sample() for side, k in self.kept.items() if side != "fake" and k.count}
        if metric.name not in self.floors or "pixels" in metric.needs or "real" not in kept:
            return []
        return self._named(floor_of(self.floors[metric.name](), kept, self._count(metric, "fake"), self.seed))

    def _named(self, floor: Floor | None) -> list[Figure]:
        if floor is None:
            return []
        counts = {side: len(seen) for side, seen in floor.sample.items()}
        by = self._protocol(floor.metric, counts.get("real", 0), counts["fake"], f"{self.split}/{self.split}")
        return [as_floor(f, floor.what) for f in measured(floor.metric, None, {}, by, self.extractor, self.seed)]

    def _of_streamed(self, floor: StreamedFloor) -> list[Figure]:
        counts = floor.counts["real"], floor.counts["fake"]
        by = self._protocol(floor.metric, *counts, f"{self.split}/{self.split}")
        try:
            found = measured(floor.metric, None, {}, by, self.extractor, self.seed)
        except DataError:
            return []
        return [as_floor(f, floor.what) for f in found]

    def _count(self, metric: Metric, side: str) -> int:
        """How many pictures of a side the metric's figures rest on."""
        count = self.kept[side].count
        return count if _streams(metric) else min(count, self.limit)

    def _protocol(self, metric: Metric, n_real: int, n_fake: int, split: str) -> MeasuredBy:
        """A metric that looks at pictures itself is not measured by the extractor."""
        by = MeasuredBy.of(self.extractor, n_real, n_fake, split, pictures=", ".join(self.shapes))
        own = looks_itself(metric.needs)
        return replace(by, extractor="pixels", resize="", digest="", dtype="f32") if own else by


def _streams(metric: Metric) -> bool:
    """Whether it must see every batch: it sums, or it looks at pixels, which are not kept."""
    return "pixels" in metric.needs or all(how == "sum" for how in metric.states.values())


def _side(name: str) -> Side:
    return "real" if name == "real" else "held" if name == "held" else "fake"


def real_floor(features: Float[Tensor, "n d"], *, seed: int = 2020) -> float:
    """Fréchet distance of two random halves of real features: what no generator can be expected to beat at n/2.

    Raises:
        DataError: fewer than four rows.
    """
    one, other = halves(Seen(features), seed)
    return frechet_distance(*moments(one.features), *moments(other.features))


def _issue(message: str) -> None:
    warnings.warn(message, FewPictures, stacklevel=4)


def lines(figures: Sequence[Figure]) -> list[str]:
    """One line a figure, as printed; precision and recall, which mean little alone, share one."""
    printed: list[str] = []
    for figure in figures:
        if figure.name in ("recall", "recall-floor") and printed:
            printed[-1] += f", {figure.name} = {figure.told()}"
        else:
            printed.append(str(figure))
    return printed


class QuickJudge:
    """A cheap look at a generator during training: the real side's work is done once.

    Args:
        extractor: takes the features.
        real: features of real pictures (n, dim), see `real_features`.
        k: neighbour of precision, recall and coverage.

    Raises:
        DataError: too few real pictures.
    """

    def __init__(self, extractor: Extractor, real: Float[Tensor, "n d"], *, k: int = 3) -> None:
        self.extractor, self.real, self.k = extractor, real, k
        self.reference, self.reach = FrechetReference(*moments(real)), radii(real.float(), k)

    def score(self, pixels: UInt8[Tensor, "m h w c"]) -> dict[str, float]:
        """Fréchet distance (under its proper name, e.g. `FD-fashion`), precision, recall and coverage of these
        pictures, by the same neighbour: precision alone is 1 for copies of one picture."""
        fake = self.extractor(pixels).float().cpu()
        name = f"{figure_name('fid', self.extractor)}-{self.extractor.name}"
        precision, recall = precision_recall(self.real, fake, k=self.k)
        held = ball_counts(fake, self.real.float(), self.reach).holds
        coverage = float((held > 0).double().mean())
        distance = self.reference.distance_to(fake)
        return {name: distance, "precision": precision, "recall": recall, "coverage": coverage}

    def protocol(self, n_fake: int, split: str = "train") -> MeasuredBy:
        """How `score` of `n_fake` pictures measures."""
        return MeasuredBy.of(self.extractor, len(self.real), n_fake, split, f"k={self.k}")
