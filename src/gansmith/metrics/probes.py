"""Probes: metrics that need the generator itself, not only its pictures.

A probe asks for pictures of latents of its own choice. It is handed `Latents`, which hide how a recipe makes pictures;
`pipelines.latents` makes them of a trained generator, and anything else that maps latents to pictures will do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor


def normal(n: int, dim: int, random: torch.Generator) -> Tensor:
    """Standard normal latents (n, dim)."""
    return torch.randn(n, dim, generator=random)


@dataclass(frozen=True)
class Latents:
    """A generator as a function of its latent.

    Args:
        dim: length of a latent.
        generate: latents (b dim) -> pictures (b c h w) in [-1, 1], float32. Whatever else is random in it must be the
            same at each call.
        draw: (n, dim, random generator) -> latents (n dim), as in training.
        way: how two latents are joined: `sphere` for normal ones, which lie near a sphere, `line` for all others.
        moved: latents and maps of the plane (b 3 3), in which pictures span [-1, 1] -> the pictures of `generate`,
            moved by the maps before they are sampled, and not clamped; None where the recipe cannot.
    """

    dim: int
    generate: Callable[[Tensor], Tensor]
    draw: Callable[[int, int, torch.Generator], Tensor] = normal
    way: Literal["sphere", "line"] = "sphere"
    moved: Callable[[Tensor, Tensor], Tensor] | None = None


@runtime_checkable
class Probe(Protocol):
    """A metric of a generator. Its constructor takes keyword settings only, each with a default.

    Attributes:
        name: as the user asks for it.
        wishes: what the generator's recipe must honour (see `Recipe.honours`); may be left out.
        working: told how far `measure` is (see `base.Working`); may be left out.
    """

    name: ClassVar[str]

    def measure(self, latents: Latents, *, seed: int = 0) -> dict[str, float]:
        """Figures by name; a spread stands under `NAME_std`.

        Raises:
            DataError: what the generator makes cannot be measured.
        """
        ...

    def detail(self) -> str:
        """The probe's own settings, for the protocol."""
        ...
