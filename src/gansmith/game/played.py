"""Played: a recipe whose players play a `Game`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..nn.norm import batch_norms, standing
from ..recipes.base import Context, Networks, Phase, Recipe
from ..schedule import Scheduled
from ..spec import Spec
from .game import Game, Judged
from .solver import Solver


@dataclass(frozen=True, kw_only=True)
class Played(Recipe):
    """A GAN of one G and one D: networks, and how they are asked. A subclass makes D for `game.pac` times the channels,
    calls D's last layer `head`, and hands fresh networks through `game.prepare`.

    Args:
        game: losses, and what is added to them.
        solver: optimizers of both players.
        half_life: of G's average, in samples; 0 for none.
        standing: passes of 64 pictures over which the statistics of G's batch normalisation are taken anew before it is
            sampled from or saved (BigGAN, arXiv:1809.11096); 0 leaves the moving averages of training.
    """

    game: Game = field(default_factory=Game)
    solver: Solver = field(default_factory=Solver)
    half_life: Scheduled = 0.0
    standing: int = 16

    @abstractmethod
    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        """G's pictures (b c h w) for the conditions of `batch`, of fresh noise."""

    @abstractmethod
    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor | Judged:
        """What `nets.D` says of pictures `x` (b c h w) under the conditions of `batch`."""

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {"G": self.half_life} if self.half_life else {}

    def phases(self) -> dict[str, Phase]:
        return self.game.phases(self)

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return self.solver.optimizer(self.phases()[name].trains, params)

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        phases = self.phases()
        trains = phases[name].trains
        return self.solver.hyper(trains, samples, [p.every for p in phases.values() if p.trains == trains])

    @property
    def adversarial(self) -> str:
        return self.game.loss

    def verdict(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        return self.game.critic(self, nets, batch, ctx)

    def calmer(self, spec: Spec) -> Played | None:
        calm = replace(self, game=self.game.calmer(spec), solver=self.solver.calmer())
        return None if calm == self else calm

    def augmented(self, spec: Spec) -> Played | None:
        game = self.game.augmented(spec)
        return None if game is None else replace(self, game=game)

    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        self.game.control(nets, figures, ctx)

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        x = self.fake(nets, request, ctx).clamp(-1, 1)
        return Batch(x=x, y=request["y"]) if "y" in request else Batch(x=x)

    def settle(self, nets: Networks, requests: Iterator[Batch], ctx: Context) -> None:
        if self.standing and batch_norms(nets.G):
            with standing(nets.G):
                for request in islice(requests, self.standing):
                    self.fake(nets, request, replace(ctx, row=int(request["index"][0])))
