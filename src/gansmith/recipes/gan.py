"""GAN (Goodfellow et al. 2014, arXiv:1406.2661): the first one, two multilayer perceptrons.

    L_D = E[-log s(D(x))] + E[-log(1 - s(D(G(z))))]      s = logistic function
    L_G = E[-log s(D(G(z)))], or E[log(1 - s(D(G(z))))] with the loss `minimax`

G has rectifiers, D has maxout units and dropout. On request, R1 (Mescheder 2018, arXiv:1801.04406) is added to L_D;
without it G tends to make one picture, whatever z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.init import fan_in_normal, uniform
from ..nn.maxout import Maxout, drop
from ..nn.sizes import picture_spec
from ..schedule import Exponential, Linear, ramped
from ..spec import ImageSpec, Spec
from .base import Context, Networks

SIZES = tuple(range(8, 129))  # beyond, one layer alone has 60 million weights


@dataclass(frozen=True, kw_only=True)
class GAN(Played):
    """Defaults are those of the authors' MNIST run, at a batch of 100.

    Args:
        latent: length of z, uniform in [-1, 1].
        width: rectifiers in each of G's two hidden layers.
        units, pieces: maxout units in each of D's two hidden layers, and linear pieces in each unit.
        keep_pixels, keep: shares of D's input and of its hidden units that dropout keeps.
        irange: initial weights of G are uniform in (-irange, irange), those of D in a tenth of it; with None, they are
            normal and scaled by each layer's number of inputs, so that signals keep their size.
    """

    latent: int = 100
    width: int = 1200
    units: int = 240
    pieces: int = 5
    keep_pixels: float = 0.8
    keep: float = 0.5
    irange: float | None = 0.05
    solver: Solver = field(
        default_factory=lambda: Solver(
            kind="sgd", lr=Exponential(0.1, 1 / 1.000004, 100, 1e-6), beta1=Linear(0.5, 0.7, 12_500_000)
        )
    )

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
        return self.game.prepare(nets, spec)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(2 * ctx.rand(batch, self.latent) - 1)
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        dropout = [ctx.rand(Batch(x=x), n) for n in (x[0].numel(), self.units, self.units)]
        logits: Tensor = nets.D(x, dropout)
        return logits


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
        self.inputs = (spec.channels * recipe.game.pac * spec.size**2, recipe.units, recipe.units)
        self.keeps = (recipe.keep_pixels, recipe.keep, recipe.keep)
        self.hidden = nn.ModuleList(Maxout(n, recipe.units, recipe.pieces) for n in self.inputs[:2])
        self.head = nn.Linear(recipe.units, 1)

    def forward(self, x: Float[Tensor, "b c h w"], noise: list[Tensor] | None = None) -> Float[Tensor, "b"]:
        noises: Sequence[Tensor | None] = noise or (None, None, None)
        h = x.flatten(1)
        for layer, keep, u in zip([*self.hidden, self.head], self.keeps, noises, strict=True):
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
        game=Game(r1=10.0, penalty_every=2, penalty_step="after"),
        solver=Solver(lr=Exponential(1e-3, 1 / 1.0001, 100, 1e-6)),
        half_life=ramped(5_000.0),
    )
