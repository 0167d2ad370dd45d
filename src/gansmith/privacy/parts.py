"""Parts that private recipes share: a target whose categories are drawn evenly, a plain generator, and its past."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from ..errors import SpecError, did_you_mean
from ..nn.tabular import Heads
from ..tabular.spec import TableSpec


class Target(nn.Module):
    """A category column by which rows are drawn and weighed, so that its rare categories count. All it knows of the
    data are the shares in the spec, so these must be noisy.

    Args:
        column: its name, or an empty string for none; then there is one category, which all rows have.
        even: between the shares of the data (0) and equal ones (1).

    Raises:
        SpecError: no such column among the categories; the nearest is offered.
    """

    shares: Tensor
    evened: Tensor
    weights: Tensor

    def __init__(self, spec: TableSpec, column: str, even: float) -> None:
        super().__init__()
        self.start, self.first, self.count, shares = _found(spec, column) if column else (0, 0, 0, [1.0])
        exact = torch.tensor(shares, dtype=torch.float64).clamp_min(1e-4)
        exact = exact / exact.sum()
        evened = (1 - even) * exact + even / len(exact)
        self.register_buffer("shares", exact.float(), persistent=False)
        self.register_buffer("evened", evened.float(), persistent=False)
        self.register_buffer("weights", (evened / exact / (evened / exact).max()).float(), persistent=False)

    def of(self, x: Tensor) -> Tensor:
        """The rows' categories, one-hot (b count); (b 0) without a target."""
        return x[:, self.start : self.start + self.count]

    def put(self, x: Tensor, wanted: Tensor) -> Tensor:
        """The rows with `wanted` (b count) for their category."""
        return torch.cat([x[:, : self.start], wanted, x[:, self.start + self.count :]], 1)

    def weight(self, x: Tensor) -> Tensor:
        """(b,) in (0, 1]: weighed so, the shares of the data become the evened ones."""
        return self.of(x) @ self.weights if self.count else x.new_ones(len(x))

    def chosen(self, logits: Tensor, x: Tensor) -> Tensor:
        """Of logits (b count) that of each row's category, (b,); without a target, logits are (b 1)."""
        return (logits * self.of(x)).sum(1) if self.count else logits.squeeze(1)

    def wanted(self, cond: Tensor, uniform: Tensor) -> Tensor:
        """What a request's `cond` asks of the target, (b count); where nothing, categories by the data's shares."""
        asked = cond[:, self.first : self.first + self.count]
        return torch.where(asked.sum(1, keepdim=True) > 0, asked, self.drawn(uniform, even=False))

    def drawn(self, uniform: Tensor, *, even: bool) -> Tensor:
        """Categories (b count), one-hot, from uniform noise (b,), by the evened shares or those of the data."""
        if not self.count:
            return uniform.new_zeros(len(uniform), 0)
        edges = (self.evened if even else self.shares).cumsum(0)
        code = torch.searchsorted(edges, uniform.contiguous(), right=True).clamp_max(self.count - 1)
        return F.one_hot(code, self.count).to(uniform.dtype)


def _found(spec: TableSpec, column: str) -> tuple[int, int, int, list[float]]:
    """Where the column stands in a row and among the conditions, how many codes it has, and their shares."""
    first = 0
    for span in spec.conditions:
        if span.column == column:
            return span.start, first, span.width, spec.condition_shares[first : first + span.width]
        first += span.width
    known = [span.column for span in spec.conditions]
    raise SpecError(
        f"the target {column!r} is no category of this table.{did_you_mean(column, known)} "
        f"There are: {', '.join(known) or 'none'}"
    )


class Features(nn.Module):
    """A row, its squares and fixed random cosines of it: numbers of length about the root of 3 together.

    Args:
        cosines: how many.
    """

    turns: Tensor
    shifts: Tensor

    def __init__(self, width: int, cosines: int) -> None:
        super().__init__()
        self.count = 2 * width + cosines
        self.register_buffer("turns", torch.randn(width, cosines) * 3 / width**0.5)
        self.register_buffer("shifts", torch.rand(cosines) * 2 * math.pi)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.cat([x, 1.5 * x.square() - 0.5, torch.cos(x @ self.turns + self.shifts)], 1)
        return torch.mul(h, (3 / self.count) ** 0.5)


class Judge(nn.Module):
    """Features of a row -> hidden layers -> a logit (b,), by a readout for each category of the target."""

    def __init__(self, width: int, target: Target, *, cosines: int, hidden: Sequence[int] = ()) -> None:
        super().__init__()
        self.target, self.features = target, Features(width, cosines)
        sizes = [self.features.count, *hidden, max(target.count, 1)]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        for p in self.layers[-1].parameters():
            nn.init.zeros_(p)

    def forward(self, x: Tensor) -> Tensor:
        h = self.features(x)
        for layer in list(self.layers)[:-1]:
            h = F.leaky_relu(layer(h), 0.2)
        logit: Tensor = self.target.chosen(self.layers[-1](h), x)
        return logit


class PlainGenerator(nn.Module):
    """Latent and target -> hidden layers -> heads; the target comes out as it was asked for. No normalisation."""

    def __init__(
        self, spec: TableSpec, target: Target, *, latent: int, hidden: Sequence[int], tau: float = 0.2
    ) -> None:
        super().__init__()
        self.target, self.heads = target, Heads.of_table(spec, tau)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([latent + target.count, *hidden, spec.width]))

    def forward(self, z: Tensor, wanted: Tensor, uniform: Tensor) -> Tensor:
        """Rows (b width) from z (b latent), the wanted target (b count) and uniform noise (b width)."""
        h = torch.cat([z, wanted], 1)
        for layer in list(self.layers)[:-1]:
            h = F.leaky_relu(layer(h), 0.2)
        return self.target.put(self.heads(self.layers[-1](h), uniform), wanted)


class Account(nn.Module):
    """What a run has used up, kept with its networks so that a resumed run goes on with it.

    Attributes:
        spent: steps, or queries, that looked at the data.
        rows: in the table.
    """

    spent: Tensor

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.register_buffer("spent", torch.zeros((), dtype=torch.int64))


class Past(nn.Module):
    """A ring of what a network's parameters were: players who never settle do so on average over time, so rows of many
    moments are better than those of the last (Neunhoeffer, Wu & Dwork 2021, arXiv:2007.11934, weigh the moments too).
    Free of charge: it looks at no data.

    Args:
        keep: how many moments.
    """

    moments: Tensor
    filled: Tensor

    def __init__(self, net: nn.Module, keep: int) -> None:
        super().__init__()
        count = sum(p.numel() for p in net.parameters())
        self.register_buffer("moments", torch.zeros(keep, count))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def remember(self, net: nn.Module, number: int) -> None:
        """Writes moment number `number` over the one `keep` before."""
        self.moments[number % len(self.moments)] = nn.utils.parameters_to_vector(net.parameters()).detach()
        self.filled.fill_(min(number + 1, len(self.moments)))

    def call(self, net: nn.Module, uniform: Tensor, *inputs: Tensor) -> Tensor:
        """What `net` made of each row of `inputs` at a random moment, chosen by uniform noise (b,)."""
        filled = int(self.filled)
        if not filled:
            made: Tensor = net(*inputs)
            return made
        moment = (uniform * filled).long().clamp_max(filled - 1)
        out: Tensor | None = None
        for number in moment.unique().tolist():
            at = (moment == number).nonzero().squeeze(1)
            part = functional_call(net, _unpacked(net, self.moments[number]), tuple(x[at] for x in inputs))
            out = part.new_zeros(len(uniform), *part.shape[1:]) if out is None else out
            out[at] = part
        assert out is not None
        return out


def _unpacked(net: nn.Module, vector: Tensor) -> dict[str, Tensor]:
    found, first = {}, 0
    for name, p in net.named_parameters():
        found[name] = vector[first : first + p.numel()].view_as(p)
        first += p.numel()
    return found
