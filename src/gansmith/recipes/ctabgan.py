"""CTAB-GAN+ (Zhao, Kunar, Birke, Chen 2022, arXiv:2204.00401): tables, with losses on what the rows say together.

    L_D = E D(G(z, c), c) - E D(x, c) + 10 E (|grad D| - 1)^2
    L_G = -E D(G(z, c), c) + H(c, G(z, c)) + I + S     I = |mean f(x) - mean f(G)| + |std f(x) - std f(G)|
    L_C = H(y, C(x without y))                         S = H(y', C(x' without y')), (x', y') = G(z, c)

f are D's last hidden features (information loss); C predicts the target column from the others (downstream loss).
Published with convolutions over rows folded into a square: `backbone="conv"`; the default is dense layers. Rows are
drawn by category, and more of a row's categories may be asked for at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad

from ..batch import Batch
from ..errors import ConfigError, SpecError
from ..losses.adversarial import wasserstein
from ..losses.penalties import between, gradient_norm_error2
from ..nn.tabular import Conditions, Heads, RowGenerator
from ..schedule import Cosine, Scheduled, at
from ..spec import Spec
from ..tabular.spec import TableSpec
from .base import Context, Networks, Phase, Recipe


@dataclass(frozen=True, kw_only=True)
class CTABGAN(Recipe):
    """Args:
    latent: length of z, normal.
    backbone: dense layers, or convolutions over rows folded into a square.
    width: of the hidden layers, or channels of the widest square.
    depth: hidden layers (dense).
    critic: D's steps for one of G's.
    penalty: weight of the gradient penalty.
    information: weight of I, a statistic of the share of the batch that a process holds.
    target: the column that C predicts from the others; none for no downstream loss.
    downstream: weight of S.
    several: share of rows for which more columns are asked for than the one by which the row was drawn: each with a
        probability that is uniform for the row.
    tau: temperature of the Gumbel-softmax.
    lr: of all players.
    beta1: of Adam in all players; beta2 is 0.9.
    half_life: of G's average, in samples; 0 for none, as in the paper.
    calibrate: when training ends, bend what G makes so that each column alone is distributed as in the data.
    """

    makes: ClassVar[str] = "table"

    latent: int = 128
    backbone: Literal["dense", "conv"] = "dense"
    width: int = 256
    depth: int = 2
    critic: int = 1
    penalty: float = 10.0
    information: float = 1.0
    target: str = ""
    downstream: float = 1.0
    several: float = 0.25
    tau: float = 0.2
    lr: Scheduled = 2e-4
    beta1: float = 0.5
    half_life: Scheduled = 0.0
    calibrate: bool = False

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b conditions) -> (b width). D: (b width + conditions) -> (b,). C: (b width) -> (b,)."""
        if not isinstance(spec, TableSpec):
            raise SpecError(f"ctabgan makes rows of tables, not: {spec.kind}; `gansmith recipes` lists what makes what")
        inputs = spec.width + sum(s.width for s in spec.conditions)
        if self.backbone == "conv":
            nets = Networks({"G": ConvGenerator(self, spec), "D": ConvDiscriminator(self, inputs)})
        else:
            G = RowGenerator(spec, latent=self.latent, width=self.width, depth=self.depth, tau=self.tau)
            nets = Networks({"G": G, "D": DenseDiscriminator(self, inputs)})
        if self.target:
            nets["C"] = Predictor(self, spec)
        return nets

    def phases(self) -> dict[str, Phase]:
        d = Phase(("D",), self.d_loss, repeats=self.critic, second_order=("D",), draw="conditional")
        phases = {"D": d}
        if self.target:
            phases["C"] = Phase(("C",), self.c_loss, outliers=False)  # once C is sure, a row that it gets wrong is one
        return {**phases, "G": Phase(("G",), self.g_loss, draw="conditional")}

    def asked(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        rate = ctx.rand(batch, 2)
        more = ctx.rand(batch, nets.G.conditions.count) < rate[:, :1] * (rate[:, 1:] < self.several)
        cond: Tensor = nets.G.conditions.of(batch["x"], torch.maximum(batch["mask"], more.to(batch["mask"].dtype)))
        return cond

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        cond, fake, _ = self._rows(nets, batch, ctx, torch.no_grad())
        real, fake = torch.cat([batch["x"], cond], 1), torch.cat([fake, cond], 1)
        mixed = between(real, fake, ctx.rand(batch))
        penalty = self.penalty * gradient_norm_error2(nets.D(mixed)[0], mixed)
        return {"adv": wasserstein.d(nets.D(real)[0], nets.D(fake)[0]), "penalty": penalty}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        cond, fake, raw = self._rows(nets, batch, ctx, torch.enable_grad())
        logit, features = nets.D(torch.cat([fake, cond], 1))
        losses = {"adv": wasserstein.g(logit)}
        if nets.G.conditions.count:
            losses["asked"] = nets.G.heads.cross_entropy(raw, nets.G.conditions.placed(cond))
        if self.information:
            with torch.no_grad():
                wanted = nets.D(torch.cat([batch["x"], cond], 1))[1]
            losses["information"] = self.information * information(features, wanted).expand(len(cond))
        if self.target:
            losses["downstream"] = self.downstream * nets.C(fake)
        return losses

    def c_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"target": nets.C(batch["x"])}

    def _rows(self, nets: Networks, batch: Batch, ctx: Context, mode: Any) -> tuple[Tensor, Tensor, Tensor]:
        """What is asked for, G's rows for it, and the raw values they were made of."""
        cond = self.asked(nets, batch, ctx)
        with mode:
            fake, raw = nets.G(ctx.randn(batch, self.latent), cond, ctx.rand(batch, nets.G.heads.width))
        return cond, fake, raw

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(list(params), at(self.lr, 0), (self.beta1, 0.9), weight_decay=1e-6, fused=True)

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        return {"lr": float(at(self.lr, samples))}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        cond = nets.G.conditions.filled(request["cond"], request["mask"], ctx.rand(request, 2))
        _, raw = nets.G(ctx.randn(request, self.latent), cond)
        x, codes = nets.G.heads.drawn(raw, ctx.rand(request, nets.G.heads.count), compact="compact" in request)
        return Batch(x=x, codes=codes)


def information(fake: Tensor, real: Tensor) -> Tensor:
    """Mean distance between the means, and between the standard deviations, of features (b features) of a batch."""
    return (fake.mean(0) - real.mean(0)).abs().mean() + (fake.std(0) - real.std(0)).abs().mean()


class DenseDiscriminator(nn.Module):
    """A row with what was asked for -> its judgement, and the last hidden features."""

    def __init__(self, recipe: CTABGAN, inputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise([inputs] + [recipe.width] * recipe.depth))
        self.last = nn.Linear(recipe.width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for layer in self.layers:
            x = leaky_relu(layer(x), 0.2)
        return self.last(x).squeeze(1), x


def side_for(width: int) -> int:
    """Side of the square that a row is folded into: 4, 8, 16, ..., with room for `width` numbers."""
    return max(4, 1 << math.ceil(math.log2(math.sqrt(width))))


class ConvGenerator(nn.Module):
    """Latent and condition -> 4x4 features -> doublings -> a square, read row by row -> heads."""

    def __init__(self, recipe: CTABGAN, spec: TableSpec) -> None:
        super().__init__()
        self.conditions, self.heads = Conditions.of_table(spec), Heads.of_table(spec, recipe.tau)
        side = side_for(spec.width)
        widths = [max(recipe.width >> i, 8) for i in range((side // 4).bit_length())]
        layers: list[nn.Module] = [nn.ConvTranspose2d(recipe.latent + self.conditions.width, widths[0], 4)]
        for number, (wide, narrow) in enumerate(pairwise([*widths, 1]), 2):
            norm = nn.LayerNorm([wide, 1 << number, 1 << number])
            last = number == len(widths) + 1
            step = nn.Conv2d(wide, 1, 1) if last else nn.ConvTranspose2d(wide, narrow, 4, 2, 1)
            layers += [norm, nn.ReLU(), step]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, cond: Tensor, uniform: Tensor | None = None) -> tuple[Tensor | None, Tensor]:
        h = torch.cat([z, self.conditions.dense(cond)], 1)
        raw = self.layers(h[:, :, None, None]).flatten(1)[:, : self.heads.width]
        return None if uniform is None else self.heads(raw, uniform), raw


class ConvDiscriminator(nn.Module):
    """A row with what was asked for, folded into a square -> its judgement, and the last hidden features."""

    def __init__(self, recipe: CTABGAN, inputs: int) -> None:
        super().__init__()
        self.side = side_for(inputs)
        halvings = (self.side // 4).bit_length() - 1
        widths = [1, *(max(recipe.width >> (halvings - i), 8) for i in range(1, halvings + 1))]
        layers = [nn.Sequential(nn.Conv2d(i, o, 4, 2, 1), nn.LeakyReLU(0.2)) for i, o in pairwise(widths)]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.last = nn.Linear(widths[-1] * 16, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.layers(pad(x, (0, self.side**2 - x.shape[1])).view(-1, 1, self.side, self.side))
        return self.last(features).squeeze(1), features


class Predictor(nn.Module):
    """How surprising the target of a row is given its other columns: -log p for a category, a squared error else."""

    def __init__(self, recipe: CTABGAN, spec: TableSpec) -> None:
        super().__init__()
        spans = [s for s in spec.spans if s.column == recipe.target]
        if not spans:
            raise ConfigError(
                f"recipe.target is no learnt column: {recipe.target}; there are: {', '.join(spec.schema.names)}"
            )
        first, stop = spans[0].start, spans[-1].slice.stop
        self.own, self.choice = slice(first, stop), [s for s in spans if s.head == "choice"]
        self.scalars = [s.start for s in spans if s.head == "scalar"]
        self.before, self.after = slice(0, first), slice(stop, spec.width)
        sizes = [spec.width - (stop - first), *[recipe.width] * 4]
        hidden = [nn.Sequential(nn.Linear(i, o), nn.LeakyReLU(0.2)) for i, o in pairwise(sizes)]
        self.layers = nn.Sequential(*hidden, nn.Linear(recipe.width, stop - first))

    def forward(self, x: Tensor) -> Tensor:
        """(b,) for rows (b width)."""
        said = self.layers(torch.cat([x[:, self.before], x[:, self.after]], 1))
        loss = x.new_zeros(len(x))
        for span in self.choice:
            own = said[:, span.start - self.own.start : span.slice.stop - self.own.start]
            loss = loss - (own.log_softmax(1) * x[:, span.slice]).sum(1)
        for place in self.scalars:
            loss = loss + (said[:, place - self.own.start] - x[:, place]).square()
        return loss


def paper(spec: Spec) -> CTABGAN:
    """The paper's networks; its batch is 500, for 150 epochs."""
    return CTABGAN(backbone="conv", latent=100, width=256, critic=5, lr=2e-4)


def small(spec: Spec) -> CTABGAN:
    """Narrow dense layers, a higher rate that falls and no momentum, no I, G averaged and calibrated."""
    lr = Cosine(1e-3, 2e-5, 1_500_000)
    return CTABGAN(latent=64, width=128, information=0, downstream=0.2, lr=lr, beta1=0.0, half_life=5e4, calibrate=True)
