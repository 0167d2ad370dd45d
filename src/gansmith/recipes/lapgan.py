"""LAPGAN (Denton, Chintala, Szlam, Fergus 2015, arXiv:1506.05751): a Laplacian pyramid, one conditional GAN a level.

    L_D = E[-log s(D_k(I_k))] + E[-log(1 - s(D_k(l_k + G_k(z, l_k))))]      l_k = u(d(I_k)), s = logistic function
    L_G = E[-log s(D_k(l_k + G_k(z, l_k)))]                                 at the coarsest level K: l_K = 0

I_k are the real pictures, halved k times by d; u doubles them. Each level learns alone, from real coarse pictures.
Sampling begins with G_K's picture; each finer level doubles it and adds what its G makes, down to level 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..batch import Batch
from ..errors import ConfigError, SpecError
from ..game import Duel, Game, Solver
from ..nn.backbones.laplacian import DenseDiscriminator, DenseGenerator, PictureDiscriminator, ResidualGenerator
from ..nn.norm import batch_norms, standing
from ..nn.resample import enlarged, shrunk
from ..nn.sizes import picture_spec
from ..schedule import Exponential, Linear, Scheduled, ramped
from ..spec import Spec
from .base import Context, Loss, Networks, Phase, Recipe

SIZES = (16, 32, 64, 128, 256)
EPOCH = 50_000  # pictures in CIFAR-10, by which the paper's schedules count


@dataclass(frozen=True)
class Level:
    """The players of one level, for its game."""

    recipe: LAPGAN
    number: int

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        return self.recipe.made(nets.G, self.number, batch.get("low"), batch, ctx)

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, self.recipe.labels(batch))
        return logits


@dataclass(frozen=True, kw_only=True)
class LAPGAN(Recipe):
    """Defaults are the paper's for CIFAR-10, which leaves the numbers of maps to its code.

    Args:
        sizes: sides of the pyramid's pictures, coarse to fine; each divides the next, the last is the data's.
        latent: length of the coarsest level's z, uniform in [-1, 1]; those of other levels are planes of noise.
        g_units, d_units: in each hidden layer at the coarsest level.
        g_widths, d_widths: maps of the layers at all other levels.
        kernel: side of their filters.
        norm: batch normalisation in G at these levels.
        conditional: whether both players are told the class, where there are classes.
        game, solver: of every level.
        half_life: of each G's average, in samples; 0 for none.
        standing: passes of 64 pictures over which the statistics of batch normalisation are taken anew before G is
            sampled from or saved; 0 leaves the moving averages of training.
    """

    sizes: tuple[int, ...] = (8, 16, 32)
    latent: int = 100
    g_units: int = 1200
    d_units: int = 600
    g_widths: tuple[int, ...] = (128, 128)
    d_widths: tuple[int, ...] = (128, 128)
    kernel: int = 5
    norm: bool = False
    conditional: bool = True
    game: Game = field(default_factory=lambda: Game(dropout=0.5))
    solver: Solver = field(
        default_factory=lambda: Solver(
            kind="sgd", lr=Exponential(0.02, 1 / 1.0004, EPOCH, 1e-6), beta1=Linear(0.5, 0.8, 375 * EPOCH)
        )
    )
    half_life: Scheduled = 0.0
    standing: int = 16

    @property
    def duels(self) -> list[Duel]:
        """The games of all levels, from the coarsest, K, to the finest, 0."""
        return [Duel(k, self.game, self.solver) for k in reversed(range(len(self.sizes)))]

    @property
    def ema(self) -> Mapping[str, Scheduled]:
        return {f"G{duel.number}": self.half_life for duel in self.duels} if self.half_life else {}

    def networks(self, spec: Spec) -> Networks:
        """G_K: (b latent), y -> (b c s s). G_k: (b c s s), (b 1 s s), y -> (b c s s). D_k: (b c s s), y -> (b,)."""
        spec = picture_spec(spec, "lapgan", SIZES)
        self._check(spec.size)
        classes, seen = len(spec.labels) if self.conditional else 0, spec.channels * self.game.pac
        coarsest, *finer = self.sizes
        top = len(finer)
        nets = Networks(
            {
                f"G{top}": DenseGenerator(self.latent, self.g_units, spec.channels, coarsest, classes),
                f"D{top}": DenseDiscriminator(self.d_units, seen, coarsest, classes),
            }
        )
        for k, size in zip(reversed(range(top)), finer, strict=True):
            maps = {"kernel": self.kernel, "classes": classes}
            nets[f"G{k}"] = ResidualGenerator(spec.channels, size, self.g_widths, norm=self.norm, **maps)
            nets[f"D{k}"] = PictureDiscriminator(seen, size, self.d_widths, **maps)
        for duel in self.duels:
            duel.prepare(nets, spec)
        return nets

    def _check(self, size: int) -> None:
        if self.sizes[-1] != size:
            raise SpecError(
                f"this lapgan's pyramid ends at {self.sizes[-1]} pixels, the pictures have {size}: "
                f"set recipe.sizes, for example to: {list(pyramid(8, size))}"
            )
        if any(fine % coarse or fine == coarse for coarse, fine in zip(self.sizes, self.sizes[1:], strict=False)):
            raise ConfigError(f"each of recipe.sizes must divide the next, coarse to fine; came: {list(self.sizes)}")

    def phases(self) -> dict[str, Phase]:
        found = {}
        for duel in self.duels:
            size = self.sizes[-1 - duel.number]
            for name, phase in duel.phases(Level(self, duel.number)).items():
                at_level = partial(self.at_level, duel.number, phase.loss)
                found[name] = replace(phase, loss=at_level, sizes=((0, size),))
        return found

    def at_level(self, k: int, loss: Loss, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        """`loss` on real pictures I_k, and what is known of them from the level below, l_k."""
        *_, coarse, fine = (0, *self.sizes[: len(self.sizes) - k])
        x = shrunk(batch["x"], fine)
        low = {"low": doubled(shrunk(x, coarse), fine)} if coarse else {}
        return loss(nets, Batch({**batch, "x": x, **low}), ctx)

    def made(self, G: nn.Module, k: int, low: Tensor | None, batch: Batch, ctx: Context) -> Tensor:
        """Pictures of level k, (b c s s), upon those of the level below, `low`, doubled."""
        x: Tensor
        if low is None:
            x = G(2 * ctx.rand(batch, self.latent) - 1, self.labels(batch))
        else:
            x = low + G(low, 2 * ctx.rand(batch, 1, *low.shape[2:]) - 1, self.labels(batch))
        return x

    def labels(self, batch: Batch) -> Tensor | None:
        """The classes that players are told, (b,)."""
        return batch.get("y") if self.conditional else None

    def pyramid(self, nets: Networks, request: Batch, ctx: Context) -> list[Tensor]:
        """Generated pictures of every level, coarse to fine."""
        found: list[Tensor] = []
        for duel, size in zip(self.duels, self.sizes, strict=True):
            low = doubled(found[-1], size) if found else None
            found.append(self.made(nets[f"G{duel.number}"], duel.number, low, request, ctx).clamp(-1, 1))
        return found

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        x = self.pyramid(nets, request, ctx)[-1]
        return Batch(x=x, y=request["y"]) if "y" in request else Batch(x=x)

    def stages(self, nets: Networks, request: Batch, ctx: Context) -> dict[str, Batch]:
        made = zip(self.sizes, self.pyramid(nets, request, ctx), strict=True)
        return {f"{size} x {size}": Batch(x=enlarged(x, self.sizes[-1])) for size, x in made}

    def settle(self, nets: Networks, requests: Iterator[Batch], ctx: Context) -> None:
        generators = nn.ModuleList(nets[f"G{duel.number}"] for duel in self.duels)
        if self.standing and batch_norms(generators):
            with standing(generators):
                for request in islice(requests, self.standing):
                    self.pyramid(nets, request, replace(ctx, row=int(request["index"][0])))

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return self._duel_of(name).optimizer(self.phases()[name], params)

    def hyper(self, name: str, samples: int) -> Mapping[str, Any]:
        phases = self.phases()
        every = [phase.every for phase in phases.values() if phase.trains == phases[name].trains]
        return self._duel_of(name).hyper(phases[name], samples, every)

    def _duel_of(self, name: str) -> Duel:
        return next(duel for duel in self.duels if duel.plays(name))

    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        for duel in self.duels:
            duel.control(nets, figures, ctx)


def doubled(x: Tensor, size: int) -> Tensor:
    """u: pictures of `size` pixels a side (of more than twice the side, too), interpolated linearly."""
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


def pyramid(coarsest: int, size: int) -> tuple[int, ...]:
    """Sides from `coarsest` up to `size`, each twice the one before."""
    return tuple(coarsest << k for k in range((size // coarsest).bit_length()))


def paper(spec: Spec) -> LAPGAN:
    """The paper's settings: CIFAR-10's up to 32 pixels, where the paper has 8, 14 and 28 pixels of its crops; above,
    LSUN's, from 4 pixels up, with wider layers, 7x7 filters and batch normalisation."""
    size = picture_spec(spec, "lapgan", SIZES).size
    if size <= 32:
        return LAPGAN(sizes=pyramid(8, size))
    return LAPGAN(sizes=pyramid(4, size), g_widths=(64, 368, 128, 224), d_widths=(48, 448, 416), kernel=7, norm=True)


def small(spec: Spec) -> LAPGAN:
    """For two CPU cores and minutes, at a batch of 32: narrow, 3x3 filters, Adam, a little R1, an average of each G."""
    size = picture_spec(spec, "lapgan", SIZES).size
    return LAPGAN(
        sizes=pyramid(8, size),
        g_units=512,
        d_units=256,
        g_widths=(32, 32),
        d_widths=(32, 64),
        kernel=3,
        norm=True,
        game=Game(r1=0.2, penalty_every=4),
        solver=Solver(lr=1e-3),
        half_life=ramped(2_500.0),
    )
