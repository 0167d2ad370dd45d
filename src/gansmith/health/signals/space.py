"""The space in which examples are compared: their own numbers, or features of them, in at most 64 dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

DIMENSIONS = 64
FITTED_ON = 2_000  # rows that the principal directions are found from
Features: TypeAlias = Callable[[Tensor], Tensor]


class Space:
    """Carries examples (n ...) into at most 64 dimensions: principal components (n d) of their numbers or features.

    Args:
        real: examples to find the principal directions from.
        features: (n ...) -> (n f), such as those of a trained network; None takes the numbers themselves.
    """

    def __init__(self, real: Tensor, features: Features | None = None) -> None:
        self.features = features
        flat = self._flat(real[:FITTED_ON])
        self.centre = flat.mean(0)
        self.directions: Tensor | None = None
        if flat.shape[1] > DIMENSIONS:
            _, _, self.directions = torch.svd_lowrank(flat - self.centre, q=min(DIMENSIONS, len(flat)), niter=2)

    def __call__(self, examples: Tensor) -> Float[Tensor, "n d"]:
        """float32 points on the CPU."""
        centred = self._flat(examples) - self.centre
        return centred if self.directions is None else centred @ self.directions

    def _flat(self, examples: Tensor) -> Float[Tensor, "n f"]:
        points = examples if self.features is None else self.features(examples)
        return points.detach().flatten(1).float().cpu()
