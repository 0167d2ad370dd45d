"""ADA's augmentations (Karras 2020, arXiv:2006.06676, appendix B), each applied to each picture with its own chance.

    pixel blits    flip, rot90, shift           exact copies of pixels
    geometry       scale, rotate, aniso, fraction   one resampling, supersampled twice, reflected at the border
    colour         brightness, contrast, luma, hue, saturation   one affine map of the channels
    corruption     cutout                       a grey square of half the side

R3GAN (arXiv:2501.05441) uses these families with a scheduled p. Left out of the paper's list: additive noise and
the image-space filters. All are differentiable in the pixels, twice, so R1 and R2 can be taken through them.
Random numbers come from the caller's context alone: a pure function of its seed and of each row's number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..batch import Batch
from .colour import brightness, contrast, hue, luma_flip, recolour, saturation
from .geometry import affine_grid, rotation, scaling, translation
from .warp import pick, warp

CHANCES, NORMALS = 14, 7  # uniform and normal numbers that one picture takes


@runtime_checkable
class Noise(Protocol):
    """Where random numbers come from; `Context` is one."""

    def randn(self, batch: Batch, *shape: int) -> Tensor: ...

    def rand(self, batch: Batch, *shape: int) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class ADA:
    """How much each family is used: its chance is p times the number here. Strengths are ADA's.

    Colour works on the first three channels, or on the one of grey pictures, where hue and saturation do nothing;
    alpha is left as it is.
    """

    flip: float = 1.0
    rot90: float = 1.0
    shift: float = 1.0
    scale: float = 1.0
    rotate: float = 1.0
    aniso: float = 1.0
    fraction: float = 1.0
    brightness: float = 0.5
    contrast: float = 0.5
    luma: float = 0.5
    hue: float = 0.5
    saturation: float = 0.5
    cutout: float = 1.0

    def __call__(self, x: Float[Tensor, "b c h w"], p: float | Tensor, ctx: Noise) -> Float[Tensor, "b c h w"]:
        """Pictures in [-1, 1], augmented with strength p in [0, 1]; p = 0 gives `x` itself, to the bit."""
        if isinstance(p, float | int) and p == 0:
            return x
        rows = Batch(x=x)
        uniform, normal = ctx.rand(rows, 2 * CHANCES), ctx.randn(rows, NORMALS)
        chances, amounts = iter(uniform[:, :CHANCES].unbind(1)), uniform[:, CHANCES:]
        x = self._blits(x, p, chances, amounts)
        x = self._geometry(x, p, chances, amounts, normal)
        x = self._colour(x, p, chances, amounts, normal)
        return _cut_out(x, next(chances) < self.cutout * p, amounts[:, 5:7])

    def _blits(self, x: Tensor, p: float | Tensor, chances: Iterator[Tensor], amounts: Tensor) -> Tensor:
        flip = (next(chances) < self.flip * p) & (amounts[:, 0] < 0.5)
        turns = ((amounts[:, 1] * 4).floor() * (next(chances) < self.rot90 * p)).long()
        far = (amounts[:, 2:4] * 2 - 1) * 0.125 * x.shape[-1]
        shift = (far.round() * (next(chances) < self.shift * p)[:, None]).long()
        return _blit(x, flip, turns, shift)

    def _geometry(
        self, x: Tensor, p: float | Tensor, chances: Iterator[Tensor], amounts: Tensor, normal: Tensor
    ) -> Tensor:
        scale = 2 ** (0.2 * normal[:, 0] * (next(chances) < self.scale * p))
        # two chances to rotate, before and after aniso, which together come to p
        p_rotate = 1 - (1 - torch.as_tensor(self.rotate * p).clamp(0, 1)).sqrt().to(x.device)
        before = (amounts[:, 4] * 2 - 1) * math.pi * (next(chances) < p_rotate)
        aniso = 2 ** (0.2 * normal[:, 1] * (next(chances) < self.aniso * p))
        after = (amounts[:, 7] * 2 - 1) * math.pi * (next(chances) < p_rotate)
        move = 0.125 * 2 * normal[:, 2:4] * (next(chances) < self.fraction * p)[:, None]
        # the grid says where each output pixel comes from, so these are inverses in inverse order
        where = scaling(1 / scale, 1 / scale) @ rotation(-before) @ scaling(1 / aniso, aniso)
        where = where @ rotation(-after) @ translation(-move[:, 0], -move[:, 1])
        moved = (where != torch.eye(3, device=x.device, dtype=where.dtype)).flatten(1).any(1)
        return _resample(x, where, moved)

    def _colour(
        self, x: Tensor, p: float | Tensor, chances: Iterator[Tensor], amounts: Tensor, normal: Tensor
    ) -> Tensor:
        add = 0.2 * normal[:, 4] * (next(chances) < self.brightness * p)
        times = 2 ** (0.5 * normal[:, 5] * (next(chances) < self.contrast * p))
        flip = (next(chances) < self.luma * p) & (amounts[:, 8] < 0.5)
        turn = (amounts[:, 9] * 2 - 1) * math.pi * (next(chances) < self.hue * p)
        deep = 2 ** (normal[:, 6] * (next(chances) < self.saturation * p))
        matrix = saturation(deep) @ hue(turn) @ luma_flip(flip) @ contrast(times) @ brightness(add)
        return recolour(x, matrix)


def _blit(
    x: Float[Tensor, "b c h w"], flip: Bool[Tensor, "b"], turns: Tensor, shift: Tensor
) -> Float[Tensor, "b c h w"]:
    """Flips, then turns by quarters, then shifts by whole pixels (x, y), reflected at the border."""
    n = x.shape[-1]
    if x.shape[-2] != n:
        raise ValueError(f"augmentation needs square pictures, not: {tuple(x.shape)}")
    rows, columns = torch.meshgrid(torch.arange(n, device=x.device), torch.arange(n, device=x.device), indexing="ij")
    i, j = _reflect(rows - shift[:, 1, None, None], n), _reflect(columns - shift[:, 0, None, None], n)
    turn = turns[:, None, None]
    source_i = torch.where(turn == 0, i, torch.where(turn == 1, j, torch.where(turn == 2, n - 1 - i, n - 1 - j)))
    source_j = torch.where(turn == 0, j, torch.where(turn == 1, n - 1 - i, torch.where(turn == 2, n - 1 - j, i)))
    source_j = torch.where(flip[:, None, None], n - 1 - source_j, source_j)
    return pick(x, source_i, source_j)


def _reflect(index: Tensor, n: int) -> Tensor:
    """Folds indices back into 0 .. n - 1, without repeating the border pixel."""
    folded = index.abs() % max(2 * n - 2, 1)
    return torch.where(folded >= n, 2 * n - 2 - folded, folded)


def _resample(x: Float[Tensor, "b c h w"], where: Tensor, moved: Bool[Tensor, "b"]) -> Float[Tensor, "b c h w"]:
    """Each picture from where its matrix points; unmoved ones stay as they are, to the bit."""
    fine = warp(x, affine_grid(where, 2 * x.shape[-2], 2 * x.shape[-1]).to(x.dtype))
    # means of 2x2 subpixels: enough against aliasing for the sizes that ADA's scales reach
    coarse = fine.unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).mean((3, 5))
    return torch.where(moved[:, None, None, None], coarse, x)


def _cut_out(x: Float[Tensor, "b c h w"], cut: Bool[Tensor, "b"], centre: Tensor) -> Float[Tensor, "b c h w"]:
    """Mid-grey over a square of half the side around `centre`, in [0, 1], x before y."""
    h, w = x.shape[-2:]
    across = (torch.arange(w, device=x.device) + 0.5) / w - centre[:, 0, None]
    down = (torch.arange(h, device=x.device) + 0.5) / h - centre[:, 1, None]
    hole = (across.abs() <= 0.25)[:, None, :] & (down.abs() <= 0.25)[:, :, None] & cut[:, None, None]
    return x * (~hole)[:, None]
