"""CGAN (Mirza & Osindero 2014, arXiv:1411.1784): both players are told the class.

    L_D = E[-log s(D(x, y))] + E[-log(1 - s(D(G(z, y), y)))]      s = logistic function
    L_G = E[-log s(D(G(z, y), y))]

Multilayer perceptrons, as in the paper's experiment on MNIST: z and y enter layers of their own, which a joint
layer then reads; D is of maxout units. On request, R1 (Mescheder 2018, arXiv:1801.04406) is added to L_D; without it
G tends to make one picture, whatever z and y. For convolutions and classes, see r3gan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..errors import DataError
from ..game import Game, Played, Solver
from ..nn.init import fan_in_normal, uniform
from ..nn.labels import Label, hot
from ..nn.maxout import Maxout, drop
from ..nn.sizes import picture_spec
from ..schedule import Exponential, Linear, ramped
from ..spec import ImageSpec, Spec
from .base import Context, Networks

SIZES = tuple(range(8, 129))  # beyond, one layer alone has 60 million weights


@dataclass(frozen=True, kw_only=True)
class CGAN(Played):
    """Defaults are the paper's for MNIST, at a batch of 100.

    Args:
        latent: length of z, uniform in [-1, 1].
        width: rectifiers in each of G's two hidden layers.
        latent_share: share of the first layer that reads z; the rest reads y.
        units, label_units: maxout units of D that read the picture, and that read the label.
        keep: share of D's hidden units that dropout keeps.
        irange: initial weights of G are uniform in (-irange, irange), those of D in two fifths of it; with None, they
            are normal and scaled by each layer's number of inputs, so that the label counts as much as the picture.
    """

    latent: int = 100
    width: int = 1200
    latent_share: float = 1 / 6
    units: int = 240
    label_units: int = 50
    keep: float = 0.5
    irange: float | None = 0.05
    solver: Solver = field(
        default_factory=lambda: Solver(
            kind="sgd", lr=Exponential(0.1, 1 / 1.00004, 100, 1e-6), beta1=Linear(0.5, 0.7, 12_500_000)
        )
    )

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels -> (b c h w). D: (b c h w), labels, dropout noise or None -> (b,)."""
        spec = picture_spec(spec, "cgan", SIZES)
        if not spec.labels:
            raise DataError(
                "cgan needs classes, and the data have none.\n"
                "Put each class into a subfolder of its own, or use: --recipe r3gan"
            )
        nets = Networks({"G": Generator(self, spec), "D": Discriminator(self, spec)})
        if self.irange is None:
            fan_in_normal(nets.G, math.sqrt(2))
            fan_in_normal(nets.D)
            for layer in (nets.G.of_y, nets.D.of_y.linear):
                nn.init.normal_(layer.weight)  # one input alone is not zero, however many there are
        else:
            uniform(nets.G, self.irange)
            uniform(nets.D, 0.4 * self.irange)
        return self.game.prepare(nets, spec)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(2 * ctx.rand(batch, self.latent) - 1, batch["y"])
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        dropout = [ctx.rand(Batch(x=x), n) for n in (self.units + self.label_units, self.units)]
        logits: Tensor = nets.D(x, batch["y"], dropout)
        return logits


class Generator(nn.Module):
    """Latent and label -> a layer each -> a joint layer -> picture in (-1, 1)."""

    def __init__(self, recipe: CGAN, spec: ImageSpec) -> None:
        super().__init__()
        self.classes, self.shape = len(spec.labels), (spec.channels, spec.size, spec.size)
        of_z = round(recipe.width * recipe.latent_share)
        self.of_z = nn.Linear(recipe.latent, of_z)
        self.of_y = nn.Linear(self.classes, recipe.width - of_z)
        self.joint = nn.Linear(recipe.width, recipe.width)
        self.end = nn.Linear(recipe.width, spec.channels * spec.size**2)

    def forward(self, z: Float[Tensor, "b latent"], y: Label) -> Float[Tensor, "b c h w"]:
        told = hot(y, self.classes).to(z.dtype)
        h = torch.cat((self.of_z(z), self.of_y(told)), 1).relu()
        x: Tensor = self.end(self.joint(h).relu()).tanh()
        return x.view(-1, *self.shape)


class Discriminator(nn.Module):
    """Picture and label -> maxout units each -> joint maxout units -> logit."""

    def __init__(self, recipe: CGAN, spec: ImageSpec) -> None:
        super().__init__()
        self.classes, self.keep = len(spec.labels), recipe.keep
        joint = recipe.units + recipe.label_units
        self.of_x = Maxout(spec.channels * spec.size**2, recipe.units, 5)
        self.of_y = Maxout(self.classes, recipe.label_units, 5)
        self.joint = Maxout(joint, recipe.units, 4)
        self.head = nn.Linear(recipe.units, 1)

    def forward(self, x: Float[Tensor, "b c h w"], y: Label, noise: list[Tensor] | None = None) -> Float[Tensor, "b"]:
        before, after = noise or (None, None)
        told = hot(y, self.classes).to(x.dtype)
        h = torch.cat((self.of_x(x.flatten(1)), self.of_y(told)), 1)
        h = self.joint(drop(h, self.keep, before))
        logits: Tensor = self.head(drop(h, self.keep, after))
        return logits.flatten()


def paper(spec: Spec) -> CGAN:
    """The paper's settings for MNIST."""
    picture_spec(spec, "cgan", SIZES)
    return CGAN()


def small(spec: Spec) -> CGAN:
    """For two CPU cores and minutes, at a batch of 64: narrower, Adam, scaled weights, R1, an average of G.

    Half of G's first layer reads z, so that pictures of a class differ.
    """
    picture_spec(spec, "cgan", SIZES)
    return CGAN(
        width=512,
        latent_share=0.5,
        units=120,
        keep=1.0,
        irange=None,
        game=Game(r1=5.0, penalty_every=8, penalty_step="after"),
        solver=Solver(lr=1e-3),
        half_life=ramped(5_000.0),
    )
