"""GAIN (Yoon, Jordon, van der Schaar 2018, arXiv:1806.02920): fills what is missing in a table.

    L_D = -E[sum over i with b_i = 0: m_i log d_i + (1 - m_i) log(1 - d_i)]      d = s(D(x^, h)), m_i = 1 where known
    L_G = -E[sum over i with b_i = 0: (1 - m_i) log d_i] + alpha E[|m (x - G(x~, m))|^2]

G sees a row x~ with noise where values are missing, and completes it to x^. D says of each column whether it was known;
the hint h tells it all but a few columns, h = b m + (1 - b) / 2. Of a choice, the squared error becomes -log p.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..errors import ConfigError, DataError, SpecError
from ..nn.optim import adam
from ..nn.tabular import Heads
from ..schedule import Scheduled, at
from ..spec import Spec
from ..tabular.spec import TableSpec
from .base import Context, Networks, Phase, Recipe, sample

Rows = Float[Tensor, "b width"]
Flags = Float[Tensor, "b columns"]


@dataclass(frozen=True, kw_only=True)
class GAIN(Recipe):
    """Defaults are those of the authors' code, at a batch of 128 and for 10,000 steps.

    Args:
        width: of the two hidden layers of G and of D; 0 for that of a row, as in the paper.
        alpha: weight of the reconstruction of known values.
        numbers: weight of a squared error, on a scale from 0 to 1, within it; that of a choice's -log p is 1.
        hint: share of the columns of which D is told whether they were known, in [0, 1).
        noise: missing scalars are uniform in [-noise, noise], choices in [0, noise], as G sees them.
        hide: share of the known values that each batch hides from G on top; G is to reconstruct these too, and so
            learns from the truth as well as from D. In the paper 0; needed where nothing is missing in training.
        lr: of both players.
        half_life: of G's average, in samples; 0 for none, as in the paper.
    """

    makes: ClassVar[str] = "table"
    reads: ClassVar[Mapping[str, Any]] = {"style": "linear"}
    imputes: ClassVar[bool] = True

    width: int = 0
    alpha: float = 100.0
    numbers: float = 1.0
    hint: float = 0.9
    noise: float = 0.01
    hide: float = 0.0
    lr: Scheduled = 1e-3
    half_life: Scheduled = 0.0

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """G: (b width), known (b columns) -> raw (b width). D: (b width), hint (b columns) -> logits (b columns)."""
        spec = rows_spec(spec)
        if not 0 <= self.hint < 1:
            raise ConfigError(f"hint is a share of the columns, at least 0 and less than 1; it is: {self.hint}")
        columns, hidden = len(spec.encoders), self.width or spec.width
        sizes = (spec.width + columns, hidden, hidden)
        return Networks({"G": Generator(spec, (*sizes, spec.width)), "D": Judge((*sizes, columns))})

    def phases(self) -> dict[str, Phase]:
        return {"D": Phase(("D",), self.d_loss), "G": Phase(("G",), self.g_loss)}

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        m = self.shown(nets, batch, ctx)
        with torch.no_grad():
            raw = nets.G(self.veiled(nets, batch["x"], m, batch, ctx), m)
            filled = nets.G.fill(batch["x"], m, nets.G.heads(raw))
        logits, asked = self.judge(nets, filled, m, batch, ctx)
        wrong = F.binary_cross_entropy_with_logits(logits, m, reduction="none")
        ctx.report("known_logit", (logits * m).sum(1) / m.sum(1).clamp_min(1))
        ctx.report("filled_logit", (logits * (1 - m)).sum(1) / (1 - m).sum(1).clamp_min(1))
        return {"adv": (asked * wrong).mean(1) / (1 - self.hint)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        x, m = batch["x"], self.shown(nets, batch, ctx)
        raw = nets.G(self.veiled(nets, batch["x"], m, batch, ctx), m)
        logits, asked = self.judge(nets, nets.G.fill(x, m, nets.G.heads(raw)), m, batch, ctx)
        adv = (asked * (1 - m) * F.softplus(-logits)).mean(1) / (1 - self.hint)
        return {"adv": adv, "known": self.alpha * nets.G.error(raw, x, self.numbers)}

    def shown(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        """m, (b columns): 1 where a value is known and not hidden."""
        known: Tensor = nets.G.known(batch["x"])
        return known * (ctx.rand(batch, known.shape[1]) >= self.hide) if self.hide else known

    def veiled(self, nets: Networks, x: Tensor, m: Tensor, batch: Batch, ctx: Context) -> Tensor:
        """x~, (b width): noise where values are missing."""
        z = ctx.rand(batch, nets.G.width)
        veiled: Tensor = nets.G.fill(x, m, self.noise * torch.where(nets.G.scalar, 2 * z - 1, z))
        return veiled

    def judge(self, nets: Networks, filled: Tensor, m: Tensor, batch: Batch, ctx: Context) -> tuple[Tensor, Tensor]:
        """D's logits (b columns), and 1 for each column that the hint leaves open (1 - b)."""
        asked = (ctx.rand(batch, m.shape[1]) >= self.hint).to(m.dtype)
        return nets.D(filled, (1 - asked) * m + asked / 2), asked

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return adam(params, at(self.lr, 0), (0.9, 0.999))

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        return {"lr": float(at(self.lr, samples))}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        """Completes the rows `x` (b width) of `request` where they say that a value is missing, and where `missing`
        (b columns), in the order of `schema.learnt`, is 1. Without `x` nothing is known, and rows in the middle of the
        table come, which hardly differ: to make tables, take another recipe."""
        G, x, missing = nets.G, request.get("x"), request.get("missing")
        if x is None:
            x, missing = torch.zeros(len(request), G.width, device=ctx.device), torch.ones((), device=ctx.device)
        m = G.known(x) if missing is None else G.known(x) * (1 - missing.to(x.dtype))
        raw = G(self.veiled(nets, x, m, request, ctx), m)
        return Batch(x=G.fill(x, m, G.heads.harden(G.heads(raw))))


def impute_batch(
    recipe: Recipe, nets: Networks, spec: TableSpec, x: Tensor, missing: Tensor | None = None, *, seed: int = 0
) -> Tensor:
    """Rows with their missing values filled in; known ones stay to the bit.

    Args:
        recipe: one with `imputes`, such as GAIN.
        nets: trained (averages where there are any).
        x: (b width), as `TableSpec.expand` makes it; what it holds in missing columns does not count.
        missing: (b columns of `schema.learnt`) 1 or True where a value is missing, beside those that `x` tells of.
        seed: row i depends on (seed, i) alone.

    Raises:
        SpecError: the recipe does not impute.
        DataError: `x` or `missing` is not of that shape.
    """
    if not getattr(recipe, "imputes", False):
        raise SpecError(f"{type(recipe).__name__} makes rows and fills none in; a recipe that does: gain")
    if x.ndim != 2 or x.shape[1] != spec.width:
        raise DataError(f"wanted encoded rows of {spec.width} numbers, came: {tuple(x.shape)}")
    wanted = (len(x), len(spec.encoders))
    missing = torch.zeros(wanted) if missing is None else missing.float()
    if missing.shape != wanted:
        raise DataError(f"wanted a flag for each row and learnt column, {wanted}; came: {tuple(missing.shape)}")
    if not len(x):
        return x
    request = Batch(index=torch.arange(len(x)), x=x, missing=missing)
    return sample(recipe, nets, request, seed=seed, chunk=4096)["x"]


class Generator(nn.Module):
    """Row with noise where values are missing, and flags of the known columns -> raw values of a whole row, in which
    the codes of missing values are never chosen."""

    scalar: Tensor
    owner: Tensor
    void: Tensor

    def __init__(self, spec: TableSpec, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.width, self.columns, self.layers = spec.width, len(spec.encoders), perceptron(sizes)
        self.heads = Heads([s.width for s in spec.spans], [s.head == "choice" for s in spec.spans])
        names = [c.name for c in spec.schema.learnt]
        owner = [names.index(s.column) for s in spec.spans for _ in range(s.width)]
        scalar = [s.head == "scalar" for s in spec.spans for _ in range(s.width)]
        void = [i in missing_codes(spec) for i in range(spec.width)]
        for name, values in {"owner": owner, "scalar": scalar, "void": void}.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)

    def forward(self, x: Rows, m: Flags) -> Rows:
        raw: Tensor = self.layers(torch.cat((x, m), 1))
        return raw.masked_fill(self.void, -1e4)

    def known(self, x: Rows) -> Flags:
        """1 for each column that is not told to be missing."""
        return 1 - self.by_column(x * self.void)

    def fill(self, x: Rows, m: Flags, other: Rows) -> Rows:
        """`x` in the columns where m is 1, `other` elsewhere."""
        return torch.where(m[:, self.owner] > 0, x, other)

    def by_column(self, values: Rows) -> Flags:
        """Sums of what belongs to each column."""
        return values.new_zeros(len(values), self.columns).index_add(1, self.owner, values)

    def error(self, raw: Rows, x: Rows, numbers: float = 1.0) -> Float[Tensor, "b"]:
        """How far the whole row is from what is known of `x`, the mean over its known columns: `numbers` times the
        squared errors of scalars, on a scale from 0 to 1, and -log p of choices."""
        square = ((torch.tanh(raw) - x) / 2).square() * self.scalar * numbers
        known = self.known(x)
        total = (self.by_column(square) * known).sum(1)
        if self.heads.count:
            total = total + self.heads.cross_entropy(raw, x * known[:, self.owner])
        return total / known.sum(1).clamp_min(1)


def missing_codes(spec: TableSpec) -> set[int]:
    """The places in a row that are 1 where a value is missing: the last code of a column's last choice."""
    last = {s.column: s.slice.stop - 1 for s in spec.spans if s.head == "choice"}
    return {last[c.name] for c in spec.schema.learnt if c.nulls and c.name in last}


class Judge(nn.Module):
    """Completed row and hint -> for each column the logit of its having been known."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = perceptron(sizes)

    def forward(self, x: Rows, hint: Flags) -> Flags:
        logits: Tensor = self.layers(torch.cat((x, hint), 1))
        return logits


def perceptron(sizes: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def rows_spec(spec: Spec) -> TableSpec:
    """`spec` itself; a SpecError where it is not a table's."""
    if not isinstance(spec, TableSpec):
        raise SpecError(f"gain fills in tables; the data are of the kind: {spec.kind}")
    return spec


def paper(spec: Spec) -> GAIN:
    """The settings of the authors' code; where nothing is missing in training, a fifth of the values is hidden."""
    complete = not any(c.nulls for c in rows_spec(spec).schema.learnt)
    return GAIN(hide=0.2 if complete else 0.0)


def small(spec: Spec) -> GAIN:
    """For a CPU core and a minute or two, at a batch of 128."""
    rows_spec(spec)
    return GAIN(width=256, numbers=20.0, hide=0.2, half_life=10_000.0)
