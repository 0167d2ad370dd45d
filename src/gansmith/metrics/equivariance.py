"""Equivariance (Karras et al. 2021, arXiv:2106.12423, section 3.2 and appendix E): does detail move with the picture?

    EQ-T = 10 log10( I_max^2 / E |g(t[z0]; w) - T[g(z0; w)]|^2 )     in dB; t moves the generator's continuous input,
    EQ-R = 10 log10( I_max^2 / E |g(r[z0]; w) - R[g(z0; w)]|^2 )     T and R the finished picture; I_max = 2

Shifts are up to an eighth of the side, by whole pixels for `eq_t`, by any length for `eq_t_frac`; turns are by any
angle. Pictures are resampled by Lanczos filters of three lobes. A turned picture has lost the corners of its spectrum
that lie outside of the pixel grid's square, turned and not; R therefore takes them from both sides before comparing.
Only pixels whose filters see nothing beyond the border count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..errors import DataError
from .base import Working
from .probes import Latents
from .settings import counts

LOBES = 3  # of the Lanczos window
FINE = 4  # places between two pixels at which a turned picture is known
REACH = 0.125  # of the side, how far pictures are shifted
LEAST = 20  # side of pictures in which a pixel is far enough from the border
PEAK = 2.0  # from -1 to 1

Pictures = Float[Tensor, "b c h h"]
Compared = tuple[Tensor, Tensor, Tensor]  # both pictures, and which pixels count


class Equivariance:
    """EQ-T, EQ-T for parts of pixels, and EQ-R, in dB; higher is better.

    Args:
        samples: latents, each with a shift or turn of its own.
        batch: latents at once; a turned picture of n pixels a side takes 128 n^2 bytes a channel, several times over.

    Raises:
        ConfigError: fewer than 2 samples, which give no spread, or a batch below 1.
    """

    name: ClassVar[str] = "equivariance"
    higher: ClassVar[frozenset[str]] = frozenset({"eq_t", "eq_t_frac", "eq_r"})
    wishes: ClassVar[tuple[str, ...]] = ("transform",)

    def __init__(self, *, samples: int = 256, batch: int = 16) -> None:
        counts(self.name, 2, samples=samples)
        counts(self.name, batch=batch)
        self.samples, self.batch = samples, batch
        self.working: Working | None = None

    @torch.no_grad()
    def measure(self, latents: Latents, *, seed: int = 0) -> dict[str, float]:
        """`eq_t`, `eq_t_frac`, `eq_r`, and the standard error of each as its spread.

        Raises:
            DataError: the recipe cannot move its picture, or pictures are not finite or too small.
        """
        if latents.moved is None:
            raise DataError(
                "equivariance needs a generator that can move its input, such as stylegan3's (`transform` among "
                "what the recipe honours); this one cannot"
            )
        random, errors = torch.Generator().manual_seed(seed), dict[str, list[Tensor]]()
        for start in range(0, self.samples, self.batch):
            z = latents.draw(min(self.batch, self.samples - start), latents.dim, random)
            still = checked(latents.moved(z, torch.eye(3).expand(len(z), 3, 3)))
            for name, (draw, compare) in KINDS.items():
                a, b, seen = compare(still, partial(latents.moved, z), draw(len(z), still.shape[-1], random))
                errors.setdefault(name, []).append(mean_square(checked(a) - b, seen).cpu())
            if self.working is not None:
                self.working("latents moved", start + len(z), self.samples)
        found = {}
        for name, values in errors.items():
            found[name], found[f"{name}_std"] = decibels(torch.cat(values))
        return found

    def detail(self) -> str:
        return f"{self.samples} latents, shifts to 1/8, any angle, lanczos{LOBES}, I_max={PEAK:g}"


def checked(x: Tensor) -> Tensor:
    """Pictures, in float64.

    Raises:
        DataError: not finite, or so small that no pixel is far enough from the border.
    """
    if not bool(x.isfinite().all()):
        raise DataError("the generator made pictures with values that are NaN or infinite")
    if x.shape[-1] < LEAST:
        raise DataError(f"equivariance needs pictures of {LEAST} pixels a side or more, not: {x.shape[-1]}")
    return x.double()


def mean_square(difference: Pictures, seen: Float[Tensor, "b 1 h h"]) -> Float[Tensor, " b"]:
    """Over the channels and the pixels that count."""
    return (difference.square().mean(1, keepdim=True) * seen).sum((1, 2, 3)) / seen.sum((1, 2, 3))


def decibels(errors: Float[Tensor, " n"]) -> tuple[float, float]:
    """10 log10(I_max^2 / E), and its standard error; infinite where there is no error at all."""
    mean = float(errors.mean())
    if mean == 0:
        return math.inf, 0.0
    apart = float(errors.std()) / len(errors) ** 0.5
    return 10 * math.log10(PEAK**2 / mean), 10 / math.log(10) * apart / mean


def lanczos(t: Tensor) -> Tensor:
    """sinc(t) sinc(t / a) within a = 3 lobes, 0 beyond."""
    return torch.where(t.abs() < LOBES, torch.sinc(t) * torch.sinc(t / LOBES), 0.0)


def whole_shifts(n: int, size: int, random: torch.Generator) -> Float[Tensor, "n 2"]:
    """(x, y) in pixels."""
    return shifts(n, size, random).round()


def shifts(n: int, size: int, random: torch.Generator) -> Float[Tensor, "n 2"]:
    """(x, y) in pixels."""
    return (torch.rand(n, 2, generator=random, dtype=torch.float64) * 2 - 1) * REACH * size


def angles(n: int, size: int, random: torch.Generator) -> Float[Tensor, "n 1"]:
    """In radians, from the x axis to the y axis, which points down."""
    return torch.rand(n, 1, generator=random, dtype=torch.float64) * 2 * math.pi


Move = Callable[[Tensor], Tensor]


def shifted(still: Pictures, move: Move, by: Float[Tensor, "b 2"]) -> Compared:
    """The generator's picture moved at its input, and at its output."""
    b, _, n, _ = still.shape
    matrices = torch.eye(3).repeat(b, 1, 1)
    matrices[:, :2, 2] = 2 * by.float() / n
    by = by.to(still)
    across, down = along(n, by[:, 0]), along(n, by[:, 1])
    after = torch.einsum("bij,bcjk,blk->bcil", down, still, across)
    seen = inside(n, by[:, 1])[:, None, :, None] * inside(n, by[:, 0])[:, None, None, :]
    return move(matrices), after, seen


def along(n: int, by: Float[Tensor, " b"]) -> Float[Tensor, "b {n} {n}"]:
    """What shifts a row of pixels by so many to the right."""
    places = torch.arange(n, device=by.device, dtype=by.dtype)
    return lanczos(places[:, None] - by[:, None, None] - places)


def inside(n: int, by: Float[Tensor, " b"]) -> Float[Tensor, "b {n}"]:
    """1 where a shifted row's pixel is made of pixels alone, 0 where its filter goes beyond the border."""
    source = torch.arange(n, device=by.device, dtype=by.dtype) - by[:, None]
    reach = LOBES * (by != by.round()).to(by)[:, None]  # whole shifts need no filter
    return ((source >= reach) & (source <= n - 1 - reach)).to(by)


def turned(still: Pictures, move: Move, by: Float[Tensor, "b 1"]) -> Compared:
    """The generator's picture turned at its input, and at its output, both without what a turn loses."""
    n, by = still.shape[-1], by[:, 0].to(still)
    turn = torch.stack((by.cos(), -by.sin(), by.sin(), by.cos()), 1).view(-1, 2, 2)
    matrices = torch.eye(3).repeat(len(by), 1, 1)
    matrices[:, :2, :2] = turn.float().cpu()
    before = without_corners(checked(move(matrices)), turn)
    places = torch.arange(n, device=by.device, dtype=by.dtype) - (n - 1) / 2
    far = torch.hypot(places[:, None], places)
    # the second filter reaches its lobes on each axis, turned for the first
    seen = (far <= (n - 1) / 2 - (1 + 2**0.5) * LOBES).to(still)
    return before, rotated(still, turn), seen[None, None].expand(len(by), 1, n, n)


def fine_places(n: int, like: Tensor) -> Float[Tensor, " m"]:
    """Places of the fine grid along an axis, in pixels from the centre; it goes `LOBES` pixels beyond the border."""
    m = FINE * (n + 2 * LOBES)
    return (torch.arange(m, device=like.device, dtype=like.dtype) - (m - 1) / 2) / FINE


def rotated(x: Pictures, turn: Float[Tensor, "b 2 2"]) -> Pictures:
    """Each picture turned: interpolated on a fine grid of the new axes, then low-passed and sampled along these."""
    n = x.shape[-1]
    fine = fine_places(n, x)
    grid = torch.stack(torch.meshgrid(fine, fine, indexing="xy"), 2)
    source = torch.einsum("hwk,bkj->bhwj", grid, turn)  # R^-1 p
    lifted = interpolated(x, source + (n - 1) / 2)
    places = torch.arange(n, device=x.device, dtype=x.dtype) - (n - 1) / 2
    sink = lanczos(places[:, None] - fine) / FINE
    return torch.einsum("ij,bcjk,lk->bcil", sink, lifted, sink)


def interpolated(x: Pictures, source: Float[Tensor, "b y x 2"]) -> Float[Tensor, "b c y x"]:
    """Lanczos interpolation at places (x, y) in pixels, zeros beyond the border."""
    b, c, n, _ = x.shape
    (columns, across), (rows, down) = (met(source[..., k], n) for k in (0, 1))
    flat, out = x.flatten(2), x.new_zeros(b, c, *source.shape[1:3])
    for row, weight in zip(rows * n, down, strict=True):
        for column, by in zip(columns, across, strict=True):
            found = flat.gather(2, (row + column).flatten(1)[:, None].expand(b, c, -1)).view_as(out)
            out.addcmul_(found, (weight * by)[:, None])
    return out


def met(place: Float[Tensor, "b y x"], n: int) -> tuple[Tensor, Tensor]:
    """Pixels that a filter at these places of an axis meets, (6 b y x), and their weights, zero beyond the border."""
    near = torch.arange(1 - LOBES, LOBES + 1, device=place.device, dtype=place.dtype)
    at = place.floor() + near.view(-1, 1, 1, 1)
    return at.clamp(0, n - 1).long(), lanczos(place - at) * ((at >= 0) & (at < n))


def without_corners(x: Pictures, turn: Float[Tensor, "b 2 2"]) -> Pictures:
    """Each picture as it stands, but through both filters of `rotated`: along its axes, and along those of the turn."""
    b, c, n, _ = x.shape
    fine, places = fine_places(n, x), torch.arange(n, device=x.device, dtype=x.dtype) - (n - 1) / 2
    lift = lanczos(fine[:, None] - places)
    lifted = torch.einsum("ij,bcjk,lk->bcil", lift, x, lift)
    reach = math.ceil(2**0.5 * LOBES * FINE)
    offset = (torch.arange(2 * reach, device=x.device, dtype=x.dtype) - reach + 0.5) / FINE  # pixels lie between
    grid = torch.stack(torch.meshgrid(offset, offset, indexing="xy"), 2)
    kernels = lanczos(torch.einsum("hwk,bkj->bhwj", grid, turn)).prod(3) / FINE**2
    cut = fine_window(n, reach)
    padded = F.pad(lifted, (cut, cut, cut, cut))
    kernels = kernels.repeat_interleave(c, 0)[:, None]
    return F.conv2d(padded.reshape(1, b * c, *padded.shape[2:]), kernels, stride=FINE, groups=b * c).view(b, c, n, n)


def fine_window(n: int, reach: int) -> int:
    """Border (negative: crop) of the fine grid, so that a window of 2 `reach` stands around each pixel in turn."""
    return reach - FINE * LOBES - FINE // 2


KINDS: dict[str, tuple[Callable[..., Tensor], Callable[..., Compared]]] = {
    "eq_t": (whole_shifts, shifted),
    "eq_t_frac": (shifts, shifted),
    "eq_r": (angles, turned),
}
