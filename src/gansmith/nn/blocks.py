"""The block and the ends of R3GAN's networks (arXiv:2501.05441): ResNeXt turned inside out, no normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .init import scaled_normal

SLOPE = 0.2
LEAKY_GAIN = (2 / (1 + SLOPE**2)) ** 0.5  # keeps the variance through a leaky ReLU


class ResidualBlock(nn.Module):
    """x + W3 a(W2 a(W1 x + b1) + b2): 1x1 wider, grouped 3x3, 1x1 back; a is leaky ReLU.

    W3 starts at zero, so the block as identity; the biases start at zero.

    Args:
        channels: of input and output.
        expand: how many times wider it is inside.
        group: channels of each group of the 3x3 convolution; 0 for one group.
        depth: residual blocks in the whole network; initial weights shrink by depth^(-1/4), as Fixup has it for
            two layers a block (Zhang 2019, arXiv:1901.09321).
    """

    def __init__(self, channels: int, expand: int, group: int, depth: int) -> None:
        super().__init__()
        inner, gain = channels * expand, LEAKY_GAIN * depth**-0.25
        self.widen = scaled_normal(nn.Conv2d(channels, inner, 1), gain)
        self.mix = scaled_normal(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group if group else 1), gain)
        self.narrow = scaled_normal(nn.Conv2d(inner, channels, 1, bias=False), 0.0)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        inner = F.leaky_relu(self.mix(F.leaky_relu(self.widen(x), SLOPE)), SLOPE)
        return torch.add(x, self.narrow(inner))


class LearnedStart(nn.Module):
    """A learned 4x4 picture whose channels a linear function of the latent scales."""

    def __init__(self, latent: int, channels: int) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(channels, 4, 4))
        self.scale = scaled_normal(nn.Linear(latent, channels, bias=False))

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b c 4 4"]:
        return torch.mul(self.basis, self.scale(z)[:, :, None, None])


class JudgingEnd(nn.Module):
    """4x4 features to `outputs` numbers: one 4x4 filter for each channel, then linear."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.filter = scaled_normal(nn.Conv2d(channels, channels, 4, groups=channels, bias=False))
        self.linear = scaled_normal(nn.Linear(channels, outputs, bias=False))

    def forward(self, x: Float[Tensor, "b c 4 4"]) -> Float[Tensor, "b outputs"]:
        out: Tensor = self.linear(self.filter(x).flatten(1))
        return out
