"""GAN (Goodfellow et al. 2014, arXiv:1406.2661): the first one, two multilayer perceptrons.

    L_D = E[-log s(D(x))] + E[-log(1 - s(D(G(z))))]      s = logistic function
    L_G = E[-log s(D(G(z)))], or E[log(1 - s(D(G(z))))] where `saturating`

G has rectifiers, D has maxout units and dropout. On request, R1 (Mescheder 2018, arXiv:1801.04406) is added to L_D;
without it G tends to make one picture, whatever z.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..losses.adversarial import minimax, non_saturating
from ..losses.penalties import gradient_norm2
from ..nn.init import fan_in_normal, uniform
from ..nn.maxout import Maxout, drop
from ..nn.optim import adam
from ..nn.sizes import picture_spec
from ..schedule import Linear, Scheduled, at
from ..spec import ImageSpec, Spec
from .base import Context, Networks, Phase, Recipe

SIZES = tuple(range(8, 129))  # beyond, one layer alone has 60 million weights


@dataclass(frozen=True, kw_only=True)
class GAN(Recipe):
    """Defaults are those of the authors' MNIST run, at a batch of 100.

    Args:
        latent: length of z, uniform in [-1, 1].
        width: rectifiers in each of G's two hidden layers.
        units, pieces: maxout units in each of D's two hidden layers, and linear pieces in each unit.
        keep_pixels, keep: shares of D's input and of its hidden units that dropout keeps.
        irange: initial weights of G are uniform in (-irange, irange), those of D in a tenth of it; with None, they are
            normal and scaled by each layer's number of inputs, so that signals keep their size.
        saturating: G minimises log(1 - s(D(G(z)))), the minimax game, instead of -log s(D(G(z))).
        gamma: weight of R1, half of it times |grad_x D(x)|^2; 0 as in the paper.
        penalty_every: R1 has a step of its own after each n-th of D's, n times as heavy.
        solver: `sgd` with momentum as in the paper, or `adam` with beta1 = 0.
        lr: at first; divided by `decay` after every 100 samples.
        momentum: of `sgd`.
        half_life: of G's average, in samples; 0 for none, as in the paper.
    """

    latent: int = 100
    width: int = 1200
    units: int = 240
    pieces: int = 5
    keep_pixels: float = 0.8
    keep: float = 0.5
    irange: float | None = 0.05
    saturating: bool = False
    gamma: Scheduled = 0.0
    penalty_every: int = 8
    solver: Literal["sgd", "adam"] = "sgd"
    lr: float = 0.1
    decay: float = 1.000004
    momentum: Scheduled = Linear(0.5, 0.7, 12_500_000)
    half_life: Scheduled = 0.0

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b c h w). D: (b c h w), dropout noise or None -> (b,)."""
        spec = picture_spec(spec, "gan", SIZES)
        nets = Networks({"G": Generator(self, spec), "D": Discriminator(self, spec)})
        if self.irange is None:
            fan_in_normal(nets.G, math.sqrt(2))
            fan_in_normal(nets.D)
        else:
            uniform(nets.G, self.irange)
            uniform(nets.D, self.irange / 10)
        return nets

    def phases(self) -> dict[str, Phase]:
        phases = {"D": Phase(("D",), self.d_loss), "G": Phase(("G",), self.g_loss)}
        if self.gamma:
            phases["R1"] = Phase(("D",), self.r1_loss, every=self.penalty_every, second_order=("D",))
        return phases

    def noise(self, batch: Batch, ctx: Context) -> Tensor:
        return 2 * ctx.rand(batch, self.latent) - 1

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = nets.G(self.noise(batch, ctx))
        real_logit, fake_logit = (nets.D(x, self.dropout(nets, batch, ctx)) for x in (batch["x"], fake))
        ctx.report("real_logit", real_logit)
        ctx.report("fake_logit", fake_logit)
        return {"adv": non_saturating.d(real_logit, fake_logit)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        fake_logit = nets.D(nets.G(self.noise(batch, ctx)), self.dropout(nets, batch, ctx))
        return {"adv": (minimax if self.saturating else non_saturating).g(fake_logit)}

    def r1_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        x = batch["x"].detach().requires_grad_()
        weight = at(self.gamma, ctx.samples) / 2 * self.penalty_every
        return {"r1": weight * gradient_norm2(nets.D(x), x)}

    def dropout(self, nets: Networks, batch: Batch, ctx: Context) -> list[Tensor]:
        """Uniform noise for each of D's layers."""
        return [ctx.rand(batch, n) for n in nets.D.inputs]

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        if self.solver == "adam":
            return adam(params, self.lr, (0.0, 0.999))
        return torch.optim.SGD(params, lr=self.lr, momentum=float(at(self.momentum, 0)))

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        lr = max(self.lr * self.decay ** (-samples / 100), 1e-6)
        return {"lr": lr} if self.solver == "adam" else {"lr": lr, "momentum": float(at(self.momentum, samples))}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        return Batch(x=nets.G(self.noise(request, ctx)))


class Generator(nn.Module):
    """Latent -> two layers of rectifiers -> picture in (-1, 1)."""

    def __init__(self, recipe: GAN, spec: ImageSpec) -> None:
        super().__init__()
        shape, width = (spec.channels, spec.size, spec.size), recipe.width
        hidden = [nn.Linear(recipe.latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        # tanh(a / 2) = 2 s(a) - 1: the paper's sigmoid, in our range; the half is left to the weights
        end = [nn.Linear(width, spec.channels * spec.size**2), nn.Tanh(), nn.Unflatten(1, shape)]
        self.layers = nn.Sequential(*hidden, *end)

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b c h w"]:
        x: Tensor = self.layers(z)
        return x


class Discriminator(nn.Module):
    """Picture -> two layers of maxout units with dropout -> logit."""

    def __init__(self, recipe: GAN, spec: ImageSpec) -> None:
        super().__init__()
        self.inputs = (spec.channels * spec.size**2, recipe.units, recipe.units)
        self.keeps = (recipe.keep_pixels, recipe.keep, recipe.keep)
        self.hidden = nn.ModuleList(Maxout(n, recipe.units, recipe.pieces) for n in self.inputs[:2])
        self.end = nn.Linear(recipe.units, 1)

    def forward(self, x: Float[Tensor, "b c h w"], noise: list[Tensor] | None = None) -> Float[Tensor, "b"]:
        noises: Sequence[Tensor | None] = noise or (None, None, None)
        h = x.flatten(1)
        for layer, keep, u in zip([*self.hidden, self.end], self.keeps, noises, strict=True):
            h = layer(drop(h, keep, u))
        return h.flatten()


def paper(spec: Spec) -> GAN:
    """The settings of the authors' MNIST run."""
    picture_spec(spec, "gan", SIZES)
    return GAN()


def small(spec: Spec) -> GAN:
    """For two CPU cores and minutes, at a batch of 64: narrower, Adam, scaled weights, R1, an average of G."""
    picture_spec(spec, "gan", SIZES)
    return GAN(
        width=512,
        units=128,
        pieces=3,
        keep_pixels=1.0,
        keep=1.0,
        irange=None,
        gamma=10.0,
        penalty_every=2,
        solver="adam",
        lr=1e-3,
        decay=1.0001,
        half_life=5_000.0,
    )
