"""Whether a generator heeds what it is asked for, and whether labels agree with what they stand on."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

NEIGHBOURS = 5
Points = Float[Tensor, "n d"]
Labels = Int64[Tensor, " n"]


def recognise(points: Points, known: Float[Tensor, "m d"], names: Int64[Tensor, " m"], *, own: bool = False) -> Labels:
    """For each point, the label of most of its 5 nearest neighbours among `known`.

    Args:
        own: the points are themselves the known, and no neighbours of themselves.
    """
    found = []
    for part, start in zip(points.split(512), range(0, len(points), 512), strict=True):
        distances = torch.cdist(part, known)
        if own:
            distances[torch.arange(len(part)), torch.arange(start, start + len(part))] = torch.inf
        nearest = distances.topk(min(NEIGHBOURS, len(known)), largest=False).indices
        found.append(torch.nn.functional.one_hot(names[nearest]).sum(1).argmax(1))
    return torch.cat(found)


def agreement(found: Labels, wanted: Labels) -> float:
    """Share of equal labels."""
    return float((found == wanted).double().mean())
