"""Normalisation layers."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class PixelNorm(nn.Module):
    """Each pixel's features divided by their root mean square (Karras 2017, arXiv:1710.10196, section 4.2)."""

    def forward(self, x: Float[Tensor, "b c *hw"]) -> Float[Tensor, "b c *hw"]:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
