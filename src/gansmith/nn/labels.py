"""What networks are told of an example: one class of several, or several attributes at once.

A label is a class's number, (b,), or attributes, (b a), each 0 or 1. Both name rows of a table: a class one of its own,
attribute i row 2 i without it and row 2 i + 1 with it (`ImageSpec.labels` names them). What stands for attributes is
the sum of their rows; so a table for one attribute is one for two classes, and "none of them" is not just zero.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

Label = Int[Tensor, "b *attributes"]


def rows(y: Label) -> Label:
    """The rows of a table that labels name: one for each class, or for each attribute."""
    return y if y.ndim == 1 else y + 2 * torch.arange(y.shape[1], device=y.device)


def looked_up(y: Label, weight: Float[Tensor, "rows width"]) -> Float[Tensor, "b width"]:
    """The row of a class, or the sum of the rows of attributes."""
    found = F.embedding(rows(y), weight)
    return found if y.ndim == 1 else found.sum(1)


def hot(y: Label, length: int) -> Int[Tensor, "b {length}"]:
    """Ones at the rows that labels name, zeros elsewhere, of a table of `length` rows."""
    found = F.one_hot(rows(y), length)
    return found if y.ndim == 1 else found.sum(1)


def naming_loss(scores: Float[Tensor, "b rows"], y: Label) -> Float[Tensor, "b"]:
    """-log P(y | x): cross-entropy of classes, or the sum over attributes of the binary one, of scores of the rows."""
    if y.ndim == 1:
        return F.cross_entropy(scores, y, reduction="none")
    each = F.cross_entropy(scores.unflatten(1, (-1, 2)).flatten(0, 1), y.flatten(), reduction="none")
    of_attributes: Tensor = each.unflatten(0, y.shape)
    return of_attributes.sum(1)


class LabelEmbedding(nn.Embedding):
    """Learned numbers for each class, or the sum of those for each attribute, with it or without."""

    def forward(self, y: Label) -> Float[Tensor, "b width"]:
        return looked_up(y, self.weight)
