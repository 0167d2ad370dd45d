"""LAPGAN's networks (Denton 2015, arXiv:1506.05751, appendix A): one pair for each level of a Laplacian pyramid.

At the coarsest level they are fully connected and make whole pictures. Above it they are convolutional: G reads a
picture that was doubled in size, and makes what is missing in it; D reads the sum. Of a class, a linear layer makes a
plane that stands beside the first layer's maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...errors import DataError
from ..labels import Label, LabelEmbedding, hot


def _labels(y: Tensor | None, classes: int) -> Tensor:
    if y is None:
        raise DataError(f"this lapgan was built for {classes} classes, but the batch has no labels `y`")
    return y


class _Dense(nn.Module):
    """Numbers (and one-hot class) -> two layers of rectifiers -> features."""

    def __init__(self, inputs: int, units: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        first, second = nn.Linear(inputs + classes, units), nn.Linear(units, units)
        self.layers = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())

    def forward(self, x: Float[Tensor, "b n"], y: Label | None = None) -> Float[Tensor, "b units"]:
        if self.classes:
            x = torch.cat((x, hot(_labels(y, self.classes), self.classes).to(x)), 1)
        features: Tensor = self.layers(x)
        return features


class DenseGenerator(nn.Module):
    """Latent (and label) -> the coarsest picture, in (-1, 1).

    Args:
        latent: length of z.
        units: of each of the two hidden layers.
        channels, size: of the picture.
        classes: how many; 0 without labels.
    """

    def __init__(self, latent: int, units: int, channels: int, size: int, classes: int) -> None:
        super().__init__()
        self.body = _Dense(latent, units, classes)
        self.out = nn.Sequential(nn.Linear(units, channels * size**2), nn.Tanh())
        self.shape = (channels, size, size)

    def forward(self, z: Float[Tensor, "b latent"], y: Label | None = None) -> Float[Tensor, "b c h w"]:
        x: Tensor = self.out(self.body(z, y)).unflatten(1, self.shape)
        return x


class DenseDiscriminator(nn.Module):
    """The coarsest picture (and label) -> logit."""

    def __init__(self, units: int, channels: int, size: int, classes: int) -> None:
        super().__init__()
        self.body = _Dense(channels * size**2, units, classes)
        self.head = nn.Linear(units, 1)

    def forward(self, x: Float[Tensor, "b c h w"], y: Label | None = None) -> Float[Tensor, "b"]:
        logits: Tensor = self.head(self.body(x.flatten(1), y))
        return logits.flatten()


class _Convolutional(nn.Module):
    """Planes (and a plane that stands for the class, beside the first layer's maps) -> rectified maps.

    Args:
        inputs: planes that come in.
        widths: maps of each layer.
        kernel: side of the filters, an odd number.
        stride: 2 halves the maps in each layer.
        norm: batch normalisation before each rectifier.
        classes: how many; 0 without labels.
        size: side of the first layer's maps.

    Attributes:
        maps: how many come out.
    """

    def __init__(
        self, inputs: int, widths: Sequence[int], kernel: int, *, stride: int, norm: bool, classes: int, size: int
    ) -> None:
        super().__init__()
        self.classes, self.size = classes, size
        self.maps = widths[-1] + (bool(classes) and len(widths) == 1)
        seen = [inputs, widths[0] + bool(classes), *widths[1:]]
        self.layers = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(read, width, kernel, stride=stride, padding=kernel // 2, bias=not norm),
                *([nn.BatchNorm2d(width)] if norm else []),
                nn.ReLU(),
            )
            for read, width in zip(seen, widths, strict=False)
        )
        if classes:
            self.plane = LabelEmbedding(classes, size**2)

    def forward(self, x: Float[Tensor, "b c h w"], y: Label | None = None) -> Float[Tensor, "b d h2 w2"]:
        first, *rest = self.layers
        x = first(x)
        if self.classes:
            x = torch.cat((x, self.plane(_labels(y, self.classes)).view(-1, 1, self.size, self.size)), 1)
        for layer in rest:
            x = layer(x)
        return x


class ResidualGenerator(nn.Module):
    """A doubled picture, a plane of noise (and a label) -> what is missing in the picture.

    Args:
        channels, size: of the picture.
        widths, kernel, norm, classes: of the layers, see `_Convolutional`.
    """

    def __init__(
        self, channels: int, size: int, widths: Sequence[int], kernel: int, *, norm: bool, classes: int
    ) -> None:
        super().__init__()
        self.body = _Convolutional(channels + 1, widths, kernel, stride=1, norm=norm, classes=classes, size=size)
        self.out = nn.Conv2d(self.body.maps, channels, kernel, padding=kernel // 2)

    def forward(
        self, low: Float[Tensor, "b c h w"], noise: Float[Tensor, "b 1 h w"], y: Label | None = None
    ) -> Float[Tensor, "b c h w"]:
        h: Tensor = self.out(self.body(torch.cat((low, noise), 1), y))
        return h


class PictureDiscriminator(nn.Module):
    """A picture, which is a doubled one and what was missing in it (and a label) -> logit. Each layer halves it."""

    def __init__(self, channels: int, size: int, widths: Sequence[int], kernel: int, *, classes: int) -> None:
        super().__init__()
        half, last = -(-size // 2), size
        for _ in widths:
            last = -(-last // 2)
        self.body = _Convolutional(channels, widths, kernel, stride=2, norm=False, classes=classes, size=half)
        self.head = nn.Linear(self.body.maps * last**2, 1)

    def forward(self, x: Float[Tensor, "b c h w"], y: Label | None = None) -> Float[Tensor, "b"]:
        logits: Tensor = self.head(self.body(x, y).flatten(1))
        return logits.flatten()
