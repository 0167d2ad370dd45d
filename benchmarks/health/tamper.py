"""What can be wrong in a training loop: each function makes one of the hooks of `Tamper`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from .loop import Run

Fed: TypeAlias = Callable[[Tensor, Tensor | None, Run], tuple[Tensor, Tensor | None]]
Act: TypeAlias = Callable[[Run], None]


def once(share: float, act: Act) -> Act:
    """Acts after the step at which that share of the run is over, at the earliest after the first one."""

    def stepped(run: Run) -> None:
        if run.at == max(1, round(share * run.setting.steps)):
            act(run)

    return stepped


# ---------------------------------------------------------------------------------------------------- batches


def spoilt_sample(share: float, value: float) -> Fed:
    """One number of one example of one batch is `value`."""

    def fed(x: Tensor, y: Tensor | None, run: Run) -> tuple[Tensor, Tensor | None]:
        if run.at == round(share * run.setting.steps):
            x = x.clone()
            x.view(len(x), -1)[3, 0] = value
        return x, y

    return fed


def multiplied_batch(share: float, factor: float) -> Fed:
    """One batch is `factor` times what it should be."""

    def fed(x: Tensor, y: Tensor | None, run: Run) -> tuple[Tensor, Tensor | None]:
        return (x * factor if run.at == round(share * run.setting.steps) else x), y

    return fed


def same_batch(x: Tensor, y: Tensor | None, run: Run) -> tuple[Tensor, Tensor | None]:
    """The loader starts anew for every batch, and is not shuffled."""
    n = len(x)
    return run.data.x[:n], None if y is None or run.data.y is None else run.data.y[:n]


def shuffled_labels(x: Tensor, y: Tensor | None, run: Run) -> tuple[Tensor, Tensor | None]:
    """Pictures and labels come from two loaders that shuffle apart."""
    return x, None if y is None else y[torch.randperm(len(y), generator=run.random)]


def flipped(x: Tensor, y: Tensor | None, run: Run) -> tuple[Tensor, Tensor | None]:
    """Half of the pictures mirrored: an augmentation, no fault."""
    turned = torch.rand(len(x), generator=run.random) < 0.5
    return torch.where(turned.view(-1, 1, 1, 1), x.flip(-1), x), y


def lost_rows(share: float, which: tuple[int, ...]) -> Act:
    """From there on the loader has no rows of these modes or classes: a shard is lost."""

    def lose(run: Run) -> None:
        run.rows = run.rows[~torch.isin(run.data.labels[0], torch.tensor(which))]

    return once(share, lose)


# --------------------------------------------------------------------------------------- networks and optimizers


def network_of(run: Run, name: str) -> nn.Module:
    return {"G": run.G, "D": run.D}[name]


def broken_weight(share: float, net: str, value: float) -> Act:
    """One weight of the first layer becomes `value`, as when a bit of its exponent flips."""

    def flip(run: Run) -> None:
        next(network_of(run, net).parameters()).data.view(-1)[0] = value

    return once(share, flip)


def grown_weights(share: float, net: str, factor: float) -> Act:
    """A tenth of a hidden layer's weights become `factor` times as large: finite, and wrong."""

    def grow(run: Run) -> None:
        weight = [p for p in network_of(run, net).parameters() if p.dim() > 1][1]
        weight.data.view(-1)[: weight.numel() // 10] *= factor

    return once(share, grow)


def stopped(share: float, net: str) -> Act:
    """The optimizer's rate falls to zero: a schedule that ends too early."""

    def stop(run: Run) -> None:
        for group in {"G": run.opt_g, "D": run.opt_d}[net].param_groups:
            group["lr"] = 0.0

    return once(share, stop)


def forgotten_moments(share: float) -> Act:
    """Adam starts anew, as after a restart from weights alone: no fault."""

    def forget(run: Run) -> None:
        run.opt_g.state.clear()
        run.opt_d.state.clear()

    return once(share, forget)


def wrong_parameters(run: Run) -> None:
    """D's optimizer was given G's parameters."""
    run.opt_d = run.optimizer(run.G.parameters(), run.setting.lr_d)


def remade_d(run: Run) -> None:
    """D was made again after its optimizer, which holds the parameters of the first one."""
    run.D = run.fresh_players(1)[1]


def double_sigmoid(run: Run) -> None:
    """D ends in a sigmoid, and its loss takes logits."""
    run.D.head = nn.Sequential(run.D.get_submodule("head"), nn.Sigmoid())


class Scale(nn.Module):
    """Values by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def scaled_logits(factor: float) -> Act:
    """D's logits are divided by a tiny temperature, which half precision cannot hold."""

    def scale(run: Run) -> None:
        run.D.head = nn.Sequential(run.D.get_submodule("head"), Scale(factor))

    return scale


def dead_layer(run: Run) -> None:
    """The biases of G's first layer are so low that its ReLUs never open."""
    next(m for m in run.G.modules() if isinstance(m, nn.Linear)).bias.data.fill_(-10)


def fixed_statistics(run: Run) -> None:
    """Batch normalisation never updates the statistics that evaluation mode takes."""
    for module in run.G.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0


def one_noise(run: Run) -> None:
    """G is trained on one and the same batch of z: harmless, as it turns out."""
    z = run.noise()
    run.noise = lambda: z  # type: ignore[method-assign]


def untold_d(run: Run) -> None:
    """D is told no classes, so that nobody asks G to heed them."""
    run.D.embed = None  # type: ignore[assignment]


def uniform(n: int, latent: int, random: Generator) -> Tensor:
    """z from U(0, 1) where training has it from N(0, 1)."""
    return torch.rand(n, latent, generator=random)
