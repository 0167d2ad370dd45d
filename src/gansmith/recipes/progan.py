"""ProGAN (Karras, Aila, Laine, Lehtinen 2017, arXiv:1710.10196): both players grow from 4x4 pixels, stage by stage.

    L_D = E[D(G(z))] - E[D(x)] + 10 E[(|grad D(x~)| / g - 1)^2] + 0.001 E[D(x)^2]      x~ between x and G(z), g = 1
    L_G = -E[D(G(z))]

A stage of twice the size is faded in over some samples, then trained for some more; D's pictures are mixed as G's are.
Layers have an equalized learning rate, G normalises its features pixel by pixel, D sees a minibatch's deviation.
Pictures are as large as the data's at any moment: those of an early stage have each pixel repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

from torch import Tensor

from ..batch import Batch
from ..game import Game, Played, Solver
from ..nn.backbones.growing import START, GrowingDiscriminator, GrowingGenerator
from ..nn.resample import enlarged, shrunk
from ..nn.sizes import picture_spec
from ..schedule import Cosine, Linear, Scheduled
from ..spec import Spec
from .base import Context, Loss, Networks, Phase

SIZES = (8, 16, 32, 64, 128, 256, 512, 1024)
LEAST = 4  # channels
PAPER = Game(loss="wasserstein", gp=10.0, drift=1e-3)


class Stage(NamedTuple):
    """Where growth stands.

    Attributes:
        number: of the largest stage in use; its pictures have 4 * 2^number pixels a side.
        fade: how far it is faded in, in [0, 1].
    """

    number: int
    fade: float

    @property
    def size(self) -> int:
        """Pixels a side."""
        return START << self.number


@dataclass(frozen=True, kw_only=True)
class ProGAN(Played):
    """Defaults are the paper's, whose batch is 16 up to 128 pixels, then 14, 6 and 3; here it stays what it is.

    Args:
        latent: length of z, a direction in so many dimensions.
        width: channels up to `wide_until` pixels; half as many at each doubling above, at least 4.
        wide_until: see `width`.
        stable: samples for which a stage is trained once it is whole.
        fade: samples over which a stage is faded in; with 0 and 0, all stages are in use from the start.
        group: pictures whose deviation D sees together; micro-batches that it divides give the same gradients.
        half_life: of G's average, in samples; the paper's decay of 0.999 at a batch of 16.
    """

    latent: int = 512
    width: int = 512
    wide_until: int = 32
    stable: int = 800_000
    fade: int = 800_000
    group: int = 4
    game: Game = PAPER
    solver: Solver = field(default_factory=lambda: Solver(lr=1e-3, beta1=0.0, beta2=0.99))
    half_life: Scheduled = 11_000.0

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), stage, fade -> (b c s s), s = 4 * 2^stage. D: (b c s s), stage, fade -> (b,)."""
        spec = picture_spec(spec, "progan", SIZES)
        sizes = [size for size in (START, *SIZES) if size <= spec.size]
        widths = [max(self.width * self.wide_until // max(size, self.wide_until), LEAST) for size in sizes]
        G = GrowingGenerator(self.latent, widths, spec.channels)
        D = GrowingDiscriminator(widths, spec.channels * self.game.pac, self.group)
        return self.game.prepare(Networks({"G": G, "D": D}), spec)

    def stage(self, nets: Networks, samples: int) -> Stage:
        """The stage in use after `samples` samples."""
        last = len(nets.G.blocks) - 1
        number = sum(begin <= samples for begin, _ in self.sizes) - 1
        if number > last or not number:
            return Stage(min(number, last), 1.0)
        since = samples - self.sizes[number][0]
        return Stage(number, min(since / self.fade, 1.0) if self.fade else 1.0)

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """When each stage begins, in samples, and the side of its pictures."""
        begin = [0, *(self.stable + i * (self.fade + self.stable) for i in range(len(SIZES)))]
        return tuple(zip(begin, (START, *SIZES), strict=True))

    def phases(self) -> dict[str, Phase]:
        return {
            name: replace(phase, loss=partial(self.at_stage, phase.loss), sizes=self.sizes)
            for name, phase in self.game.phases(self).items()
        }

    def at_stage(self, loss: Loss, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        """`loss` on pictures of the stage in use, mixed with those of the stage below while it is faded in."""
        nets.G.samples.fill_(ctx.samples)
        stage = self.stage(nets, ctx.samples)
        x = shrunk(batch["x"], stage.size)
        if stage.fade < 1:
            x = enlarged(shrunk(x, stage.size // 2), stage.size).lerp(x, stage.fade)
        return loss(nets, Batch({**batch, "x": x}), ctx)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent), *self.stage(nets, ctx.samples))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, *self.stage(nets, ctx.samples))
        return logits

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        ctx.samples = int(nets.G.samples)
        made = super().generate(nets, request, ctx)
        return Batch({**made, "x": enlarged(made["x"], START << len(nets.G.blocks) - 1)})


def paper(spec: Spec) -> ProGAN:
    """The paper's settings; up to 32 pixels CIFAR-10's, where gradients of length 750 are asked for (appendix D)."""
    small = picture_spec(spec, "progan", SIZES).size <= 32
    return ProGAN(game=replace(PAPER, gp_norm=750.0)) if small else ProGAN()


def small(spec: Spec) -> ProGAN:
    """For two CPU cores and minutes, at a batch of 32: narrow, stages of a hundred-and-sixtieth of the paper's length.

    Pictures of 32 pixels are whole after 30,000 samples. As steps are few, they are larger at first, and G's average
    follows closely while stages come in.
    """
    size = picture_spec(spec, "progan", SIZES).size
    return ProGAN(
        latent=64,
        width=64,
        wide_until=8 * max(size // 32, 1),
        stable=5_000,
        fade=5_000,
        solver=Solver(lr=Cosine(6e-3, 1e-3, 60_000), beta1=0.0, beta2=0.99),
        half_life=Linear(500.0, 5_000.0, 40_000, begin=25_000),
    )
