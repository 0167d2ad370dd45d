"""BigGAN (Brock, Donahue, Simonyan 2018, arXiv:1809.11096): SAGAN wider, in larger batches, with z at every depth.

    L_D = E[max(0, 1 - D(x, y))] + E[max(0, 1 + D(G(z, y), y))]      L_G = -E[D(G(z, y), y)] + beta R(G)
    R = sum over W of |W W^T without its diagonal|^2, orthogonal regularisation

z is cut into chunks, one for the first layer and one for each block, where beside an embedding of the class it decides
gain and bias of batch normalisation. Weights begin orthogonal and are normalised spectrally in both players. Samples
come from an average of G with standing statistics, and a truncated z makes them better and less varied.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.attention import SelfAttention
from ..nn.backbones.resnet import Projection, ResNetFeatures, ResNetGenerator, halvings, labels, widths
from ..nn.init import orthogonal
from ..nn.labels import Label
from ..nn.norm import ConditionalBatchNorm2d, PerClass
from ..nn.sizes import picture_spec
from ..schedule import Cosine, Linear, Scheduled, ramped
from ..spec import ImageSpec, Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128, 256)
LONG = {256: (1, 2, 4, 8, 8, 16, 16)}  # channels from the full size down, in widths, where they are not just doubled


@dataclass(frozen=True, kw_only=True)
class BigGAN(Played):
    """Defaults are the paper's for ImageNet at 128 and 256 pixels, at a batch of 2048.

    Args:
        chunk: numbers of z, standard normal, for the first layer and for each block.
        shared: numbers that stand for a class in all layers of G.
        width, widest: G's channels at the full size, doubled at each halving, and their bound.
        d_width, d_widest: the same of D, from its first block on.
        until: D halves pictures until they have this side; `plain` blocks follow.
        plain: see `until`.
        attend: side of the features that attend to each other, in G and in D.
        patch: squares of patch x patch pixels leave G and enter D as channels; the paper has 1.
        game: real and generated pictures pass D together, so that a step is one power iteration.
        half_life: of G's average; 0.9999 a step, as the paper has it.
    """

    honours: ClassVar[tuple[str, ...]] = ("truncation",)
    chunk: int = 20
    shared: int = 128
    width: int = 96
    widest: int = 1536
    d_width: int = 96
    d_widest: int = 1536
    until: int = 4
    plain: int = 1
    attend: int = 64
    patch: int = 1
    game: Game = field(
        default_factory=lambda: Game(loss="hinge", d_steps=2, spectral="both", together=True, orthogonal=1e-4)
    )
    solver: Solver = field(default_factory=lambda: Solver(lr=5e-5, d_lr=2e-4))
    half_life: Scheduled = 14_195_000.0

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels or None -> (b c h w). D: (b c h w), labels or None -> (b,)."""
        spec = picture_spec(spec, "biggan", SIZES)
        n = halvings(spec.size // self.patch, self.until)
        downs = self.widths(spec.size, n + self.plain, self.d_width, self.d_widest)
        trunk = ResNetFeatures(
            spec.channels * self.game.pac, spec.size, downs, n, wide=True, after=self.attention, patch=self.patch
        )
        nets = Networks({"G": Generator(self, spec), "D": Projection(trunk, downs[-1], len(spec.labels))})
        orthogonal(nets)
        return self.game.prepare(nets, spec)

    def widths(self, size: int, stages: int, width: int, widest: int) -> list[int]:
        """Channels of so many stages, from the full size down."""
        shares = LONG.get(size // self.patch)
        if shares is None:
            return widths(stages, width, widest)
        return [min(width * share, widest) for share in (*shares, *shares[-1:] * stages)[:stages]]

    def blocks(self, size: int) -> int:
        """Of G."""
        return halvings(size // self.patch)

    def attention(self, side: int, channels: int) -> nn.Module:
        """What stands after a block: attention where features have the side `attend`."""
        if side != self.attend:
            return nn.Identity()
        return SelfAttention(channels, keys=max(channels // 8, 1), values=max(channels // 2, 1), pooled=True)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        z = ctx.randn(batch, nets.G.latent)
        if "truncation" in batch:
            z = truncated(z, batch["truncation"])
        x: Tensor = nets.G(z, batch.get("y"))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, batch.get("y"))
        return logits


def truncated(z: Float[Tensor, "b n"], bound: Float[Tensor, "b"]) -> Float[Tensor, "b n"]:
    """Standard normal numbers as normal ones within (-bound, bound), each at its own quantile.

    So the same seed stays the same picture, drawn towards the usual one as the bound falls.
    """
    low = torch.special.ndtr(-bound.double())[:, None]
    cut: Tensor = torch.special.ndtri(low + torch.special.ndtr(z.double()) * (1 - 2 * low))
    return cut.to(z.dtype)


class Generator(nn.Module):
    """Chunks of the latent, and the label's embedding, into the residual generator."""

    def __init__(self, recipe: BigGAN, spec: ImageSpec) -> None:
        super().__init__()
        self.classes, self.chunk, blocks = len(spec.labels), recipe.chunk, recipe.blocks(spec.size)
        self.latent = self.chunk * (blocks + 1)
        told = self.chunk
        if self.classes:
            self.shared = PerClass(self.classes, recipe.shared)
            nn.init.orthogonal_(self.shared.weight)
            told += recipe.shared
        ups = recipe.widths(spec.size, blocks + 1, recipe.width, recipe.widest)[::-1]
        norm = partial(ConditionalBatchNorm2d, condition=partial(nn.Linear, told, bias=False))
        self.trunk = ResNetGenerator(self.chunk, ups, spec.channels, norm, recipe.attention, recipe.patch)

    def forward(self, z: Float[Tensor, "b latent"], y: Label | None = None) -> Float[Tensor, "b c h w"]:
        first, *chunks = z.split(self.chunk, 1)
        if self.classes:
            embedded = self.shared(labels(y, self.classes))
            chunks = [torch.cat((embedded, chunk), 1) for chunk in chunks]
        x: Tensor = self.trunk(first, chunks)
        return x


def paper(spec: Spec) -> BigGAN:
    """The paper's settings; up to 32 pixels those that reach an FID of 4.2 on CIFAR-10, at a batch of 64.

    The latter are StudioGAN's (arXiv:2206.09479): 384 and 192 channels, five steps of D, its average from the 64,000th
    sample on; the paper's own run on CIFAR-10 has other networks.
    """
    size = picture_spec(spec, "biggan", SIZES).size
    if size > 32:
        return BigGAN(attend=min(64, size // 2))
    return BigGAN(
        width=384,
        widest=384,
        d_width=192,
        d_widest=192,
        until=8,
        plain=2,
        attend=size // 2,
        game=Game(loss="hinge", d_steps=5, spectral="both", together=True),
        solver=Solver(lr=2e-4),
        half_life=Linear(0.0, 443_600.0, over=1, begin=64_000),
    )


def small(spec: Spec) -> BigGAN:
    """For two CPU cores and minutes, at a batch of 64: narrow, no block above 32 pixels, a shorter average."""
    size = picture_spec(spec, "biggan", SIZES).size
    return BigGAN(
        shared=32,
        width=16,
        widest=64,
        d_width=16,
        d_widest=64,
        until=8,
        plain=2,
        attend=min(size, 32) // 2,
        patch=max(size // 32, 1),
        game=Game(loss="hinge", spectral="both", together=True, orthogonal=1e-4),
        solver=Solver(lr=Cosine(2e-3, 4e-4, 100_000), d_lr=Cosine(4e-3, 1e-3, 100_000)),
        half_life=ramped(5_000.0),
    )
