"""What a metric found, as figures: each with its protocol and its interval, and its floor beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..errors import several
from .base import Extractor, Figure, MeasuredBy, Seen, Side, which_is_better
from .bootstrap import interval, resampled
from .extractors import figure_name

FLOOR = "-floor"
NEAR = 1.25  # times as many pictures, from which a floor is one of another n


def measured(
    metric: Any,
    sample: Mapping[Side, Seen] | None,
    counts: Mapping[Side, int],
    by: MeasuredBy,
    extractor: Extractor,
    seed: int,
) -> list[Figure]:
    """The figures of a metric.

    Args:
        metric: after it saw all sides.
        sample: what was kept of them, for intervals of metrics that know their influences; None gives none.
        counts: how many pictures of each side the metric saw.
        by: the protocol, without the metric's own settings.
        extractor: decides what figures are called.
        seed: of the resamples.
    """
    found, by = metric.compute(), replace(by, detail=metric.detail())
    details: Mapping[str, str] = metric.details() if hasattr(metric, "details") else {}
    moved: Mapping[str, Mapping[Side, Tensor]] = {}
    if sample is not None and hasattr(metric, "influences"):
        moved = metric.influences(sample)
    bounds: Mapping[str, tuple[float, float]] = getattr(metric, "bounds", {})
    shares: frozenset[str] | None = getattr(metric, "shares", None)
    rests_on: Mapping[str, tuple[int, int]] = metric.rests_on() if hasattr(metric, "rests_on") else {}

    def around(name: str) -> tuple[float, float] | None:
        if name not in moved:
            return None
        drawn = resampled(moved[name], counts, seed=seed)
        fewest = min(counts[side] for side in moved[name]) if shares is None or name in shares else 0
        low, high = interval(found[name], drawn, bounds.get(name.partition("/")[0]), of=fewest)
        return (low, high) if low < high else None  # what no picture moves has no first order, and is not certain

    def protocol(name: str) -> MeasuredBy:
        n_real, n_fake = rests_on.get(name, (by.n_real, by.n_fake))
        return replace(by, n_real=n_real, n_fake=n_fake, detail=details.get(name, by.detail))

    return [
        Figure(
            figure_name(name, extractor),
            value,
            protocol(name),
            found.get(f"{name}_std"),
            around(name),
            better=which_is_better(metric, name),
            biased=hasattr(metric, "compared_as"),
        )
        for name, value in found.items()
        if not name.endswith("_std")
    ]


def as_floor(figure: Figure, what: str) -> Figure:
    """The figure of real pictures under a floor's name; `what` says which stood for the generated ones."""
    said = ", ".join(part for part in (figure.protocol.detail, what) if part)
    return replace(
        figure,
        name=figure.name + FLOOR,
        protocol=replace(figure.protocol, detail=said),
        floor_of=_counted(figure, what),
    )


def _counted(figure: Figure, what: str) -> str:
    by = figure.protocol
    return f"{what}, {by.n_real:,} against {by.n_fake:,}" if by.n_real else several(by.n_fake, "real picture")


def beside(figures: Sequence[Figure]) -> list[Figure]:
    """Each figure with the value of its floor, where there is one; and what it is of, where its n is quite another."""
    floors = {f.name.removesuffix(FLOOR): f for f in figures if f.name.endswith(FLOOR)}
    return [_with(f, floors[f.name]) if f.name in floors else f for f in figures]


def _with(figure: Figure, floor: Figure) -> Figure:
    ours, theirs = figure.protocol, floor.protocol
    alike = _near(ours.n_fake, theirs.n_fake) and (theirs.n_real == 0 or _near(ours.n_real, theirs.n_real))
    return replace(figure, floor=floor.value, floor_of="" if alike else floor.floor_of)


def _near(one: int, other: int) -> bool:
    return max(one, other) <= NEAR * min(one, other)
