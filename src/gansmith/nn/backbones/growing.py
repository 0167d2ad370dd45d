"""ProGAN's networks (Karras 2017, arXiv:1710.10196, section 2, appendix A): all stages are there, those in use compute.

Stage s makes and judges pictures of 4 * 2^s pixels. While it is faded in, by `fade` from 0 to 1, its pictures are mixed
with those of the stage below, doubled (G), and its features with what the stage below reads of halved pictures (D).
Parameters of stages that are not in use take no part, and get no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..equalized import RECTIFIED, EqualConv2d, EqualLinear
from ..minibatch import MinibatchStd
from ..norm import PixelNorm

SLOPE = 0.2  # of the leaky rectifiers
START = 4  # pixels a side of the first stage


def rectified(layer: nn.Module, *, normed: bool) -> nn.Sequential:
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE), *([PixelNorm()] if normed else []))


class GrowingGenerator(nn.Module):
    """Latent -> picture of the stage in use. Doublings repeat pixels; features are normalised pixel by pixel.

    Args:
        latent: length of z.
        widths: channels of each stage, from 4 pixels up.
        channels: of the pictures.

    Attributes:
        samples: buffer, how many samples had been seen before the last step that trained it; who samples from a saved
            generator reads from it which stage is in use and how far it is faded in.
    """

    samples: Tensor

    def __init__(self, latent: int, widths: Sequence[int], channels: int) -> None:
        super().__init__()
        self.norm = PixelNorm()
        self.spread = EqualLinear(latent, widths[0] * START**2, bias=False, gain=RECTIFIED / START)
        self.bias = nn.Parameter(torch.zeros(widths[0], 1, 1))
        self.blocks = nn.ModuleList([nn.Sequential(nn.LeakyReLU(SLOPE), PixelNorm(), self._conv(widths[0], widths[0]))])
        for below, width in pairwise(widths):
            self.blocks.append(
                nn.Sequential(
                    nn.UpsamplingNearest2d(scale_factor=2), self._conv(below, width), self._conv(width, width)
                )
            )
        self.to_picture = nn.ModuleList(EqualConv2d(width, channels, 1, gain=1.0) for width in widths)
        self.register_buffer("samples", torch.tensor(0))

    @staticmethod
    def _conv(inputs: int, outputs: int) -> nn.Sequential:
        return rectified(EqualConv2d(inputs, outputs, 3, padding=1), normed=True)

    def forward(self, z: Float[Tensor, "b latent"], stage: int, fade: float = 1.0) -> Float[Tensor, "b c h w"]:
        """Pictures of 4 * 2^stage pixels; `fade` in [0, 1], below 1 only above stage 0."""
        x = self.spread(self.norm(z)).unflatten(1, (-1, START, START)) + self.bias
        below = x
        for i in range(stage + 1):
            below, x = x, self.blocks[i](x)
        picture: Tensor = self.to_picture[stage](x)
        if fade == 1:
            return picture
        return F.interpolate(self.to_picture[stage - 1](below), scale_factor=2.0).lerp(picture, fade)


class GrowingDiscriminator(nn.Module):
    """Picture of the stage in use -> logit; a minibatch's standard deviation is read before the last convolution.

    Args:
        widths: channels of each stage, from 4 pixels up.
        channels: of the pictures.
        group: examples whose deviation is measured together.
    """

    def __init__(self, widths: Sequence[int], channels: int, group: int = 4) -> None:
        super().__init__()
        widths = widths[::-1]  # as pictures pass through them: those of the largest stage come first
        self.from_picture = nn.ModuleList(rectified(EqualConv2d(channels, w, 1), normed=False) for w in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(self._conv(width, width), self._conv(width, below), nn.AvgPool2d(2))
            for width, below in pairwise(widths)
        )
        last = widths[-1]
        self.end = nn.Sequential(
            MinibatchStd(group),
            self._conv(last + MinibatchStd.adds, last),
            nn.Flatten(),
            rectified(EqualLinear(last * START**2, last), normed=False),
        )
        self.head = EqualLinear(last, 1, gain=1.0)

    @staticmethod
    def _conv(inputs: int, outputs: int) -> nn.Sequential:
        return rectified(EqualConv2d(inputs, outputs, 3, padding=1), normed=False)

    def forward(self, picture: Float[Tensor, "b c h w"], stage: int, fade: float = 1.0) -> Float[Tensor, "b"]:
        """Logits of pictures of 4 * 2^stage pixels; see `GrowingGenerator.forward`."""
        first = len(self.blocks) - stage
        x: Tensor = self.from_picture[first](picture)
        for i in range(first, len(self.blocks)):
            x = self.blocks[i](x)
            if i == first and fade < 1:
                x = torch.lerp(self.from_picture[i + 1](F.avg_pool2d(picture, 2)), x, fade)
        logits: Tensor = self.head(self.end(x))
        return logits.flatten()
