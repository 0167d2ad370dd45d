"""MS-SSIM between pictures of one side, as a measure of their sameness (Odena, Olah & Shlens 2017, arXiv:1610.09585).

Multi-scale structural similarity: Wang, Simoncelli & Bovik 2003. For scales s = 1 .. M, each half the size of the last,

    MS-SSIM(x, y) = l_M^w_M  prod_s  cs_s^w_s      l = (2 m_x m_y + C1) / (m_x^2 + m_y^2 + C1)
                                                   cs = (2 s_xy + C2) / (s_x^2 + s_y^2 + C2)

with local means m and deviations s under a Gaussian window (11 pixels wide, deviation 1.5), C1 = (0.01 L)^2,
C2 = (0.03 L)^2, L = 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ...errors import DataError, several
from ...nn.features.pixels import as_grey, as_rgb
from ..base import Side
from ._pairs import Pairs

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the paper, finest scale first
WINDOW, DEVIATION = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
BATCH = 32  # pairs at once


class MSSSIM(Pairs):
    """Mean MS-SSIM of random pairs: 1 where all pictures are the same, lower where they differ.

    It sees collapse within a class, and nothing of quality: noise scores lowest. Pictures with a side below 176 pixels
    hold fewer than five scales; the remaining weights are then scaled to sum to 1, and the protocol says how many.
    """

    name: ClassVar[str] = "ms_ssim"
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(("ms_ssim", "ms_ssim_real"), (0.0, 1.0))
    unranked: ClassVar[frozenset[str]] = frozenset({"ms_ssim", "ms_ssim_real"})  # read beside that of real pictures

    def compare(self, first: Tensor, second: Tensor) -> Tensor:
        weights = fitting_weights(min(first.shape[1:3]))
        parts = zip(first.split(BATCH), second.split(BATCH), strict=True)
        return torch.cat([ms_ssim(_floats(a), _floats(b), weights) for a, b in parts])

    def told(self, side: Side) -> str:
        pixels = self.kept(side)[0]
        if not len(pixels):
            return ""
        scales = len(fitting_weights(min(pixels.shape[1:3])))
        return f"{super().told(side)}, {several(scales, 'scale')}"


def fitting_weights(side: int) -> tuple[float, ...]:
    """Weights of as many of the five scales as a picture with this shorter side holds; they sum to 1.

    Raises:
        DataError: not even one fits.
    """
    scales = sum(side >> s >= WINDOW for s in range(len(WEIGHTS)))
    if not scales:
        raise DataError(f"MS-SSIM needs pictures of at least {WINDOW} pixels a side; came: {side}")
    kept = WEIGHTS[:scales]
    return tuple(w / sum(kept) for w in kept)


def ms_ssim(
    x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"], weights: tuple[float, ...] = WEIGHTS
) -> Float[Tensor, " b"]:
    """MS-SSIM of pictures in [0, 255], for each channel and then averaged over channels; negative parts count as 0.

    An odd row or column is left out when the size is halved.

    Args:
        weights: of the scales, finest first.
    """
    value = x.new_ones(x.shape[:2])
    for scale, weight in enumerate(weights, 1):
        light, structure = _ssim_parts(x, y)
        last = scale == len(weights)
        part = (light * structure if last else structure).mean((2, 3))
        value = value * part.clamp(min=0) ** weight
        if not last:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return value.mean(1)


def _ssim_parts(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Maps of l and of cs."""
    b = len(x)
    blurred = _blur(torch.cat([x, y, x * x, y * y, x * y]))
    mx, my, xx, yy, xy = blurred.split(b)
    light = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    structure = (2 * (xy - mx * my) + C2) / (xx - mx * mx + yy - my * my + C2)
    return light, structure


def _blur(x: Tensor) -> Tensor:
    """The Gaussian window at every place where it fits."""
    place = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    window = torch.exp(-place.square() / (2 * DEVIATION**2))
    window = window / window.sum()
    flat = x.flatten(0, 1)[:, None]
    blurred = F.conv2d(F.conv2d(flat, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
    return blurred.view(*x.shape[:2], *blurred.shape[-2:])


def _floats(pixels: Tensor) -> Tensor:
    return as_grey(pixels) if pixels.shape[-1] == 1 else as_rgb(pixels)


METRIC = MSSSIM
