"""Parts of networks that make and judge rows of a table: heads, conditions, packing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..tabular.spec import TableSpec

Rows = Float[Tensor, "b width"]


def gumbel(uniform: Tensor) -> Tensor:
    """Standard Gumbel noise from uniform noise in [0, 1)."""
    return -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))


def _drawn(raw: Float[Tensor, "k b"], uniform: Float[Tensor, "b"]) -> Tensor:
    """(b,) int64: a draw from the softmax over k, by the inverse of its cumulative distribution."""
    reached, code, passed = torch.zeros_like(uniform), torch.zeros_like(uniform), torch.empty_like(uniform)
    for probability in raw.softmax(0)[:-1]:
        code += torch.le(reached.add_(probability), uniform, out=passed)
    return code.long()


class Heads(nn.Module):
    """Turns what a network's last layer says into a row: tanh for scalars, a softmax for each choice.

    With noise a choice is a draw from the Gumbel-softmax (Jang et al. 2016, arXiv:1611.01144; Maddison et al. 2016,
    arXiv:1611.00712), close to one-hot at a low temperature, and its gradient flows.

    Args:
        widths: of the spans, in their order.
        choices: whether each span is a choice; else it is a scalar.
        tau: temperature of the softmax.

    Attributes:
        offset: (width,) added to the raw values; zero until a calibration sets it.
        bent, onto: (scalars, KNOTS) a monotone map of each finished scalar; the identity until a calibration sets it.
    """

    KNOTS: ClassVar[int] = 201

    scalars: Tensor
    places: Tensor
    owners: Tensor
    offset: Tensor
    bent: Tensor
    onto: Tensor

    def __init__(self, widths: Sequence[int], choices: Sequence[bool], tau: float = 0.2) -> None:
        super().__init__()
        self.tau = tau
        starts = [sum(widths[:i]) for i in range(len(widths))]
        spans = list(zip(starts, widths, choices, strict=True))
        scalars = [start + i for start, width, choice in spans if not choice for i in range(width)]
        places = [start + i for start, width, choice in spans if choice for i in range(width)]
        owners = [n for n, w in enumerate(w for _, w, choice in spans if choice) for _ in range(w)]
        self.count = sum(choices)
        self.width = sum(widths)
        self.choices = tuple(slice(start, start + width) for start, width, choice in spans if choice)
        self.register_buffer("scalars", torch.tensor(scalars, dtype=torch.int64), persistent=False)
        self.register_buffer("places", torch.tensor(places, dtype=torch.int64), persistent=False)
        self.register_buffer("owners", torch.tensor(owners, dtype=torch.int64), persistent=False)
        self.register_buffer("offset", torch.zeros(self.width))
        for name in ("bent", "onto"):
            self.register_buffer(name, torch.linspace(-1, 1, self.KNOTS).repeat(len(scalars), 1))

    def forget(self) -> None:
        """Undoes a calibration."""
        self.offset.zero_()
        for knots in (self.bent, self.onto):
            knots.copy_(torch.linspace(-1, 1, self.KNOTS).to(knots).expand_as(knots))

    @staticmethod
    def of_table(spec: TableSpec, tau: float = 0.2) -> Heads:
        """The heads of a table's rows."""
        return Heads([s.width for s in spec.spans], [s.head == "choice" for s in spec.spans], tau)

    def log_softmax(self, raw: Rows) -> Float[Tensor, "b choices"]:
        """Log probabilities of all choices side by side, without their scalars."""
        own = raw[:, self.places]
        index = self.owners.expand(len(own), -1)
        empty = own.new_zeros(len(own), self.count)
        top = empty.scatter_reduce(1, index, own.detach(), "amax", include_self=False)
        own = own - top[:, self.owners]
        return own - empty.index_add(1, self.owners, own.exp()).log()[:, self.owners]

    def forward(self, raw: Rows, uniform: Rows | None = None) -> Rows:
        """A row from raw values; `uniform` noise in [0, 1) draws the choices, without it they are probabilities."""
        raw = raw + self.offset
        x = raw.new_zeros(raw.shape)
        x = x.index_copy(1, self.scalars, torch.tanh(raw[:, self.scalars]))
        if not self.count:
            return x
        if uniform is not None:
            raw = (raw + gumbel(uniform)) / self.tau
        return x.index_copy(1, self.places, self.log_softmax(raw).exp())

    def drawn(self, raw: Rows, uniform: Float[Tensor, "b choices"]) -> tuple[Rows, Tensor]:
        """A row to hand out from raw values: choices drawn from their softmax, scalars bent as a calibration says.

        The hardened Gumbel-softmax of `forward` has the same distribution at any temperature, and needs far more noise.

        Returns:
            The row, and the codes of its choices (b choices) int64.
        """
        sides = raw.T.contiguous() + self.offset[:, None]  # one entry of all rows together: all steps run along it
        noise, row = uniform.T.contiguous(), torch.zeros_like(sides)
        codes = raw.new_empty(self.count, len(raw), dtype=torch.int64)
        for number, own in enumerate(self.choices):
            codes[number] = _drawn(sides[own], noise[number])
            row[own].scatter_(0, codes[number][None], 1.0)
        if len(self.scalars):
            row[self.scalars] = self._bent(torch.tanh(sides[self.scalars]))
        return row.T, codes.T

    def _bent(self, values: Float[Tensor, "scalars b"]) -> Float[Tensor, "scalars b"]:
        """Finished scalars, through their monotone maps."""
        at = torch.searchsorted(self.bent, values).clamp(1, self.KNOTS - 1)
        low, high = self.bent.gather(1, at - 1), self.bent.gather(1, at)
        share = ((values - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
        return torch.lerp(self.onto.gather(1, at - 1), self.onto.gather(1, at), share)

    def harden(self, x: Rows) -> Rows:
        """The largest entry of each choice made 1, the others 0; scalars as they are."""
        if not self.count:
            return x
        own = x[:, self.places]
        index = self.owners.expand(len(own), -1)
        top = own.new_zeros(len(own), self.count).scatter_reduce(1, index, own, "amax", include_self=False)
        return x.index_copy(1, self.places, (own == top[:, self.owners]).to(x.dtype))

    def cross_entropy(self, raw: Rows, wanted: Rows) -> Float[Tensor, "b"]:
        """-log p of the entries that are 1 in `wanted` (a row with zeros wherever nothing is wanted), summed."""
        return -(self.log_softmax(raw) * wanted[:, self.places]).sum(1)


class Conditions(nn.Module):
    """What may be asked for: the spans of a row that are conditions, and how frequent each of their codes is.

    Args:
        starts, widths: of these spans within the row.
        shares: the frequency of each code, in the same order.
        width: of the whole row.
    """

    places: Tensor
    owners: Tensor
    firsts: Tensor
    widths: Tensor
    edges: Tensor

    def __init__(self, starts: Sequence[int], widths: Sequence[int], shares: Sequence[float], width: int) -> None:
        super().__init__()
        self.count, self.width, self.row_width = len(widths), sum(widths), width
        places = [start + i for start, w in zip(starts, widths, strict=True) for i in range(w)]
        owners = [n for n, w in enumerate(widths) for _ in range(w)]
        edges, first = [], 0
        for w in widths:
            own = torch.tensor(shares[first : first + w], dtype=torch.float64)
            edges.append(
                nn.functional.pad((own / own.sum().clamp_min(1e-12)).cumsum(0), (0, max(widths) - w), value=2.0)
            )
            first += w
        firsts = [sum(widths[:i]) for i in range(len(widths))]
        self.register_buffer("places", torch.tensor(places, dtype=torch.int64), persistent=False)
        self.register_buffer("owners", torch.tensor(owners, dtype=torch.int64), persistent=False)
        self.register_buffer("firsts", torch.tensor(firsts, dtype=torch.int64), persistent=False)
        self.register_buffer("widths", torch.tensor(list(widths), dtype=torch.int64), persistent=False)
        edge = torch.stack(edges).float() if edges else torch.zeros(0, 0)
        self.register_buffer("edges", edge, persistent=False)

    @staticmethod
    def of_table(spec: TableSpec) -> Conditions:
        """What may be asked for of a table's rows."""
        starts, widths = [s.start for s in spec.conditions], [s.width for s in spec.conditions]
        return Conditions(starts, widths, spec.condition_shares, spec.width)

    def of(self, x: Rows, mask: Float[Tensor, "b columns"]) -> Float[Tensor, "b conditions"]:
        """The condition that rows fulfil, in the columns where `mask` is 1."""
        return x[:, self.places] * mask[:, self.owners]

    def placed(self, cond: Float[Tensor, "b conditions"]) -> Rows:
        """A condition put where it stands within a row; zeros elsewhere."""
        return cond.new_zeros(len(cond), self.row_width).index_copy(1, self.places, cond)

    def drawn(self, uniform: Float[Tensor, "b 2"]) -> tuple[Tensor, Tensor]:
        """A random column's code by its frequency, from uniform noise: `cond` (b conditions), `mask` (b columns)."""
        column, place = self.codes(uniform)
        cond = uniform.new_zeros(len(uniform), self.width).scatter_(1, place[:, None], 1.0)
        return cond, nn.functional.one_hot(column, self.count).to(uniform.dtype)

    def codes(self, uniform: Float[Tensor, "b 2"]) -> tuple[Tensor, Tensor]:
        """The same as (b,) int64: the column, and the place of its code within a condition."""
        column = (uniform[:, 0] * self.count).long().clamp_max(self.count - 1)
        code = torch.searchsorted(self.edges[column].contiguous(), uniform[:, 1:2].contiguous(), right=True).squeeze(1)
        return column, self.firsts[column] + torch.minimum(code, self.widths[column] - 1)

    def filled(self, cond: Tensor, mask: Tensor, uniform: Float[Tensor, "b 2"]) -> Tensor:
        """`cond` where something is asked for; where nothing is, a random column's code by its frequency.

        Returns:
            (b conditions); or, where no row asks for anything, (b,) int64, the place of each row's one code.
        """
        if not self.count:
            return cond
        if not bool(mask.any()):
            return self.codes(uniform)[1]
        drawn, _ = self.drawn(uniform)
        return torch.where(mask.sum(1, keepdim=True) > 0, cond, drawn)

    def dense(self, cond: Tensor) -> Float[Tensor, "b conditions"]:
        """What `filled` gave, as (b conditions)."""
        return nn.functional.one_hot(cond, self.width).to(self.edges.dtype) if cond.dim() == 1 else cond


class RowGenerator(nn.Module):
    """Latent and condition -> hidden layers, each with all that came before it -> heads (CTGAN's, arXiv:1907.00503).

    Args:
        latent: length of z.
        width, depth: of the hidden layers.
        tau: temperature of the Gumbel-softmax.
    """

    def __init__(self, spec: TableSpec, *, latent: int, width: int, depth: int, tau: float) -> None:
        super().__init__()
        self.conditions = Conditions.of_table(spec)
        self.heads = Heads.of_table(spec, tau)
        inputs, layers = latent + self.conditions.width, list[nn.Module]()
        for _ in range(depth):
            layers.append(nn.Sequential(nn.Linear(inputs, width, bias=False), nn.BatchNorm1d(width), nn.ReLU()))
            inputs += width
        self.layers = nn.ModuleList(layers)
        self.last = nn.Linear(inputs, spec.width)

    def forward(
        self, z: Float[Tensor, "b latent"], cond: Tensor, uniform: Rows | None = None
    ) -> tuple[Rows | None, Rows]:
        """Rows, and the raw values that they are made of; `uniform` noise draws the choices, without it no rows are.

        Args:
            cond: (b conditions), or what `Conditions.filled` gives.
        """
        raw = self._slowly(z, cond) if self.training or torch.is_grad_enabled() else self._quickly(z, cond)
        return None if uniform is None else self.heads(raw, uniform), raw

    def _slowly(self, z: Tensor, cond: Tensor) -> Tensor:
        h = torch.cat([z, self.conditions.dense(cond)], 1)
        for layer in self.layers:
            h = torch.cat([layer(h), h], 1)
        out: Tensor = self.last(h)
        return out

    def _quickly(self, z: Tensor, cond: Tensor) -> Tensor:
        """The same without a gradient: norms folded into the layers, parts added up instead of copied side by side,
        where each row's condition is but one code its weights looked up instead of multiplied, and the last layer
        turned over, as `Heads.drawn` wants it."""
        parts = [z, cond]  # a layer's input is those of before, the last one first
        for layer in self.layers:
            parts.insert(0, _summed(parts, *_folded(*list(layer.children())[:2])).relu_())
        return _summed_over(parts, self.last.weight, self.last.bias).T


def _folded(linear: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer with its norm in evaluation mode."""
    assert isinstance(linear, nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return linear.weight * scale[:, None], norm.bias - norm.running_mean * scale


def _summed(parts: Sequence[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    """[parts side by side] weight' + bias; the last part may be (b,) int64, the places of ones in rows of zeros."""
    *known, cond = parts
    first = sum(part.shape[1] for part in known)
    if cond.dim() == 1:
        out = (weight[:, first:].T.contiguous() + bias).index_select(0, cond)
    else:
        out = torch.addmm(bias, cond, weight[:, first:].T)
    for part in known[::-1]:
        first -= part.shape[1]
        out.addmm_(part, weight[:, first : first + part.shape[1]].T)
    return out


def _summed_over(parts: Sequence[Tensor], weight: Tensor, bias: Tensor) -> Tensor:
    """`_summed`, one row of the result for each of `weight`: (out b)."""
    *known, cond = parts
    first = sum(part.shape[1] for part in known)
    if cond.dim() == 1:
        out = (weight[:, first:] + bias[:, None]).index_select(1, cond)
    else:
        out = torch.addmm(bias[:, None], weight[:, first:], cond.T)
    for part in known[::-1]:
        first -= part.shape[1]
        out.addmm_(weight[:, first : first + part.shape[1]], part.T)
    return out


def packed(x: Rows, pac: int) -> Float[Tensor, "packs packed"]:
    """`pac` rows side by side for one judgement (PacGAN, Lin et al. 2017, arXiv:1712.04086)."""
    return x.reshape(len(x) // pac, -1)
