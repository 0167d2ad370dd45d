"""SNGAN (Miyato, Kataoka, Koyama, Yoshida 2018, arXiv:1802.05957): D's weights over their largest singular values.

    L_D = E[max(0, 1 - D(x, y))] + E[max(0, 1 + D(G(z, y), y))]      L_G = -E[D(G(z, y), y)]
    every weight W of D stands for W / s(W)

s(W), the singular value, comes from one power iteration a step; so each layer of D is nearly 1-Lipschitz at little
cost. With classes, G's batch normalisation depends on them, and D projects onto their embeddings (Miyato & Koyama 2018,
arXiv:1802.05637).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from torch import Tensor

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.backbones.resnet import Projection, ResNetFeatures, ResNetGenerator, halvings, widths
from ..nn.norm import ConditionalBatchNorm2d, PerClass
from ..nn.sizes import picture_spec
from ..schedule import Cosine, Linear, ramped
from ..spec import Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class SNGAN(Played):
    """Defaults are the paper's for CIFAR-10 with residual networks, at a batch of 64.

    Args:
        latent: length of z, standard normal.
        width, widest: G's channels at the full size, doubled at each halving, and their bound.
        d_width, d_widest: the same of D, from its first block on.
        until: D halves pictures until they have this side; `plain` blocks follow.
        plain: see `until`.
        patch: squares of patch x patch pixels leave G and enter D as channels; the paper has 1.
        game: real and generated pictures pass D together, so that a step is one power iteration.
    """

    latent: int = 128
    width: int = 256
    widest: int = 256
    d_width: int = 128
    d_widest: int = 128
    until: int = 8
    plain: int = 2
    patch: int = 1
    game: Game = field(default_factory=lambda: Game(loss="hinge", d_steps=5, spectral="D", together=True))
    solver: Solver = field(default_factory=lambda: Solver(lr=Linear(2e-4, 0.0, 6_400_000), beta2=0.9))

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels or None -> (b c h w). D: (b c h w), labels or None -> (b,)."""
        spec = picture_spec(spec, "sngan", SIZES)
        size, classes = spec.size // self.patch, len(spec.labels)
        ups = widths(halvings(size) + 1, self.width, self.widest)[::-1]
        n = halvings(size, self.until)
        downs = widths(n + self.plain, self.d_width, self.d_widest)
        norm = partial(ConditionalBatchNorm2d, condition=partial(PerClass, classes) if classes else None)
        g = ResNetGenerator(self.latent, ups, spec.channels, norm, patch=self.patch)
        trunk = ResNetFeatures(spec.channels * self.game.pac, spec.size, downs, n, patch=self.patch)
        return self.game.prepare(Networks({"G": g, "D": Projection(trunk, downs[-1], classes)}), spec)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent), batch.get("y"))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, batch.get("y"))
        return logits


def paper(spec: Spec) -> SNGAN:
    """The paper's settings: for CIFAR-10 up to 32 pixels, for ImageNet at 128 pixels above (28.8 million samples)."""
    if picture_spec(spec, "sngan", SIZES).size <= 32:
        return SNGAN()
    solver = Solver(lr=Linear(2e-4, 0.0, 3_200_000, begin=25_600_000), beta2=0.9)
    return SNGAN(width=64, widest=1024, d_width=64, d_widest=1024, until=4, plain=1, solver=solver)


def small(spec: Spec) -> SNGAN:
    """For two CPU cores and minutes, at a batch of 64: narrow, no block above 32 pixels (`patch`), an average of G.

    One step of D for each of G, at twice its rate; rates are high at first, for there are few steps.
    """
    size = picture_spec(spec, "sngan", SIZES).size
    return SNGAN(
        width=16,
        widest=64,
        d_width=16,
        d_widest=64,
        patch=max(size // 32, 1),
        game=Game(loss="hinge", spectral="D", together=True),
        solver=Solver(lr=Cosine(2e-3, 5e-4, 100_000), d_lr=Cosine(4e-3, 1e-3, 100_000), beta2=0.9),
        half_life=ramped(5_000.0),
    )
