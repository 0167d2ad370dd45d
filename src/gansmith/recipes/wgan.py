"""WGAN (Arjovsky, Chintala, Bottou 2017, arXiv:1701.07875): D is a critic whose weights are clipped.

    L_D = E[D(G(z))] - E[D(x)], every weight of D held in [-c, c]      L_G = -E[D(G(z))]

The best such D measures the Wasserstein distance, up to a factor, so -L_D falls as pictures get better. Five steps of D
for each of G, and RMSprop, as momentum made it unstable. Networks are DCGAN's. Labels are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.backbones.dcgan import ConvDiscriminator, DeconvGenerator, widths
from ..nn.init import dcgan_normal
from ..nn.sizes import picture_spec
from ..schedule import ramped
from ..spec import Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class WGAN(Played):
    """Defaults are the paper's, at a batch of 64. The authors' code also gives D a head start, which this does not.

    Args:
        latent: length of z, standard normal.
        width: channels at half of the picture's size; twice as many at each halving below.
        widest: no layer has more channels than this.
        kernel: side of the strided filters.
        game: `d_steps` is the paper's n_critic.
        solver: `clip` is the paper's c.
    """

    latent: int = 100
    width: int = 64
    widest: int = 512
    kernel: int = 4
    game: Game = field(default_factory=lambda: Game(loss="wasserstein", d_steps=5))
    solver: Solver = field(default_factory=lambda: Solver(kind="rmsprop", lr=5e-5, beta2=0.99, clip=0.01))

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b c h w). D: (b c h w) -> (b,)."""
        spec = picture_spec(spec, "wgan", SIZES)
        channels, at = spec.channels, widths(spec.size, self.width, self.widest)
        g = DeconvGenerator(self.latent, at, channels, self.kernel)
        d = ConvDiscriminator(channels * self.game.pac, at[::-1], self.kernel)
        nets = Networks({"G": g, "D": d})
        dcgan_normal(nets)
        return self.game.prepare(nets, spec)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x)
        return logits


def paper(spec: Spec) -> WGAN:
    """The paper's settings: channels 512-256-128-64 at 64 pixels, one stage less for each halving."""
    picture_spec(spec, "wgan", SIZES)
    return WGAN()


def small(spec: Spec) -> WGAN:
    """For two CPU cores and minutes, at a batch of 64: half of the width, larger steps, an average of G."""
    picture_spec(spec, "wgan", SIZES)
    return WGAN(
        width=32,
        widest=256,
        game=Game(loss="wasserstein", d_steps=2),
        solver=Solver(kind="rmsprop", lr=2e-4, beta2=0.99, clip=0.01),
        half_life=ramped(5_000.0),
    )
