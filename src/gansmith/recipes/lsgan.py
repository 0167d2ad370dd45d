"""LSGAN (Mao, Li, Xie, Lau, Wang, Smolley 2016, arXiv:1611.04076): least squares in place of cross-entropy.

    L_D = 1/2 E[(D(x) - 1)^2] + 1/2 E[D(G(z))^2]      L_G = 1/2 E[(D(G(z)) - 1)^2]

Pictures on the right side of the border, and far from it, still move towards it. G is DCGAN's with a convolution at the
same size after the first two doublings, as VGG has them; D is DCGAN's. Labels are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.backbones.dcgan import ConvDiscriminator, doubling
from ..nn.init import dcgan_normal
from ..nn.sizes import picture_spec
from ..schedule import ramped
from ..spec import Spec
from .base import Context, Networks

HALVINGS = {16: 2, 28: 2, 32: 3, 56: 3, 64: 4, 112: 4, 128: 4}  # of each size, down to 4, 7 or 8 pixels
SIZES = tuple(HALVINGS)
REFINED = 2  # doublings that a convolution at the same size follows


@dataclass(frozen=True, kw_only=True)
class LSGAN(Played):
    """Defaults are the paper's for LSUN at 112 pixels and a batch of 64.

    Args:
        latent: length of z, uniform in [-1, 1].
        width: G's channels at the full size; twice and four times as many at the halvings below. D has as many at half
            of the size, and twice as many at each halving below that.
        kernel: side of the strided filters; those of the other layers are odd, and smaller by one if this is even.
    """

    latent: int = 1024
    width: int = 64
    kernel: int = 5
    game: Game = field(default_factory=lambda: Game(loss="least_squares"))
    solver: Solver = field(default_factory=lambda: Solver(lr=1e-3, beta1=0.5))

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b c h w). D: (b c h w) -> (b,)."""
        spec = picture_spec(spec, "lsgan", SIZES)
        halvings = HALVINGS[spec.size]
        side = spec.size >> halvings
        ups = [self.width * min(2**i, 4) for i in range(halvings)][::-1]
        downs = [self.width * 2**i for i in range(halvings)]
        g = Generator(self.latent, side, ups, spec.channels, self.kernel)
        d = ConvDiscriminator(spec.channels * self.game.pac, downs, self.kernel, side)
        nets = Networks({"G": g, "D": d})
        dcgan_normal(nets)
        return self.game.prepare(nets, spec)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(2 * ctx.rand(batch, self.latent) - 1)
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x)
        return logits


def normalised(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class Generator(nn.Module):
    """Latent -> features -> doublings, the first ones refined -> picture in (-1, 1).

    Args:
        latent: length of z.
        side: of the first features, which have as many channels as the first doubling.
        widths: channels after each doubling.
        channels: of the picture.
        kernel: side of the strided filters.
    """

    def __init__(self, latent: int, side: int, widths: Sequence[int], channels: int, kernel: int) -> None:
        super().__init__()
        first, odd = widths[0], kernel - 1 + kernel % 2
        layers = [nn.Linear(latent, first * side**2, bias=False), nn.Unflatten(1, (first, side, side))]
        layers += [nn.BatchNorm2d(first), nn.ReLU(inplace=True)]
        for i, (wide, narrow) in enumerate(pairwise([first, *widths])):
            layers += normalised(doubling(wide, narrow, kernel), narrow)
            if i < REFINED:
                layers += normalised(nn.ConvTranspose2d(narrow, narrow, odd, padding=odd // 2, bias=False), narrow)
        last = nn.ConvTranspose2d(widths[-1], channels, odd, padding=odd // 2)
        self.layers = nn.Sequential(*layers, last, nn.Tanh())

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b c h w"]:
        x: Tensor = self.layers(z)
        return x


def paper(spec: Spec) -> LSGAN:
    """The paper's settings for LSUN, at any size: of its 112 pixels, one stage less for each halving."""
    picture_spec(spec, "lsgan", SIZES)
    return LSGAN()


def small(spec: Spec) -> LSGAN:
    """For two CPU cores and minutes, at a batch of 64: half of the width, 4x4 filters, an average of G."""
    picture_spec(spec, "lsgan", SIZES)
    return LSGAN(latent=100, width=32, kernel=4, solver=Solver(lr=1e-3, beta1=0.5), half_life=ramped(5_000.0))
