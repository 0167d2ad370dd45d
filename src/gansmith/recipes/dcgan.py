"""DCGAN (Radford, Metz, Chintala 2015, arXiv:1511.06434): all-convolutional players with batch normalisation.

    L_D = E[-log s(D(x))] + E[-log(1 - s(D(G(z))))]      L_G = E[-log s(D(G(z)))]      s = logistic function

Strided convolutions instead of pooling, no fully connected layers inside, ReLU in G and leaky ReLU in D.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..game import Played, Solver
from ..nn.init import dcgan_normal
from ..nn.sizes import picture_spec
from ..spec import ImageSpec, Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class DCGAN(Played):
    """Defaults are the paper's, at a batch of 128.

    Args:
        latent: length of z, uniform in [-1, 1].
        width: channels at half of the picture's size; twice as many at each halving below.
        widest: no layer has more channels than this.
        kernel: side of the strided filters; the paper has 5, most later code 4, which is faster.
    """

    latent: int = 100
    width: int = 128
    widest: int = 1024
    kernel: int = 5
    solver: Solver = field(default_factory=lambda: Solver(lr=2e-4, beta1=0.5))

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b c h w). D: (b c h w) -> (b,)."""
        spec = picture_spec(spec, "dcgan", SIZES)
        nets = Networks({"G": Generator(self, spec), "D": Discriminator(self, spec)})
        dcgan_normal(nets)
        return self.game.prepare(nets)

    def widths(self, size: int) -> list[int]:
        """Channels at 4, 8, ... `size` / 2 pixels."""
        stages = (size // 4).bit_length() - 1
        return [min(self.width * 2**i, self.widest) for i in range(stages)][::-1]

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(2 * ctx.rand(batch, self.latent) - 1)
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x)
        return logits


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
        seen = spec.channels * recipe.game.pac
        layers: list[nn.Module] = [halving(seen, widths[0], k, bias=True), nn.LeakyReLU(0.2, inplace=True)]
        for narrow, wide in pairwise(widths):
            layers += [halving(narrow, wide, k), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 1, 4)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
        logits: Tensor = self.head(self.layers(x))
        return logits.flatten()


def paper(spec: Spec) -> DCGAN:
    """The paper's settings: channels 1024-512-256-128 at 64 pixels, one stage less for each halving."""
    picture_spec(spec, "dcgan", SIZES)
    return DCGAN()


def small(spec: Spec) -> DCGAN:
    """For two CPU cores and minutes, at a batch of 64: a quarter of the width, 4x4 filters, an average of G."""
    picture_spec(spec, "dcgan", SIZES)
    return DCGAN(width=32, widest=256, kernel=4, solver=Solver(lr=5e-4, beta1=0.5), half_life=5_000.0)
