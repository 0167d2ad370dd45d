"""Optimizers of both players, their rates scheduled over samples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from ..nn.optim import adam, clipped
from ..schedule import Scheduled, at


@dataclass(frozen=True, kw_only=True)
class Solver:
    """One optimizer for each player.

    Args:
        kind: `adam` (Kingma 2014, arXiv:1412.6980), `rmsprop` (as WGAN has it) or `sgd`.
        lr: of every network but those of `d_lr`.
        d_lr: of phases that train D; with None, `lr`. Two rates are TTUR (Heusel 2017, arXiv:1706.08500).
        beta1: of Adam; momentum of SGD.
        beta2: of Adam; smoothing of RMSprop.
        weight_decay: decoupled from the gradient (Loshchilov 2017, arXiv:1711.05101), of every network.
        clip: D's weights are held in [-clip, clip] after each of its steps (WGAN, arXiv:1701.07875); 0 for no bound.
        lazy: rates are corrected for the further steps of players who also learn on each k-th step in a phase of its
            own: lr c, betas to the power of c, c = k / (k + 1) (StyleGAN2, arXiv:1912.04958, appendix B).
    """

    kind: Literal["adam", "rmsprop", "sgd"] = "adam"
    lr: Scheduled = 2e-4
    d_lr: Scheduled | None = None
    beta1: Scheduled = 0.0
    beta2: Scheduled = 0.999
    weight_decay: float = 0.0
    clip: float = 0.0
    lazy: bool = False

    def calmer(self) -> Solver:
        """Adam without momentum, at the lower of both players' rates (docs/health.md: with beta1 = 0 no otherwise sound
        run diverged)."""
        lr = self.lr if self.d_lr is None else min(float(at(self.lr, 0)), float(at(self.d_lr, 0)))
        return replace(self, kind="adam", lr=lr, d_lr=None, beta1=0.0, beta2=0.99, clip=0.0)

    def optimizer(self, trains: tuple[str, ...], params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of a phase that trains these networks."""
        params, first = list(params), self.hyper(trains, 0)
        made: torch.optim.Optimizer
        if self.kind == "adam":
            made = adam(params, first["lr"], first["betas"], self.weight_decay)
        elif self.kind == "rmsprop":
            made = torch.optim.RMSprop(params, **first, weight_decay=self.weight_decay)
        else:
            made = torch.optim.SGD(params, **first, weight_decay=self.weight_decay)
        return clipped(made, self.clip) if self.clip and "D" in trains else made

    def hyper(self, trains: tuple[str, ...], samples: int, every: Iterable[int] = ()) -> dict[str, Any]:
        """Values of the optimizer's parameter groups after `samples` samples.

        Args:
            trains: the networks that it trains.
            every: the rhythms of all phases that share it.
        """
        lr = self.lr if self.d_lr is None or "D" not in trains else self.d_lr
        c = math.prod(k / (k + 1) for k in every if k > 1) if self.lazy else 1.0
        beta1, beta2 = float(at(self.beta1, samples)) ** c, float(at(self.beta2, samples)) ** c
        own: Mapping[str, Any] = {"adam": {"betas": (beta1, beta2)}, "rmsprop": {"alpha": beta2}}
        return {"lr": c * float(at(lr, samples)), **own.get(self.kind, {"momentum": beta1})}
