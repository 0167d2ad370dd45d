"""FastGAN (Liu, Zhu, Song, Elgammal 2021, arXiv:2101.04775): for few pictures; D also learns to draw what it saw.

    L_D = E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))] + E d(H(f(x)), T(x))      L_G = -E[D(G(z))]

f are D's features of 16 and of 8 pixels, H two small decoders, T the part of a real picture x (or all of it) that they
are to draw, d how unlike both are: LPIPS in the paper. So D has to look at all of a picture, not at a few signs of its
being real. In G, features of a small side open and close the channels of a large one (skip-layer excitation).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from ..augment.diffaugment import DiffAugment
from ..batch import Batch
from ..errors import ConfigError, DataError
from ..game import Augment, Game, Judged, Played, Solver
from ..losses.adversarial import full, per_sample
from ..nn.backbones.fastgan import END, Discriminator, Generator, cropped
from ..nn.features import lpips
from ..nn.features.maps import fitted
from ..nn.features.weights import checked_weights
from ..nn.frozen import Frozen
from ..nn.init import dcgan_normal
from ..nn.resample import shrunk
from ..nn.sizes import picture_spec
from ..schedule import Scheduled, ramped
from ..spec import Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128, 256, 512, 1024)
HALF_LIFE = 5_540.0  # the authors' decay of 0.999 at a batch of 8
PAPER = Game(
    loss="hinge", spectral="both", augment=Augment(kind="diffaugment", p=1.0, diffaugment=DiffAugment(cutout=False))
)


@dataclass(frozen=True, kw_only=True)
class FastGAN(Played):
    """Defaults are the paper's, with what its authors' code adds (spectral normalisation), at a batch of 8.

    Args:
        latent: length of z, standard normal.
        width: G's channels at 128 pixels.
        far: how many times as large as the features that gate them gated ones are.
        noise: whether G's richer layers add noise for each pixel.
        d_width: D's channels at 64 pixels.
        decoder_width: channels of what D draws at 128 pixels.
        drawn: side of the pictures that D draws, at most.
        reconstruction: weight of how unlike these are; 0 for no decoders' loss.
        distance: by which: `lpips` (AlexNet's; the weights must be on this machine), or the mean of the differences of
            pixels, `l1`, or of their squares, `l2`.
    """

    latent: int = 256
    width: int = 64
    far: int = 16
    noise: bool = True
    d_width: int = 64
    decoder_width: int = 32
    drawn: int = 128
    reconstruction: float = 1.0
    distance: Literal["lpips", "l1", "l2"] = "lpips"
    game: Game = PAPER
    solver: Solver = field(default_factory=lambda: Solver(lr=2e-4, beta1=0.5))
    half_life: Scheduled = HALF_LIFE

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent), noises -> (b c h w). D: (b c h w) -> (b 25), features of 16 and of 8 pixels."""
        spec = picture_spec(spec, "fastgan", SIZES)
        seen = spec.channels * self.game.pac
        if self.distance == "lpips" and seen not in (1, 3):
            raise ConfigError(f"lpips compares grey or RGB pictures, not {seen} channels: set recipe.distance=l1")
        g = Generator(self.latent, spec.size, spec.channels, self.width, far=self.far, noisy=self.noise)
        d = Discriminator(spec.size, seen, self.d_width, self.drawn, self.decoder_width)
        nets = Networks({"G": g, "D": d})
        dcgan_normal(nets)
        if self.distance == "lpips":
            d.perceptual = Frozen(lpips.LPIPS, lpips.LPIPS.digest, "LPIPS")
        return self.game.prepare(nets, spec)

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Training begins with it: what D is to draw by is looked for first."""
        if self.distance == "lpips":
            try:
                checked_weights(lpips.WEIGHTS, lpips.SHA256)
            except DataError as error:
                raise DataError(f"{error}\nOr let pixels be compared: recipe.distance=l1") from None
        return super().optimizer(name, params)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        z = ctx.randn(batch, self.latent)
        x: Tensor = nets.G(z, [ctx.randn(batch, layers, n, n) if layers else None for layers, n in nets.G.noises])
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Judged:
        logits, middle, small = nets.D(x)
        if not self.reconstruction:
            return Judged(logits)
        corner = (ctx.rand(Batch(x=x), 2) * (END + 1)).long()  # of 8 x 8 among 16 x 16 features
        drawn = partial(self.drawn_again, nets.D, x.detach(), middle, small, corner)
        return Judged(logits, of_real={"reconstruction": drawn})

    def drawn_again(self, d: nn.Module, x: Tensor, middle: Tensor, small: Tensor, corner: Tensor, n: int) -> Tensor:
        """d(H(f(x)), T(x)) of the first n pictures, (n,): of all of each, and of the part that begins at `corner`."""
        x, middle, small, corner = x[:n], middle[:n], small[:n], corner[:n]
        part = cropped(x, x.shape[-1] // 2, corner, step=x.shape[-1] // middle.shape[-1])
        pairs = ((d.draw_whole(small), x), (d.draw_part(cropped(middle, END, corner)), part))  # type: ignore[operator]
        each = [self._unlike(d, full(drawn), full(shrunk(wanted, drawn.shape[-1]))) for drawn, wanted in pairs]
        return self.reconstruction * (each[0] + each[1])

    def _unlike(self, d: nn.Module, drawn: Tensor, wanted: Tensor) -> Tensor:
        if self.distance == "lpips":
            drawn, wanted = (fitted(x, max(x.shape[-1], lpips.SMALLEST)) for x in (drawn, wanted))
            found: Tensor = d.perceptual(drawn, wanted)  # type: ignore[operator]
            return found
        apart = drawn - wanted
        return per_sample(apart.abs() if self.distance == "l1" else apart.square())


def paper(spec: Spec) -> FastGAN:
    """The paper's settings, for a batch of 8 and some 800,000 samples; LPIPS' weights must be on this machine."""
    picture_spec(spec, "fastgan", SIZES)
    return FastGAN()


def small(spec: Spec) -> FastGAN:
    """For two CPU cores and minutes, at a batch of 32: narrow, pixels of half the size compared by `l1`.

    Gates are four times as large as what opens them, so that pictures of 32 pixels have some.
    """
    size = picture_spec(spec, "fastgan", SIZES).size
    return FastGAN(
        latent=64,
        width=6,
        far=4 if size <= 64 else 16,
        d_width=8,
        decoder_width=4,
        drawn=max(size // 2, 8),
        distance="l1",
        game=replace(PAPER, spectral="D"),
        solver=Solver(lr=2e-3, beta1=0.5),
        half_life=ramped(2_500.0),
    )
