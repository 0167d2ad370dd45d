"""FastGAN's players (Liu et al. 2021, arXiv:2101.04775): few layers, gates that skip, a D that draws what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

BASE = 4  # side of G's smallest features
END = 8  # side of D's smallest features
WHOLE = 256  # side from which on D halves by blocks; larger pictures are brought to it by plain layers
# G's channels at each side, in widths
MULTIPLES = {4: 16, 8: 8, 16: 4, 32: 2, 64: 2, 128: 1, 256: 0.5, 512: 0.25, 1024: 0.125}
GATING = 32  # side up to which features open gates
LEAST = 4  # channels


def sides(first: int, last: int) -> list[int]:
    """`first`, twice that, ... `last`; downwards where `last` is smaller; empty where nothing lies between."""
    low, high = min(first, last), max(first, last)
    found = [low << i for i in range((high // low).bit_length())]
    return found if first <= last else found[::-1]


class Doubling(nn.Module):
    """Twice the side by repetition, then one or two layers of: 3x3 convolution, noise, batch normalisation, GLU.

    Args:
        inputs, outputs: channels.
        layers: 1 or 2.
        noisy: whether they add noise for each pixel, of a learned strength that starts at zero.
    """

    def __init__(self, inputs: int, outputs: int, layers: int = 1, noisy: bool = False) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(outputs if i else inputs, 2 * outputs, 3, padding=1, bias=False) for i in range(layers)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(2 * outputs) for _ in range(layers))
        self.strength = nn.Parameter(torch.zeros(layers)) if noisy else None

    def forward(
        self, x: Float[Tensor, "b c h w"], noise: Float[Tensor, "b layers h2 w2"] | None = None
    ) -> Float[Tensor, "b d h2 w2"]:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = conv(x)
            if self.strength is not None and noise is not None:
                x = torch.addcmul(x, noise[:, i : i + 1].to(x.dtype), self.strength[i].to(x.dtype))
            x = F.glu(norm(x), 1)
        return x


class SkipExcitation(nn.Module):
    """y * s(W2 a(W1 pool(x))): features of a small side open and close the channels of a large one (equation 1).

    x is averaged to 4x4 places, of which W1 is one filter; a is leaky ReLU, s the logistic function.
    """

    def __init__(self, small: int, large: int) -> None:
        super().__init__()
        self.read = nn.Conv2d(small, large, BASE, bias=False)
        self.gate = nn.Conv2d(large, large, 1, bias=False)

    def forward(self, x: Float[Tensor, "b c s s"], y: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        hidden = F.leaky_relu(self.read(F.adaptive_avg_pool2d(x, BASE)), 0.1)
        return y * torch.sigmoid(self.gate(hidden))


class Generator(nn.Module):
    """Latent -> 4x4 features -> doublings, some of them gated by features a few doublings before -> picture in (-1, 1).

    Args:
        latent: length of z.
        size, channels: of the picture.
        width: channels at 128 pixels; see `MULTIPLES` for others.
        far: how many times as large as the features that gate them gated ones are.
        layers: of every other doubling, beginning with the first; the others have one.
        noisy: whether these doublings add noise.

    Attributes:
        noises: layers and side of the noise that each doubling takes; with 0 layers it takes none.
    """

    def __init__(
        self, latent: int, size: int, channels: int, width: int, *, far: int = 16, layers: int = 2, noisy: bool = True
    ) -> None:
        super().__init__()
        self.sides = sides(BASE, size)
        widths = {side: max(int(MULTIPLES[side] * width), LEAST) for side in self.sides}
        self.start = nn.ConvTranspose2d(latent, 2 * widths[BASE], BASE, bias=False)
        self.norm = nn.BatchNorm2d(2 * widths[BASE])
        rich = [i % 2 == 0 for i in range(len(self.sides) - 1)]
        self.doublings = nn.ModuleList(
            Doubling(widths[side // 2], widths[side], layers if more else 1, noisy and more)
            for side, more in zip(self.sides[1:], rich, strict=True)
        )
        self.noises = [(layers * (noisy and more), side) for side, more in zip(self.sides[1:], rich, strict=True)]
        self.gates = nn.ModuleDict()
        self.far = far
        for side in self.sides:
            if BASE <= side // far <= GATING:
                self.gates[str(side)] = SkipExcitation(widths[side // far], widths[side])
        self.to_picture = nn.Conv2d(widths[size], channels, 3, padding=1)

    def forward(
        self, z: Float[Tensor, "b latent"], noise: Sequence[Tensor | None] | None = None
    ) -> Float[Tensor, "b c h w"]:
        """`noise`: (b layers n n) for each of `noises` that takes some, else None."""
        x = F.glu(self.norm(self.start(z[:, :, None, None])), 1)
        features, given = {BASE: x}, noise or [None] * len(self.doublings)
        for side, doubling, noise_i in zip(self.sides[1:], self.doublings, given, strict=True):
            x = doubling(x, noise_i)
            if str(side) in self.gates:
                x = self.gates[str(side)](features[side // self.far], x)
            features[side] = x
        picture: Tensor = self.to_picture(x)
        return picture.tanh()


class Halving(nn.Module):
    """The mean of two ways to half the side: 4x4 steps of 2 and a 3x3 filter; and means of 2x2 pixels and 1x1 filters.

    Batch normalisation and leaky ReLU follow every filter.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.filtered = nn.Sequential(
            *normed(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False)),
            *normed(nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)),
        )
        self.pooled = nn.Sequential(nn.AvgPool2d(2), *normed(nn.Conv2d(inputs, outputs, 1, bias=False)))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h2 w2"]:
        return torch.add(self.filtered(x), self.pooled(x)) / 2


def normed(conv: nn.Conv2d) -> list[nn.Module]:
    """A convolution, batch normalisation of what it gives, leaky ReLU."""
    return [conv, nn.BatchNorm2d(conv.out_channels), nn.LeakyReLU(0.2, inplace=True)]


class Decoder(nn.Module):
    """8x8 features -> doublings -> a picture of `size` pixels in (-1, 1).

    Args:
        inputs: channels of the features.
        size, channels: of the picture; 8 pixels at least.
        width: channels at 128 pixels; at smaller ones as many times more as G has.
    """

    def __init__(self, inputs: int, size: int, channels: int, width: int) -> None:
        super().__init__()
        widths = [inputs] + [max(int(MULTIPLES[side] * width), LEAST) for side in sides(END, size)[1:]]
        pairs = pairwise(widths)
        self.doublings = nn.Sequential(*(Doubling(wide, narrow) for wide, narrow in pairs))
        self.to_picture = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b d 8 8"]) -> Float[Tensor, "b c s s"]:
        picture: Tensor = self.to_picture(self.doublings(x))
        return picture.tanh()


class Discriminator(nn.Module):
    """Picture -> halvings -> features of 16 and of 8 pixels -> 5x5 logits, one for each part of the picture.

    Two decoders draw the picture again: one all of it, from the features of 8 pixels, one a part, from 8x8 of those of
    16 pixels.

    Args:
        size, channels: of the picture, from 16 pixels on.
        width: channels at 64 pixels, doubled at each halving.
        decoded: side of what the decoders draw, at most.
        d_width: the decoders' width, see `Decoder`.
    """

    def __init__(self, size: int, channels: int, width: int, decoded: int = 128, d_width: int = 32) -> None:
        super().__init__()
        self.size = size
        widths = {side: max(width * 64 // side, LEAST) for side in sides(END, WHOLE)}
        whole = min(size, WHOLE)
        self.stem = nn.Sequential(*_stem(size, channels, widths[whole]))
        down = sides(whole, END)
        self.halvings = nn.ModuleList(Halving(widths[a], widths[b]) for a, b in pairwise(down))
        self.before = nn.Sequential(*normed(nn.Conv2d(widths[END], 2 * widths[END], 1, bias=False)))
        self.head = nn.Conv2d(2 * widths[END], 1, 4, bias=False)
        self.draw_whole = Decoder(widths[END], min(size, decoded), channels, d_width)
        self.draw_part = Decoder(widths[2 * END], min(size // 2, decoded), channels, d_width)

    def forward(
        self, x: Float[Tensor, "b c h w"]
    ) -> tuple[Float[Tensor, "b 25"], Float[Tensor, "b d 16 16"], Float[Tensor, "b e 8 8"]]:
        """Logits, and the features of 16 and of 8 pixels."""
        x = self.stem(x)
        for halving in self.halvings[:-1]:
            x = halving(x)
        small: Tensor = self.halvings[-1](x)
        logits: Tensor = self.head(self.before(small))
        return logits.flatten(1), x, small


def _stem(size: int, channels: int, outputs: int) -> list[nn.Module]:
    """A 3x3 filter; for pictures above 256 pixels steps of 2 instead, of which the first are not normalised."""
    if size <= WHOLE:
        return [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    layers: list[nn.Module] = [nn.Conv2d(channels, outputs, 4, 2, 1, bias=False), nn.LeakyReLU(0.2, inplace=True)]
    for _ in range(len(sides(WHOLE, size)) - 2):
        layers += normed(nn.Conv2d(outputs, outputs, 4, 2, 1, bias=False))
    return layers


def cropped(x: Float[Tensor, "b c h h"], side: int, corner: Tensor, step: int = 1) -> Float[Tensor, "b c side side"]:
    """Of each picture the square of `side` pixels that begins at `step` times its `corner` (b, 2), row and column."""
    at = torch.arange(side, device=x.device)
    rows, columns = (step * corner[:, i, None] + at for i in range(2))
    found = x.gather(2, rows[:, None, :, None].expand(-1, x.shape[1], -1, x.shape[3]))
    return found.gather(3, columns[:, None, None, :].expand(-1, x.shape[1], side, -1))
