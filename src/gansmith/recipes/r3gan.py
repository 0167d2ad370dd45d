"""R3GAN (Huang, Gokaslan, Kuleshov, Tompkin 2024, arXiv:2501.05441): a relativistic pairing loss with R1 and R2.

    L_D = E f(D(G(z)) - D(x)) + gamma/2 E |grad_x D(x)|^2 + gamma/2 E |grad D(G(z))|^2     f = softplus
    L_G = E f(D(x) - D(G(z)))

No normalisation, no minibatch statistics, no style: both networks are stacks of inverted ResNeXt blocks. With
classes, G takes their embedding beside z, and D projects onto one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..augment.ada import ADA
from ..batch import Batch
from ..errors import DataError
from ..losses.adversarial import relativistic
from ..losses.penalties import gradient_norm2
from ..nn.blocks import JudgingEnd, LearnedStart, ResidualBlock
from ..nn.init import scaled_normal
from ..nn.optim import adam
from ..nn.resample import Downsample2, Upsample2
from ..nn.sizes import picture_spec
from ..schedule import Cosine, Scheduled, at
from ..spec import ImageSpec, Spec
from .base import Context, Networks, Phase, Recipe

SIZES = (16, 32, 64, 128, 256)
EMBEDDING = 64  # numbers that stand for a class in G's input


@dataclass(frozen=True, kw_only=True)
class R3GAN(Recipe):
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
        lr: of both players.
        beta2: of Adam in both players; beta1 is 0.
        gamma: weight of R1 and R2. The knob that data decide: too small, and training diverges; too large, and
            pictures stay blurred.
        penalty_every: R1 and R2 run on each n-th step, n times as heavy; the paper has 1.
        half_life: of G's average, in samples.
        augment: chance p of ADA's augmentations, the same for real and generated pictures.
    """

    latent: int = 64
    width: int = 768
    wide_until: int = 32
    blocks: int = 2
    expand: int = 2
    group: int = 16
    patch: int = 1
    leak: float = 1.0
    lr: Scheduled = Cosine(2e-4, 5e-5, 20_000_000)
    beta2: Scheduled = Cosine(0.9, 0.99, 20_000_000)
    gamma: Scheduled = Cosine(0.05, 0.005, 20_000_000)
    penalty_every: int = 1
    half_life: Scheduled = Cosine(0.0, 5_000_000.0, 20_000_000)
    augment: Scheduled = 0.0

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life}

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels or None -> (b c h w). D: (b c h w), labels or None -> (b,)."""
        spec = picture_spec(spec, "r3gan", SIZES)
        return Networks({"G": Generator(self, spec), "D": Discriminator(self, spec)})

    def widths(self, size: int) -> list[int]:
        """Channels at 4, 8, ... `size` / patch pixels."""
        sizes = [4 * 2**i for i in range((size // self.patch // 4).bit_length())]
        return [max(self.width * self.wide_until // max(s, self.wide_until), self.group) for s in sizes]

    def phases(self) -> dict[str, Phase]:
        return {"D": Phase(("D",), self.d_loss, second_order=("D",)), "G": Phase(("G",), self.g_loss)}

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        y = batch.get("y")
        with torch.no_grad():
            fake = nets.G(ctx.randn(batch, self.latent), y)
        penalised = ctx.step % self.penalty_every == 0
        real, fake = batch["x"].detach().requires_grad_(penalised), fake.requires_grad_(penalised)
        real_logit, fake_logit = self.judge(nets, real, y, ctx), self.judge(nets, fake, y, ctx)
        ctx.report("real_logit", real_logit)
        ctx.report("fake_logit", fake_logit)
        losses = {"adv": relativistic.d(real_logit, fake_logit)}
        if penalised:
            weight = at(self.gamma, ctx.samples) / 2 * self.penalty_every
            losses["r1"] = weight * gradient_norm2(real_logit, real)
            losses["r2"] = weight * gradient_norm2(fake_logit, fake)
        return losses

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        y = batch.get("y")
        fake_logit = self.judge(nets, nets.G(ctx.randn(batch, self.latent), y), y, ctx)
        with torch.no_grad():
            real_logit = self.judge(nets, batch["x"], y, ctx)
        return {"adv": relativistic.g(fake_logit, real_logit)}

    def judge(self, nets: Networks, x: Tensor, y: Tensor | None, ctx: Context) -> Tensor:
        """D's logits (b,) of augmented pictures; gradients reach the pixels before augmentation."""
        p = at(self.augment, ctx.samples)
        logits: Tensor = nets.D(ADA()(x, p, ctx) if p else x, y)
        return logits

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return adam(params, at(self.lr, 0), (0.0, at(self.beta2, 0)))

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        return {"lr": float(at(self.lr, samples)), "betas": (0.0, float(at(self.beta2, samples)))}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        y = request.get("y")
        x = nets.G(ctx.randn(request, self.latent), y).clamp(-1, 1)
        return Batch(x=x) if y is None else Batch(x=x, y=y)


def _labels(y: Tensor | None, classes: int) -> Tensor:
    if y is None:
        raise DataError(f"this r3gan was built for {classes} classes, but the batch has no labels `y`")
    return y


class Generator(nn.Module):
    """Latent (and label) -> 4x4 -> blocks and doublings -> picture."""

    def __init__(self, recipe: R3GAN, spec: ImageSpec) -> None:
        super().__init__()
        widths, self.classes = recipe.widths(spec.size), len(spec.classes)
        depth = recipe.blocks * len(widths)
        if self.classes:
            self.embedding = nn.Embedding(self.classes, EMBEDDING)
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

    def forward(self, z: Float[Tensor, "b latent"], y: Int[Tensor, "b"] | None = None) -> Float[Tensor, "b c h w"]:
        if self.classes:
            z = torch.cat((z, self.embedding(_labels(y, self.classes))), 1)
        x: Tensor = self.to_picture(self.to_patches(self.layers(self.start(z))))
        return x if self.leak == 1 else torch.lerp(x.clamp(-1, 1), x, self.leak)


class Discriminator(nn.Module):
    """Picture -> blocks and halvings -> 4x4 -> logit, or features projected onto the label's embedding."""

    def __init__(self, recipe: R3GAN, spec: ImageSpec) -> None:
        super().__init__()
        widths, self.classes = recipe.widths(spec.size)[::-1], len(spec.classes)
        depth = recipe.blocks * len(widths)
        self.from_picture = nn.PixelUnshuffle(recipe.patch)
        self.from_patches = scaled_normal(nn.Conv2d(spec.channels * recipe.patch**2, widths[0], 1, bias=False))
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
            self.embedding = nn.Embedding(self.classes, outputs)
            nn.init.normal_(self.embedding.weight, 0.0, (self.classes * outputs) ** -0.5)

    def forward(self, x: Float[Tensor, "b c h w"], y: Int[Tensor, "b"] | None = None) -> Float[Tensor, "b"]:
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


def paper(spec: Spec) -> R3GAN:
    """The paper's settings for pictures of this size: CIFAR-10 (batch 512), FFHQ-64 and FFHQ-256 (batch 256)."""
    size = picture_spec(spec, "r3gan", SIZES).size
    gamma, augment, half_life = PAPER[size]
    over = 20_000_000
    return R3GAN(
        gamma=Cosine(gamma, gamma / 10, over),
        augment=Cosine(0.0, augment, over),
        half_life=Cosine(0.0, half_life, over),
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
        lr=Cosine(2e-3, 3e-4, over),
        beta2=Cosine(0.95, 0.99, over),
        gamma=Cosine(gamma, gamma / 10, over),
        penalty_every=4,
        half_life=Cosine(0.0, 2_500.0, over),
    )
