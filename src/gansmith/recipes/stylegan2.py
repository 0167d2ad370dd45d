"""StyleGAN2 (Karras et al. 2019, arXiv:1912.04958), with adaptive augmentation (Karras et al. 2020, arXiv:2006.06676).

    L_D = E f(-D(x)) + E f(D(G(z))) + gamma/2 E |grad_x D(x)|^2                     f = softplus
    L_G = E f(-D(G(z))) + lambda E (|J_w^T y| - a)^2     y ~ N(0, I / pixels), a the mean of the lengths so far

z becomes a style w, which scales the weights of every layer of G; noise for each pixel is added in every layer. R1 runs
on each 16th step, path length on each 4th, each as many times heavier. ADA's strength follows E[sign(D(x))].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from ..augment.ada import ADA
from ..batch import Batch
from ..game import Augment, Game, Played, Solver
from ..game.gamma import by_area, lazy_r1
from ..losses.penalties import input_gradient
from ..nn.backbones import stylegan2 as net
from ..nn.sizes import picture_spec
from ..schedule import Linear, Scheduled, ramped
from ..spec import Spec
from .base import Context, Networks, Phase

SIZES = (16, 32, 64, 128, 256, 512, 1024)
LENGTH, STEP = "path_mean", "path_step"  # buffers of G: the mean of the lengths, and the step up to which it goes
FORGET = 0.99  # share of that mean that a step of path length leaves
BGC = ADA(brightness=1.0, contrast=1.0, luma=1.0, hue=1.0, saturation=1.0, cutout=0.0)  # blit, geometry, colour


@dataclass(frozen=True, kw_only=True)
class StyleGAN2(Played):
    """Defaults are the paper's configuration F for FFHQ at 1024 pixels and a batch of 32.

    Args:
        latent: length of z, standard normal.
        style: length of w.
        depth: layers of the mapping network, which learn `speed` times as fast as others.
        base: channels are `base` / size, `widest` at most.
        noise: whether layers add noise for each pixel, of learned strengths; constant at evaluation.
        mixing: share of pictures with the styles of two latents (style mixing).
        path_length: lambda; 0 for none. a starts at zero and follows, 0.99 of it left by each such step, once a tick.
        path_every: path length runs on each so-many-th step, that many times as heavy.
        residual: whether D's blocks have a way past them.
        group: pictures whose standard deviation D sees; 1 for none. Groups do not reach beyond a micro-batch.
        label_depth: layers that a label's vector goes through before D projects onto it.
    """

    honours: ClassVar[tuple[str, ...]] = ("truncation",)
    latent: int = 512
    style: int = 512
    depth: int = 8
    speed: float = 0.01
    base: int = 32768
    widest: int = 512
    noise: bool = True
    mixing: float = 0.9
    path_length: float = 2.0
    path_every: int = 4
    residual: bool = True
    group: int = 4
    label_depth: int = 8
    game: Game = field(default_factory=lambda: lazy_r1(10.0))
    solver: Solver = field(default_factory=lambda: Solver(lr=2e-3, beta2=0.99, lazy=True))
    half_life: Scheduled = 10_000.0

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), (b,) labels or None -> (b c h w); G.mapping: -> (b layers style); G.synthesis: those -> x.

        D: (b c h w), labels or None -> (b,).
        """
        spec = picture_spec(spec, "stylegan2", SIZES)
        widths = net.widths(spec.size, self.base, self.widest)
        classes, attributes = len(spec.labels), len(spec.attributes)
        mapping = net.Mapping(self.latent, self.style, 2 * len(widths), self.depth, self.speed, classes, attributes)
        g = net.Generator(mapping, net.Synthesis(widths, spec.channels, self.style, self.noise))
        seen, label = spec.channels * self.game.pac, {"label": self.style, "depth": self.label_depth}
        d = net.Discriminator(widths, seen, classes, residual=self.residual, group=self.group, **label)
        if self.path_length:
            g.register_buffer(LENGTH, torch.zeros(()))
            g.register_buffer(STEP, torch.tensor(0))
        return self.game.prepare(Networks({"G": g, "D": d}), spec)

    def phases(self) -> dict[str, Phase]:
        """Those of the game, and path length."""
        path = Phase(("G",), self.path_loss, every=self.path_every, second_order=("G",))
        return super().phases() | ({"path": path} if self.path_length else {})

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        z, mixed = ctx.randn(batch, self.latent), self._mixed(nets, batch, ctx)
        x: Tensor = nets.G(z, batch.get("y"), noise=self._noise(nets, batch, ctx), **mixed)
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x, batch.get("y"))
        return logits

    def _noise(self, nets: Networks, batch: Batch, ctx: Context) -> list[Tensor]:
        return [ctx.randn(batch, 1, n, n) for n in nets.G.synthesis.sizes]

    def _mixed(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        """Second latents, and the layer from which on they count, for the share `mixing` of the pictures."""
        if not self.mixing:
            return {}
        layers, u = nets.G.mapping.copies, ctx.rand(batch, 2)
        switch = torch.where(u[:, 0] < self.mixing, 1 + (u[:, 1] * (layers - 1)).long(), layers)
        return {"second": ctx.randn(batch, self.latent), "switch": switch}

    def path_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        """lambda (|J_w^T y| - a)^2: the same change of w is to change all pictures as much."""
        z, mixed = ctx.randn(batch, self.latent), self._mixed(nets, batch, ctx)
        ws = nets.G.styles(z, batch.get("y"), **mixed)
        x = nets.G.synthesis(ws, self._noise(nets, batch, ctx))
        y = ctx.randn(batch, *x.shape[1:]) / x[0, 0].numel() ** 0.5
        lengths = input_gradient(x * y, ws).square().sum(2).mean(1).sqrt()  # the mean over layers, that of one w
        ctx.report("length", lengths)
        return {"path": self.path_length * self.path_every * (lengths - getattr(nets.G, LENGTH)).square()}

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        """Heeds `truncation`. The noise of the layers is constant."""
        z, y = ctx.randn(request, self.latent), request.get("y")
        x = nets.G(z, y, truncation=request.get("truncation")).clamp(-1, 1)
        return Batch(x=x) if y is None else Batch(x=x, y=y)

    def settle(self, nets: Networks, requests: Iterator[Batch], ctx: Context) -> None:
        """Measures the mean style of each class, which truncation leads to."""
        mapping = nets.G.mapping
        mapping.find_centres(ctx.randn(Batch(y=mapping.watched()), self.latent))

    @torch.no_grad()
    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        """Beside what the game adapts: moves the mean of the path lengths, once a tick."""
        super().control(nets, figures, ctx)
        if "path/length" in figures:
            mean, step = getattr(nets.G, LENGTH), getattr(nets.G, STEP)
            share = 1 - FORGET ** ((ctx.step - int(step)) / self.path_every)
            mean.lerp_(torch.full_like(mean, figures["path/length"]), share)
            step.fill_(ctx.step)


def paper(spec: Spec) -> StyleGAN2:
    """At 16 and 32 pixels ADA's settings for CIFAR-10, for a batch of 64; above, the paper's, for a batch of 32.

    R1's weight follows ADA's rule, channels are halved below 512 pixels, and ADA aims at E[sign(D(x))] = 0.6.
    """
    size = picture_spec(spec, "stylegan2", SIZES).size
    ada = Augment(kind="ada", target=0.6, over=500_000, ada=BGC)
    if size > 32:
        solver = Solver(lr=2.5e-3 if size < 1024 else 2e-3, beta2=0.99, lazy=True)
        return StyleGAN2(base=16384 if size < 512 else 32768, game=lazy_r1(by_area(size, 32), ada), solver=solver)
    return StyleGAN2(
        depth=2,
        mixing=0.0,
        path_length=0.0,
        residual=False,
        group=32,
        game=lazy_r1(0.01, ada),
        solver=Solver(lr=2.5e-3, beta2=0.99, lazy=True),
        half_life=Linear(0.0, 500_000.0, 10_000_000),  # at first 5 % of the samples so far
    )


def small(spec: Spec) -> StyleGAN2:
    """For two CPU cores and minutes, at a batch of 32."""
    size = picture_spec(spec, "stylegan2", SIZES).size
    return StyleGAN2(
        latent=64,
        style=64,
        depth=2,
        base=16 * size,
        widest=64,
        label_depth=2,
        game=lazy_r1(by_area(size, 32)),
        solver=Solver(lr=2.5e-3, beta2=0.99, lazy=True),
        half_life=ramped(5_000.0),
    )
