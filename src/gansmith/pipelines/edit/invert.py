"""Inversion: the style whose picture is nearest to a given one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from ...batch import Batch
from ...errors import DataError, UserError
from ...nn.features.lpips import LPIPS
from ..generate import Samples, Where
from .space import Space

RATE, RAMP_UP, RAMP_DOWN = 0.1, 0.05, 0.25  # of Adam; shares of the steps (StyleGAN2, appendix D)
MEAN_OF = 4096  # styles whose mean it begins with
INTO = ("w", "w+")
MODES = {1: "L", 3: "RGB", 4: "RGBA"}


@dataclass(frozen=True)
class Inverted:
    """What was found.

    Attributes:
        styles: (1, layers, width).
        samples: the wanted picture, and the one that was found.
        error: root mean square difference of pixels, of a range of 2.
        loss: `lpips` or `pixels`, what was made small.
    """

    styles: Tensor
    samples: Samples
    error: float
    loss: str


def invert(
    space: Space,
    picture: Image.Image | Path | str,
    *,
    into: str = "w+",
    steps: int = 300,
    label: str | None = None,
    where: Where | None = None,
) -> Inverted:
    """Descends on the distance between the picture of a style and the wanted one, from the mean style (StyleGAN2,
    arXiv:1912.04958, appendix D; W+ as Abdal 2019, arXiv:1904.03189).

    The distance is LPIPS where its weights are at hand, with a tenth of the pixels' mean square; else that of the
    pixels at four sizes. Noise stays constant.

    Args:
        picture: a PIL picture or a file; cut to a square about its middle and resized.
        into: `w`, one style for all layers, which stays editable, or `w+`, one for each, which comes nearer.
        steps: of Adam.
        label, where: the class, or the attributes, whose mean it begins with.

    Raises:
        UserError: a generator without styles, or an unknown `into`.
        DataError: the picture cannot be read.
    """
    space.need_styles("inversion")
    if into not in INTO:
        raise UserError(f"a picture is inverted into {' or '.join(INTO)}, not: {into}")
    target, start = _opened(picture, space).to(space.device), _mean_style(space, label, where)
    free = (start[:, :1] if into == "w" else start).clone().requires_grad_()
    distance, name = _distance(space.device)
    optimizer = torch.optim.Adam([free], lr=RATE)
    best, found = math.inf, free.detach().clone()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * _ramp(step / steps)
        optimizer.zero_grad()
        loss = distance(space.g.synthesis(free.expand_as(start)), target)  # type: ignore[operator]
        if float(loss.detach()) < best:
            best, found = float(loss.detach()), free.detach().clone()
        loss.backward()
        optimizer.step()
    ws = found.expand_as(start)
    x = space.of_styles(ws).tensor
    error = float((x - target.cpu()).square().mean().sqrt())
    return Inverted(ws.cpu(), Samples(Batch(x=torch.cat((target.cpu(), x))), space.spec), error, name)


def _mean_style(space: Space, label: str | None, where: Where | None) -> Tensor:
    z = space.draws(MEAN_OF, seed=0)
    return space.styles(z, space.labels(len(z), label, where)).mean(0, keepdim=True)


def _ramp(done: float) -> float:
    """Up in a line, down along a cosine."""
    down = min(1.0, (1 - done) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, (done + 1e-3) / RAMP_UP)


def _distance(device: torch.device) -> tuple[Callable[[Tensor, Tensor], Tensor], str]:
    try:
        lpips = LPIPS().to(device)
    except DataError:
        return _of_pixels, "pixels"

    def perceived(x: Tensor, y: Tensor) -> Tensor:
        a, b = (F.interpolate(v, size=64, mode="bilinear") if v.shape[-1] < 64 else v for v in (x, y))
        loss: Tensor = lpips(a, b).mean() + 0.1 * (x - y).square().mean()
        return loss

    return perceived, "lpips"


def _of_pixels(x: Tensor, y: Tensor) -> Tensor:
    """The mean square difference of the pictures and of three halvings of them, together."""
    total = (x - y).square().mean()
    for _ in range(3):
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        total = total + (x - y).square().mean()
    return total


def _opened(picture: Image.Image | Path | str, space: Space) -> Tensor:
    """(1, c, h, w) in [-1, 1], of the generator's size and channels."""
    spec = space.spec
    try:
        opened = picture if isinstance(picture, Image.Image) else Image.open(picture)
        fitted = ImageOps.fit(opened.convert(MODES[spec.channels]), (spec.size, spec.size), Image.Resampling.LANCZOS)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read a picture from {picture}: {error}") from None
    pixels = torch.from_numpy(np.asarray(fitted).copy()).view(spec.size, spec.size, spec.channels)
    return pixels.permute(2, 0, 1)[None].float() / 127.5 - 1
