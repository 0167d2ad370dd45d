"""CGAN (Mirza & Osindero 2014, arXiv:1411.1784): both players are told the class.

    L_D = E[-log s(D(x, y))] + E[-log(1 - s(D(G(z, y), y)))]      s = logistic function
    L_G = E[-log s(D(G(z, y), y))]

Multilayer perceptrons, as in the paper's experiment on MNIST: z and y enter layers of their own, which a joint
layer then reads; D is of maxout units. On request, R1 (Mescheder 2018, arXiv:1801.04406) is added to L_D; without it
G tends to make one picture, whatever z and y. For convolutions and classes, see r3gan.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..batch import Batch
from ..errors import DataError
from ..losses.adversarial import non_saturating
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
class CGAN(Recipe):
    """Defaults are the paper's for MNIST, at a batch of 100.

    Args:
        latent: length of z, uniform in [-1, 1].
        width: rectifiers in each of G's two hidden layers.
        latent_share: share of the first layer that reads z; the rest reads y.
        units, label_units: maxout units of D that read the picture, and that read the label.
        keep: share of D's hidden units that dropout keeps.
        irange: initial weights of G are uniform in (-irange, irange), those of D in two fifths of it; with None, they
            are normal and scaled by each layer's number of inputs, so that the label counts as much as the picture.
        gamma: weight of R1, half of it times |grad_x D(x, y)|^2; 0 as in the paper.
        penalty_every: R1 has a step of its own after each n-th of D's, n times as heavy.
        solver: `sgd` with momentum as in the paper, or `adam` with beta1 = 0.
        lr: at first; divided by `decay` after every 100 samples, down to 1e-6.
        momentum: of `sgd`.
        half_life: of G's average, in samples; 0 for none, as in the paper.
    """

    latent: int = 100
    width: int = 1200
    latent_share: float = 1 / 6
    units: int = 240
    label_units: int = 50
    keep: float = 0.5
    irange: float | None = 0.05
    gamma: Scheduled = 0.0
    penalty_every: int = 8
    solver: Literal["sgd", "adam"] = "sgd"
    lr: float = 0.1
    decay: float = 1.00004
    momentum: Scheduled = Linear(0.5, 0.7, 12_500_000)
    half_life: Scheduled = 0.0

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels -> (b c h w). D: (b c h w), labels, dropout noise or None -> (b,)."""
        spec = picture_spec(spec, "cgan", SIZES)
        if not spec.classes:
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
        return nets

    def phases(self) -> dict[str, Phase]:
        phases = {"D": Phase(("D",), self.d_loss), "G": Phase(("G",), self.g_loss)}
        if self.gamma:
            phases["R1"] = Phase(("D",), self.r1_loss, every=self.penalty_every, second_order=("D",))
        return phases

    def noise(self, batch: Batch, ctx: Context) -> Tensor:
        return 2 * ctx.rand(batch, self.latent) - 1

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        y = batch["y"]
        with torch.no_grad():
            fake = nets.G(self.noise(batch, ctx), y)
        real_logit, fake_logit = (nets.D(x, y, self.dropout(nets, batch, ctx)) for x in (batch["x"], fake))
        ctx.report("real_logit", real_logit)
        ctx.report("fake_logit", fake_logit)
        return {"adv": non_saturating.d(real_logit, fake_logit)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        fake = nets.G(self.noise(batch, ctx), batch["y"])
        return {"adv": non_saturating.g(nets.D(fake, batch["y"], self.dropout(nets, batch, ctx)))}

    def r1_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        x = batch["x"].detach().requires_grad_()
        weight = at(self.gamma, ctx.samples) / 2 * self.penalty_every
        return {"r1": weight * gradient_norm2(nets.D(x, batch["y"]), x)}

    def dropout(self, nets: Networks, batch: Batch, ctx: Context) -> list[Tensor]:
        """Uniform noise for D's joint layer and for its last."""
        return [ctx.rand(batch, n) for n in nets.D.inputs]

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        if self.solver == "adam":
            return adam(params, self.lr, (0.0, 0.999))
        return torch.optim.SGD(params, lr=self.lr, momentum=float(at(self.momentum, 0)))

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        lr = max(self.lr * self.decay ** (-samples / 100), 1e-6)
        return {"lr": lr} if self.solver == "adam" else {"lr": lr, "momentum": float(at(self.momentum, samples))}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        return Batch(x=nets.G(self.noise(request, ctx), request["y"]), y=request["y"])


class Generator(nn.Module):
    """Latent and label -> a layer each -> a joint layer -> picture in (-1, 1)."""

    def __init__(self, recipe: CGAN, spec: ImageSpec) -> None:
        super().__init__()
        self.classes, self.shape = len(spec.classes), (spec.channels, spec.size, spec.size)
        of_z = round(recipe.width * recipe.latent_share)
        self.of_z = nn.Linear(recipe.latent, of_z)
        self.of_y = nn.Linear(self.classes, recipe.width - of_z)
        self.joint = nn.Linear(recipe.width, recipe.width)
        self.end = nn.Linear(recipe.width, spec.channels * spec.size**2)

    def forward(self, z: Float[Tensor, "b latent"], y: Int[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
        told = F.one_hot(y, self.classes).to(z.dtype)
        h = torch.cat((self.of_z(z), self.of_y(told)), 1).relu()
        x: Tensor = self.end(self.joint(h).relu()).tanh()
        return x.view(-1, *self.shape)


class Discriminator(nn.Module):
    """Picture and label -> maxout units each -> joint maxout units -> logit."""

    def __init__(self, recipe: CGAN, spec: ImageSpec) -> None:
        super().__init__()
        self.classes, self.keep = len(spec.classes), recipe.keep
        self.inputs = (recipe.units + recipe.label_units, recipe.units)
        self.of_x = Maxout(spec.channels * spec.size**2, recipe.units, 5)
        self.of_y = Maxout(self.classes, recipe.label_units, 5)
        self.joint = Maxout(self.inputs[0], recipe.units, 4)
        self.end = nn.Linear(recipe.units, 1)

    def forward(
        self, x: Float[Tensor, "b c h w"], y: Int[Tensor, "b"], noise: list[Tensor] | None = None
    ) -> Float[Tensor, "b"]:
        before, after = noise or (None, None)
        told = F.one_hot(y, self.classes).to(x.dtype)
        h = torch.cat((self.of_x(x.flatten(1)), self.of_y(told)), 1)
        h = self.joint(drop(h, self.keep, before))
        logits: Tensor = self.end(drop(h, self.keep, after))
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
        gamma=5.0,
        solver="adam",
        lr=1e-3,
        decay=1.0,
        half_life=5_000.0,
    )
