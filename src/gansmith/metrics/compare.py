"""Which of two models is better, and whether so few pictures can tell.

Both models are judged against the same real pictures, and the difference of their figures is resampled with the reals
shared (a paired bootstrap): what the reals do to both figures cancels. A Fréchet distance is compared with its bias
taken out, as that bias differs between models: at n = 500 and 256 features it ranks a model of true distance 4.00
behind one of 5.02. What the correction may be wrong by widens the interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ..errors import ConfigError
from .base import Extractor, MeasuredBy, Seen, Side
from .bootstrap import interval, resampled
from .extractors import figure_name
from .featurecache import Progress, remembered
from .kept import LIMIT, Kept
from .onepass import Part, wants
from .registry import make, metric_class, names

Verdict = Literal["A is better", "B is better", "too few samples to tell"]
OTHER = 7919  # from the seed of A's resamples to that of B's


@dataclass(frozen=True)
class Comparison:
    """One figure of two models.

    Args:
        name: of the figure, as it is printed.
        a: the first model's value.
        b: the second's.
        difference: (low, high) of a - b: 95 % of resamples, widened by `doubt` on both sides.
        doubt: what taking out the bias may have added to the difference.
        higher: whether higher is better.
        protocol: how both were measured; of the smaller number of fakes.
    """

    name: str
    a: float
    b: float
    difference: tuple[float, float]
    doubt: float
    higher: bool
    protocol: MeasuredBy

    @property
    def verdict(self) -> Verdict:
        """Which is better, when the whole interval of the difference lies on one side of 0."""
        low, high = self.difference
        if low <= 0 <= high:
            return "too few samples to tell"
        return "A is better" if (low > 0) == self.higher else "B is better"

    def __str__(self) -> str:
        low, high = self.difference
        apart = f"A {self.a:.4g}, B {self.b:.4g}, A - B in [{low:.4g}, {high:.4g}]"
        return f"{self.verdict}: {self.name}-{self.protocol} {apart}"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "a": self.a,
            "b": self.b,
            "difference": list(self.difference),
            "doubt": self.doubt,
            "verdict": self.verdict,
            "protocol": str(self.protocol),
        }


def compare(
    real: Iterable[Part],
    a: Iterable[Part],
    b: Iterable[Part],
    extractor: Extractor,
    metrics: Sequence[str] = ("fid_infinity", "kid", "precision_recall"),
    *,
    split: str = "train",
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 2020,
    real_key: str | None = None,
    cache: Path | None = None,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> list[Comparison]:
    """Compares the pictures of two models, each with the same real ones.

    Args:
        real: uint8 pictures (b h w c) in parts, or pairs of them and their classes.
        a: those of the first model.
        b: those of the second.
        extractor: takes the features.
        metrics: names of metrics that know their influences and look at no pixels. `fid` is compared as
            `fid_infinity`, without its bias.
        split: the part of the data that `real` is.
        settings: of the metrics, by metric.
        seed: of samples and resamples.
        real_key: what `real` is; None caches nothing.
        cache: folder of the cached features.
        limit: pictures a side that are used; of more, a random sample.
        progress: called with the side (`real`, `a`, `b`) and the number done.

    Raises:
        ConfigError: an unknown metric, one that cannot be compared, or an extractor without a head that is needed.
        DataError: too few pictures, or features that are not finite.
    """
    asked = list(dict.fromkeys(comparable(name) for name in metrics))
    wanted = wants([make(name) for name in asked], extractor)
    sides: dict[str, Seen] = {}
    for side, parts in {"real": real, "a": a, "b": b}.items():
        kept = Kept(limit, seed)
        key = real_key if side == "real" else None
        for seen in remembered(parts, extractor, wanted, side, key=key, folder=cache, progress=progress):
            kept.add(seen)
        sides[side] = kept.sample()
    n_fake = min(len(sides["a"]), len(sides["b"]))
    by = MeasuredBy.of(extractor, len(sides["real"]), n_fake, split)
    return [
        replace(found, name=figure_name(found.name, extractor))
        for name in asked
        for found in compare_seen(name, sides["real"], sides["a"], sides["b"], by, (settings or {}).get(name), seed)
    ]


def comparable(name: str) -> str:
    """The metric as which `name` is compared: itself, or the one that has its bias taken out.

    Raises:
        ConfigError: it does not know how far its figures may be off, or its bias cannot be taken out.
    """
    if not (instead := _compared_as(name)):
        others = ", ".join(n for n in names() if _compared_as(n) == n)
        raise ConfigError(f"two models cannot be compared by {name}: its bias or spread is not known; try: {others}")
    return instead


def _compared_as(name: str) -> str:
    """The metric by which two models are compared instead; empty when there is none."""
    metric = metric_class(name)
    instead: str = getattr(metric, "compared_as", name if hasattr(metric, "influences") else "")
    return instead if instead and not make(instead).needs & {"pixels", "held"} else ""


def compare_seen(
    name: str,
    real: Seen,
    a: Seen,
    b: Seen,
    by: MeasuredBy,
    settings: Mapping[str, Any] | None = None,
    seed: int = 2020,
) -> list[Comparison]:
    """Compares two models by one metric, on what was seen of their pictures and of the real ones.

    Args:
        name: of the metric, with influences.
        real: shared by both.
        a: of the first model.
        b: of the second.
        by: the protocol.
        settings: of the metric.
        seed: of the resamples.
    """
    first, second = (_judged(make(name, settings), real, fake) for fake in (a, b))
    by = replace(by, detail=first.detail)
    higher: frozenset[str] = getattr(metric_class(name), "higher", frozenset())
    found = []
    for figure, (value, moved, doubt) in first.figures.items():
        if figure not in second.figures:
            continue
        other, other_moved, other_doubt = second.figures[figure]
        low, high = interval(value - other, _difference(moved, other_moved, seed))
        extra = abs(doubt - other_doubt)
        found.append(Comparison(figure, value, other, (low - extra, high + extra), extra, figure in higher, by))
    return found


@dataclass(frozen=True)
class _Judged:
    detail: str
    figures: dict[str, tuple[float, Mapping[Side, Tensor], float]]  # value, influences, doubt


def _judged(metric: Any, real: Seen, fake: Seen) -> _Judged:
    sample: dict[Side, Seen] = {side: {"real": real, "fake": fake}[side] for side in ("real", "fake")}
    for side, seen in sample.items():
        metric.update(seen, side)
    values, moved = metric.compute(), metric.influences(sample)
    doubts: Mapping[str, float] = metric.doubt() if hasattr(metric, "doubt") else {}
    return _Judged(metric.detail(), {n: (values[n], moved[n], doubts.get(n, 0.0)) for n in values if n in moved})


def _difference(a: Mapping[Side, Tensor], b: Mapping[Side, Tensor], seed: int) -> Tensor:
    """By how much resamples move the difference: the reals drawn once for both, each model's fakes on their own."""
    shared: dict[Side, Tensor] = {"real": a["real"] - b["real"]} if "real" in a else {}
    own: dict[Side, Tensor] = {**shared, "fake": a["fake"]}
    moved = resampled(own, {side: len(values) for side, values in own.items()}, seed=seed)
    return moved - resampled({"fake": b["fake"]}, {"fake": len(b["fake"])}, seed=seed + OTHER)
