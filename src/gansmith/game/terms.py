"""Terms beside the adversarial loss, one value per sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..errors import ConfigError
from ..losses.adversarial import full, per_sample
from ..spec import Spec

REAL, FAKE, MOMENT = "lecam_real", "lecam_fake", "lecam_samples"  # buffers of D: averages of its logits, and when

WEIGHTS = "class_weights"  # buffer of D


def consistency(seen: Tensor, plain: Tensor) -> Tensor:
    """(D(T(x)) - D(x))^2, bCR of Zhao 2020 (arXiv:2002.04724), equation 3, for real or for generated pictures."""
    return per_sample((full(seen) - full(plain)).square())


def drift(real: Tensor) -> Tensor:
    """D(x)^2 of real pictures (Karras 2017, arXiv:1710.10196, section A.1)."""
    return per_sample(full(real).square())


def lecam(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """(D(x) - a_F)^2 + (D(G(z)) - a_R)^2 (Tseng 2021, arXiv:2104.03310, equation 5).

    a_R and a_F are averages of D's logits of real and of generated pictures; they lie in D's buffers.
    """
    return per_sample((full(real) - getattr(d, FAKE)).square()) + per_sample((full(fake) - getattr(d, REAL)).square())


def prepare_lecam(d: nn.Module) -> None:
    """Gives D the averages of `lecam`, at zero."""
    device = next(d.parameters()).device
    for name in (REAL, FAKE):
        d.register_buffer(name, torch.zeros((), device=device))
    d.register_buffer(MOMENT, torch.tensor(0, device=device))


@torch.no_grad()
def follow_logits(d: nn.Module, figures: Mapping[str, float], samples: int, half_life: float) -> None:
    """Moves the averages of `lecam`, once a tick, towards the mean logits since the last one."""
    moment = getattr(d, MOMENT)
    share = 1 - 0.5 ** ((samples - int(moment)) / half_life)
    for name, figure in ((REAL, "D/real_logit"), (FAKE, "D/fake_logit")):
        if figure in figures:
            average = getattr(d, name)
            average.lerp_(torch.full_like(average, figures[figure]), share)
    moment.fill_(samples)


def prepare_weights(d: nn.Module, spec: Spec | None, power: float) -> None:
    """Gives D the weight of each class: its size to the power of -`power`, 1 on average over the pictures.

    Raises:
        ConfigError: the data have no classes.
    """
    counts = torch.tensor(getattr(spec, "class_counts", ()), dtype=torch.float64)
    if not len(counts):
        raise ConfigError("game.class_weights needs pictures of known classes, and these have none")
    weights = torch.where(counts > 0, counts**-power, 0.0)
    weights = weights * counts.sum() / (weights * counts).sum()
    # of these data: neither saved nor carried over to others
    d.register_buffer(WEIGHTS, weights.float().to(next(d.parameters()).device), persistent=False)


def weighted(d: nn.Module, losses: Tensor, batch: Batch) -> Tensor:
    """Losses (b,) by the weights of their classes, where D has some."""
    weights = getattr(d, WEIGHTS, None)
    return losses if weights is None else losses * weights[batch["y"]]


def hardest_left_out(losses: Tensor, logits: Tensor, share: float) -> Tensor:
    """Only the `share` of generated pictures that D finds most real count, as much as all together.

    Top-k training (Sinha 2020, arXiv:2002.06224). Of logits (b,); every micro-batch has a top of its own.
    """
    if share >= 1:
        return losses
    k = max(1, round(share * len(losses)))
    weakest = per_sample(logits.detach()).topk(k).values[-1]
    counts = (per_sample(logits.detach()) >= weakest).to(losses.dtype)
    return losses * counts * (len(losses) / counts.sum())


@contextmanager
def overheard(d: nn.Module) -> Iterator[list[Tensor]]:
    """Collects what enters D's last layer, its `head`, in every pass within.

    Raises:
        ConfigError: D has no `head`.
    """
    heard: list[Tensor] = []
    hook = head_of(d).register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    try:
        yield heard
    finally:
        hook.remove()


def head_of(d: nn.Module) -> nn.Module:
    """D's last layer, from features to logits.

    Raises:
        ConfigError: D has no `head`.
    """
    head = getattr(d, "head", None)
    if not isinstance(head, nn.Module):
        raise ConfigError(
            "feature matching and minibatch layers need a D whose last layer is called `head`; this recipe's has none"
        )
    return head


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """|E f(x) - E f(G(z))|^2, f what enters D's head (Salimans 2016, arXiv:1606.03498, section 3.1).

    The same value for every sample, (b,): it is one of the whole (micro-)batch.
    """
    difference = full(real).detach().flatten(1).mean(0) - full(fake).flatten(1).mean(0)
    return difference.square().mean().expand(len(fake))


class Ahead(nn.Module):
    """D with other parameters than its own; it owns nothing."""

    def __init__(self, d: nn.Module, params: dict[str, Tensor]) -> None:
        super().__init__()
        self._whole = (d, params)  # in a tuple, so that neither becomes a part of this module

    def forward(self, *given: Any) -> Tensor:
        out: Tensor = torch.func.functional_call(*self._whole, given)
        return out


def unrolled(d: nn.Module, loss: Callable[[nn.Module], Tensor], steps: int, lr: float) -> Ahead:
    """D as it will be after `steps` steps of gradient descent on `loss`, differentiable through them.

    Unrolled GAN (Metz 2016, arXiv:1611.02163, equation 7), the inner optimizer being plain gradient descent.

    Args:
        d: of which nothing is changed.
        loss: of a module that stands for D; a scalar.
        steps, lr: of the inner descent.
    """
    params: dict[str, Tensor] = {name: p.detach().requires_grad_() for name, p in d.named_parameters()}
    for _ in range(steps):
        slopes = torch.autograd.grad(loss(Ahead(d, params)), list(params.values()), create_graph=True)
        params = {name: p - lr * slope for (name, p), slope in zip(params.items(), slopes, strict=True)}
    return Ahead(d, params)
