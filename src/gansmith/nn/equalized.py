"""Layers with an equalized learning rate (Karras 2017, arXiv:1710.10196, section 4.1).

Weights are drawn from N(0, 1) and multiplied by gain / sqrt(fan_in), He's constant, in every pass rather than once at
the start. An optimizer that normalises gradients, such as Adam, then moves all of them at the same relative speed.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

RECTIFIED = 2**0.5  # gain before a (leaky) rectifier; 1 where none follows


class EqualConv2d(nn.Conv2d):
    """`nn.Conv2d` with an equalized learning rate; its bias starts at zero.

    Args:
        gain: of the layer; standard deviation of its outputs for independent inputs of variance 1.
    """

    def __init__(self, *given: Any, gain: float = RECTIFIED, **options: Any) -> None:
        super().__init__(*given, **options)
        self.scale = _start(self, gain)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        out: Tensor = self._conv_forward(x, self.weight * self.scale, self.bias)
        return out


class EqualLinear(nn.Linear):
    """`nn.Linear` with an equalized learning rate; its bias starts at zero.

    Args:
        gain: see `EqualConv2d`.
        speed: of learning, against that of other layers (0.01 in StyleGAN's mapping network, arXiv:1812.04948, appendix
            C): weights are that many times larger and count that many times less, and the bias counts less, too.
    """

    def __init__(self, *given: Any, gain: float = RECTIFIED, speed: float = 1.0, **options: Any) -> None:
        super().__init__(*given, **options)
        self.scale, self.speed = _start(self, gain) * speed, speed
        if speed != 1:
            with torch.no_grad():
                self.weight.div_(speed)

    def forward(self, x: Float[Tensor, "*b n"]) -> Float[Tensor, "*b m"]:
        bias = self.bias if self.speed == 1 or self.bias is None else self.bias * self.speed
        return F.linear(x, self.weight * self.scale, bias)


def _start(layer: nn.Conv2d | nn.Linear, gain: float) -> float:
    """Draws the initial weights; the number that every pass multiplies them by."""
    nn.init.normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    scale: float = gain / layer.weight[0].numel() ** 0.5
    return scale
