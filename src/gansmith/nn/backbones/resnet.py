"""The residual players of WGAN-GP (arXiv:1704.00028), SNGAN (1802.05957), SAGAN (1805.08318) and BigGAN (1809.11096).

Where a 1x1 convolution meets a change of size, it is applied at the smaller size: the same function, a quarter of the
work. Weights are uniform after Glorot 2010, with a gain of sqrt(2) inside of residual branches and 1 elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ...errors import ConfigError, DataError
from ..labels import Label, LabelEmbedding
from ..norm import ConditionalBatchNorm2d

Norm = Callable[[int], ConditionalBatchNorm2d]
After = Callable[[int, int], nn.Module]  # what stands after a block whose output has this side and these channels
BASE = 4  # side of the smallest features of a generator


def widths(stages: int, width: int, widest: int) -> list[int]:
    """Channels of `stages` sizes, from the largest size down: `width`, doubled at each, `widest` at most."""
    return [min(width * 2**i, widest) for i in range(stages)]


def halvings(size: int, until: int = BASE) -> int:
    """How often `size` is halved until it is `until`; both are powers of 2, or the same number of times one."""
    return max(size // until, 1).bit_length() - 1


def conv(inputs: int, outputs: int, kernel: int, gain: float = 1.0) -> nn.Conv2d:
    """A convolution that keeps the size, Glorot-uniform, its bias zero."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]  # it has one
    return layer


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A Glorot-uniform layer, its bias zero."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def doubled(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Every pixel four times."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def halved(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h2 w2"]:
    """Means of 2 x 2 pixels."""
    return F.avg_pool2d(x, 2)


class UpBlock(nn.Module):
    """conv(relu(norm(conv(up(relu(norm(x))))))) + conv1x1(up(x)), twice as large."""

    def __init__(self, inputs: int, outputs: int, norm: Norm) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(inputs), norm(outputs)
        self.conv1 = conv(inputs, outputs, 3, math.sqrt(2))
        self.conv2 = conv(outputs, outputs, 3, math.sqrt(2))
        self.skip = conv(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "b c h w"], condition: Tensor | None) -> Float[Tensor, "b d h2 w2"]:
        h = self.conv1(doubled(self.norm1(x, condition).relu()))
        h = self.conv2(self.norm2(h, condition).relu())
        return torch.add(h, doubled(self.skip(x)))


class DownBlock(nn.Module):
    """down(conv(relu(conv(relu(x))))) + conv1x1(down(x)); the first block of a network begins without a rectifier.

    Args:
        inputs, hidden, outputs: channels.
        halves: whether it halves the size; where it does not and keeps the channels, x is added as it is.
        first: whether x is a picture.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, *, halves: bool, first: bool) -> None:
        super().__init__()
        self.halves, self.first = halves, first
        self.conv1 = conv(inputs, hidden, 3, math.sqrt(2))
        self.conv2 = conv(hidden, outputs, 3, math.sqrt(2))
        self.skip: nn.Module = conv(inputs, outputs, 1) if halves or inputs != outputs else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        h = self.conv2(self.conv1(x if self.first else x.relu()).relu())
        if self.halves:
            h, x = halved(h), halved(x)
        return torch.add(h, self.skip(x))


def nothing(side: int, channels: int) -> nn.Module:
    """The plain network: nothing stands between blocks."""
    return nn.Identity()


class ResNetGenerator(nn.Module):
    """Latent -> 4x4 features -> a block for each doubling -> picture in (-1, 1).

    Args:
        latent: numbers that the first layer reads.
        widths: channels at 4, 8, ... pixels, the last at the full size.
        channels: of the picture.
        norm: makes the blocks' normalisation for a number of channels.
        after: makes what stands after a block, such as attention.
        patch: squares of patch x patch pixels leave as channels, so that the full size inside is smaller by as much.
    """

    def __init__(
        self,
        latent: int,
        widths: Sequence[int],
        channels: int,
        norm: Norm = ConditionalBatchNorm2d,
        after: After = nothing,
        patch: int = 1,
    ) -> None:
        super().__init__()
        self.start = linear(latent, widths[0] * BASE**2)
        self.blocks = nn.ModuleList(UpBlock(wide, narrow, norm) for wide, narrow in pairwise(widths))
        self.after = nn.ModuleList(after(BASE * 2**i, width) for i, width in enumerate(widths[1:], 1))
        self.norm = ConditionalBatchNorm2d(widths[-1])
        self.to_patches = conv(widths[-1], channels * patch**2, 3)
        self.to_picture = nn.PixelShuffle(patch)

    def forward(
        self, z: Float[Tensor, "b latent"], conditions: Sequence[Tensor] | Tensor | None = None
    ) -> Float[Tensor, "b c h w"]:
        """`conditions`: one for the normalisation of each block, or one for all."""
        one_for_all = conditions is None or isinstance(conditions, Tensor)
        each = [conditions] * len(self.blocks) if one_for_all else conditions
        x = self.start(z).unflatten(1, (-1, BASE, BASE))
        for block, after, condition in zip(self.blocks, self.after, each, strict=True):  # type: ignore[arg-type]
            x = after(block(x, condition))
        out: Tensor = self.to_picture(self.to_patches(self.norm(x).relu())).tanh()
        return out


class ResNetFeatures(nn.Module):
    """Picture -> blocks, of which the first ones halve -> rectified features, their sum or mean over all places.

    Args:
        channels, size: of the picture.
        widths: channels after each block.
        halvings: how many blocks, from the first on, halve.
        wide: whether a block has inside as many channels as it puts out (BigGAN), not as it takes in; the first has.
        mean: of places (WGAN-GP), not their sum.
        after: makes what stands after a block that halves.
        patch: see `ResNetGenerator`.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        widths: Sequence[int],
        halvings: int,
        *,
        wide: bool = False,
        mean: bool = False,
        after: After = nothing,
        patch: int = 1,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(patch)]
        inputs, side = channels * patch**2, size // patch
        for i, outputs in enumerate(widths):
            hidden, halves = outputs if wide or i == 0 else inputs, i < halvings
            layers.append(DownBlock(inputs, hidden, outputs, halves=halves, first=i == 0))
            if halves:
                side //= 2
                layers.append(after(side, outputs))
            inputs = outputs
        self.layers = nn.Sequential(*layers)
        self.mean = mean

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b features"]:
        features: Tensor = self.layers(x).relu()
        return features.mean((2, 3)) if self.mean else features.sum((2, 3))


class Projection(nn.Module):
    """D(x, y) = head(f(x)) + <f(x), e(y)> (Miyato & Koyama 2018, arXiv:1802.05637, equation 3); without y, the head.

    Args:
        trunk: f, from pictures to (b features).
        features: their number.
        classes: how many labels there are (`ImageSpec.labels`); 0 for none.

    Raises:
        DataError: (called) no labels, though there are classes.
        ConfigError: (called) packs of pictures, each of which has a label.
    """

    def __init__(self, trunk: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.classes, self.trunk = classes, trunk
        self.head = linear(features, 1)
        if classes:
            self.embedding = LabelEmbedding(classes, features)
            nn.init.xavier_uniform_(self.embedding.weight)

    def forward(self, x: Float[Tensor, "n c h w"], y: Label | None = None) -> Float[Tensor, "n"]:
        features = self.trunk(x)
        logits: Tensor = self.head(features).flatten()
        if not self.classes:
            return logits
        told = self.embedding(labels(y, self.classes))
        if len(told) != len(logits):
            raise ConfigError("pictures are judged together (game.pac) only without classes: add --no-labels")
        return torch.add(logits, (features * told).sum(1))


def labels(y: Tensor | None, classes: int) -> Tensor:
    """`y` itself.

    Raises:
        DataError: there is none.
    """
    if y is None:
        raise DataError(f"these networks were built for {classes} classes, but the batch has no labels `y`")
    return y
