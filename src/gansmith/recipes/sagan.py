"""SAGAN (Zhang, Goodfellow, Metaxas, Odena 2018, arXiv:1805.08318): places of a picture attend to each other.

    L_D = E[max(0, 1 - D(x, y))] + E[max(0, 1 + D(G(z, y), y))]      L_G = -E[D(G(z, y), y)]

SNGAN's networks with a layer of self-attention in each, spectral normalisation in G too, and two learning rates in
place of many steps of D. With classes, G's batch normalisation depends on them, and D projects onto their embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from torch import Tensor, nn

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.attention import SelfAttention
from ..nn.backbones.resnet import Projection, ResNetFeatures, ResNetGenerator, halvings, widths
from ..nn.norm import ConditionalBatchNorm2d, PerClass
from ..nn.sizes import picture_spec
from ..schedule import Cosine, ramped
from ..spec import Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128)


@dataclass(frozen=True, kw_only=True)
class SAGAN(Played):
    """Defaults are the paper's for ImageNet at 128 pixels and a batch of 256.

    Args:
        latent: length of z, standard normal.
        width, widest: G's channels at the full size, doubled at each halving, and their bound.
        d_width, d_widest: the same of D, from its first block on.
        until: D halves pictures until they have this side; `plain` blocks follow.
        plain: see `until`.
        attend: side of the features that attend to each other, in G and in D; in the paper 32 did best.
        patch: squares of patch x patch pixels leave G and enter D as channels; the paper has 1.
        game: real and generated pictures pass D together, so that a step is one power iteration.
        solver: the paper's two rates (TTUR).
    """

    latent: int = 128
    width: int = 64
    widest: int = 1024
    d_width: int = 64
    d_widest: int = 1024
    until: int = 4
    plain: int = 1
    attend: int = 32
    patch: int = 1
    game: Game = field(default_factory=lambda: Game(loss="hinge", spectral="both", together=True))
    solver: Solver = field(default_factory=lambda: Solver(lr=1e-4, d_lr=4e-4, beta2=0.9))

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels or None -> (b c h w). D: (b c h w), labels or None -> (b,)."""
        spec = picture_spec(spec, "sagan", SIZES)
        size, classes = spec.size // self.patch, len(spec.labels)
        ups = widths(halvings(size) + 1, self.width, self.widest)[::-1]
        n = halvings(size, self.until)
        downs = widths(n + self.plain, self.d_width, self.d_widest)
        norm = partial(ConditionalBatchNorm2d, condition=partial(PerClass, classes) if classes else None)
        g = ResNetGenerator(self.latent, ups, spec.channels, norm, self.attention, self.patch)
        seen = spec.channels * self.game.pac
        trunk = ResNetFeatures(seen, spec.size, downs, n, after=self.attention, patch=self.patch)
        return self.game.prepare(Networks({"G": g, "D": Projection(trunk, downs[-1], classes)}), spec)

    def attention(self, side: int, channels: int) -> nn.Module:
        """What stands after a block: attention where features have the side `attend`."""
        few = max(channels // 8, 1)
        return SelfAttention(channels, keys=few, values=few) if side == self.attend else nn.Identity()

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent), batch.get("y"))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, batch.get("y"))
        return logits


def paper(spec: Spec) -> SAGAN:
    """The paper's settings for 128 pixels; up to 32 pixels SNGAN's networks for CIFAR-10, attention at half of it."""
    size = picture_spec(spec, "sagan", SIZES).size
    if size > 32:
        return SAGAN()
    return SAGAN(width=256, widest=256, d_width=128, d_widest=128, until=8, plain=2, attend=size // 2)


def small(spec: Spec) -> SAGAN:
    """For two CPU cores and minutes, at a batch of 64: narrow, no block above 32 pixels (`patch`), an average of G.

    Rates are high at first, for there are few steps.
    """
    size = picture_spec(spec, "sagan", SIZES).size
    return SAGAN(
        width=16,
        widest=64,
        d_width=16,
        d_widest=64,
        until=8,
        plain=2,
        attend=min(size, 32) // 2,
        patch=max(size // 32, 1),
        solver=Solver(lr=Cosine(2e-3, 4e-4, 100_000), d_lr=Cosine(4e-3, 1e-3, 100_000), beta2=0.9),
        half_life=ramped(5_000.0),
    )
