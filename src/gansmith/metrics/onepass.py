"""One pass over the pictures of a side: the extractor looks once, for all metrics together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError, DataError
from .base import Extractor, Metric, Seen
from .words import called

HEAD = "head:"
Part = Tensor | tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Wants:
    """What the metrics of a pass need beyond the features.

    Args:
        pixels: whether the pictures themselves.
        labels: whether their classes.
        held: whether real pictures that training never saw.
        heads: further outputs of the extractor.
    """

    pixels: bool
    labels: bool
    held: bool
    heads: tuple[str, ...]


def wants(metrics: Iterable[Metric], extractor: Extractor) -> Wants:
    """All that these metrics need.

    Raises:
        ConfigError: a head that this extractor does not have.
    """
    offered = tuple(getattr(extractor, "heads", ()))
    needs: set[str] = set()
    for metric in metrics:
        for need in metric.needs:
            if need.startswith(HEAD) and need.removeprefix(HEAD) not in offered:
                raise ConfigError(_lacking(metric, need.removeprefix(HEAD), extractor, offered))
        needs |= metric.needs
    heads = tuple(sorted(n.removeprefix(HEAD) for n in needs if n.startswith(HEAD)))
    return Wants("pixels" in needs, "labels" in needs, "held" in needs, heads)


def _lacking(metric: Metric, head: str, extractor: Extractor, offered: tuple[str, ...]) -> str:
    has = f"has only: {', '.join(offered)}" if offered else "has none"
    said = f"{metric.name} needs the extractor's output {head!r}, and {extractor.name} {has}"
    where: Mapping[str, str] = getattr(extractor, "lacking", {})
    if head in where:
        return f"{said}.\n{where[head]}"
    offers = {"logits": "fashion, inception with its head, stacked:NAME, or a network of your own with logits=True"}
    others = offers.get(head, "inception")
    return f"{said}; give an extractor with it ({others}), or leave this metric out"


def look(parts: Iterable[Part], extractor: Extractor, wanted: Wants, side: str) -> Iterator[Seen]:
    """What the metrics see of a side, batch by batch; features on the CPU in float32.

    Args:
        parts: uint8 pictures (b h w c), or pairs of them and their classes (b,).
        extractor: looks at each once.
        wanted: what to keep of it.
        side: for the messages.

    Raises:
        DataError: a feature is not finite, or classes are needed and did not come.
    """
    for part in parts:
        pixels, labels = part if isinstance(part, tuple) else (part, None)
        if wanted.labels and labels is None:
            raise DataError(f"these metrics need the class of every picture, and the {called(side)} ones came without")
        features, heads = _taken(pixels, extractor, wanted.heads)
        for what, values in {"features": features, **heads}.items():
            if not bool(values.isfinite().all()):
                raise DataError(
                    f"the {what} that {extractor.name} took of {called(side)} pictures are not finite (NaN or inf)"
                )
        yield Seen(features, pixels if wanted.pixels else None, heads, labels)


def noted(parts: Iterable[Part], shapes: dict[str, None]) -> Iterator[Part]:
    """The same parts; their pictures' size and channels are put into `shapes`: `32x32x1`."""
    for part in parts:
        h, w, c = (part[0] if isinstance(part, tuple) else part).shape[1:]
        shapes[f"{w}x{h}x{c}"] = None
        yield part


def _taken(pixels: Tensor, extractor: Any, names: tuple[str, ...]) -> tuple[Tensor, dict[str, Tensor]]:
    features, heads = extractor.look(pixels, names) if names else (extractor(pixels), {})
    return features.float().cpu(), {name: value.float().cpu() for name, value in heads.items()}


def rows(seen: Seen, index: Tensor | slice) -> Seen:
    """Some of the pictures; a slice copies none."""
    pixels = None if seen.pixels is None else seen.pixels[index]
    labels = None if seen.labels is None else seen.labels[index]
    return Seen(seen.features[index], pixels, {k: v[index] for k, v in seen.heads.items()}, labels)


def joined(parts: Iterable[Seen], dim: int) -> Seen:
    """All batches in one, without their pixels; of none, an empty one with features (0, dim)."""
    batches = list(parts)
    if not batches:
        return Seen(torch.empty(0, dim))
    labels = [b.labels for b in batches if b.labels is not None]
    heads = {name: torch.cat([b.heads[name] for b in batches]) for name in batches[0].heads}
    return Seen(torch.cat([b.features for b in batches]), None, heads, torch.cat(labels) if labels else None)
