"""Adversarial losses as pairs `(d, g)`: pure functions of logits, one value per sample.

    pair             d(real, fake)                          g(fake)
    minimax          -log s(r) - log(1 - s(f))              log(1 - s(f))       Goodfellow 2014, arXiv:1406.2661
    non_saturating   -log s(r) - log(1 - s(f))              -log s(f)           the same paper, section 3
    least_squares    1/2 (r - 1)^2 + 1/2 f^2                1/2 (f - 1)^2       Mao 2016, arXiv:1611.04076
    hinge            max(0, 1 - r) + max(0, 1 + f)          -f                  Lim & Ye 2017, arXiv:1705.02894
    wasserstein      f - r                                  -f                  Arjovsky 2017, arXiv:1701.07875
    relativistic     softplus(f - r)                        softplus(r - f)     Jolicoeur-Martineau 2018,
                                                            (real logits too)   arXiv:1807.00734 (RpGAN)
    relativistic_average
                     softplus(m(f) - r) + softplus(f - m(r))    the same, r and f exchanged, both / 2   (RaSGAN)

s is the logistic function, r and f are D's logits, m is the mean over the (micro-)batch. Logits are (b,), or (b, ...)
for a D that judges patches; each sample's patches are averaged. Losses are computed in float32 at least.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Logits = Float[Tensor, "b *patches"]
PerSample = Float[Tensor, "b"]


class Pair(NamedTuple):
    """The losses of both players.

    Attributes:
        d: `(real_logits, fake_logits) -> (b,)`.
        g: `(fake_logits) -> (b,)`; where it `compares`, `(fake_logits, real_logits) -> (b,)`.
        compares: whether logits only mean something beside the other side's (relativistic losses).
        d_smooth: `d` with one-sided label smoothing, `(real_logits, fake_logits, s) -> (b,)`: real pictures are to be
            judged real with probability 1 - s (Salimans 2016, arXiv:1606.03498, section 3.4); None where the loss knows
            no probabilities.
        absolute: whether a logit alone says how real its picture is; else only differences between logits do
            (relativistic losses, and Wasserstein's, whose critic is free to drift).
        middle: the logit halfway between real and generated, where it is `absolute`.
    """

    d: Callable[..., Tensor]
    g: Callable[..., Tensor]
    compares: bool = False
    d_smooth: Callable[..., Tensor] | None = None
    absolute: bool = True
    middle: float = 0.0


def full(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """`x` in float32 if it is in half precision, else `x` itself."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def per_sample(values: Logits) -> PerSample:
    """The mean of everything that belongs to one sample."""
    return values.flatten(1).mean(1) if values.ndim > 1 else values


def _cross_entropy_d(real: Logits, fake: Logits) -> PerSample:
    return per_sample(F.softplus(-full(real))) + per_sample(F.softplus(full(fake)))


def _smooth_cross_entropy_d(real: Logits, fake: Logits, s: float) -> PerSample:
    return _cross_entropy_d(real, fake) + per_sample(s * full(real))  # softplus(r) - softplus(-r) = r


def _minimax_g(fake: Logits) -> PerSample:
    return per_sample(-F.softplus(full(fake)))


def _non_saturating_g(fake: Logits) -> PerSample:
    return per_sample(F.softplus(-full(fake)))


def _least_squares_d(real: Logits, fake: Logits) -> PerSample:
    return per_sample((full(real) - 1).square() / 2) + per_sample(full(fake).square() / 2)


def _least_squares_g(fake: Logits) -> PerSample:
    return per_sample((full(fake) - 1).square() / 2)


def _hinge_d(real: Logits, fake: Logits) -> PerSample:
    return per_sample(F.relu(1 - full(real))) + per_sample(F.relu(1 + full(fake)))


def _wasserstein_d(real: Logits, fake: Logits) -> PerSample:
    return per_sample(full(fake)) - per_sample(full(real))


def _minus_g(fake: Logits) -> PerSample:
    return per_sample(-full(fake))


def _relativistic_d(real: Logits, fake: Logits) -> PerSample:
    return per_sample(F.softplus(full(fake) - full(real)))


def _relativistic_g(fake: Logits, real: Logits) -> PerSample:
    return per_sample(F.softplus(full(real) - full(fake)))


def _relativistic_average_d(real: Logits, fake: Logits) -> PerSample:
    r, f = full(real), full(fake)
    return (per_sample(F.softplus(f.mean() - r)) + per_sample(F.softplus(f - r.mean()))) / 2


def _relativistic_average_g(fake: Logits, real: Logits) -> PerSample:
    return _relativistic_average_d(fake, real)


minimax = Pair(_cross_entropy_d, _minimax_g, d_smooth=_smooth_cross_entropy_d)
non_saturating = Pair(_cross_entropy_d, _non_saturating_g, d_smooth=_smooth_cross_entropy_d)
least_squares = Pair(_least_squares_d, _least_squares_g, middle=0.5)
hinge = Pair(_hinge_d, _minus_g)
wasserstein = Pair(_wasserstein_d, _minus_g, absolute=False)
relativistic = Pair(_relativistic_d, _relativistic_g, compares=True, absolute=False)
relativistic_average = Pair(_relativistic_average_d, _relativistic_average_g, compares=True, absolute=False)

PAIRS = {
    "minimax": minimax,
    "non_saturating": non_saturating,
    "least_squares": least_squares,
    "hinge": hinge,
    "wasserstein": wasserstein,
    "relativistic": relativistic,
    "relativistic_average": relativistic_average,
}


def is_absolute(name: str | None) -> bool:
    """Whether a logit alone means something under the loss of that name; taken to be so of losses without one."""
    return name not in PAIRS or PAIRS[name].absolute
