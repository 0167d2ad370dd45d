"""StyleGAN3's generator (Karras 2021, arXiv:2106.12423): from Fourier features to pictures without aliases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..alias_free import Band, FilteredLeaky
from ..equalized import RECTIFIED, EqualConv2d, EqualLinear
from ..modulated import Modulated

OUTPUT = 0.25  # of the last layer, so that pictures begin pale


class FourierFeatures(nn.Module):
    """Waves of random directions and phases across the canvas, moved and turned by the style, then mixed.

    The style gives (r_c, r_s, t_x, t_y): a turn whose cosine and sine are r / |r|, and a shift t / |r|, in pictures
    (appendix F.1). At first all styles give the identity.

    Args:
        channels: waves, and channels of the result.
        band: of the result; no wave is above its cutoff.
        style: length of w.
    """

    frequencies: Tensor
    phases: Tensor
    places: Tensor

    def __init__(self, channels: int, band: Band, style: int) -> None:
        super().__init__()
        self.band = band
        radius, angle = band.cutoff * torch.rand(channels).sqrt(), 2 * math.pi * torch.rand(channels)
        self.register_buffer("frequencies", torch.stack((radius * angle.cos(), radius * angle.sin()), 1))
        self.register_buffer("phases", torch.rand(channels))
        along = (torch.arange(band.canvas) - (band.canvas - 1) / 2) / band.rate
        grid = torch.stack(torch.meshgrid(along, along, indexing="xy"), 2)
        self.register_buffer("places", grid, persistent=False)  # x before y
        self.affine = EqualLinear(style, 4, gain=1.0)
        self.mix = EqualConv2d(channels, channels, 1, bias=False, gain=1.0)
        with torch.no_grad():
            self.affine.weight.zero_()
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))

    def forward(
        self, w: Float[Tensor, "b style"], transform: Float[Tensor, "b 3 3"] | None = None
    ) -> Float[Tensor, "b c n n"]:
        """`transform` maps the plane, in which pictures span [-1, 1] on both axes, and moves the picture with it."""
        waves, phases = self._learned(self.affine(w).to(self.places))
        if transform is not None:
            waves, phases = moved(waves, phases, transform.to(waves))
        waves, phases = waves[..., None, None], phases[:, :, None, None]
        angles = self.places[..., 0] * waves[:, :, 0] + self.places[..., 1] * waves[:, :, 1] + phases
        above = (torch.hypot(waves[:, :, 0], waves[:, :, 1]) - self.band.cutoff) / (
            self.band.rate / 2 - self.band.cutoff
        )
        out: Tensor = self.mix((2 * math.pi * angles).sin() * (1 - above).clamp(0, 1))
        return out

    def _learned(self, said: Float[Tensor, "b 4"]) -> tuple[Float[Tensor, "b c 2"], Float[Tensor, "b c"]]:
        """The waves as the style moves them: what was at R^-1 (p - t) is at p."""
        r_c, r_s, t_x, t_y = said.unbind(1)
        length = torch.hypot(r_c, r_s)
        c, s = r_c / length, r_s / length
        back = torch.stack((c, s, -s, c), 1).view(-1, 2, 2)
        waves = through(self.frequencies[None], back)
        shift = torch.stack((t_x, t_y), 1) / length[:, None]
        return waves, self.phases - (waves * shift[:, None]).sum(2)


def moved(
    waves: Float[Tensor, "b c 2"], phases: Float[Tensor, "b c"], transform: Float[Tensor, "b 3 3"]
) -> tuple[Float[Tensor, "b c 2"], Float[Tensor, "b c"]]:
    """The waves of a picture that a map of [-1, 1]^2 moves: what was at A^-1 p is at p."""
    back = torch.linalg.inv(transform)
    shift = back[:, None, :2, 2] / 2  # waves count pictures, which are two units wide
    return through(waves, back[:, :2, :2]), phases + (waves * shift).sum(2)


def through(waves: Float[Tensor, "#b c 2"], matrix: Float[Tensor, "b 2 2"]) -> Float[Tensor, "b c 2"]:
    """f M, the waves f . (M p). Written out, as half precision would blur what a product makes of them."""
    return waves[..., :1] * matrix[:, None, 0] + waves[..., 1:] * matrix[:, None, 1]


class AliasFreeLayer(nn.Module):
    """Modulated convolution over the whole canvas, bias, filtered leaky ReLU.

    Inputs are divided by their root mean square, a running one: the buffer `magnitude` is the mean square, which moves
    in passes within `Synthesis.following` alone.

    Args:
        before, after: bands of input and output.
        kernel: side of the convolution.
        taps, radial: of the filters.
        last: whether this is the last layer, to the picture: neither demodulated nor rectified.
    """

    magnitude: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style: int,
        before: Band,
        after: Band,
        *,
        kernel: int,
        taps: int,
        radial: bool,
        last: bool = False,
    ) -> None:
        super().__init__()
        kernel = 1 if last else kernel
        self.conv = Modulated(inputs, outputs, kernel, style, demodulate=not last, pad=kernel - 1)
        self.bias = nn.Parameter(torch.zeros(outputs))
        size = before.canvas + kernel - 1
        self.leaky = None if last else FilteredLeaky(size, before, after, taps=taps, radial=radial)
        self.register_buffer("magnitude", torch.ones(()))
        self.gain, self.share = OUTPUT if last else RECTIFIED, 0.0

    def forward(self, x: Float[Tensor, "b c n n"], w: Float[Tensor, "b style"]) -> Float[Tensor, "b d m m"]:
        if self.share:
            self.magnitude.lerp_(x.float().square().mean(), self.share)
        y, left = self.conv(x, w)
        y = (y * (left * (self.gain * self.magnitude.rsqrt()))).add_(self.bias[:, None, None] * self.gain)
        out: Tensor = y if self.leaky is None else self.leaky(y)
        return out


class Synthesis(nn.Module):
    """From styles to pictures.

    Args:
        specs: bands of the input and of each layer (see `alias_free.bands`).
        widths: channels of the same, the last being those of the picture.
        style: length of w.
        kernel: side of the convolutions.
        taps: length of the filters, in samples.
        radial: whether low-passes are the same in all directions, but for the `critical` last layers.
    """

    def __init__(
        self,
        specs: Sequence[Band],
        widths: Sequence[int],
        style: int,
        *,
        kernel: int = 3,
        taps: int = 6,
        radial: bool = False,
        critical: int = 2,
    ) -> None:
        super().__init__()
        self.input = FourierFeatures(widths[0], specs[0], style)
        self.layers = nn.ModuleList()
        last = len(specs) - 1
        for i, (after, outputs) in enumerate(zip(specs, widths, strict=True)):
            before, inputs = (specs[i - 1], widths[i - 1]) if i else (after, outputs)
            free = radial and i < last - critical
            layer = AliasFreeLayer(
                inputs, outputs, style, before, after, kernel=kernel, taps=taps, radial=free, last=i == last
            )
            self.layers.append(layer)
        self.copies = len(self.layers) + 1  # styles that it takes

    def forward(
        self, ws: Float[Tensor, "b layers style"], transform: Float[Tensor, "b 3 3"] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """Pictures of styles, the first for the input. `transform`: see `FourierFeatures`."""
        x: Tensor = self.input(ws[:, 0], transform)
        for i, layer in enumerate(self.layers, 1):
            x = layer(x, ws[:, i])
        return x

    @contextmanager
    def following(self, share: float) -> Iterator[None]:
        """Within, a pass moves the magnitudes of all layers by `share` towards what it sees."""
        layers = [layer for layer in self.layers if isinstance(layer, AliasFreeLayer)]
        for layer in layers:
            layer.share = share
        try:
            yield
        finally:
            for layer in layers:
                layer.share = 0.0
