"""DCGAN (Radford, Metz, Chintala 2015, arXiv:1511.06434): all-convolutional players with batch normalisation.

    L_D = E[-log s(D(x))] + E[-log(1 - s(D(G(z))))]      L_G = E[-log s(D(G(z)))]      s = logistic function

Strided convolutions instead of pooling, no fully connected layers inside, ReLU in G and leaky ReLU in D.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..losses.adversarial import non_saturating
from ..nn.init import dcgan_normal
from ..nn.optim import adam
from ..nn.sizes import picture_spec
from ..schedule import Scheduled, at
from ..spec import ImageSpec, Spec
from .base import Context, Networks, Phase, Recipe

SIZES = (16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class DCGAN(Recipe):
    """Defaults are the paper's, at a batch of 128.

    Args:
        latent: length of z, uniform in [-1, 1].
        width: channels at half of the picture's size; twice as many at each halving below.
        widest: no layer has more channels than this.
        kernel: side of the strided filters; the paper has 5, most later code 4, which is faster.
        lr: of both players.
        beta1: of Adam in both players; beta2 is 0.999.
        half_life: of G's average, in samples; 0 for none, as in the paper.
    """

    latent: int = 100
    width: int = 128
    widest: int = 1024
    kernel: int = 5
    lr: Scheduled = 2e-4
    beta1: float = 0.5
    half_life: Scheduled = 0.0

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b c h w). D: (b c h w) -> (b,)."""
        spec = picture_spec(spec, "dcgan", SIZES)
        nets = Networks({"G": Generator(self, spec), "D": Discriminator(self, spec)})
        dcgan_normal(nets)
        return nets

    def widths(self, size: int) -> list[int]:
        """Channels at 4, 8, ... `size` / 2 pixels."""
        stages = (size // 4).bit_length() - 1
        return [min(self.width * 2**i, self.widest) for i in range(stages)][::-1]

    def phases(self) -> dict[str, Phase]:
        return {"D": Phase(("D",), self.d_loss), "G": Phase(("G",), self.g_loss)}

    def noise(self, batch: Batch, ctx: Context) -> Tensor:
        return 2 * ctx.rand(batch, self.latent) - 1

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        with torch.no_grad():
            fake = nets.G(self.noise(batch, ctx))
        # apart, as the paper has it: each has statistics of its own in batch normalisation
        real_logit, fake_logit = nets.D(batch["x"]), nets.D(fake)
        ctx.report("real_logit", real_logit)
        ctx.report("fake_logit", fake_logit)
        return {"adv": non_saturating.d(real_logit, fake_logit)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"adv": non_saturating.g(nets.D(nets.G(self.noise(batch, ctx))))}

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return adam(params, at(self.lr, 0), (self.beta1, 0.999))

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        return {"lr": float(at(self.lr, samples))}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        return Batch(x=nets.G(self.noise(request, ctx)))


def doubling(inputs: int, outputs: int, kernel: int, bias: bool = False) -> nn.ConvTranspose2d:
    pad, rest = (kernel - 1) // 2, kernel % 2
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=pad, output_padding=rest, bias=bias)


def halving(inputs: int, outputs: int, kernel: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride=2, padding=(kernel - 1) // 2, bias=bias)


class Generator(nn.Module):
    """Latent -> 4x4 features -> doublings -> picture in (-1, 1)."""

    def __init__(self, recipe: DCGAN, spec: ImageSpec) -> None:
        super().__init__()
        widths, k = recipe.widths(spec.size), recipe.kernel
        layers: list[nn.Module] = [nn.ConvTranspose2d(recipe.latent, widths[0], 4, bias=False)]
        for wide, narrow in pairwise(widths):
            layers += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True), doubling(wide, narrow, k)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, doubling(widths[-1], spec.channels, k, bias=True), nn.Tanh())

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b c h w"]:
        x: Tensor = self.layers(z[:, :, None, None])
        return x


class Discriminator(nn.Module):
    """Picture -> halvings -> 4x4 features -> logit. No normalisation in the first and the last layer."""

    def __init__(self, recipe: DCGAN, spec: ImageSpec) -> None:
        super().__init__()
        widths, k = recipe.widths(spec.size)[::-1], recipe.kernel
        layers: list[nn.Module] = [halving(spec.channels, widths[0], k, bias=True), nn.LeakyReLU(0.2, inplace=True)]
        for narrow, wide in pairwise(widths):
            layers += [halving(narrow, wide, k), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
        logits: Tensor = self.layers(x)
        return logits.flatten()


def paper(spec: Spec) -> DCGAN:
    """The paper's settings: channels 1024-512-256-128 at 64 pixels, one stage less for each halving."""
    picture_spec(spec, "dcgan", SIZES)
    return DCGAN()


def small(spec: Spec) -> DCGAN:
    """For two CPU cores and minutes, at a batch of 64: a quarter of the width, 4x4 filters, an average of G."""
    picture_spec(spec, "dcgan", SIZES)
    return DCGAN(width=32, widest=256, kernel=4, lr=5e-4, half_life=5_000.0)
