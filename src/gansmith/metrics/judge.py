"""Judging a generator: one pass over its pictures feeds every metric; every figure carries how it was measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..nn.features.pixels import chunks
from .base import Extractor, Figure, MeasuredBy, Metric, Seen, Side
from .extractors import figure_name
from .featurecache import Progress, real_features
from .functional import FrechetReference, frechet_distance, moments, precision_recall
from .registry import make

CHUNK = 512  # features at a time into the metrics


class FewPictures(UserWarning):
    """A figure rests on so few pictures that it is biased."""


Fed = dict[str, Metric]


def judge(
    real: Iterable[Tensor],
    fake: Iterable[Tensor],
    extractor: Extractor,
    metrics: Sequence[str] = ("fid", "kid", "precision_recall"),
    *,
    split: str = "train",
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 2020,
    floor: bool = True,
    real_key: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> list[Figure]:
    """Compares generated pictures with real ones.

    Args:
        real: uint8 pictures (b h w c) in parts; left untouched when `real_key` is in the cache.
        fake: the same of generated ones.
        extractor: takes the features.
        metrics: names; `registry.names()` lists them.
        split: the part of the data that `real` is, for the protocol.
        settings: of the metrics, by metric: `{"precision_recall": {"k": 5}}`.
        seed: of the halves of the floor.
        floor: beside a Fréchet distance, also give that of two random halves of the real pictures.
        real_key: what `real` is (the source's fingerprint, the split, how many); None caches nothing.
        cache: folder of the cached features; None is the usual one.
        progress: called with the side and the number of its pictures done.
        warn: told of biased figures; None issues a FewPictures warning.

    Returns:
        Figures in the order of `metrics`; precision and recall come together, a floor after its distance.

    Raises:
        ConfigError: unknown metric.
        DataError: too few pictures, or features that are not finite.
    """
    fed = {name: make(name, (settings or {}).get(name)) for name in metrics}
    known = real_features(real, extractor, key=real_key, folder=cache, progress=progress)
    for part in chunks(known, CHUNK):
        _update(fed, Seen(part), "real")
    n_fake = 0
    for pixels in fake:
        _update(fed, Seen(extractor(pixels)), "fake")
        n_fake += len(pixels)
        if progress is not None:
            progress("fake", n_fake)
    if "fid" in fed:
        _warn_of_bias(len(known), n_fake, extractor, warn or _issue)
    measured = MeasuredBy(extractor.name, extractor.resize, extractor.digest, len(known), n_fake, split)
    figures = []
    for name, metric in fed.items():
        figures += _figures(metric, extractor, measured)
        if name == "fid" and floor and len(known) >= 4:
            figures.append(_floor_figure(known, extractor, measured, seed))
    return figures


def _update(fed: Fed, seen: Seen, side: Side) -> None:
    for metric in fed.values():
        metric.update(seen, side)


def _figures(metric: Metric, extractor: Extractor, measured: MeasuredBy) -> list[Figure]:
    """What `metric` found, each with its spread where there is one."""
    found = metric.compute()
    by = replace(measured, detail=metric.detail())
    return [
        Figure(figure_name(name, extractor), value, by, found.get(f"{name}_std"))
        for name, value in found.items()
        if not name.endswith("_std")
    ]


def _floor_figure(known: Tensor, extractor: Extractor, measured: MeasuredBy, seed: int) -> Figure:
    half = len(known) // 2
    split = f"{measured.split}/{measured.split}"
    by = replace(measured, n_real=half, n_fake=len(known) - half, split=split, detail="two halves of the real pictures")
    return Figure(f"{figure_name('fid', extractor)}-floor", real_floor(known, seed=seed), by)


def real_floor(features: Float[Tensor, "n d"], *, seed: int = 2020) -> float:
    """Fréchet distance of two random halves of real features: what no generator can be expected to beat at n/2.

    Raises:
        DataError: fewer than four rows.
    """
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    half = len(features) // 2
    return frechet_distance(*moments(features[order[:half]]), *moments(features[order[half:]]))


def _warn_of_bias(n_real: int, n_fake: int, extractor: Extractor, warn: Callable[[str], None]) -> None:
    fewest = min(n_real, n_fake)
    if fewest <= extractor.dim:
        warn(
            f"{figure_name('fid', extractor)}-{extractor.name} of {fewest} pictures is biased upwards: "
            f"{extractor.dim} features have a covariance of full rank only from {extractor.dim + 1} pictures on; "
            "compare it only with figures of the same n, and with its floor"
        )


def _issue(message: str) -> None:
    warnings.warn(message, FewPictures, stacklevel=4)


def lines(figures: Sequence[Figure]) -> list[str]:
    """One line a figure, as printed; precision and recall, which mean little alone, share one."""
    printed: list[str] = []
    for figure in figures:
        if figure.name == "recall" and printed:
            printed[-1] += f", recall = {figure.value:.4g}"
        else:
            printed.append(str(figure))
    return printed


class QuickJudge:
    """A cheap look at a generator during training: the real side's work is done once.

    Args:
        extractor: takes the features.
        real: features of real pictures (n, dim), see `real_features`.
        k: neighbour of precision and recall.

    Raises:
        DataError: too few real pictures.
    """

    def __init__(self, extractor: Extractor, real: Float[Tensor, "n d"], *, k: int = 3) -> None:
        self.extractor, self.real, self.k = extractor, real, k
        self.reference = FrechetReference(*moments(real))

    def score(self, pixels: UInt8[Tensor, "m h w c"]) -> dict[str, float]:
        """Fréchet distance (under its proper name, e.g. `FD-fashion`), precision and recall of these pictures."""
        fake = self.extractor(pixels).float().cpu()
        name = f"{figure_name('fid', self.extractor)}-{self.extractor.name}"
        precision, recall = precision_recall(self.real, fake, k=self.k)
        return {name: self.reference.distance_to(fake), "precision": precision, "recall": recall}

    def protocol(self, n_fake: int, split: str = "train") -> MeasuredBy:
        """How `score` of `n_fake` pictures measures."""
        e = self.extractor
        return MeasuredBy(e.name, e.resize, e.digest, len(self.real), n_fake, split, detail=f"k={self.k}")
