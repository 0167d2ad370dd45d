"""Ways to draw initial weights."""

from __future__ import annotations

import math
from typing import TypeVar

from torch import nn

M = TypeVar("M", nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


def scaled_normal(layer: M, gain: float = 1.0) -> M:
    """Weights from N(0, gain^2 / fan_in), in place (He 2015, arXiv:1502.01852); a bias starts at zero."""
    fan_in = layer.weight[0].numel()
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(fan_in))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def dcgan_normal(network: nn.Module, std: float = 0.02) -> None:
    """N(0, std) for every weight, N(1, std) for batch normalisation, zero biases (DCGAN, arXiv:1511.06434)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def uniform(network: nn.Module, width: float) -> None:
    """U(-width, width) for every linear weight, zero biases (`irange` of the first GANs)."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -width, width)
            nn.init.zeros_(module.bias)


def fan_in_normal(network: nn.Module, gain: float = 1.0) -> None:
    """`scaled_normal` for every linear layer."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            scaled_normal(module, gain)


def orthogonal(network: nn.Module) -> None:
    """Every weight a random orthogonal matrix, one row for each output (Saxe 2013, arXiv:1312.6120), biases zero."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.Embedding):
            nn.init.orthogonal_(module.weight)
            bias = getattr(module, "bias", None)
            if bias is not None:
                nn.init.zeros_(bias)
