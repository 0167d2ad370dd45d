"""A trained generator as a function of its latent, for probes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ..batch import Batch
from ..errors import UserError
from ..metrics.probes import Latents
from ..recipes.base import Context, fold
from .generate import Generator


@dataclass
class Given(Context):
    """A context whose first random draw is what was given; it remembers how that draw was asked for.

    Attributes:
        latent: the given one; None draws as usual.
        first: the function that was asked (`torch.randn`, `torch.rand`) and the shape of one row.
        drawn: what was drawn first, (n, ...).
    """

    latent: Tensor | None = None
    first: tuple[Callable[..., Tensor], tuple[int, ...]] | None = field(default=None)
    drawn: Tensor | None = None

    def _by_row(self, draw: Callable[..., Tensor], n: int, row: int, shape: tuple[int, ...]) -> Tensor:
        drawn = super()._by_row(draw, n, row, shape)
        if self.first is not None:
            return drawn
        self.first, self.drawn = (draw, shape), drawn
        return drawn if self.latent is None else self.latent.view(n, *shape).to(drawn)


def latents(make: Generator, *, seed: int = 0) -> Latents:
    """How `make` turns latents into pictures: what its recipe draws first is the latent, all other noise stays fixed.

    Args:
        make: a trained generator of pictures.
        seed: of the other noise. Labels are those of the data, in the order of `Spec.request`.

    Raises:
        UserError: the recipe draws no latent, or what it makes are no pictures.
    """
    asked = Given(seed=fold(seed, "latents"), device=_device(make))
    x = _made(make, asked, 1)
    if asked.first is None or x.ndim != 4:
        raise UserError(f"a probe needs a generator of pictures from a latent; {make.name} is none")
    draw, shape = asked.first

    def generate(z: Tensor, **wishes: Tensor) -> Tensor:
        return _made(make, Given(seed=fold(seed, "latents"), device=_device(make), latent=z), len(z), wishes)

    def moved(z: Tensor, transform: Tensor) -> Tensor:
        return generate(z, transform=transform)

    def drawn(n: int, dim: int, random: torch.Generator) -> Tensor:
        return draw(n, dim, generator=random)

    way: Literal["sphere", "line"] = "sphere" if draw is torch.randn else "line"
    moves = "transform" in make.recipe.honours
    return Latents(torch.Size(shape).numel(), generate, drawn, way, moved if moves else None)


@torch.no_grad()
def _made(make: Generator, ctx: Context, n: int, wishes: Mapping[str, Tensor] | None = None) -> Tensor:
    request = Batch(make.spec.request(n) | dict(wishes or {})).to(ctx.device)
    return make.recipe.generate(make.nets, request, ctx)["x"].float()


def _device(make: Generator) -> torch.device:
    return next(make.nets.parameters()).device
