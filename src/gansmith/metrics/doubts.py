"""What looks wrong with the pictures themselves, whatever is measured of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from .base import Seen


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
                f"the features that {name} took of all {len(features):,} {side} pictures are equal: they are one "
                "picture over and over, or this network does not see what differs between them"
            )
    if same(kept.get("real"), kept.get("fake")):
        yield "the generated pictures are the real ones, one by one: these figures are of a side against itself"


def same(one: Seen | None, other: Seen | None) -> bool:
    """Whether both hold the same pictures in the same order, as far as the extractor sees."""
    return one is not None and other is not None and len(one) > 0 and torch.equal(one.features, other.features)
