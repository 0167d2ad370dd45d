"""Which of two models is better, and whether so few pictures can tell.

Both models are judged against the same real pictures, and the difference of their figures is resampled with the reals
shared (a paired bootstrap): what the reals do to both figures cancels. A Fréchet distance is compared with its bias
taken out, as that bias differs between models: at n = 500 and 256 features it ranks a model of true distance 4.00
behind one of 5.02. What the correction may be wrong by widens the interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from ..errors import ConfigError
from .base import Extractor, MeasuredBy, Seen, Side, which_is_better
from .bootstrap import interval, resampled
from .doubts import doubts, same
from .extractors import figure_name
from .featurecache import Progress, remembered
from .kept import LIMIT, Kept
from .onepass import Part, noted, wants
from .registry import looks_itself, make, metric_class, names
from .settings import given_in_vain

Verdict = Literal["A is better", "B is better", "A is higher", "B is higher", "too few samples to tell"]
OTHER = 7919  # from the seed of A's resamples to that of B's
MODELS: tuple[Literal["a", "b"], ...] = ("a", "b")


@dataclass(frozen=True)
class Comparison:
    """One figure of two models.

    Args:
        name: of the figure, as it is printed.
        a: the first model's value.
        b: the second's.
        difference: (low, high) of a - b: 95 % of resamples, widened by `doubt` on both sides.
        doubt: what taking out the bias may have added to the difference; infinite where that is not known, and the
            difference then holds the resamples alone.
        higher: whether higher is better; None where neither is, and both are read beside that of real pictures.
        protocol: how both were measured; of the smaller number of fakes.
        real: the same figure of the real pictures, where the metric gives it.
    """

    name: str
    a: float
    b: float
    difference: tuple[float, float]
    doubt: float
    higher: bool | None
    protocol: MeasuredBy
    real: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Which is better, when the whole interval of the difference lies on one side of 0 and its bias is known."""
        low, high = self.difference
        if low <= 0 <= high or math.isinf(self.doubt):
            return "too few samples to tell"
        if self.higher is None:
            return "A is higher" if low > 0 else "B is higher"
        return "A is better" if (low > 0) == self.higher else "B is better"

    def told(self) -> str:
        """Both values, and the interval of their difference."""
        low, high = self.difference
        real = "" if self.real is None else f" (real pictures {self.real:.4g})"
        bias = ", and a bias of unknown size" if math.isinf(self.doubt) else ""
        return f"A {self.a:.4g}, B {self.b:.4g}{real}, A - B within [{low:.4g}, {high:.4g}]{bias}"

    def __str__(self) -> str:
        return f"{self.verdict}: {self.name}-{self.protocol} {self.told()}"

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "a": self.a,
            "b": self.b,
            "difference": list(self.difference),
            "doubt": None if math.isinf(self.doubt) else self.doubt,
            "real": self.real,
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
    warn: Callable[[str], None] | None = None,
) -> list[Comparison]:
    """Compares the pictures of two models, each with the same real ones.

    Args:
        real: uint8 pictures (b h w c) in parts, or pairs of them and their classes.
        a: those of the first model.
        b: those of the second.
        extractor: takes the features.
        metrics: names of metrics that know their influences and need no pictures of a third side. `fid` is compared as
            `fid_infinity`, without its bias.
        split: the part of the data that `real` is.
        settings: of the metrics, by metric.
        seed: of samples and resamples.
        real_key: what `real` is; None caches nothing.
        cache: folder of the cached features.
        limit: pictures a side that are used; of more, a random sample.
        progress: called with the side (`real`, `a`, `b`) and the number done.
        warn: told of biased figures and of sides that look wrong; None tells nobody.

    Raises:
        ConfigError: an unknown metric, one that cannot be compared, or an extractor without a head that is needed.
        DataError: too few pictures, or features that are not finite.
    """
    asked = list(dict.fromkeys(comparable(name) for name in metrics))
    given_in_vain(settings or {}, asked, names())
    pairs = {name: _Pair.of(name, (settings or {}).get(name)) for name in asked}
    wanted, kept, shapes = wants([pair.a for pair in pairs.values()], extractor), dict[str, Kept](), dict[str, None]()
    for side, parts in {"real": real, "a": noted(a, shapes), "b": noted(b, shapes)}.items():
        kept[side] = Kept(limit, seed)
        key = real_key if side == "real" else None
        for seen in remembered(parts, extractor, wanted, side, key=key, folder=cache, progress=progress):
            kept[side].add(seen)
            for pair in pairs.values():
                pair.see(seen, side)
    sides, counts = {side: k.sample() for side, k in kept.items()}, {side: k.count for side, k in kept.items()}
    for pair in pairs.values():
        pair.see_all(sides)
    n_fake = min(len(sides["a"]), len(sides["b"]))
    by = MeasuredBy.of(extractor, len(sides["real"]), n_fake, split, pictures=", ".join(shapes))
    found = [c for pair in pairs.values() for c in pair.compared(sides, counts, by, seed)]
    if warn is not None:
        for said in _remarks(pairs, sides, extractor):
            warn(said)
    return [replace(c, name=figure_name(c.name, extractor)) for c in found]


def _remarks(pairs: Mapping[str, _Pair], sides: Mapping[str, Seen], extractor: Extractor) -> list[str]:
    """What must be said of the bias of figures, and of sides that look wrong, each once."""
    said = []
    for model in MODELS:
        for pair in pairs.values():
            remarks: Mapping[str, str] = getattr(getattr(pair, model), "remarks", dict)()
            said += [
                f"{model.upper()}: {figure_name(name, extractor)}-{extractor.name} {text}"
                for name, text in remarks.items()
            ]
        found = doubts({"real": sides["real"], "fake": sides[model]}, extractor.name)
        said += [f"{model.upper()}: {text}" for text in found]
    if same(sides["a"], sides["b"]):
        said.append("A and B are the same pictures, one by one: there is no difference to find")
    return list(dict.fromkeys(said))


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
    return instead if instead and "held" not in make(instead).needs else ""


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
        name: of the metric, with influences; one that looks at pixels needs these in what was seen.
        real: shared by both.
        a: of the first model.
        b: of the second.
        by: the protocol.
        settings: of the metric.
        seed: of the resamples.
    """
    pair, sides = _Pair.of(name, settings), {"real": real, "a": a, "b": b}
    for side, seen in sides.items():
        pair.see(seen, side)
    pair.see_all(sides)
    return pair.compared(sides, {side: len(seen) for side, seen in sides.items()}, by, seed)


@dataclass(frozen=True)
class _Pair:
    """A metric of each model."""

    a: Any
    b: Any

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Any] | None) -> _Pair:
        """Fresh ones; what they need besides pictures is looked for."""
        pair = cls(make(name, settings), make(name, settings))
        getattr(pair.a, "prepare", lambda: None)()
        return pair

    @property
    def streams(self) -> bool:
        """Whether they must see every batch: pixels are not kept."""
        return "pixels" in self.a.needs

    def see(self, seen: Seen, side: str) -> None:
        """Takes in a batch of one side, where they stream."""
        for model in MODELS if self.streams else ():
            if side in ("real", model):
                getattr(self, model).update(seen, "real" if side == "real" else "fake")

    def see_all(self, sides: Mapping[str, Seen]) -> None:
        """Takes in what was kept of all sides, where that is enough."""
        for model in () if self.streams else MODELS:
            getattr(self, model).update(sides["real"], "real")
            getattr(self, model).update(sides[model], "fake")

    def compared(
        self, sides: Mapping[str, Seen], counts: Mapping[str, int], by: MeasuredBy, seed: int
    ) -> list[Comparison]:
        """The figures that both have; those of real pictures alone are equal, and left out.

        Args:
            sides: what was kept of `real`, `a`, `b`.
            counts: how many pictures of each went by.
        """
        counts = counts if self.streams else {side: len(seen) for side, seen in sides.items()}
        first, second = (_judged(getattr(self, model), sides["real"], sides[model]) for model in MODELS)
        by = self._protocol(by, counts)
        return [
            self._figure(name, first, second, counts, by, seed)
            for name, (_, moved, _) in first.figures.items()
            if name in second.figures and "fake" in moved
        ]

    def _figure(
        self, name: str, first: _Judged, second: _Judged, counts: Mapping[str, int], by: MeasuredBy, seed: int
    ) -> Comparison:
        (a, a_moved, a_doubt), (b, b_moved, b_doubt) = first.figures[name], second.figures[name]
        low, high = interval(a - b, _difference(a_moved, b_moved, counts, seed))
        known = math.isfinite(a_doubt) and math.isfinite(b_doubt)
        doubt = abs(a_doubt - b_doubt) if known else math.inf
        wider = doubt if known else 0.0
        way = which_is_better(self.a, name)
        higher, real = None if way is None else way == "high", first.values.get(f"{name}_real")
        return Comparison(name, a, b, (low - wider, high + wider), doubt, higher, by, real)

    def _protocol(self, by: MeasuredBy, counts: Mapping[str, int]) -> MeasuredBy:
        by = replace(by, detail=self.a.detail())
        if not looks_itself(self.a.needs):
            return by
        n_fake = min(counts["a"], counts["b"])
        return replace(by, extractor="pixels", resize="", digest="", dtype="f32", n_real=counts["real"], n_fake=n_fake)


@dataclass(frozen=True)
class _Judged:
    values: dict[str, float]
    figures: dict[str, tuple[float, Mapping[Side, Tensor], float]]  # value, influences, doubt


def _judged(metric: Any, real: Seen, fake: Seen) -> _Judged:
    values, moved = metric.compute(), metric.influences({"real": real, "fake": fake})
    off: Mapping[str, float] = metric.doubt() if hasattr(metric, "doubt") else {}
    return _Judged(values, {n: (values[n], moved[n], off.get(n, 0.0)) for n in values if n in moved})


def _difference(a: Mapping[Side, Tensor], b: Mapping[Side, Tensor], counts: Mapping[str, int], seed: int) -> Tensor:
    """By how much resamples move the difference: the reals drawn once for both, each model's fakes on their own."""
    shared: dict[Side, Tensor] = {"real": a["real"] - b["real"]} if "real" in a else {}
    own: dict[Side, Tensor] = {**shared, "fake": a["fake"]}
    moved = resampled(own, {"real": counts["real"], "fake": counts["a"]}, seed=seed)
    return moved - resampled({"fake": b["fake"]}, {"fake": counts["b"]}, seed=seed + OTHER)
