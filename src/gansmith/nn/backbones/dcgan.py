"""DCGAN's players (Radford 2015, arXiv:1511.06434): strided convolutions, batch normalisation, nothing else inside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

BASE = 4  # side of the smallest features


def widths(size: int, width: int, widest: int) -> list[int]:
    """Channels at 4, 8, ... `size` / 2 pixels: `width` at the last of them, doubled downwards, `widest` at most."""
    stages = (size // BASE).bit_length() - 1
    return [min(width * 2**i, widest) for i in range(stages)][::-1]


def doubling(inputs: int, outputs: int, kernel: int, bias: bool = False) -> nn.ConvTranspose2d:
    pad, rest = (kernel - 1) // 2, kernel % 2
    return nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=pad, output_padding=rest, bias=bias)


def halving(inputs: int, outputs: int, kernel: int, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride=2, padding=(kernel - 1) // 2, bias=bias)


class DeconvGenerator(nn.Module):
    """Latent -> 4x4 features -> doublings -> picture in (-1, 1).

    Args:
        latent: length of z.
        widths: channels at 4, 8, ... pixels; the picture is twice as large as the last.
        channels: of the picture.
        kernel: side of the strided filters.
    """

    def __init__(self, latent: int, widths: Sequence[int], channels: int, kernel: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent, widths[0], BASE, bias=False)]
        for wide, narrow in pairwise(widths):
            layers += [nn.BatchNorm2d(wide), nn.ReLU(inplace=True), doubling(wide, narrow, kernel)]
        layers += [nn.BatchNorm2d(widths[-1]), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, doubling(widths[-1], channels, kernel, bias=True), nn.Tanh())

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b c h w"]:
        x: Tensor = self.layers(z[:, :, None, None])
        return x


class ConvDiscriminator(nn.Module):
    """Picture -> halvings -> features -> logit. No normalisation in the first and the last layer.

    Args:
        channels: of the picture.
        widths: channels after each halving.
        kernel: side of the strided filters.
        side: of the features that the head reads.
    """

    def __init__(self, channels: int, widths: Sequence[int], kernel: int, side: int = BASE) -> None:
        super().__init__()
        layers: list[nn.Module] = [halving(channels, widths[0], kernel, bias=True), nn.LeakyReLU(0.2, inplace=True)]
        for narrow, wide in pairwise(widths):
            layers += [halving(narrow, wide, kernel), nn.BatchNorm2d(wide), nn.LeakyReLU(0.2, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(widths[-1], 1, side)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b"]:
        logits: Tensor = self.head(self.layers(x))
        return logits.flatten()
