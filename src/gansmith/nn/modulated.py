"""Convolutions whose weights a style scales for each sample, and the activation after them (arXiv:1912.04958).

    w'_ijk = s_i w_ijk                                     modulation, s = A(w) the style
    w''_ijk = w'_ijk / sqrt(sum over i, k of w'_ijk^2)     demodulation       i input, j output, k place in the filter

A convolution is linear, so scaling its weights is scaling its inputs by s_i and its outputs by what is left, d_j: one
convolution for the whole batch in place of one for each sample.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .equalized import RECTIFIED, EqualLinear
from .resample import BINOMIAL, Resample

SLOPE = 0.2
EPSILON = 1e-8


def bias_leaky(
    x: Float[Tensor, "b c h w"],
    bias: Float[Tensor, "... c #h #w"],
    scale: Float[Tensor, "b c 1 1"] | float = 1.0,
    gain: float = RECTIFIED,
) -> Float[Tensor, "b c h w"]:
    """gain leaky_relu(scale x + bias), slope 0.2, in one piece of memory; the gain goes in beforehand."""
    # addcmul would be one pass less here and, as its derivatives multiply by its factor, one more each time after
    return F.leaky_relu((x * (scale * gain)).add_(bias * gain), SLOPE, inplace=True)


class Modulated(nn.Module):
    """A convolution modulated by styles, before bias and activation.

    Args:
        inputs, outputs: channels.
        kernel: side of the filter.
        style: length of w.
        demodulate: whether outputs are brought back to unit variance.
        up: twice as large: a transposed convolution, then the binomial filter.
        size: side of the input, needed where `up`.
        pad: zeros around the input; None keeps the size.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        style: int,
        *,
        demodulate: bool = True,
        up: bool = False,
        size: int = 0,
        pad: int | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.affine = EqualLinear(style, inputs, gain=1.0)
        nn.init.ones_(self.affine.bias)
        self.scale = 1 / self.weight[0].numel() ** 0.5
        self.demodulate, self.pad = demodulate, kernel // 2 if pad is None else pad
        doubled, border = 2 * size + kernel - 2, (5 - kernel) // 2
        taps = [2 * tap for tap in BINOMIAL]  # along each axis, a half of the pixels were put in as zeros
        self.smooth = Resample(doubled, taps, pad=(border, border)) if up else None

    def forward(
        self, x: Float[Tensor, "b c h h"], w: Float[Tensor, "b style"]
    ) -> tuple[Float[Tensor, "b d m m"], Float[Tensor, "b d 1 1"] | float]:
        """The convolution, and what its outputs are yet to be multiplied by."""
        s = self.affine(w)
        x = x * s[:, :, None, None]
        if self.smooth is not None:
            y = self.smooth(F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2))
        else:
            y = F.conv2d(x, self.weight, padding=self.pad)
        return y, self._left(s) if self.demodulate else self.scale

    def _left(self, s: Float[Tensor, "b c"]) -> Float[Tensor, "b d 1 1"]:
        """d_j; the constant of the equalized learning rate would cancel in it."""
        power = F.linear(s.square(), self.weight.square().sum((2, 3)))
        return (power + EPSILON).rsqrt()[:, :, None, None]
