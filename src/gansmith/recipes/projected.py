"""Projected GAN (Sauer, Chitta, Mueller, Geiger 2021, arXiv:2111.01007): D sees pictures through a frozen network.

    L_D = sum over l: E[max(0, 1 - D_l(P_l(x)))] + E[max(0, 1 + D_l(P_l(G(z))))]
    L_G = - sum over l: E[D_l(P_l(G(z)))]

P_l are a trained network's features at four scales l, mixed across channels and scales by fixed random filters; D_l are
small judges. G is FastGAN's without noise (arXiv:2101.04775). Here the D_l count by their means rather than their sums.
Figures by the network that D looked through flatter G; one of ImageNet flatters Inception's: judge by another, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..batch import Batch
from ..errors import ConfigError, DataError, MissingExtra
from ..game import Augment, Game, Played, Solver
from ..metrics.extractors import load_extractor, sees_imagenet
from ..nn.backbones.fastgan import Generator
from ..nn.backbones.projected import Blind, Eyes, ProjectedDiscriminator
from ..nn.features.maps import GivesMaps
from ..nn.init import dcgan_normal
from ..nn.norm import PixelNorm
from ..nn.sizes import picture_spec
from ..schedule import Linear, Scheduled, ramped
from ..spec import ImageSpec, Spec
from .base import Context, Networks

SIZES = (16, 32, 64, 128, 256, 512, 1024)
PAPER = Game(loss="hinge", spectral="both", augment=Augment(kind="diffaugment", p=1.0))


@dataclass(frozen=True, kw_only=True)
class Projected(Played):
    """Defaults are the paper's, at a batch of 64.

    Args:
        extractor: what D looks through, by the names that figures know: `fashion` (comes with gansmith), `random`,
            `inception`, `timm:NAME`, `dinov2:NAME`, `stacked:NAME`. For a network of your own see `looker`.
        latent: length of z, standard normal, divided by the root of its mean square.
        width: G's channels at 128 pixels.
        far: how many times as large as the features that gate them G's gated ones are.
        layers: of every other doubling in G; 1 is FastGAN-lite.
        d_width: channels of the finest mixed features.
    """

    extractor: str = "timm:tf_efficientnet_lite1.in1k"
    latent: int = 256
    width: int = 64
    far: int = 16
    layers: int = 1
    d_width: int = 64
    game: Game = PAPER
    solver: Solver = field(default_factory=lambda: Solver(lr=2e-4, beta2=0.99))
    half_life: Scheduled = Linear(0.0, 20_000.0, 400_000)

    @property
    def sees_imagenet(self) -> bool:
        """Whether D was shown ImageNet, by way of its extractor."""
        return sees_imagenet(self.extractor)

    def networks(self, spec: Spec) -> Networks:
        """G: (b latent) -> (b c h w). D: (b c h w) -> (b logits)."""
        spec = picture_spec(spec, "projected", SIZES)
        g = Generator(self.latent, spec.size, spec.channels, self.width, far=self.far, layers=self.layers, noisy=False)
        dcgan_normal(g)
        return self.game.prepare(Networks({"G": g, "D": self._discriminator(spec)}), spec)

    def _discriminator(self, spec: ImageSpec) -> nn.Module:
        try:
            looker = self.looker()
        except (DataError, MissingExtra) as absent:
            return Blind(absent)  # whoever only generates needs none
        return ProjectedDiscriminator(Eyes(looker, spec.size, spec.channels, self.game.pac), self.d_width)

    def looker(self) -> GivesMaps:
        """What D looks through.

        To take any network of yours, derive a recipe in a file of your own, train it as `my_gan.py:MyGAN`, and return
        `load_extractor(network)` here: models hold no code, so a name in a setting cannot lead to yours.

        Raises:
            ConfigError: no such extractor, or none that can be looked through.
            DataError, MissingExtra: it is not on this machine.
        """
        if ".py" in self.extractor:
            raise ConfigError(
                "recipe.extractor names no file, as loading a model runs no code: derive from Projected in a file of "
                f"your own and override `looker`; came: {self.extractor}"
            )
        with torch.device("cpu"):
            found = load_extractor(self.extractor)
        if not isinstance(found, GivesMaps):
            raise ConfigError(f"this extractor gives no maps that D could look at: {self.extractor}")
        return found

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """Training begins with it: it ends here where D would be blind."""
        self.looker()
        return super().optimizer(name, params)

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(PixelNorm()(ctx.randn(batch, self.latent)))
        return x

    def judge(self, nets: Networks, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(x)
        return logits


def paper(spec: Spec) -> Projected:
    """The paper's settings, for a batch of 64: EfficientNet-Lite1, which timm brings and whose weights must be at hand.

    Inception's in its stead: recipe.extractor=inception.
    """
    picture_spec(spec, "projected", SIZES)
    return Projected()


def small(spec: Spec) -> Projected:
    """For two CPU cores and minutes, at a batch of 32: narrow, without augmentation, D's rate four times G's.

    Nothing trained on photographs comes with gansmith. In grey D looks through the bundled classifier of garments; in
    colour through untrained convolutions (`random`): that classifier looks at each colour alone, and after 8,000
    samples G made stripes for it where these gave garments. Trained eyes, where their weights are at hand, are far
    slower without a GPU: recipe.extractor=inception. The paper's augmentation wants longer runs than these.
    """
    spec = picture_spec(spec, "projected", SIZES)
    size = spec.size
    return Projected(
        extractor="fashion" if spec.channels == 1 else "random",
        latent=64,
        width=8,
        far=4 if size <= 64 else 16,
        d_width=16,
        game=replace(PAPER, augment=Augment()),
        solver=Solver(lr=5e-4, d_lr=2e-3, beta2=0.99),
        half_life=ramped(2_500.0),
    )
