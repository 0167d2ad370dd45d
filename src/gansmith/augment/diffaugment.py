"""DiffAugment (Zhao 2020, arXiv:2006.10738): colour, translation and cutout, of every picture, differentiable.

brightness   x + U(-0.5, 0.5)                           values here run from -1 to 1
saturation   mean over channels + U(0, 2) (x - mean)
contrast     mean over the picture + U(0.5, 1.5) (x - mean)
translation  by up to an eighth of the side either way, zeros behind
cutout       a grey square of half the side
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..batch import Batch
from .ada import Noise

NUMBERS = 8  # uniform numbers that one picture takes


@dataclass(frozen=True, kw_only=True)
class DiffAugment:
    """Which of the three policies to use.

    Args:
        colour: brightness, saturation, contrast.
        translation: shifts by whole pixels.
        cutout: grey squares.
    """

    colour: bool = True
    translation: bool = True
    cutout: bool = True

    def __call__(self, x: Float[Tensor, "b c h w"], p: float | Tensor, ctx: Noise) -> Float[Tensor, "b c h w"]:
        """Pictures in [-1, 1]; each is augmented with chance p in [0, 1], the paper's being 1.

        p = 0 gives `x` itself, to the bit. Colour leaves an alpha channel as it is.
        """
        if isinstance(p, float | int) and p == 0:
            return x
        u = ctx.rand(Batch(x=x), NUMBERS)
        out = _coloured(x, u[:, :3]) if self.colour else x
        out = _shifted(out, u[:, 3:5]) if self.translation else out
        out = _cut(out, u[:, 5:7]) if self.cutout else out
        return torch.where((u[:, 7] < p).view(-1, 1, 1, 1), out, x)


def _coloured(x: Tensor, u: Tensor) -> Tensor:
    bright, saturated, contrasted = (v.view(-1, 1, 1, 1).to(x.dtype) for v in u.unbind(1))
    colours, alpha = (x[:, :3], x[:, 3:]) if x.shape[1] == 4 else (x, x[:, :0])
    colours = colours + (bright - 0.5)
    mean = colours.mean(1, keepdim=True)
    colours = mean + 2 * saturated * (colours - mean)
    mean = colours.mean((1, 2, 3), keepdim=True)
    return torch.cat((mean + (contrasted + 0.5) * (colours - mean), alpha), 1)


def _shifted(x: Tensor, u: Tensor) -> Tensor:
    """Moves each picture by whole pixels; what comes in is zero."""
    h, w = x.shape[-2:]
    reach = torch.tensor([h, w], device=x.device) // 8
    move = (u * (2 * reach + 1)).floor().long() - reach
    rows = torch.arange(h, device=x.device) - move[:, :1]
    columns = torch.arange(w, device=x.device) - move[:, 1:]
    there = ((rows >= 0) & (rows < h))[:, :, None] & ((columns >= 0) & (columns < w))[:, None, :]
    moved = x.gather(2, rows.clamp(0, h - 1)[:, None, :, None].expand(-1, x.shape[1], -1, w))
    moved = moved.gather(3, columns.clamp(0, w - 1)[:, None, None, :].expand(-1, x.shape[1], h, -1))
    return moved * there[:, None].to(x.dtype)


def _cut(x: Tensor, u: Tensor) -> Tensor:
    """A square of half the side around a centre anywhere in the picture becomes zero."""
    h, w = x.shape[-2:]
    rows = (torch.arange(h, device=x.device) - (u[:, :1] * h).floor()).abs() <= h // 4
    columns = (torch.arange(w, device=x.device) - (u[:, 1:] * w).floor()).abs() <= w // 4
    return x * ~(rows[:, :, None] & columns[:, None, :])[:, None]
