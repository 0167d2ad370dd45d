"""R3GAN (Huang, Gokaslan, Kuleshov, Tompkin 2024, arXiv:2501.05441): a relativistic pairing loss with R1 and R2.

    L_D = E f(D(G(z)) - D(x)) + gamma/2 E |grad_x D(x)|^2 + gamma/2 E |grad D(G(z))|^2     f = softplus
    L_G = E f(D(x) - D(G(z)))

No normalisation, no minibatch statistics, no style: both networks are stacks of inverted ResNeXt blocks. With
classes, G takes their embedding beside z, and D projects onto one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..batch import Batch
from ..errors import DataError
from ..game import Augment, Game, Played, Solver
from ..nn.blocks import JudgingEnd, LearnedStart, ResidualBlock
from ..nn.init import scaled_normal
from ..nn.labels import Label, LabelEmbedding
from ..nn.resample import Downsample2, Upsample2
from ..nn.sizes import picture_spec
from ..schedule import Cosine, Scheduled
from ..spec import ImageSpec, Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128, 256)
EMBEDDING = 64  # numbers that stand for a class in G's input
OVER = 20_000_000  # samples over which the paper's schedules run


def relativistic(gamma: Scheduled, p: Scheduled = 0.0, every: int = 1) -> Game:
    """The paper's game: R1 and R2 weighed by gamma, ADA's augmentations with chance p."""
    return Game(loss="relativistic", r1=gamma, r2=gamma, penalty_every=every, augment=Augment(kind="ada", p=p))


@dataclass(frozen=True, kw_only=True)
class R3GAN(Played):
    """Defaults are the paper's for CIFAR-10 at a batch of 512; see `paper` and `small` for other data.

    Args:
        latent: length of z, standard normal.
        width: channels where the picture is at most `wide_until` pixels; half as many at each doubling above.
        wide_until: see `width`.
        blocks: residual blocks at each size.
        expand: how many times wider a block is inside.
        group: channels of each group of the 3x3 convolutions; 0 for one group, quicker on CPUs.
        patch: squares of patch x patch pixels enter D and leave G as channels, so that the largest pictures inside
            are smaller by as much; the paper has 1.
        leak: slope of G's last function outside of [-1, 1], inside of which it is the identity; the paper has 1.
            A small one lets flat black or white be flat, and unlike tanh it cannot lose its gradient.
        game: the losses. Its `r1` and `r2` are the paper's gamma, the knob that data decide: too small, and training
            diverges; too large, and pictures stay blurred.
        solver: optimizers of both players.
        half_life: of G's average, in samples.
    """

    latent: int = 64
    width: int = 768
    wide_until: int = 32
    blocks: int = 2
    expand: int = 2
    group: int = 16
    patch: int = 1
    leak: float = 1.0
    game: Game = field(default_factory=lambda: relativistic(Cosine(0.05, 0.005, OVER)))
    solver: Solver = field(default_factory=lambda: Solver(lr=Cosine(2e-4, 5e-5, OVER), beta2=Cosine(0.9, 0.99, OVER)))
    half_life: Scheduled = Cosine(0.0, 5_000_000.0, OVER)

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels or None -> (b c h w). D: (b c h w), labels or None -> (b,)."""
        spec = picture_spec(spec, "r3gan", SIZES)
        return self.game.prepare(Networks({"G": Generator(self, spec), "D": Discriminator(self, spec)}), spec)

    def widths(self, size: int) -> list[int]:
        """Channels at 4, 8, ... `size` / patch pixels."""
        sizes = [4 * 2**i for i in range((size // self.patch // 4).bit_length())]
        return [max(self.width * self.wide_until // max(s, self.wide_until), self.group) for s in sizes]

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent), batch.get("y"))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, batch.get("y"))
        return logits


def _labels(y: Tensor | None, classes: int) -> Tensor:
    if y is None:
        raise DataError(f"this r3gan was built for {classes} classes, but the batch has no labels `y`")
    return y


class Generator(nn.Module):
    """Latent (and label) -> 4x4 -> blocks and doublings -> picture."""

    def __init__(self, recipe: R3GAN, spec: ImageSpec) -> None:
        super().__init__()
        widths, self.classes = recipe.widths(spec.size), len(spec.labels)
        depth = recipe.blocks * len(widths)
        if self.classes:
            self.embedding = LabelEmbedding(self.classes, EMBEDDING)
            nn.init.normal_(self.embedding.weight, 0.0, self.classes**-0.5)
        self.start = LearnedStart(recipe.latent + (EMBEDDING if self.classes else 0), widths[0])
        layers: list[nn.Module] = []
        for i, width in enumerate(widths):
            if i and width != widths[i - 1]:
                layers.append(scaled_normal(nn.Conv2d(widths[i - 1], width, 1, bias=False)))
            layers += [Upsample2(2 * 2**i)] if i else []
            layers += [ResidualBlock(width, recipe.expand, recipe.group, depth) for _ in range(recipe.blocks)]
        self.layers = nn.Sequential(*layers)
        self.to_patches = scaled_normal(nn.Conv2d(widths[-1], spec.channels * recipe.patch**2, 1, bias=False))
        self.to_picture = nn.PixelShuffle(recipe.patch)
        self.leak = recipe.leak

    def forward(self, z: Float[Tensor, "b latent"], y: Label | None = None) -> Float[Tensor, "b c h w"]:
        if self.classes:
            z = torch.cat((z, self.embedding(_labels(y, self.classes))), 1)
        x: Tensor = self.to_picture(self.to_patches(self.layers(self.start(z))))
        return x if self.leak == 1 else torch.lerp(x.clamp(-1, 1), x, self.leak)


class Discriminator(nn.Module):
    """Picture -> blocks and halvings -> 4x4 -> logit, or features projected onto the label's embedding."""

    def __init__(self, recipe: R3GAN, spec: ImageSpec) -> None:
        super().__init__()
        widths, self.classes = recipe.widths(spec.size)[::-1], len(spec.labels)
        depth = recipe.blocks * len(widths)
        self.from_picture = nn.PixelUnshuffle(recipe.patch)
        seen = spec.channels * recipe.game.pac * recipe.patch**2
        self.from_patches = scaled_normal(nn.Conv2d(seen, widths[0], 1, bias=False))
        layers: list[nn.Module] = []
        for i, width in enumerate(widths):
            layers += [Downsample2(2 ** (len(widths) - i) * 4)] if i else []
            if i and width != widths[i - 1]:
                layers.append(scaled_normal(nn.Conv2d(widths[i - 1], width, 1, bias=False)))
            layers += [ResidualBlock(width, recipe.expand, recipe.group, depth) for _ in range(recipe.blocks)]
        self.layers = nn.Sequential(*layers)
        outputs = widths[-1] if self.classes else 1
        self.end = JudgingEnd(widths[-1], outputs)
        if self.classes:
            self.embedding = LabelEmbedding(self.classes, outputs)
            nn.init.normal_(self.embedding.weight, 0.0, (self.classes * outputs) ** -0.5)

    def forward(self, x: Float[Tensor, "b c h w"], y: Label | None = None) -> Float[Tensor, "b"]:
        features: Tensor = self.end(self.layers(self.from_patches(self.from_picture(x))))
        if self.classes:
            features = features * self.embedding(_labels(y, self.classes))
        return features.sum(1)


# size: (gamma at first, augmentation in the end, half-life of the average in the end)
PAPER = {
    16: (0.05, 0.55, 5e6),  # like 32
    32: (0.05, 0.55, 5e6),  # CIFAR-10
    64: (2.0, 0.3, 5e5),  # FFHQ-64
    128: (17.0, 0.3, 5e5),  # between its neighbours, in proportion; not in the paper
    256: (150.0, 0.3, 5e5),  # FFHQ-256
}
IMAGENET = {32: (0.5, 0.5), 64: (1.0, 0.4)}  # size: (gamma at first, augmentation in the end), for a thousand classes
MANY = 1000  # classes, from which on ImageNet's settings are taken


def paper(spec: Spec) -> R3GAN:
    """The paper's settings for pictures of this size: CIFAR-10 (batch 512), FFHQ-64 and FFHQ-256 (batch 256).

    At 32 and 64 pixels, with a thousand classes or more: ImageNet (batch 4096, 1,000 million samples).
    """
    spec = picture_spec(spec, "r3gan", SIZES)
    if len(spec.classes) >= MANY and spec.size in IMAGENET:
        return _imagenet(spec.size)
    gamma, augment, half_life = PAPER[spec.size]
    game = relativistic(Cosine(gamma, gamma / 10, OVER), Cosine(0.0, augment, OVER))
    return R3GAN(game=game, half_life=Cosine(0.0, half_life, OVER))


def _imagenet(size: int) -> R3GAN:
    """Twice as wide at every size, schedules and average ten times as long."""
    (gamma, augment), over = IMAGENET[size], 10 * OVER
    return R3GAN(
        width=1536,
        wide_until=64,
        group=32,
        game=relativistic(Cosine(gamma, gamma / 10, over), Cosine(0.0, augment, over)),
        solver=Solver(lr=Cosine(2e-4, 5e-5, over), beta2=Cosine(0.9, 0.99, over)),
        half_life=Cosine(0.0, 50_000_000.0, over),
    )


def small(spec: Spec) -> R3GAN:
    """For two CPU cores and minutes, at a batch of 32; at its best after some 60,000 samples.

    Narrow, one block a size, no block at full size (`patch`), penalties on each fourth step, schedules a
    thousandth as long as the paper's, and ten times its learning rate.
    """
    size = picture_spec(spec, "r3gan", SIZES).size
    over, gamma = 60_000, 2.0 if size <= 64 else 10.0
    return R3GAN(
        width=96,
        wide_until=4 * max(size // 32, 1),
        blocks=1,
        patch=2,
        leak=0.05,
        game=relativistic(Cosine(gamma, gamma / 10, over), every=4),
        solver=Solver(lr=Cosine(2e-3, 3e-4, over), beta2=Cosine(0.95, 0.99, over)),
        half_life=Cosine(0.0, 2_500.0, over),
    )
