"""Features of untrained convolutions: what is left when no trained network fits and none is at hand.

Random features rank gross differences about as trained ones do (Lee & Lee 2022; Naeem et al. 2020, arXiv:2002.09797),
but see no meaning and have a scale of their own: read their distances against the real-against-real floor.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from .maps import fitted
from .pixels import as_rgb, channels_last, chunks
from .precision import full_precision
from .weights import tensors_digest

SIDE = 64
WIDTHS = (3, 16, 32, 32)
SEEDS = (0, 1, 2, 3, 4)
STEPS = 1 << 15  # weights are whole multiples of bound / STEPS: the same bits on every processor


class RandomNet(nn.Module):
    """Three strided convolutions with weights drawn from `seed`; 64 features: mean and deviation of 32 maps."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.convs = nn.ModuleList(_drawn(i, o, generator) for i, o in pairwise(WIDTHS))

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 64"]:
        x = self.maps(x)[-1]
        return torch.cat([x.mean((2, 3)), x.flatten(2).std(2)], 1)

    def maps(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """What each convolution gives."""
        found = [x]
        for conv in self.convs:
            found.append(F.leaky_relu(conv(found[-1]), 0.2))
        return found[1:]


def _drawn(inputs: int, outputs: int, generator: torch.Generator) -> nn.Conv2d:
    """A convolution with weights uniform within sqrt(6 / fan-in): activations keep their scale (He et al. 2015)."""
    conv = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
    whole = torch.randint(-STEPS, STEPS + 1, conv.weight.shape, generator=generator)
    conv.weight.data = whole * (math.sqrt(6 / (inputs * 9)) / STEPS)
    return conv


class RandomExtractor(nn.Module):
    """Features of five random networks side by side, of pictures resized to 64x64 (antialiased bilinear)."""

    name = "random"
    resize = "fit64"
    channels = 3
    sees_imagenet = False

    def __init__(self, batch: int = 256) -> None:
        super().__init__()
        self.nets = nn.ModuleList(RandomNet(seed) for seed in SEEDS)
        self.batch = batch
        self.dim = 2 * WIDTHS[-1] * len(SEEDS)
        self.digest = tensors_digest(self.state_dict())
        channels_last(self.eval().requires_grad_(False))

    @torch.inference_mode()
    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b d"]:
        device = next(self.parameters()).device
        with full_precision(device):
            parts = [self._features(p.to(device)) for p in chunks(pixels, self.batch)]
        return torch.cat(parts) if parts else torch.empty(0, self.dim, device=device)

    def maps(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The maps of all five at 32, 16 and 8 pixels, of pictures in [0, 1]."""
        x = 2 * fitted(x, SIDE) - 1
        each = (net.maps(x) for net in self.nets)  # type: ignore[operator]
        return [torch.cat(maps, 1) for maps in zip(*each, strict=True)]

    def _features(self, pixels: Tensor) -> Tensor:
        x = as_rgb(pixels)
        if x.shape[-2:] != (SIDE, SIDE):
            x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        x = (x / 127.5 - 1).contiguous(memory_format=torch.channels_last)
        return torch.cat([net(x) for net in self.nets], 1)
