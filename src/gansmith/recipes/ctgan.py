"""CTGAN (Xu, Skoularidou, Cuesta-Infante, Veeramachaneni 2019, arXiv:1907.00503): tables, by asking for categories.

    L_D = E D(G(z, c), c) - E D(x, c) + 10 E (|grad D| - 1)^2      x drawn by category: it fulfils c
    L_G = -E D(G(z, c), c) + H(c, G(z, c))                          H = cross-entropy in the column asked for

D judges `pac` rows at once (PacGAN, arXiv:1712.04086), so that it sees a lack of variety.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ..batch import Batch
from ..errors import ConfigError, SpecError
from ..losses.adversarial import wasserstein
from ..losses.penalties import between, gradient_norm_error2
from ..nn.tabular import RowGenerator, packed
from ..schedule import Scheduled, at
from ..spec import Spec
from ..tabular.spec import TableSpec
from .base import Context, Networks, Phase, Recipe


@dataclass(frozen=True, kw_only=True)
class CTGAN(Recipe):
    """Defaults are the paper's, at a batch of 500.

    Args:
        latent: length of z, normal.
        width: of each hidden layer, in both players.
        depth: hidden layers, in both players.
        pac: rows that D judges at once; must divide the batch.
        penalty: weight of the gradient penalty.
        dropout: in D.
        tau: temperature of the Gumbel-softmax.
        lr: of both players; betas are 0.5 and 0.9.
        weight_decay: of G.
        half_life: of G's average, in samples; 0 for none, as in the paper.
        calibrate: when training ends, bend what G makes so that each column alone is distributed as in the data.
    """

    makes: ClassVar[str] = "table"

    latent: int = 128
    width: int = 256
    depth: int = 2
    pac: int = 10
    penalty: float = 10.0
    dropout: float = 0.5
    tau: float = 0.2
    lr: Scheduled = 2e-4
    weight_decay: float = 1e-6
    half_life: Scheduled = 0.0
    calibrate: bool = False

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent + conditions) -> (b width). D: (b/pac, pac (width + conditions)) -> (b/pac,)."""
        if not isinstance(spec, TableSpec):
            raise SpecError(f"ctgan makes rows of tables, not: {spec.kind}; `gansmith recipes` lists what makes what")
        G = RowGenerator(spec, latent=self.latent, width=self.width, depth=self.depth, tau=self.tau)
        return Networks({"G": G, "D": Discriminator(self, spec)})

    def phases(self) -> dict[str, Phase]:
        d = Phase(("D",), self.d_loss, second_order=("D",), draw="conditional")
        return {"D": d, "G": Phase(("G",), self.g_loss, draw="conditional")}

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        real, cond = batch["x"], nets.G.conditions.of(batch["x"], batch["mask"])
        with torch.no_grad():
            fake, _ = nets.G(ctx.randn(batch, self.latent), cond, ctx.rand(batch, real.shape[1]))
        real, fake = self._judged(real, cond), self._judged(fake, cond)
        mixed = between(real, fake, ctx.rand(batch, every=self.pac))
        real_logit, fake_logit = self._judge(nets, real, batch, ctx), self._judge(nets, fake, batch, ctx)
        penalty = self.penalty * gradient_norm_error2(self._judge(nets, mixed, batch, ctx), mixed)
        ctx.report("real_logit", real_logit)
        ctx.report("fake_logit", fake_logit)
        return {"adv": self._each(wasserstein.d(real_logit, fake_logit)), "penalty": self._each(penalty)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        cond = nets.G.conditions.of(batch["x"], batch["mask"])
        fake, raw = nets.G(ctx.randn(batch, self.latent), cond, ctx.rand(batch, batch["x"].shape[1]))
        asked = nets.G.heads.cross_entropy(raw, nets.G.conditions.placed(cond))
        logit = self._judge(nets, self._judged(fake, cond), batch, ctx)
        return {"adv": self._each(wasserstein.g(logit)), "asked": asked}

    def _judge(self, nets: Networks, packs: Tensor, batch: Batch, ctx: Context) -> Tensor:
        """(b/pac,) what D says; its dropout draws on `ctx`, as all that is random."""
        drops = ctx.rand(batch, self.depth * self.width, every=self.pac) if self.dropout else None
        logit: Tensor = nets.D(packs, drops)
        return logit

    def _judged(self, x: Tensor, cond: Tensor) -> Tensor:
        if len(x) % self.pac:
            raise ConfigError(f"recipe.pac must divide the batch: {len(x)} rows, pac is {self.pac}")
        return packed(torch.cat([x, cond], 1), self.pac)

    def _each(self, of_packs: Tensor) -> Tensor:
        """A value for each row from one for each pack."""
        return of_packs.repeat_interleave(self.pac)

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        decay = self.weight_decay if name == "G" else 0.0
        return torch.optim.Adam(list(params), lr=at(self.lr, 0), betas=(0.5, 0.9), weight_decay=decay, fused=True)

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        return {"lr": float(at(self.lr, samples))}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        cond = nets.G.conditions.filled(request["cond"], request["mask"], ctx.rand(request, 2))
        _, raw = nets.G(ctx.randn(request, self.latent), cond)
        x, codes = nets.G.heads.drawn(raw, ctx.rand(request, nets.G.heads.count), compact="compact" in request)
        return Batch(x=x, codes=codes)


class Discriminator(nn.Module):
    """A pack of rows with their conditions -> one judgement."""

    def __init__(self, recipe: CTGAN, spec: TableSpec) -> None:
        super().__init__()
        self.dropout = recipe.dropout
        widths = [recipe.pac * (spec.width + sum(s.width for s in spec.conditions))] + [recipe.width] * recipe.depth
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(widths))
        self.last = nn.Linear(recipe.width, 1)

    def forward(self, x: Tensor, drops: Tensor | None) -> Tensor:
        """(packs,) from (packs, packed); `drops` (packs, depth width) in [0, 1) decides which units are left out."""
        for number, layer in enumerate(self.layers):
            x = leaky_relu(layer(x), 0.2)
            if drops is not None:
                own = drops[:, number * x.shape[1] : (number + 1) * x.shape[1]]
                x = x * (own >= self.dropout) / (1 - self.dropout)
        logit: Tensor = self.last(x)
        return logit.squeeze(1)


def paper(spec: Spec) -> CTGAN:
    """The paper's setting; its batch is 500."""
    return CTGAN()


def small(spec: Spec) -> CTGAN:
    """The same networks, faster: a higher rate, no dropout, G averaged."""
    return CTGAN(lr=5e-4, dropout=0.0, half_life=50_000, calibrate=True)
