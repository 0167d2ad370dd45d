"""Filters that keep signals free of aliases, and the nonlinearity between two of them (Karras 2021, arXiv:2106.12423).

A layer's features stand for a continuous signal of no frequency above its cutoff. A pointwise nonlinearity makes higher
ones; so it runs at twice the sampling rate, between a low-pass that puts samples in between and one that takes away
what the layer's own rate cannot hold. Frequencies are in cycles across the picture, rates in samples across it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .modulated import SLOPE
from .resample import DENSE, Resample, fir_matrix

OVER = 2
NEGLIGIBLE = 1e-7  # share of a filter's largest part below which a part is left out


@dataclass(frozen=True)
class Band:
    """How much of the spectrum a layer's signal takes.

    Args:
        rate: samples across the picture.
        cutoff: the low-pass is at a half there.
        width: half of its transition band.
        canvas: samples across the layer's canvas, which goes beyond the picture on all sides.
    """

    rate: int
    cutoff: float
    width: float
    canvas: int


def bands(
    size: int,
    layers: int = 14,
    critical: int = 2,
    margin: int = 10,
    first: tuple[float, float] = (2.0, 2**2.1),
    last_stop: float = 2**0.3,
) -> list[Band]:
    """The bands of the input and of each layer, a geometric progression up to the picture's own (section 3.3).

    f_c[i] = f_c0 (f_cN / f_c0)^min(i / (N - critical), 1), so too the stopband f_t; f_cN = size / 2
    s[i] = the power of two at or above 2 f_t[i], `size` at most;  f_h[i] = max(s[i] / 2, f_t[i]) - f_c[i]

    Args:
        size: of the picture, s_N.
        layers: N.
        critical: last layers that use the whole band of their rate.
        margin: samples of canvas beyond each side of the picture; none in the last two.
        first: f_c0, f_t0.
        last_stop: f_tN / f_cN.
    """
    found = []
    for i in range(layers + 1):
        share = min(i / (layers - critical), 1)
        cutoff = first[0] * (size / 2 / first[0]) ** share
        stop = first[1] * (size / 2 * last_stop / first[1]) ** share
        rate = 2 ** math.ceil(math.log2(min(2 * stop, size)) - 1e-9)
        canvas = rate + 2 * margin if i < layers - 1 else size
        found.append(Band(rate, cutoff, max(rate / 2, stop) - cutoff, canvas))
    return found


def kaiser_beta(taps: int, width: float, rate: float) -> float:
    """The window's shape for a transition band of 2 `width` (Kaiser 1974)."""
    attenuation = 2.285 * (taps - 1) * math.pi * (2 * width / (rate / 2)) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21) if attenuation > 21 else 0.0


def _window(taps: int, width: float, rate: float) -> tuple[Float[Tensor, "taps"], Float[Tensor, "taps"]]:
    """Places of the taps, in pictures, and the Kaiser window there, in float64 on the CPU."""
    beta = kaiser_beta(taps, width, rate)
    places = (torch.arange(taps, dtype=torch.float64, device="cpu") - (taps - 1) / 2) / rate
    return places, torch.kaiser_window(taps, False, beta, dtype=torch.float64, device="cpu")


def low_pass(taps: int, cutoff: float, width: float, rate: float) -> list[float]:
    """A sinc in a Kaiser window, of sum 1 (equations 5 and 6 of appendix C)."""
    places, window = _window(taps, width, rate)
    made = torch.sinc(2 * cutoff * places) * window
    return [float(tap) for tap in made / made.sum()]


def radial_low_pass(taps: int, cutoff: float, width: float, rate: float) -> Float[Tensor, "taps taps"]:
    """A jinc, the low-pass that is the same in all directions, in the window of both axes; of sum 1.

    `taps` is even, so that none lies at the centre.
    """
    places, window = _window(taps, width, rate)
    radius = (places[:, None].square() + places.square()).sqrt()
    made: Tensor = torch.special.bessel_j1(2 * math.pi * cutoff * radius) / radius * window[:, None] * window
    return made / made.sum()


class RadialDown(nn.Module):
    """A filter of two dimensions that equals its transpose, each `down`-th of its outputs, no border.

    Such a filter is a sum of filters along both axes, its eigenvectors; of a jinc in a window four matter. Planes of
    more than `DENSE` pixels a side go through depthwise convolutions instead.
    """

    left: Tensor
    right: Tensor
    taps: Tensor

    def __init__(self, size: int, taps: Float[Tensor, "t t"], down: int) -> None:
        super().__init__()
        values, vectors = torch.linalg.eigh(taps.double().cpu())
        kept = (values.abs() > NEGLIGIBLE * values.abs().max()).nonzero().flatten().tolist()
        parts = [fir_matrix(size, vectors[:, k].tolist(), down=down) for k in kept]
        self.size, self.by, self.dense = parts[0].shape[0], down, size <= DENSE
        self.register_buffer("taps", torch.tensor(taps.tolist()), persistent=False)
        self.register_buffer("left", torch.cat(parts), persistent=False)
        weighed = [part * float(values[k]) for part, k in zip(parts, kept, strict=True)]
        self.register_buffer("right", torch.cat(weighed, 1), persistent=False)

    def forward(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        return self.by_matrices(x) if self.dense else self.depthwise(x)

    def depthwise(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        """Through convolutions of one channel each."""
        c = x.shape[1]
        return F.conv2d(x, self.taps.to(x.dtype).expand(c, 1, -1, -1), stride=self.by, groups=c)

    def by_matrices(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        """The same, through products."""
        (b, c, n, _), m = x.shape, self.size
        down = torch.matmul(self.left, x.permute(0, 2, 3, 1).reshape(b, n, n * c))  # all parts, along the columns
        down = down.view(b, -1, m, n, c).transpose(1, 2).reshape(b * m, -1, c)
        return torch.matmul(self.right, down).view(b, m, m, c).permute(0, 3, 1, 2)


class FilteredLeaky(nn.Module):
    """Leaky ReLU of a continuous signal: more samples, the function, low-pass, fewer samples (figure 4 of the paper).

    The function runs at `OVER` times the higher of both rates.

    Canvases before and after have the same centre. Beyond the border of the first are zeros.

    Args:
        size: samples across the canvas that comes in.
        before, after: bands of what comes in and of what goes out, whose `canvas` is the size of the output.
        taps: length of the filters, in samples of the lower rate.
        radial: whether the second filter is the same in all directions.
    """

    def __init__(self, size: int, before: Band, after: Band, *, taps: int = 6, radial: bool = False) -> None:
        super().__init__()
        rate = max(before.rate, after.rate) * OVER
        up, down = rate // before.rate, rate // after.rate
        inner = down * (after.canvas - 1 + taps)  # as many as the second filter reaches
        lift = low_pass(taps * up, before.cutoff, before.width, rate)
        lo = (inner + taps * up - 2 - (size - 1) * up) // 2
        hi = inner + taps * up - 1 - size * up - lo
        self.up = Resample(size, [tap * up for tap in lift], up=up, pad=(lo, hi))
        if radial:
            sink = radial_low_pass(taps * down, after.cutoff, after.width, rate)
            self.down: nn.Module = RadialDown(self.up.size, sink, down)
        else:
            flat = low_pass(taps * down, after.cutoff, after.width, rate)
            self.down = Resample(self.up.size, flat, down=down)

    def forward(self, x: Float[Tensor, "b c n n"]) -> Float[Tensor, "b c m m"]:
        out: Tensor = self.down(F.leaky_relu(self.up(x), SLOPE))  # not in place: writing into a view costs copies
        return out
