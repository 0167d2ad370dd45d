"""StyleGAN2's networks (Karras 2019, arXiv:1912.04958; class labels as in Karras 2020, arXiv:2006.06676)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...errors import DataError
from ..equalized import RECTIFIED, EqualConv2d, EqualLinear
from ..labels import Label, LabelEmbedding
from ..minibatch import MinibatchStd
from ..modulated import SLOPE, Modulated, bias_leaky
from ..norm import PixelNorm
from ..resample import BINOMIAL, Downsample2, Resample, Upsample2

CENTRE = 1024  # styles whose mean truncation leads to; of many classes 16 for each
CENTRE_OF_ATTRIBUTES = 256  # the same of each combination of attributes
HALVED = 0.5**0.5  # the sum of two branches keeps its variance


def widths(size: int, base: int, widest: int) -> list[int]:
    """Channels at 4, 8, ... `size` pixels: `base` / side, `widest` at most."""
    return [min(base // (4 * 2**i), widest) for i in range((size // 4).bit_length())]


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU over the memory of `x`, the output of a layer that does not need it."""
    return F.leaky_relu(x, SLOPE, inplace=True)


class Perceptron(nn.Module):
    """Fully connected layers, each with a leaky ReLU."""

    def __init__(self, inputs: int, width: int, depth: int, speed: float) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        self.layers = nn.ModuleList(EqualLinear(a, b, speed=speed) for a, b in pairwise(sizes))

    def forward(self, x: Float[Tensor, "b n"]) -> Float[Tensor, "b m"]:
        for layer in self.layers:
            x = leaky(layer(x))
        return x


class Labels(nn.Module):
    """A learned vector of unit mean square for each label, of so many rows (see `labels`)."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.embedding = LabelEmbedding(classes, width)
        self.norm = PixelNorm()

    def forward(self, y: Label | None) -> Float[Tensor, "b width"]:
        if y is None:
            raise DataError(
                f"this network was built for {self.embedding.num_embeddings} classes, but the batch has no labels `y`"
            )
        out: Tensor = self.norm(self.embedding(y))
        return out


class Mapping(nn.Module):
    """From latents (and labels) to styles w, one for each layer, all the same.

    `w_avg` (classes or 1, style) is where truncation leads to: the mean style of each class. With attributes it leads
    to that of the combination asked for, which is measured when it is.

    Args:
        latent: length of z, which is normalised to unit mean square.
        style: length of w.
        layers: copies of w.
        depth: fully connected layers.
        speed: of their learning, against the other layers'.
        classes: rows of the table of labels, one for each class or two for each attribute; 0 for none.
        attributes: how many of these there are.
    """

    w_avg: Tensor

    def __init__(
        self, latent: int, style: int, layers: int, depth: int, speed: float, classes: int, attributes: int = 0
    ) -> None:
        super().__init__()
        self.copies, self.norm, self.latent, self.attributes = layers, PixelNorm(), latent, attributes
        self.labels = Labels(classes, latent) if classes else None
        self.perceptron = Perceptron(latent * (2 if classes else 1), style, depth, speed)
        self.register_buffer("w_avg", torch.zeros(1 if attributes else max(classes, 1), style))

    def forward(
        self,
        z: Float[Tensor, "b latent"],
        y: Label | None = None,
        truncation: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b layers style"]:
        """`truncation` moves w towards its class's mean: 1 leaves it, 0 is the mean."""
        x = self.norm(z)
        if self.labels is not None:
            x = torch.cat((x, self.labels(y)), 1)
        w: Tensor = self.perceptron(x)
        if truncation is not None:
            w = torch.lerp(self.centre(y).to(w), w, truncation.to(w)[:, None])
        return w[:, None].expand(-1, self.copies, -1)

    def in_turn(self, n: int) -> Int[Tensor, "{n} *attributes"]:
        """`n` labels, every class as often as any other; zeros where there are none; attributes at random, the same
        each time."""
        if self.attributes:
            coins = torch.randint(2, (n, self.attributes), generator=torch.Generator().manual_seed(0))
            return coins.to(self.w_avg.device)
        return torch.arange(n, device=self.w_avg.device) % len(self.w_avg)

    def watched(self) -> Label:
        """Labels of the latents by which `find_centres` knows the classes."""
        return self.in_turn(len(self.w_avg) * max(CENTRE // len(self.w_avg), CENTRE // 64))

    @torch.no_grad()
    def find_centres(self, z: Float[Tensor, "n latent"]) -> None:
        """Measures `w_avg`, the means of each class's styles, by latents of the labels `watched`."""
        ws = self(z, self.watched())[:, 0]
        self.w_avg.copy_(ws.unflatten(0, (-1, len(self.w_avg))).mean(0))

    def centre(self, y: Label | None) -> Float[Tensor, "#b style"]:
        """The mean style of each label's class, or of its combination of attributes."""
        if self.labels is None or y is None:
            return self.w_avg
        if y.ndim == 1:
            return self.w_avg[y]
        each, which = y.unique(dim=0, return_inverse=True)
        return torch.stack([self._mean_of(marks) for marks in each])[which]

    def _mean_of(self, marks: Int[Tensor, "attributes"]) -> Float[Tensor, "style"]:
        """The mean style under these attributes, over latents that are the same each time."""
        z = torch.randn(CENTRE_OF_ATTRIBUTES, self.latent, generator=torch.Generator().manual_seed(0))
        ws: Tensor = self(z.to(self.w_avg), marks.expand(len(z), -1))[:, 0]
        return ws.mean(0)


class StyledLayer(nn.Module):
    """Modulated 3x3 convolution, noise of a learned strength, bias, leaky ReLU.

    Args:
        size: side of the output.
        up: whether the input is half as large.
        noisy: whether there is noise.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, size: int, style: int, up: bool, noisy: bool = True) -> None:
        super().__init__()
        self.conv = Modulated(inputs, outputs, 3, style, up=up, size=size // 2)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(())) if noisy else None
        if noisy:
            self.register_buffer("noise", torch.randn(size, size))

    def forward(
        self, x: Float[Tensor, "b c h h"], w: Float[Tensor, "b style"], noise: Float[Tensor, "b 1 n n"] | None
    ) -> Float[Tensor, "b d n n"]:
        """With None, the constant noise that was drawn when the layer was made."""
        (y, left), bias = self.conv(x, w), self.bias[:, None, None]
        if self.strength is not None:
            bias = bias + (self.noise[None, None] if noise is None else noise).to(y) * self.strength
        return bias_leaky(y, bias, left)


class ToPicture(nn.Module):
    """Modulated 1x1 convolution to the picture's channels, not demodulated."""

    def __init__(self, inputs: int, channels: int, style: int) -> None:
        super().__init__()
        self.conv = Modulated(inputs, channels, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "b d n n"], w: Float[Tensor, "b style"]) -> Float[Tensor, "b c n n"]:
        y, left = self.conv(x, w)
        return torch.add(self.bias[:, None, None], y, alpha=left)


class Synthesis(nn.Module):
    """From styles to pictures: a learned 4x4 constant, doublings, and the sum of what each size adds to the picture.

    Args:
        widths: channels at 4, 8, ... pixels.
        channels: of the picture.
        style: length of w.
        noisy: whether layers take noise.

    Attributes:
        sizes: sides of the noise that the layers take, in order; none where they take none.
    """

    def __init__(self, widths: Sequence[int], channels: int, style: int, noisy: bool = True) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, widths[0], 4, 4))
        self.layers, self.to_picture = nn.ModuleList(), nn.ModuleList()
        sides = [4 * 2**i for i in range(len(widths))]
        for i, (width, side) in enumerate(zip(widths, sides, strict=True)):
            if i:
                self.layers.append(StyledLayer(widths[i - 1], width, side, style, True, noisy))
            self.layers.append(StyledLayer(width, width, side, style, False, noisy))
            self.to_picture.append(ToPicture(width, channels, style))
        self.enlarge = nn.ModuleList(Upsample2(side) for side in sides[:-1])
        self.sizes = sorted(sides * 2)[1:] if noisy else []

    def forward(
        self, ws: Float[Tensor, "b layers style"], noise: Sequence[Tensor] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """Pictures of styles, a style for each layer and the last for the last picture.

        Args:
            noise: (b 1 n n) for each n of `sizes`; None for the constant noise of the layers.
        """
        x = self.constant.expand(len(ws), -1, -1, -1)
        noises: Sequence[Tensor | None] = noise or [None] * len(self.layers)
        picture: Tensor | None = None
        for i, (layer, noise_i) in enumerate(zip(self.layers, noises, strict=True)):
            x = layer(x, ws[:, i], noise_i)
            if i % 2 == 0:  # the last of its size
                added = self.to_picture[i // 2](x, ws[:, i + 1])
                picture = added if picture is None else self.enlarge[i // 2 - 1](picture) + added
        assert picture is not None
        return picture


class Generator(nn.Module):
    """`mapping`, then `synthesis`."""

    def __init__(self, mapping: Mapping, synthesis: nn.Module) -> None:
        super().__init__()
        self.mapping, self.synthesis = mapping, synthesis

    def forward(
        self,
        z: Float[Tensor, "b latent"],
        y: Label | None = None,
        *,
        second: Float[Tensor, "b latent"] | None = None,
        switch: Int[Tensor, "b"] | None = None,
        truncation: Float[Tensor, "b"] | None = None,
        **synthesis: Sequence[Tensor] | Tensor | None,
    ) -> Float[Tensor, "b c h w"]:
        """Pictures of latents.

        Args:
            y: labels, where there are classes.
            second, switch: further latents, whose styles layers from number `switch` on take (style mixing).
            truncation: see `Mapping`.
            synthesis: what else the synthesis network takes.
        """
        x: Tensor = self.synthesis(self.styles(z, y, second, switch, truncation), **synthesis)
        return x

    def styles(
        self,
        z: Tensor,
        y: Tensor | None = None,
        second: Tensor | None = None,
        switch: Tensor | None = None,
        truncation: Tensor | None = None,
    ) -> Float[Tensor, "b layers style"]:
        """The styles that `forward` makes pictures of."""
        ws: Tensor = self.mapping(z, y, truncation)
        if second is None or switch is None:
            return ws
        late = torch.arange(ws.shape[1], device=ws.device) >= switch[:, None]
        return torch.where(late[..., None], self.mapping(second, y, truncation), ws)


class Halving(nn.Module):
    """Two 3x3 convolutions, the second after the binomial filter and with a stride of 2; beside them a 1x1 one.

    Args:
        size: side of the input.
        residual: whether there is a way past the convolutions.
    """

    def __init__(self, inputs: int, outputs: int, size: int, residual: bool) -> None:
        super().__init__()
        self.first = EqualConv2d(inputs, inputs, 3, padding=1)
        self.smooth = Resample(size, BINOMIAL, pad=(2, 2))
        self.second = EqualConv2d(inputs, outputs, 3, stride=2, gain=RECTIFIED * (HALVED if residual else 1))
        past = [Downsample2(size), EqualConv2d(inputs, outputs, 1, bias=False, gain=HALVED)]
        self.past = nn.Sequential(*past) if residual else None

    def forward(self, x: Float[Tensor, "b c h h"]) -> Float[Tensor, "b d m m"]:
        y = leaky(self.second(self.smooth(leaky(self.first(x)))))
        return y if self.past is None else y + self.past(x)


class Discriminator(nn.Module):
    """Picture -> halvings -> 4x4 -> logit, or features projected onto the label's vector.

    Args:
        widths: channels at 4, 8, ... pixels.
        channels: of the picture.
        classes: rows of the table of labels; 0 for none.
        residual: whether there are ways past the convolutions.
        group: pictures whose deviation becomes a channel (see `MinibatchStd`); 1 for none.
        label: length of a label's vector, and `depth` of the fully connected layers that it goes through.
    """

    def __init__(
        self,
        widths: Sequence[int],
        channels: int,
        classes: int = 0,
        *,
        residual: bool = True,
        group: int = 4,
        label: int = 512,
        depth: int = 8,
    ) -> None:
        super().__init__()
        last, first = widths[0], widths[-1]
        self.from_picture = EqualConv2d(channels, first, 1)
        sizes = [4 * 2**i for i in range(1, len(widths))][::-1]
        pairs = zip(widths[:0:-1], widths[-2::-1], sizes, strict=True)
        self.blocks = nn.Sequential(*(Halving(a, b, size, residual) for a, b, size in pairs))
        self.deviation = MinibatchStd(group) if group > 1 else None
        self.mix = EqualConv2d(last + (group > 1), last, 3, padding=1)
        self.gather = EqualLinear(last * 16, last)
        self.head = EqualLinear(last, label if classes else 1, gain=1.0)
        self.labels = Labels(classes, label) if classes else None
        self.perceptron = Perceptron(label, label, depth, 0.01) if classes else None

    def forward(self, x: Float[Tensor, "b c h w"], y: Label | None = None) -> Float[Tensor, "b"]:
        x = leaky(self.from_picture(x)).contiguous(memory_format=torch.channels_last)
        x = self.blocks(x)
        if self.deviation is not None:
            x = self.deviation(x)
        features: Tensor = self.head(leaky(self.gather(leaky(self.mix(x)).flatten(1))))
        if self.labels is None or self.perceptron is None:
            return features[:, 0]
        towards: Tensor = self.perceptron(self.labels(y))
        return (features * towards).sum(1) / math.sqrt(features.shape[1])
