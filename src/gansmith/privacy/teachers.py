"""Teachers on disjoint rows, and the archive of what they said."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .parts import Features, Target


def teacher_of(index: Tensor, teachers: int) -> Tensor:
    """The teacher that a row belongs to: a hash of its number, so that no order of the table makes teachers alike."""
    mixed = (index + 1) * 0x9E3779B97F4A7C1  # wraps around
    mixed = (mixed ^ (mixed >> 29)) * 0x1CE4E5B9BF58476D
    return (mixed ^ (mixed >> 32)).remainder(teachers)


class Teachers(nn.Module):
    """k linear judges of a row's features side by side, each with a readout for each category of the target, and what
    categories each is acquainted with. No parameter is shared."""

    def __init__(self, teachers: int, width: int, target: Target, cosines: int) -> None:
        super().__init__()
        self.target, self.features, self.count = target, Features(width, cosines), max(target.count, 1)
        self.weight = nn.Parameter(0.1 * torch.randn(teachers, self.count, self.features.count))
        self.bias = nn.Parameter(torch.zeros(teachers, self.count))
        self.known = nn.Parameter(torch.zeros(teachers, self.count))

    def forward(self, x: Tensor, own: Tensor) -> Tensor:
        """Each row's logit (b,) by its own teacher."""
        logits = torch.einsum("bf,bcf->bc", self.features(x), self.weight[own]) + self.bias[own]
        return self.target.chosen(logits, x)

    def all(self, x: Tensor) -> Tensor:
        """Logits (b teachers) by all of them."""
        logits = torch.einsum("bf,kcf->bkc", self.features(x), self.weight) + self.bias
        return (logits * self._category(x)[:, None]).sum(2)

    def acquaintance(self, x: Tensor, own: Tensor) -> Tensor:
        """(b,) losses by which `known` goes to 1 where a teacher has rows of a category, and stays 0 elsewhere."""
        return ((self.known[own] - 1).square() * self._category(x)).sum(1)

    def votes(self, x: Tensor, first: int) -> Tensor:
        """How many teachers (b,) hold rows for real; those who know no such row vote by turns, `first` is the number
        of the first query."""
        turn = torch.arange(first, first + len(x), device=x.device)[:, None]
        coin = (turn + torch.arange(len(self.known), device=x.device)).remainder(2) == 1
        knows = (self._category(x) @ self.known.T) > 0.05
        return torch.where(knows, self.all(x) > 0, coin).sum(1).double()

    def _category(self, x: Tensor) -> Tensor:
        return (self.target.of(x) > 0.5).to(x.dtype) if self.target.count else x.new_ones(len(x), 1)


class Archive(nn.Module):
    """Rows that were voted on, and the noisy answers: 1 for real."""

    rows: Tensor
    answers: Tensor

    def __init__(self, queries: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(queries, width))
        self.register_buffer("answers", torch.zeros(queries))
