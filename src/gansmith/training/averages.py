"""Exponential moving averages of networks, by half-life in samples."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import nn

from ..recipes.base import Networks, Recipe, settle
from ..schedule import Scheduled, at
from ..spec import Spec


class Averages:
    """Averages of some networks: parameters decay by half every half-life, buffers are copied.

    Args:
        nets: the networks being trained.
        half_lives: names of those to average, and each one's half-life in samples.
    """

    def __init__(self, nets: Networks, half_lives: Mapping[str, Scheduled]) -> None:
        self.half_lives = dict(half_lives)
        self._settled = False
        self.nets: dict[str, nn.Module] = {n: deepcopy(nets[n]).eval().requires_grad_(False) for n in half_lives}

    @torch.no_grad()
    def follow(self, nets: Networks, batch: int, samples: int) -> None:
        """Moves each average by `batch` samples; `samples` were seen before them."""
        self._settled = False
        for name, half_life in self.half_lives.items():
            length = at(half_life, samples)
            keep = 0.5 ** (batch / length) if length > 0 else 0.0
            average, current = self.nets[name], nets[name]
            torch._foreach_lerp_(list(average.parameters()), list(current.parameters()), 1 - keep)
            buffers = list(average.buffers())
            if buffers:
                torch._foreach_copy_(buffers, list(current.buffers()))

    def over(self, nets: Networks) -> Networks:
        """The networks to sample from: averages where there are any, the trained ones elsewhere."""
        return Networks({name: self.nets.get(name, net) for name, net in nets.items()})

    def settled(self, nets: Networks, recipe: Recipe, spec: Spec) -> Networks:
        """`over`, once the recipe has settled them (see `Recipe.settle`), which is done once between steps.

        An average loses it as it follows again. A network without an average is settled itself.
        """
        made = self.over(nets)
        if not self._settled:
            settle(recipe, made, spec)
            self._settled = True
        return made
