"""DCGAN (Radford, Metz, Chintala 2015, arXiv:1511.06434): all-convolutional players with batch normalisation.

    L_D = E[-log s(D(x))] + E[-log(1 - s(D(G(z))))]      L_G = E[-log s(D(G(z)))]      s = logistic function

Strided convolutions instead of pooling, no fully connected layers inside, ReLU in G and leaky ReLU in D.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ..batch import Batch
from ..game import Played, Solver
from ..nn.backbones.dcgan import ConvDiscriminator, DeconvGenerator, widths
from ..nn.init import dcgan_normal
from ..nn.sizes import picture_spec
from ..schedule import ramped
from ..spec import Spec
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
        channels, at = spec.channels, self.widths(spec.size)
        g = DeconvGenerator(self.latent, at, channels, self.kernel)
        d = ConvDiscriminator(channels * self.game.pac, at[::-1], self.kernel)
        nets = Networks({"G": g, "D": d})
        dcgan_normal(nets)
        return self.game.prepare(nets, spec)

    def widths(self, size: int) -> list[int]:
        """Channels at 4, 8, ... `size` / 2 pixels."""
        return widths(size, self.width, self.widest)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(2 * ctx.rand(batch, self.latent) - 1)
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x)
        return logits


def paper(spec: Spec) -> DCGAN:
    """The paper's settings: channels 1024-512-256-128 at 64 pixels, one stage less for each halving."""
    picture_spec(spec, "dcgan", SIZES)
    return DCGAN()


def small(spec: Spec) -> DCGAN:
    """For two CPU cores and minutes, at a batch of 64: a quarter of the width, 4x4 filters, an average of G."""
    picture_spec(spec, "dcgan", SIZES)
    return DCGAN(width=32, widest=256, kernel=4, solver=Solver(lr=5e-4, beta1=0.5), half_life=ramped(5_000.0))
