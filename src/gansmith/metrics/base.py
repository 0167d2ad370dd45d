"""What a metric is, what it sees, and the protocol string that every printed figure carries.

A metric is one file in `metrics/images/`: pure functions, and a class that streams. Its module names the class as
`METRIC`; nothing else is edited (see `registry`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from ..errors import DataError

ROWS = 4096  # rows at a time where copies are made
Side = Literal["real", "fake", "held"]
Reduction = Literal["sum", "cat"]
Better = Literal["low", "high"]
Gather = Callable[[Tensor], list[Tensor]]
Working = Callable[[str, int, int], None]  # what is being done, how much of it is done, and of how much
M = TypeVar("M", bound="Metric")


@runtime_checkable
class Extractor(Protocol):
    """A frozen network that turns uint8 pictures into features.

    One whose pass yields more than its main output also has `heads: tuple[str, ...]`, the names of the further outputs,
    and `look(pixels, heads) -> (features, {head: values})`. Known names are `logits` (b classes) and `spatial` (b m);
    `classes: tuple[str, ...]`, where it is there, names those of the logits; `lacking: Mapping[str, str]` says where a
    head is to be had that is not at hand.
    One that can run in other precisions has `dtype: str`, `f32` or `bf16`.

    Attributes:
        name: short name that the figures carry: `inception`, `fashion`, `random`.
        resize: how it resizes: `tf-bilinear`, `clean`, `none`.
        digest: sha256 of its weights, first 12 hex digits.
        dim: number of features.
    """

    name: str
    resize: str
    digest: str
    dim: int

    def __call__(self, pixels: Tensor) -> Tensor:
        """uint8 pictures (b h w c), 1, 3 or 4 channels, any size -> float32 features (b, dim)."""
        ...


@dataclass(frozen=True)
class Seen:
    """One batch of pictures as metrics see it.

    Args:
        features: (b d) float32, the extractor's main output.
        pixels: (b h w c) uint8; only when a metric of this pass needs them.
        heads: further outputs of the extractor in the same pass, those that a metric needs.
        labels: (b,) int64 class numbers, where the pictures have classes.
    """

    features: Tensor
    pixels: Tensor | None = None
    heads: Mapping[str, Tensor] = field(default_factory=dict)
    labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class MeasuredBy:
    """How a figure was measured; `str()` of it stands beside the figure.

    Args:
        extractor: its name.
        resize: how it resized.
        digest: of its weights.
        n_real: pictures of the data.
        n_fake: generated ones.
        split: the part of the data that they were compared with.
        dtype: of the features.
        detail: the metric's own settings, e.g. `k=3`.
        pictures: size and channels of what was judged, `32x32x1`.

    What is empty is left out: a probe has neither pictures of the data nor a split, a metric of pixels no weights.
    """

    extractor: str
    resize: str
    digest: str
    n_real: int
    n_fake: int
    split: str
    dtype: str = "f32"
    detail: str = ""
    pictures: str = ""

    @classmethod
    def of(
        cls: type[MeasuredBy],
        extractor: Extractor,
        n_real: int,
        n_fake: int,
        split: str,
        detail: str = "",
        pictures: str = "",
    ) -> MeasuredBy:
        """The protocol of an extractor's features."""
        e = extractor
        return cls(e.name, e.resize, e.digest, n_real, n_fake, split, dtype_of(e), detail, pictures)

    def __str__(self) -> str:
        counts = f"n_real={self.n_real}, n_fake={self.n_fake}, split={self.split}" if self.split else ""
        told = [counts, *(f"{name}={v}" for name, v in (("pictures", self.pictures), ("resize", self.resize)) if v)]
        told += [self.detail, self.dtype, f"weights={self.digest}" if self.digest else ""]
        return f"{self.extractor}({', '.join(part for part in told if part)})"


@dataclass(frozen=True)
class Figure:
    """One measured number with the protocol it was measured by.

    Args:
        name: as it is printed.
        value: of it.
        protocol: how it was measured.
        spread: standard deviation over the metric's own parts (subsets, splits), where it has them.
        interval: where 95 % of resamples fall; None where the metric knows none.
        floor: the same figure of real pictures against real ones; its protocol stands in a figure of its own.
        better: whether `low` or `high` is better; None where neither is, and it is read beside that of real pictures.
        floor_of: what the floor was taken of, where that is not as many pictures as the figure rests on.
        biased: whether it is off by an amount that differs between models, so that two of them are not ranked by it
            unless they are further apart than that.
    """

    name: str
    value: float
    protocol: MeasuredBy
    spread: float | None = None
    interval: tuple[float, float] | None = None
    floor: float | None = None
    better: Better | None = None
    floor_of: str = ""
    biased: bool = False

    def told(self) -> str:
        """The value, and what stands beside it."""
        spread = "" if self.spread is None else f" ± {self.spread:.4g}"
        interval = "" if self.interval is None else f" [{self.interval[0]:.4g}, {self.interval[1]:.4g}]"
        of = f" of {self.floor_of}" if self.floor_of else ""
        floor = "" if self.floor is None else f" (floor {self.floor:.4g}{of})"
        return f"{self.value:.4g}{spread}{interval}{floor}"

    def __str__(self) -> str:
        return f"{self.name}-{self.protocol} = {self.told()}"

    def to_json(self) -> dict[str, Any]:
        found = {"name": self.name, "value": self.value, "spread": self.spread, "protocol": str(self.protocol)}
        more: dict[str, Any] = {
            "interval": self.interval and list(self.interval),
            "floor": self.floor,
            "better": self.better,
        }
        more |= {"floor_of": self.floor_of} if self.floor_of else {}
        return found | more | ({"biased": True} if self.biased else {})


def dtype_of(extractor: Extractor) -> str:
    """The precision in which an extractor runs."""
    return str(getattr(extractor, "dtype", "f32"))


def which_is_better(metric: Any, figure: str) -> Better | None:
    """The direction of a metric's or probe's figure: high for those in its `higher`, none for those in its `unranked`,
    low for all others."""
    name = figure.partition("/")[0]
    if name in getattr(metric, "unranked", ()):
        return None
    return "high" if name in getattr(metric, "higher", ()) else "low"


@runtime_checkable
class Metric(Protocol):
    """A streaming metric: feed the sides in batches of any size, merge what several processes saw, compute.

    Its constructor takes keyword settings only, each with a default. `Streaming` carries out all but `update` and
    `compute`.

    A metric may also have (the judge uses them where they are):
        `influences(sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]`: for a figure and a side, by how much
            each picture of the sample moves the figure, (n,), mean 0. The figure of a resample is, to first order, the
            figure plus the mean influences of what was drawn. Intervals and paired comparisons come of them.
        `remarks() -> dict[str, str]`: of a figure, what must be said of its bias, as the rest of a sentence.
        `doubt() -> dict[str, float]`: what a figure may be wrong by, with its sign, beyond its spread; infinite where
            nothing is known of that.
        `bounds: ClassVar[Mapping[str, tuple[float, float]]]`: of a figure, its least and its largest value.
        `shares: ClassVar[frozenset[str]]`: the figures that are shares of the pictures; left out, all within (0, 1).
        `never_without: ClassVar[tuple[str, ...]]`: metrics that are measured with it although nobody asked for them,
            as it misleads without.
        `compared_as: ClassVar[str]`: the metric by which two models are compared in its stead, as its own bias differs
            between models; empty where there is none.
        `higher: ClassVar[frozenset[str]]`: figures that are better when higher; all others are better when lower.
        `unranked: ClassVar[frozenset[str]]`: figures of which neither is better, read beside that of real pictures.
        `titles: ClassVar[Mapping[str, tuple[str, str]]]`: how a figure is printed when Inception's published weights
            took the features, and when anything else did: `{"fid": ("FID", "FD")}`.
        `uses: ClassVar[frozenset[str]]`: of `labels`: what it takes in where there is some, and does without.
        `details() -> dict[str, str]`: of a figure, what stands in its protocol instead of `detail()`.
        `rests_on() -> dict[str, tuple[int, int]]`: of a figure, how many real pictures and how many fakes it rests on,
            where these are not all.
        `working: Working | None`: told how far `compute` is; for those that take long.
        `of_training: ClassVar[bool]`: whether its real side must be the pictures that the generator was trained on.
        `prepare() -> None`: looks whether all that it needs is on this machine, weights above all.

    Attributes:
        name: as the user asks for it; equal to the module's.
        needs: of `features`, `pixels`, `labels`, `held`, `head:logits`, `head:spatial`.
        sides: which sides it must see.
        states: each accumulator, and how two of them combine.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    sides: ClassVar[frozenset[Side]]
    states: ClassVar[dict[str, Reduction]]

    def update(self, seen: Seen, side: Side) -> None:
        """Adds one batch of one side; a side that it has no use for is left aside."""
        ...

    def merge(self, other: Any) -> None:
        """Adds what `other`, a metric of the same class, has seen."""
        ...

    def compute(self) -> dict[str, float]:
        """Figures by name; a spread stands under `NAME_std`.

        Raises:
            DataError: too few pictures, or features that are not finite.
        """
        ...

    def detail(self) -> str:
        """The metric's own settings, as they were used, for the protocol: `k=3`."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Every declared state."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replaces the states."""
        ...


class Streaming(ABC):
    """A metric's accumulators, added to, merged, saved and loaded as `states` declares.

    Left to the metric: `update` and `compute`.
    A state that has seen nothing is an empty tensor, as no shape is known before the first batch.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset({"features"})
    sides: ClassVar[frozenset[Side]] = frozenset({"real", "fake"})
    states: ClassVar[dict[str, Reduction]]

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = {name: [] for name in self.states}

    @abstractmethod
    def update(self, seen: Seen, side: Side) -> None: ...

    @abstractmethod
    def compute(self) -> dict[str, float]: ...

    def detail(self) -> str:
        return ""

    def add(self, state: str, value: Tensor) -> None:
        """Sums `value` into a state, or lays it (by rows) behind what a `cat` state holds."""
        parts = self._parts[state]
        if value.numel() == 0:
            return
        if self.states[state] == "cat":
            parts.append(value)
        elif parts:
            parts[0] += value
        else:
            parts.append(value.clone())  # sums grow in place; the caller keeps its own

    def whole(self, state: str) -> Tensor:
        """A state in one piece; `cat` states are joined anew each time, so that the parts stay shared."""
        parts = self._parts[state]
        if not parts:
            return torch.empty(0)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def merge(self, other: Any) -> None:
        """Adds what `other`, a metric of the same class, has seen."""
        for state in self.states:
            for part in list(other._parts[state]):
                self.add(state, part)

    def state_dict(self) -> dict[str, Tensor]:
        return {state: self.whole(state).clone() for state in self.states}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self._parts = {name: [state[name].clone()] if state[name].numel() else [] for name in self.states}


class Rows(Streaming):
    """Keeps the features of both sides as rows of float32, by reference: several metrics fed the same tensors share
    them. What is computed must not depend on the order of rows."""

    states: ClassVar[dict[str, Reduction]] = {"real": "cat", "fake": "cat"}

    def update(self, seen: Seen, side: Side) -> None:
        if side in self.states:
            self.add(side, checked_finite(seen.features.detach().float().cpu()))

    def rows(self, side: Side) -> Tensor:
        """All features of one side, (n, d)."""
        if self._parts[side]:
            return self.whole(side)
        return torch.empty(0, next((p.shape[1] for parts in self._parts.values() for p in parts), 0))


def reduce(metric: M, gather: Gather) -> M:
    """Joins the states of all processes in `metric`, as they are declared; every process must ask.

    Args:
        metric: this process's; it is changed and returned.
        gather: gives every process's tensor, by rank, for this process's (sizes may differ):
            `training.runtime.Runtime.gather` is one.
    """
    joined: dict[str, Tensor] = {}
    for name, value in metric.state_dict().items():
        parts = [part.to(value.device) for part in gather(value) if part.numel()]
        if not parts:
            joined[name] = value
        else:
            joined[name] = torch.cat(parts) if metric.states[name] == "cat" else torch.stack(parts).sum(0)
    metric.load_state_dict(joined)
    return metric


def checked_finite(values: Tensor, what: str = "features") -> Tensor:
    """The values as they came.

    Raises:
        DataError: some are NaN or infinite.
    """
    if not all(bool(part.isfinite().all()) for part in (values.split(ROWS) if values.ndim else (values,))):
        raise DataError(f"{what} must be finite, but some are NaN or infinite; look at the pictures they are taken of")
    return values


def as_float64(features: Tensor) -> Tensor:
    return features.to(torch.float64)
