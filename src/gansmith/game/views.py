"""What D is shown: pictures augmented, with noise, packed, real and generated ones together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ..augment.ada import ADA
from ..augment.diffaugment import DiffAugment
from ..batch import Batch
from ..nn.resample import along_both, fir_matrix
from ..recipes.base import Context, Networks
from ..schedule import Scheduled, at

STRENGTH, MOMENT = "augment_p", "augment_samples"  # buffers of D


@dataclass(frozen=True, kw_only=True)
class Augment:
    """What D's pictures go through, real and generated ones alike; gradients pass. G is never shown any of it.

    Args:
        kind: `ada` (Karras 2020, arXiv:2006.06676), `diffaugment` (Zhao 2020, arXiv:2006.10738), `apa`, which shows D
            generated pictures as real ones (Jiang 2021, arXiv:2111.06849), or `none`.
        p: chance of each augmentation, in [0, 1]; of `diffaugment`, of each picture's. The first one where it adapts.
        target: p adapts so that E[sign(D(x))] comes near this (0.6 in both papers); None for p as scheduled. For losses
            whose sign says 'real': minimax, non-saturating, least squares, hinge.
        over: samples in which an adapting p could go from 0 to 1.
        ada: how much each family of ADA is used.
        diffaugment: the same of DiffAugment.
    """

    kind: Literal["none", "ada", "diffaugment", "apa"] = "none"
    p: Scheduled = 0.0
    target: float | None = None
    over: int = 500_000
    ada: ADA = field(default_factory=ADA)
    diffaugment: DiffAugment = field(default_factory=DiffAugment)

    def prepare(self, nets: Networks) -> None:
        """Gives D the buffers of an adapting p."""
        if self.target is not None:
            device = next(nets.D.parameters()).device
            nets.D.register_buffer(STRENGTH, torch.tensor(float(at(self.p, 0)), device=device))
            nets.D.register_buffer(MOMENT, torch.tensor(0, device=device))

    def strength(self, nets: Networks, ctx: Context) -> float | Tensor:
        """p of this moment."""
        return at(self.p, ctx.samples) if self.target is None else getattr(nets.D, STRENGTH)

    def __call__(self, x: Tensor, p: float | Tensor, ctx: Context) -> Tensor:
        """Pictures (b c h w) as D sees them."""
        if self.kind == "ada":
            return self.ada(x, p, ctx)
        return self.diffaugment(x, p, ctx) if self.kind == "diffaugment" else x

    def deceive(self, real: Tensor, fake: Tensor, p: float | Tensor, ctx: Context) -> Tensor:
        """APA: each real picture gives way to a generated one with chance p."""
        if self.kind != "apa" or (isinstance(p, float | int) and p == 0):
            return real
        swapped = ctx.rand(Batch(x=real)) < p
        return torch.where(swapped.view(-1, 1, 1, 1), fake, real)

    @torch.no_grad()
    def control(self, nets: Networks, figures: Mapping[str, float], ctx: Context) -> None:
        """Moves an adapting p, once a tick, by the sign of E[sign(D(x))] - target."""
        if self.target is None or "D/real_sign" not in figures:
            return
        p, moment = getattr(nets.D, STRENGTH), getattr(nets.D, MOMENT)
        step = (ctx.samples - int(moment)) / self.over
        p.copy_((p + step * (1 if figures["D/real_sign"] > self.target else -1)).clamp(0, 1))
        moment.fill_(ctx.samples)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Pictures (b c h h) through a Gaussian of this standard deviation in pixels, cut at three of them; zeros around.

    StyleGAN3 has it for the first 200,000 pictures of its configuration R (arXiv:2106.12423, appendix F). Below a tenth
    of a pixel nothing is done.
    """
    if sigma < 0.1:
        return x
    reach = math.ceil(3 * sigma)
    taps = [math.exp(-0.5 * (t / sigma) ** 2) for t in range(-reach, reach + 1)]
    matrix = fir_matrix(x.shape[-1], [tap / sum(taps) for tap in taps], pad=(reach, reach))
    return along_both(matrix.to(x), x)


def packed(x: Tensor, m: int) -> Tensor:
    """(b c h w) to (b/m, m c, h, w): D judges m pictures at once (PacGAN, Lin 2017, arXiv:1712.04086)."""
    return x if m == 1 else x.unflatten(0, (-1, m)).flatten(1, 2)
