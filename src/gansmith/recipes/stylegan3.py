"""StyleGAN3 (Karras et al. 2021, arXiv:2106.12423): StyleGAN2 whose G lets no alias in, so that detail moves with it.

    L_D = E f(-D(x)) + E f(D(G(z))) + gamma/2 E |grad_x D(x)|^2                     f = softplus
    L_G = E f(-D(G(z)))

G draws a continuous picture from Fourier features that the style moves and turns; its layers sample it as finely as
their bands need. Configuration T follows translations, R rotations too: 1x1 convolutions of twice the channels, and
low-passes that are the same in all directions. `gansmith evaluate --metric equivariance` measures both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..batch import Batch
from ..errors import ConfigError
from ..game import Game, Played, Solver
from ..game.gamma import by_area, lazy_r1
from ..nn.alias_free import bands
from ..nn.backbones import stylegan2, stylegan3
from ..nn.sizes import picture_spec
from ..schedule import Scheduled, ramped
from ..spec import Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128, 256, 512, 1024)
MOMENT = "magnitude_samples"  # buffer of G: samples up to which its magnitudes followed
WATCHED = 8  # pictures by which they follow
AFHQ = 8.2 * 32 / 512**2  # times size^2 / batch gives R1's weight: 8.2 for AFHQv2 at 512 pixels and a batch of 32


@dataclass(frozen=True, kw_only=True)
class StyleGAN3(Played):
    """Defaults are the paper's configuration T at 1024 pixels and a batch of 32.

    Args:
        config: `T` or `R`.
        latent: length of z, standard normal.
        style: length of w.
        depth: layers of the mapping network, which learn `speed` times as fast as others.
        layers: of G, before the last; `critical`, those at the end that use the whole band.
        base: G's channels are `base` / (2 f_c), `widest` at most, twice both with R; D's `base` / size.
        margin: samples of canvas beyond each side of the picture.
        taps: length of the filters, in samples.
        magnitude_half_life: of the mean squares that inputs of layers are divided by, in samples; they follow once a
            tick.
        group: pictures whose standard deviation D sees; 1 for none. Groups do not reach beyond a micro-batch.
        label_depth: layers that a label's vector goes through before D projects onto it.
    """

    honours: ClassVar[tuple[str, ...]] = ("truncation", "transform")
    config: Literal["T", "R"] = "T"
    latent: int = 512
    style: int = 512
    depth: int = 2
    speed: float = 0.01
    layers: int = 14
    critical: int = 2
    base: int = 32768
    widest: int = 512
    margin: int = 10
    taps: int = 6
    magnitude_half_life: float = 20_000.0
    group: int = 4
    label_depth: int = 8
    game: Game = field(default_factory=lambda: lazy_r1(by_area(1024, 32, AFHQ)))
    solver: Solver = field(default_factory=lambda: Solver(lr=2.5e-3, d_lr=2e-3, beta2=0.99, lazy=True))
    half_life: Scheduled = 10_000.0

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels or None -> (b c h w); G.mapping: -> (b layers style); G.synthesis: those -> x.

        D: (b c h w), labels or None -> (b,).
        """
        spec = picture_spec(spec, "stylegan3", SIZES)
        if not 0 < self.critical < self.layers:
            raise ConfigError(f"wanted 0 < critical < layers, not: critical={self.critical}, layers={self.layers}")
        classes, widths = len(spec.labels), stylegan2.widths(spec.size, self.base, self.widest)
        synthesis = self._synthesis(spec.size, spec.channels)
        told = (classes, len(spec.attributes))
        mapping = stylegan2.Mapping(self.latent, self.style, synthesis.copies, self.depth, self.speed, *told)
        g = stylegan2.Generator(mapping, synthesis)
        g.register_buffer(MOMENT, torch.tensor(0))
        d = stylegan2.Discriminator(
            widths,
            spec.channels * self.game.pac,
            classes,
            group=self.group,
            label=self.style,
            depth=self.label_depth,
        )
        return self.game.prepare(Networks({"G": g, "D": d}), spec)

    def _synthesis(self, size: int, channels: int) -> stylegan3.Synthesis:
        turns = self.config == "R"
        specs = bands(size, self.layers, self.critical, self.margin)
        widths = [round(min(self.base / 2 / band.cutoff, self.widest) * (2 if turns else 1)) for band in specs]
        return stylegan3.Synthesis(
            specs,
            [*widths[:-1], channels],
            self.style,
            kernel=1 if turns else 3,
            taps=self.taps,
            radial=turns,
            critical=self.critical,
        )

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(ctx.randn(batch, self.latent), batch.get("y"))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, batch.get("y"))
        return logits

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        """Heeds `truncation`, and `transform`, by which the continuous picture is moved before it is sampled.

        Pictures that are moved are not clamped to [-1, 1], for clamping pixels is not clamping the picture.
        """
        z, y, transform = ctx.randn(request, self.latent), request.get("y"), request.get("transform")
        x = nets.G(z, y, truncation=request.get("truncation"), transform=transform)
        x = x.clamp(-1, 1) if transform is None else x
        return Batch(x=x) if y is None else Batch(x=x, y=y)

    def settle(self, nets: Networks, requests: Iterator[Batch], ctx: Context) -> None:
        """Measures the mean style of each class, which truncation leads to."""
        mapping = nets.G.mapping
        mapping.find_centres(ctx.randn(Batch(y=mapping.watched()), self.latent))

    @torch.no_grad()
    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        """Beside what the game adapts: the magnitudes of G's layers follow what a few pictures show, once a tick."""
        super().control(nets, figures, ctx)
        y, moment = nets.G.mapping.in_turn(WATCHED), getattr(nets.G, MOMENT)
        share = 1 - 0.5 ** ((ctx.samples - int(moment)) / self.magnitude_half_life)
        with nets.G.synthesis.following(share):
            nets.G(ctx.randn(Batch(y=y), self.latent), y)
        moment.fill_(ctx.samples)


def paper(spec: Spec) -> StyleGAN3:
    """Configuration T for a batch of 32, with half of the channels below 512 pixels. For R: `recipe.config=R`, and
    `recipe.game.blur={kind: linear, start: 10, end: 0, over: 200000}`."""
    size = picture_spec(spec, "stylegan3", SIZES).size
    return StyleGAN3(base=16384 if size < 512 else 32768, game=lazy_r1(by_area(size, 32, AFHQ)))


def small(spec: Spec) -> StyleGAN3:
    """For two CPU cores and minutes, at a batch of 32."""
    size = picture_spec(spec, "stylegan3", SIZES).size
    return StyleGAN3(
        latent=64,
        style=64,
        layers=5,
        base=16 * size,
        widest=64,
        margin=3,
        taps=4,
        label_depth=2,
        game=lazy_r1(0.5),
        half_life=ramped(5_000.0),
    )
