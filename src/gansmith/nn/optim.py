"""Optimizers as the recipes use them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import nn

Opt = TypeVar("Opt", bound=torch.optim.Optimizer)
FUSED_ON = ("cpu", "cuda")


def adam(
    params: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], weight_decay: float = 0.0
) -> torch.optim.Adam:
    """Adam, in one fused kernel where the device has one (a few per cent of a small network's step).

    Betas are made floats: torch refuses integers such as (0, 0.99). With weight decay it is AdamW.
    """
    params = list(params)
    fused = all(p.device.type in FUSED_ON and p.is_floating_point() for p in params)
    floats = (float(betas[0]), float(betas[1]))
    if weight_decay:
        return torch.optim.AdamW(params, lr=lr, betas=floats, weight_decay=weight_decay, fused=fused)
    return torch.optim.Adam(params, lr=lr, betas=floats, fused=fused)


def clipped(optimizer: Opt, bound: float) -> Opt:
    """The same optimizer; after each of its steps all its parameters are held in [-bound, bound]."""

    @torch.no_grad()
    def hold(stepped: torch.optim.Optimizer, *_: object) -> None:
        params = [p for group in stepped.param_groups for p in group["params"]]
        torch._foreach_clamp_min_(params, -bound)
        torch._foreach_clamp_max_(params, bound)

    optimizer.register_step_post_hook(hold)
    return optimizer
