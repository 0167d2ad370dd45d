"""What is doubtful about a judgement, whatever is measured: the pictures themselves, and the network that looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch

from ..nn.features.maps import GivesMaps
from .base import Extractor, Seen
from .words import called


def doubts(kept: Mapping[str, Seen], name: str) -> Iterator[str]:
    """A sentence for each side whose pictures cannot be told apart, and where both sides are the same pictures.

    Args:
        kept: what was kept of `real` and `fake`.
        name: of the extractor.
    """
    for side in ("real", "fake"):
        features = kept[side].features if side in kept else torch.empty(0, 0)
        if len(features) > 1 and bool((features == features[0]).all()):
            yield (
                f"the features that {name} took of all {len(features):,} {called(side)} pictures are equal: they are "
                "one picture over and over, or this network does not see what differs between them"
            )
    if same(kept.get("real"), kept.get("fake")):
        yield "the generated pictures are the real ones, one by one: these figures are of a side against itself"


def flattered(eyes: GivesMaps, extractors: Sequence[Extractor]) -> list[str]:
    """A sentence for each extractor that flatters a model whose D looked through `eyes`, and what to go by instead.

    The same network does: G learned to please just these features. So do others of ImageNet where D's was trained on it
    (Kynkäänniemi 2022, arXiv:2203.06026).
    """
    reasons = {extractor.name: _likeness(eyes, extractor) for extractor in extractors}
    sound = [name for name, reason in reasons.items() if not reason]
    return [
        f"figures by {name} flatter it: its discriminator looked through {reason}; {_instead(eyes, sound)}"
        for name, reason in reasons.items()
        if reason
    ]


def _likeness(eyes: GivesMaps, extractor: Extractor) -> str:
    """Why what pleases these eyes pleases the extractor, too; an empty text where nothing says so."""
    if extractor.digest == eyes.digest:
        return f"the same network ({eyes.name})"
    if eyes.sees_imagenet and getattr(extractor, "sees_imagenet", False):
        return f"{eyes.name}, which was trained on ImageNet as {extractor.name} was"
    return ""


def _instead(eyes: GivesMaps, sound: Sequence[str]) -> str:
    if sound:
        return f"go by those of {' and '.join(sound)}"
    others = [name for name in ("inception", "random") if name != eyes.name]
    others = others[1:] if eyes.sees_imagenet and len(others) > 1 else others
    return f"for a second opinion add --extractor {' or '.join(others)}, or a network of your own, FILE.py:NAME"


def same(one: Seen | None, other: Seen | None) -> bool:
    """Whether both hold the same pictures in the same order, as far as the extractor sees."""
    return one is not None and other is not None and len(one) > 0 and torch.equal(one.features, other.features)
