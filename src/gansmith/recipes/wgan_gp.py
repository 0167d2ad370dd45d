"""WGAN-GP (Gulrajani, Ahmed, Arjovsky, Dumoulin, Courville 2017, arXiv:1704.00028): a penalty in place of clipping.

    L_D = E[D(G(z))] - E[D(x)] + lambda E[(|grad D(x')| - 1)^2]      L_G = -E[D(G(z))]
    x' = u x + (1 - u) G(z), u uniform in [0, 1)

D is a critic that should be 1-Lipschitz; the penalty asks for it between real and generated pictures. The networks are
those of the paper's CIFAR-10 run: residual, batch normalisation in G alone. Labels are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.backbones.resnet import Projection, ResNetFeatures, ResNetGenerator, halvings, widths
from ..nn.sizes import picture_spec
from ..schedule import Linear, ramped
from ..spec import Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class WGANGP(Played):
    """Defaults are the paper's for CIFAR-10, at a batch of 64.

    Args:
        latent: length of z, standard normal.
        width, widest: G's channels at the full size, doubled at each halving, and their bound.
        d_width, d_widest: the same of D, from its first block on.
        until: D halves pictures until they have this side; `plain` blocks follow.
        plain: see `until`.
        patch: squares of patch x patch pixels leave G and enter D as channels; the paper has 1.
        game: `gp` is the paper's lambda, `d_steps` its n_critic.
    """

    latent: int = 128
    width: int = 128
    widest: int = 128
    d_width: int = 128
    d_widest: int = 128
    until: int = 8
    plain: int = 2
    patch: int = 1
    game: Game = field(default_factory=lambda: Game(loss="wasserstein", gp=10.0, d_steps=5))
    solver: Solver = field(default_factory=lambda: Solver(lr=Linear(2e-4, 0.0, 6_400_000), beta2=0.9))

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b c h w). D: (b c h w) -> (b,)."""
        spec = picture_spec(spec, "wgan_gp", SIZES)
        size = spec.size // self.patch
        ups = widths(halvings(size) + 1, self.width, self.widest)[::-1]
        n = halvings(size, self.until)
        downs = widths(n + self.plain, self.d_width, self.d_widest)
        trunk = ResNetFeatures(spec.channels * self.game.pac, spec.size, downs, n, mean=True, patch=self.patch)
        g = ResNetGenerator(self.latent, ups, spec.channels, patch=self.patch)
        return self.game.prepare(Networks({"G": g, "D": Projection(trunk, downs[-1], 0)}), spec)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x)
        return logits


def paper(spec: Spec) -> WGANGP:
    """The paper's settings for CIFAR-10; larger pictures, for which it has other networks, with 64 to 512 channels."""
    if picture_spec(spec, "wgan_gp", SIZES).size <= 32:
        return WGANGP()
    return WGANGP(width=64, widest=512, d_width=64, d_widest=512, until=4, plain=1)


def small(spec: Spec) -> WGANGP:
    """For two CPU cores and minutes, at a batch of 64: narrow, no block above 32 pixels (`patch`), an average of G.

    One step of D for each of G, at three times its rate (TTUR, arXiv:1706.08500, which trains these networks so).
    """
    size = picture_spec(spec, "wgan_gp", SIZES).size
    return WGANGP(
        width=16,
        widest=64,
        d_width=16,
        d_widest=64,
        patch=max(size // 32, 1),
        game=Game(loss="wasserstein", gp=10.0, penalty_every=2),
        solver=Solver(lr=3e-4, d_lr=1e-3, beta2=0.9),
        half_life=ramped(5_000.0),
    )
