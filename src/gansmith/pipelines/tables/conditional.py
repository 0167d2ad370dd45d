"""Rows that meet rare conditions: a search over the noise that a generator starts from.

Subset simulation (Au and Beck 2001, doi:10.1016/S0266-8920(01)00019-4): of many rows those nearest to the condition are
kept, multiplied, and moved by a Markov chain that leaves the distribution of the noise as it is and never moves away
(preconditioned Crank-Nicolson, Cotter et al. 2013, arXiv:1202.0709); so step by step, until the condition is met. What
comes out follows the generator's own distribution given the condition, as if rows had been drawn and thrown away until
enough were left, at a cost that grows with the logarithm of the rarity. No gradient is needed, so any recipe and any
condition will do, also where categories are drawn on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...batch import Batch
from ...recipes.base import Context, Networks, Recipe, fold
from .where import Numbers

KEEP = 0.1  # share of the chains that found a new level
LEAST = 0.02  # share of them that is enough where all others are equally far: no order leads from there on
STEPS, MIXING = 6, 20  # moves of every chain between two levels, and once the condition is met
WANTED_MOVES = 0.3  # share of the moves to be accepted; step sizes are set for it
Judge: TypeAlias = Callable[[Tensor], Numbers]


@dataclass
class Steered(Context):
    """A Context whose random numbers are handed in: `noise` holds a standard normal tensor for each of its draws, and
    grows where a draw has none yet. Uniform draws are made of normal ones."""

    noise: list[Tensor] = field(default_factory=list)

    def _by_row(self, draw: Callable[..., Tensor], n: int, row: int, shape: tuple[int, ...]) -> Tensor:
        if self.calls == len(self.noise):
            generator = torch.Generator(self.device).manual_seed(fold(self.seed, "noise", self.calls))
            self.noise.append(torch.randn(n, *shape, generator=generator, device=self.device))
        normal = self.noise[self.calls]
        self.calls += 1
        return normal if draw is torch.randn else torch.special.ndtr(normal).clamp(0, 1 - 2**-24)


@dataclass
class Chains:
    """Rows on their way, each with the noise that it was made of.

    Attributes:
        noise: standard normal tensors (n, ...).
        cond, mask: what each row asks the generator for.
        x: the rows, (n width).
        far: how far each is from the condition, (n,); 0 where it is met.
        own: whether the row differs from every other; a chain that was multiplied and has not moved yet does not.
    """

    noise: list[Tensor]
    cond: Tensor
    mask: Tensor
    x: Tensor
    far: Numbers
    own: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.far)

    def take(self, rows: npt.NDArray[np.int64]) -> Chains:
        """These rows, of which some may be named several times; the first of each keeps being its own."""
        at = torch.from_numpy(rows).to(self.x.device)
        first = np.zeros(len(rows), dtype=bool)
        first[np.unique(rows, return_index=True)[1]] = True
        noise = [z[at] for z in self.noise]
        return Chains(noise, self.cond[at], self.mask[at], self.x[at], self.far[rows], first & self.own[rows])


class Walker:
    """Makes rows of noise, and moves them.

    Args:
        judge: how far rows (n width) are from the condition.
        seed: decides everything.

    Attributes:
        draws: rows made so far.
        size: of a move, between 0 (stay) and 1 (anew).
    """

    def __init__(self, recipe: Recipe, nets: Networks, judge: Judge, seed: int) -> None:
        self.recipe, self.nets, self.judge, self.seed = recipe, nets, judge, seed
        self.device = next(nets.parameters()).device
        self.draws, self.size = 0, 0.5

    def fresh(self, cond: Tensor, mask: Tensor) -> Chains:
        """A row for each row of `cond`, of new noise."""
        noise: list[Tensor] = []
        x = self._make(noise, cond, mask)
        return Chains(noise, cond, mask, x, self.judge(x), np.ones(len(x), dtype=bool))

    @torch.no_grad()
    def _make(self, noise: list[Tensor], cond: Tensor, mask: Tensor) -> Tensor:
        request = Batch(index=torch.arange(len(cond)), cond=cond, mask=mask).to(self.device)
        context = Steered(seed=fold(self.seed, self.draws), device=self.device, noise=noise)
        self.draws += len(cond)
        x: Tensor = self.recipe.generate(self.nets, request, context)["x"]
        return x

    def move(self, chains: Chains, limit: float | Numbers) -> Chains:
        """One move of every chain: a mixture of its noise with new noise, kept where it is at most `limit` away (one
        for all, or one for each)."""
        keep = (1 - self.size**2) ** 0.5
        generator = torch.Generator(self.device).manual_seed(fold(self.seed, "move", self.draws))
        news = [torch.randn(z.shape, generator=generator, device=self.device) for z in chains.noise]
        noise = [keep * z + self.size * new for z, new in zip(chains.noise, news, strict=True)]
        x = self._make(noise, chains.cond, chains.mask)
        far = self.judge(x)
        good = far <= limit
        self.size = float(np.clip(self.size * np.exp(good.mean() - WANTED_MOVES), 0.02, 1.0))
        at = torch.from_numpy(good).to(self.device)
        return Chains(
            [_where(at, new, old) for new, old in zip(noise, chains.noise, strict=True)],
            chains.cond,
            chains.mask,
            _where(at, x, chains.x),
            np.where(good, far, chains.far),
            chains.own | good,
        )


def _where(at: Tensor, new: Tensor, old: Tensor) -> Tensor:
    return torch.where(at.view(-1, *[1] * (new.ndim - 1)), new, old)


def search(walker: Walker, cond: Tensor, mask: Tensor, budget: int) -> Tensor:
    """Rows that meet the condition, at most one for each row of `cond`, in no order; none where none was found.

    Args:
        cond, mask: what each row asks the generator for besides.
        budget: rows to make at the most.
    """
    rng = np.random.default_rng(fold(walker.seed, "search"))
    chains, last = walker.fresh(cond, mask), walker.draws + budget - len(cond) * MIXING
    limit = float("inf")
    while (chains.far <= 0).mean() < KEEP and walker.draws < last:
        limit, stuck = _next_level(chains.far, limit)
        chains = _multiplied(chains, limit, rng)
        for _ in range(STEPS):
            chains = walker.move(chains, np.minimum(limit, chains.far) if stuck else limit)
    if not (chains.far <= 0).any():
        return chains.x[:0]
    chains = _multiplied(chains, 0.0, rng)
    for _ in range(MIXING):
        chains = walker.move(chains, 0.0)
    return chains.x[torch.from_numpy(np.flatnonzero(chains.own)).to(walker.device)]


def _next_level(far: Numbers, before: float) -> tuple[float, bool]:
    """How far a chain may be from now on, and whether that is no nearer than before: then what is nearer is kept until
    there is enough of it."""
    limit = max(0.0, float(np.quantile(far, KEEP)))
    if limit < before:
        return limit, False
    nearer = far[far < limit]
    return (float(nearer.max()), False) if len(nearer) >= LEAST * len(far) else (limit, True)


def _multiplied(chains: Chains, limit: float, rng: np.random.Generator) -> Chains:
    """As many chains as before, all from those within the limit."""
    parents = np.flatnonzero(chains.far <= limit)
    return chains.take(parents[rng.permutation(len(chains)) % len(parents)])
