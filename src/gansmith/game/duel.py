"""Duel: one game among several of a recipe that has more pairs of players than one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from string import digits
from typing import Any

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..recipes.base import Context, Loss, Networks, Phase
from ..spec import Spec
from .correspondence import SOURCE
from .game import Game, Players
from .solver import Solver


@dataclass(frozen=True)
class Duel:
    """A game of the networks `G1` and `D1` (of the number 1), which it shows to its players as `G` and `D`.

    Args:
        number: of the pair; names of its phases end with it, too.
        game, solver: losses, and optimizers.
    """

    number: int
    game: Game
    solver: Solver

    def pair(self, nets: Networks) -> Networks:
        """This pair's networks, as `G` and `D`, and the source of `G` where it has one."""
        own = ((name, f"{name}{self.number}") for name in ("G", "D", SOURCE))
        return Networks({name: nets[key] for name, key in own if key in nets})

    def prepare(self, nets: Networks, spec: Spec | None = None) -> None:
        """Builds into fresh networks what the game asks for.

        Args:
            nets: those of all pairs.
            spec: of the pictures; for weights of classes.

        Raises:
            ConfigError: see `Game.prepare`.
        """
        for name, net in self.game.prepare(self.pair(nets), spec).items():
            nets[f"{name}{self.number}"] = net

    def phases(self, players: Players) -> dict[str, Phase]:
        """The game's phases under this pair's names."""
        return {
            f"{name}{self.number}": replace(
                phase,
                trains=self._numbered(phase.trains),
                second_order=self._numbered(phase.second_order),
                loss=partial(self._played, phase.loss),
            )
            for name, phase in self.game.phases(players).items()
        }

    def plays(self, phase: str) -> bool:
        """Whether a phase of that name is this pair's."""
        return phase == f"{phase.rstrip(digits)}{self.number}"

    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        """See `Game.control`; of the figures it is told those of this pair's phases."""
        own = {}
        for name, value in figures.items():
            phase, _, figure = name.partition("/")
            if self.plays(phase):
                own[f"{phase.rstrip(digits)}/{figure}"] = value
        self.game.control(self.pair(nets), own, ctx)

    def optimizer(self, phase: Phase, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of one of this pair's phases."""
        return self.solver.optimizer(_bare(phase.trains), params)

    def hyper(self, phase: Phase, samples: int, every: Iterable[int]) -> dict[str, Any]:
        """See `Solver.hyper`."""
        return self.solver.hyper(_bare(phase.trains), samples, every)

    def _played(self, loss: Loss, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return loss(self.pair(nets), batch, ctx)

    def _numbered(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name}{self.number}" for name in names)


def _bare(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.rstrip(digits) for name in names)
