"""Parts of networks that make and judge rows of a table: heads, conditions, packing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..tabular.monotone import Monotone
from ..tabular.spec import TableSpec

Numbers: TypeAlias = npt.NDArray[Any]
Rows = Float[Tensor, "b width"]


def gumbel(uniform: Tensor) -> Tensor:
    """Standard Gumbel noise from uniform noise in [0, 1)."""
    return -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))


SAFE = 80.0  # logits whose exponentials, and a sum of many, are float32 numbers


def _drawn(raw: Numbers, uniform: Numbers) -> Numbers:
    """(b,) codes drawn from the softmax over `raw` (k b), which is used up, by the inverse of its cumulative
    distribution; `uniform` (b,) in [0, 1)."""
    top = raw.max(0)
    if not (top.max() < SAFE and top.min() > -SAFE):
        raw -= top
    reached = np.exp(raw, out=raw)
    for before, own in pairwise(reached):
        own += before
    passed = np.less_equal(reached[:-1], reached[-1] * uniform)
    return np.asarray(passed.view(np.uint8).sum(0, dtype=np.uint8 if len(raw) <= 256 else np.int64))


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
        self._bends: tuple[bytes, list[Monotone]] = b"", []
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

    def drawn(self, raw: Rows, uniform: Float[Tensor, "b choices"], *, compact: bool = False) -> tuple[Rows, Tensor]:
        """A row to hand out from raw values: choices drawn from their softmax, scalars bent as a calibration says.

        The hardened Gumbel-softmax of `forward` has the same distribution at any temperature, and needs far more noise.

        Args:
            raw: is used up.
            compact: leave zeros where the row's choices are; their codes tell them.

        Returns:
            The row, and the codes of its choices (b choices) int64.
        """
        # in numpy, whose many small steps cost half of torch's; one entry of all rows together, for all run along it
        sides = raw.detach().float().T.contiguous().cpu().numpy()
        sides += self.offset.cpu().numpy()[:, None]
        noise, row = uniform.T.contiguous().cpu().numpy(), np.zeros(sides.shape, sides.dtype)
        codes = np.empty((self.count, len(raw)), dtype=np.int64)
        with np.errstate(invalid="ignore"):  # a broken network's NaN are seen by those who judge it
            for place, bent in zip(self.scalars.tolist(), self._maps(), strict=True):
                row[place] = bent(np.tanh(sides[place]))
            for number, own in enumerate(self.choices):
                codes[number] = found = _drawn(sides[own], noise[number])
                if not compact:
                    np.equal(found, np.arange(len(row[own]), dtype=found.dtype)[:, None], out=row[own])
        return torch.from_numpy(row).T.to(raw.device), torch.from_numpy(codes).T.to(raw.device)

    def _maps(self) -> list[Monotone]:
        """The monotone maps of the scalars; kept until a calibration sets others."""
        bent, onto = self.bent.double().cpu().numpy(), self.onto.double().cpu().numpy()
        knots = bent.tobytes() + onto.tobytes()
        if self._bends[0] != knots:
            self._bends = knots, [Monotone(x, y) for x, y in zip(bent, onto, strict=True)]
        return self._bends[1]

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
    edges: Tensor

    def __init__(self, starts: Sequence[int], widths: Sequence[int], shares: Sequence[float], width: int) -> None:
        super().__init__()
        self.count, self.width, self.row_width = len(widths), sum(widths), width
        places = [start + i for start, w in zip(starts, widths, strict=True) for i in range(w)]
        owners = [n for n, w in enumerate(widths) for _ in range(w)]
        self.register_buffer("places", torch.tensor(places, dtype=torch.int64), persistent=False)
        self.register_buffer("owners", torch.tensor(owners, dtype=torch.int64), persistent=False)
        self.register_buffer("edges", _edges(shares, widths), persistent=False)

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
        return column, torch.searchsorted(self.edges, column + uniform[:, 1].double(), right=True)

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
        return nn.functional.one_hot(cond, self.width).float() if cond.dim() == 1 else cond


def _edges(shares: Sequence[float], widths: Sequence[int]) -> Tensor:
    """(sum of widths,) float64, rising: the cumulative shares of each column's codes, from its number to the next."""
    edges, first = [torch.zeros(0, dtype=torch.float64)], 0
    for number, width in enumerate(widths):
        own = torch.tensor(shares[first : first + width], dtype=torch.float64)
        edges.append(number + (own / own.sum().clamp_min(1e-12)).cumsum(0).clamp_max(1))
        edges[-1][-1] = number + 1
        first += width
    return torch.cat(edges)


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
        self._quick: tuple[list[Tensor], list[_Layer]] = [], []

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
        *layers, last = self._quick_layers()
        for layer in layers:
            parts.insert(0, layer(parts).relu_())
        return last.turned(parts).T

    def _quick_layers(self) -> list[_Layer]:
        """Kept until a weight changes."""
        weights = [*self.layers.parameters(), *self.layers.buffers(), *self.last.parameters()]
        known, layers = self._quick
        if len(known) == len(weights) and all(map(_same, known, weights)):
            return layers
        sizes, layers = [weights[0].shape[1] - self.conditions.width, self.conditions.width], []
        for layer in self.layers:
            layers.append(_Layer(*_folded(*list(layer.children())[:2]), sizes))
            sizes = [len(layers[-1].bias), *sizes]
        layers.append(_Layer(self.last.weight.detach(), self.last.bias.detach(), sizes))
        self._quick = [w.detach().clone() for w in weights], layers
        return layers


def _same(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and torch.equal(a, b)


def _folded(linear: nn.Module, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer with its norm in evaluation mode."""
    assert isinstance(linear, nn.Linear)
    assert isinstance(norm, nn.BatchNorm1d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return linear.weight * scale[:, None], norm.bias - norm.running_mean * scale


class _Layer:
    """[inputs side by side] weight' + bias, each input multiplied by itself; the last one, a condition, may be (b,)
    int64, the places of ones in rows of zeros.

    Args:
        sizes: of the inputs.
    """

    def __init__(self, weight: Tensor, bias: Tensor, sizes: Sequence[int]) -> None:
        *self.weights, self.asked = weight.split(list(sizes), 1)
        self.bias = bias
        self.table = self.asked + bias[:, None]
        self.turned_table = self.table.T.contiguous()

    def __call__(self, parts: Sequence[Tensor]) -> Tensor:
        """(b out)"""
        *known, cond = parts
        lookup = cond.dim() == 1
        out = self.turned_table.index_select(0, cond) if lookup else torch.addmm(self.bias, cond, self.asked.T)
        for part, weight in zip(known, self.weights, strict=True):
            out.addmm_(part, weight.T)
        return out

    def turned(self, parts: Sequence[Tensor]) -> Tensor:
        """(out b), the same."""
        *known, cond = parts
        lookup = cond.dim() == 1
        out = self.table.index_select(1, cond) if lookup else torch.addmm(self.bias[:, None], self.asked, cond.T)
        for part, weight in zip(known, self.weights, strict=True):
            out.addmm_(weight, part.T)
        return out


def packed(x: Rows, pac: int) -> Float[Tensor, "packs packed"]:
    """`pac` rows side by side for one judgement (PacGAN, Lin et al. 2017, arXiv:1712.04086)."""
    return x.reshape(len(x) // pac, -1)
