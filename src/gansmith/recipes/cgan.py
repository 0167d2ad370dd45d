"""CGAN (Mirza & Osindero 2014, arXiv:1411.1784): both players are told the class.

    L_D = E[-log s(D(x, y))] + E[-log(1 - s(D(G(z, y), y)))]      s = logistic function
    L_G = E[-log s(D(G(z, y), y))]

Multilayer perceptrons, as in the paper's experiment on MNIST: z and y enter layers of their own, which a joint
layer then reads; D is of maxout units. For convolutions and classes, see r3gan.
"""

from __future__ import annotations

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
from ..nn.init import uniform
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
        width: rectifiers in G's joint layer; z has a sixth of them, y the rest.
        units, label_units: maxout units of D that read the picture, and that read the label.
        keep: share of D's hidden units that dropout keeps.
        solver: `sgd` with momentum as in the paper, or `adam` with beta1 = 0.5.
        lr: at first; divided by `decay` after every 100 samples, down to 1e-6.
        momentum: of `sgd`.
        half_life: of G's average, in samples; 0 for none, as in the paper.
    """

    latent: int = 100
    width: int = 1200
    units: int = 240
    label_units: int = 50
    keep: float = 0.5
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
        uniform(nets.G, 0.05)
        uniform(nets.D, 0.02)
        return nets

    def phases(self) -> dict[str, Phase]:
        return {"D": Phase(("D",), self.d_loss), "G": Phase(("G",), self.g_loss)}

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

    def dropout(self, nets: Networks, batch: Batch, ctx: Context) -> list[Tensor]:
        """Uniform noise for D's joint layer and for its last."""
        return [ctx.rand(batch, n) for n in nets.D.inputs]

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        if self.solver == "adam":
            return adam(params, self.lr, (0.5, 0.999))
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
        of_z = recipe.width // 6
        self.classes, self.shape = len(spec.classes), (spec.channels, spec.size, spec.size)
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
    """For two CPU cores and minutes, at a batch of 64: Adam, half the width, an average of G."""
    picture_spec(spec, "cgan", SIZES)
    return CGAN(width=600, units=120, solver="adam", lr=4e-4, decay=1.0, half_life=5_000.0)
