"""What a doctor may ask of a run, whoever's it is."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

Made: TypeAlias = Tensor | tuple[Tensor, Tensor]
Generate: TypeAlias = Callable[[int, int], Made]
SQUASHING: dict[type[nn.Module], tuple[float, float]] = {nn.Tanh: (-1.0, 1.0), nn.Sigmoid: (0.0, 1.0)}
Critic: TypeAlias = Callable[..., Tensor]


@dataclass(kw_only=True)
class Subject:
    """A GAN in training, as its doctor can examine it. All but the real examples may be missing: what needs it is
    not looked at.

    Args:
        real: training examples (n ...), in the form that D is shown; a few thousand are enough.
        held_out: real examples (m ...) that training never sees; without them overfitting cannot be measured.
        labels, held_out_labels: their classes, (n,) and (m,) int64.
        generate: `(n, seed) -> (n ...)` examples as users would get them, of averaged weights where there are any; the
            same seed gives the same noise. With labels: a pair, the second (n,) int64 being what was asked for.
        raw: the same by the weights in training, where `generate` takes averages.
        critic: `(x) -> logits`, or `(x, y) -> logits` with labels; logits (n,), (n 1) or of patches (n ...).
        networks: those in training, by name; `G` and `D` where there is one of each.
        features: `(n ...) -> (n f)` of a trained network, to compare examples in; their own numbers else.
        bounds: lowest and highest value that examples may have.
        classes: names of the classes.
        examples: rows of the training data, where `real` are only some of them.
        repeats: whether equal examples are nothing unusual in such data, as in rows of a table.
        uneven: whether examples are fed in other shares than the data's, on purpose: what is fed then says nothing of
            how the data are served, and D is asked about training examples in its place.
    """

    real: Tensor
    held_out: Tensor | None = None
    labels: Tensor | None = None
    held_out_labels: Tensor | None = None
    generate: Generate | None = None
    raw: Generate | None = None
    critic: Critic | None = None
    networks: Mapping[str, nn.Module] = field(default_factory=dict)
    features: Callable[[Tensor], Tensor] | None = None
    bounds: tuple[float, float] | None = None
    classes: Sequence[str] = ()
    examples: int | None = None
    repeats: bool = False
    uneven: bool = False

    def make(self, n: int, seed: int, how: Generate) -> tuple[Tensor, Tensor | None]:
        """`n` examples, and what was asked for where something was."""
        made = how(n, seed)
        x, y = made if isinstance(made, tuple) else (made, None)
        return x.detach(), y

    def judge(self, x: Tensor, y: Tensor | None) -> Tensor:
        """D's logits (n,), means over patches."""
        assert self.critic is not None
        logits = self.critic(x) if y is None else self.critic(x, y)
        return logits.detach().float().flatten(1).mean(1).cpu() if logits.dim() > 1 else logits.detach().float().cpu()


@contextmanager
def unnoticed(networks: Mapping[str, nn.Module]) -> Iterator[None]:
    """Within, networks are in evaluation mode and nothing differentiates; afterwards modes, buffers and the states of
    all random generators are what they were, so that looking changes nothing."""
    modules = [m for net in networks.values() for m in net.modules()]
    modes = [(m, m.training) for m in modules]
    buffers = [(home, key, value, value.clone()) for home, key, value in _buffers(modules)]
    numbers, words = np.random.get_state(), random.getstate()  # noqa: NPY002, as a user's own code may draw on it
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            for m in modules:
                m.training = False
            yield
    finally:
        np.random.set_state(numbers)  # noqa: NPY002
        random.setstate(words)
        for m, training in modes:
            m.training = training
        for home, key, value, before in buffers:
            home[key] = value.copy_(before)


def _buffers(modules: Sequence[nn.Module]) -> list[tuple[dict[str, Tensor | None], str, Tensor]]:
    return [(m._buffers, key, value) for m in modules for key, value in m._buffers.items() if value is not None]


@contextmanager
def training_mode(net: nn.Module) -> Iterator[None]:
    """Within `unnoticed`: a network as it is while it trains; batch normalisation takes the batch's statistics."""
    for m in net.modules():
        m.training = True
    try:
        yield
    finally:
        for m in net.modules():
            m.training = False


def squashed(networks: Mapping[str, nn.Module], compute: Callable[[], Tensor]) -> tuple[float, float] | None:
    """(-1, 1) or (0, 1) where the last thing that `compute` does is a tanh or a sigmoid, as a module of some network;
    None where it is neither, or nobody can tell."""
    heard: list[tuple[Tensor, tuple[float, float]]] = []

    def listen(_: nn.Module, __: object, out: Tensor, bounds: tuple[float, float]) -> None:
        heard.append((out.detach(), bounds))

    modules = [m for net in networks.values() for m in net.modules()]
    handles = [
        m.register_forward_hook(partial(listen, bounds=bounds))
        for kind, bounds in SQUASHING.items()
        for m in modules
        if isinstance(m, kind)
    ]
    try:
        out = compute()
    finally:
        for handle in handles:
            handle.remove()
    if (
        heard
        and heard[-1][0].numel() == out.numel()
        and torch.equal(heard[-1][0].flatten(), out.flatten().to(heard[-1][0]))
    ):
        return heard[-1][1]
    return None
