"""Optimizers as the recipes use them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

FUSED_ON = ("cpu", "cuda")


def adam(params: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam, in one fused kernel where the device has one (a few per cent of a small network's step).

    Betas are made floats: torch refuses integers such as (0, 0.99).
    """
    params = list(params)
    fused = all(p.device.type in FUSED_ON and p.is_floating_point() for p in params)
    return torch.optim.Adam(params, lr=lr, betas=(float(betas[0]), float(betas[1])), fused=fused)
