"""Penalties on D's gradient with respect to its input, one value per sample.

Each is differentiable in D's parameters, so the phase that uses one lists D in `Phase.second_order`. The
arithmetic runs in float32 outside of autocast: squares of gradients underflow in half precision.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from .adversarial import full

PerSample = Float[Tensor, "b"]


def input_gradient(logit: Float[Tensor, "b *patches"], x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
    """The gradient of each sample's summed logits with respect to `x`, itself differentiable.

    `x` must require a gradient and `logit` depend on it row by row (no batch normalisation in D, else the rows
    mix). Raises RuntimeError, from autograd, when `logit` does not depend on `x`.
    """
    with torch.autocast(x.device.type, enabled=False):
        (gradient,) = torch.autograd.grad(full(logit).sum(), x, create_graph=True)
        return full(gradient)


def gradient_norm2(logit: Float[Tensor, "b *patches"], x: Float[Tensor, "b *shape"]) -> PerSample:
    """|| d logit / d x ||^2, summed over each sample.

    R1 on real samples, R2 on generated ones (Mescheder 2018, arXiv:1801.04406); the papers weigh it by gamma / 2.
    """
    gradient = input_gradient(logit, x)
    with torch.autocast(x.device.type, enabled=False):
        return gradient.flatten(1).square().sum(1)


def gradient_norm_error2(
    logit: Float[Tensor, "b *patches"], x: Float[Tensor, "b *shape"], target: float = 1.0
) -> PerSample:
    """(|| d logit / d x || - target)^2, the gradient penalty of WGAN-GP (Gulrajani 2017, arXiv:1704.00028).

    `x` are points between real and generated samples: see `between`. The paper weighs it by 10.
    """
    gradient = input_gradient(logit, x)
    with torch.autocast(x.device.type, enabled=False):
        return torch.sub(torch.linalg.vector_norm(gradient.flatten(1), dim=1), target).square()


def nearby(real: Float[Tensor, "b *shape"], u: Float[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
    """x + u std / 2, u uniform in [0, 1), std that of all numbers of the (micro-)batch.

    What DRAGAN's penalty looks at lies `between` x and these (Kodali 2017, arXiv:1705.07215, algorithm 1 and its code).
    """
    real = real.detach()
    return real + real.std(correction=0) / 2 * u.to(real)


def between(
    real: Float[Tensor, "b *shape"], fake: Float[Tensor, "b *shape"], u: PerSample
) -> Float[Tensor, "b *shape"]:
    """Points on the lines from fake (u = 0) to real (u = 1), detached and asking for gradients."""
    share = u.view(-1, *[1] * (real.ndim - 1))
    return torch.lerp(fake.detach(), real.detach(), share.to(real)).requires_grad_()
