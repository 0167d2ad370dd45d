"""Private gradients: clipped row by row, summed, blurred; and a loss whose gradient is such a sum.

A training loop that averages per-sample losses, backpropagates and steps an optimizer needs to know nothing of
privacy: `surrogate` gives it a loss whose gradient is the private one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from .noise import Noise

Gradients: TypeAlias = dict[str, Tensor]
CHUNK = 1 << 24  # numbers in the gradients of the rows that are looked at together


def clipped_sum(
    net: nn.Module,
    loss: Callable[[Tensor], Tensor],
    x: Tensor,
    weight: Tensor,
    clip: float,
    centre: Mapping[str, Tensor] | None = None,
) -> Gradients:
    """The sum over rows of weight_i clip(gradient of loss(net(x_i)) + centre): a row changes it by at most `clip`.

    A row whose gradient is not finite counts as none. `net` must treat rows one by one (no batch normalisation).

    Args:
        loss: of one row's output, a scalar.
        x: (b, ...) rows.
        weight: (b,) in [0, 1]; 0 for padding.
        clip: the longest a row's gradient may be, over all parameters together.
        centre: a gradient that does not depend on the rows, added to each before it is clipped.
    """
    params = {name: p.detach() for name, p in net.named_parameters() if p.requires_grad}
    buffers = dict(net.named_buffers())

    def of_row(params: Mapping[str, Tensor], row: Tensor) -> Tensor:
        return loss(functional_call(net, {**buffers, **params}, (row[None],))).squeeze()

    gradients = vmap(grad(of_row), (None, 0), randomness="error")
    total = {name: torch.zeros_like(p) for name, p in params.items()}
    size = max(1, CHUNK // max(1, sum(p.numel() for p in params.values())))
    with torch.autocast(x.device.type, enabled=False):
        for rows, weights in zip(x.split(size), weight.split(size), strict=True):
            _add(total, gradients(params, rows), weights, clip, centre)
    return total


def _add(total: Gradients, found: Gradients, weight: Tensor, clip: float, centre: Mapping[str, Tensor] | None) -> None:
    if centre is not None:
        found = {name: g + centre[name] for name, g in found.items()}
    norm = torch.stack([g.flatten(1).square().sum(1) for g in found.values()]).sum(0).sqrt()
    sound = torch.isfinite(norm)
    factor = torch.where(sound, weight * (clip / norm.clamp_min(1e-12)).clamp_max(1.0), 0.0)
    for name, g in found.items():
        total[name] += torch.einsum("b...,b->...", torch.where(_like(sound, g), g, 0.0), factor)


def _like(flags: Tensor, g: Tensor) -> Tensor:
    return flags.view(-1, *[1] * (g.ndim - 1))


def blur(total: Gradients, std: float, seed: int | None) -> Gradients:
    """The sum with Gaussian noise of standard deviation `std` on every number.

    Args:
        seed: of the noise; None takes it from the operating system (`privacy.noise.Noise`).
    """
    count = sum(g.numel() for g in total.values())
    device = next(iter(total.values())).device
    if seed is None:
        noise = torch.from_numpy(Noise().normal(count)).float().to(device)
    else:
        noise = torch.randn(count, generator=torch.Generator(device).manual_seed(seed), device=device)
    parts = noise.split([g.numel() for g in total.values()])
    return {name: g + std * part.view_as(g) for (name, g), part in zip(total.items(), parts, strict=True)}


def mean_gradient(net: nn.Module, losses: Tensor) -> Gradients:
    """The gradient of the mean of `losses` (b,), by name; zeros where a parameter plays no part."""
    named = {name: p for name, p in net.named_parameters() if p.requires_grad}
    found = torch.autograd.grad(losses.mean(), list(named.values()), allow_unused=True)
    return {n: torch.zeros_like(p) if g is None else g for (n, p), g in zip(named.items(), found, strict=True)}


def surrogate(net: nn.Module, gradients: Mapping[str, Tensor], n: int) -> Tensor:
    """(n,) equal losses whose mean has `gradients` as its gradient. Its value says nothing of the rows but what the
    gradients say."""
    named = dict(net.named_parameters())
    terms = [(named[name] * g.detach()).sum() for name, g in gradients.items()]
    return torch.stack(terms).sum().expand(n)


def still(net: nn.Module, n: int) -> Tensor:
    """(n,) losses whose gradient is zero everywhere."""
    return surrogate(net, {name: torch.zeros_like(p) for name, p in net.named_parameters() if p.requires_grad}, n)
