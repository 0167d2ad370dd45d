"""Editor: what can be done with a trained generator beyond drawing from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image
from torch import Tensor, nn

from ...batch import Batch
from ...errors import UserError
from ..generate import Generator, Samples, Where
from ..truncation import Truncation
from .directions import Directions, ganspace, sefa
from .invert import Inverted, invert
from .space import Space, blended

Along: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]
MOVING = (".gif", ".webp", ".png", ".apng")


class Editor:
    """Interpolation, style mixing, inversion and directions of one generator.

    Seeds are those of `make(1, seed=...)`: the same number gives the same picture everywhere.

    Args:
        make: a trained generator of pictures, from `gs.load`.

    Raises:
        UserError: it makes no pictures, or has no latent.
    """

    def __init__(self, make: Generator) -> None:
        self.space = Space(make)

    def interpolate(
        self,
        seeds: Sequence[int],
        frames: int = 8,
        *,
        label: str | None = None,
        where: Where | None = None,
        truncation: Truncation | None = None,
        loop: bool = False,
    ) -> Samples:
        """From the picture of one seed to that of the next, `frames` steps each; the last picture is that of the last.

        Where there are styles, along straight lines in w; else in z, along great circles where z is normal (slerp,
        Shoemake 1985; White 2016, arXiv:1609.04468) and straight lines where it is uniform.

        Args:
            label: of all pictures.
            where: attributes of all pictures, as `make` takes them.
            truncation: of styles; below 1, likelier and less varied; a number, or one for each class.
            loop: whether to return to the first seed, so that a film has no seam.

        Raises:
            UserError: fewer than two seeds, or truncation without styles.
        """
        if len(seeds) < 2:
            raise UserError(f"interpolation goes between at least two seeds; came: {len(seeds)}")
        stops = [*seeds, seeds[0]] if loop else list(seeds)
        z = self.space.latents(stops)
        y = self._same_label(len(stops), label, where)
        if self.space.styled:
            ws = self.space.styles(z, y, truncation)
            return self.space.of_styles(_between(ws, frames, straight, loop))
        self._refuse(truncation)
        path = _between(z, frames, slerp if self.space.normal else straight, loop)
        return self.space.pictures(path, self._same_label(len(path), label, where))

    def classes(
        self, labels: Sequence[str | Where], frames: int = 8, *, seed: int = 0, truncation: Truncation | None = None
    ) -> Samples:
        """One latent under one class after another, the classes' embeddings mixed in between.

        Args:
            labels: names of classes; of pictures with attributes, which they are to have: `{"smiling": 1}`.
            truncation: of styles, each class's towards its own mean; see `interpolate`.

        Raises:
            UserError: fewer than two classes, or a recipe whose G has no embedding of classes.
            DataError: an unknown class or attribute.
        """
        if len(labels) < 2:
            raise UserError(f"class interpolation goes between at least two classes; came: {len(labels)}")
        numbers = torch.cat([self.space.one_label(label) for label in labels])
        steps = torch.arange((len(labels) - 1) * frames + 1, device=self.space.device)
        first = (steps // frames).clamp(max=len(labels) - 2)
        share = (steps - first * frames) / frames
        z = self.space.latents([seed]).expand(len(steps), -1)
        a, b = numbers[first], numbers[first + 1]
        if self.space.styled:
            first_ws, last_ws = (self.space.styles(z, y, truncation) for y in (a, b))
            return self.space.of_styles(torch.lerp(first_ws, last_ws, share[:, None, None]))
        self._refuse(truncation)
        if not any(isinstance(module, nn.Embedding) for module in self.space.g.modules()):
            raise UserError(f"the generator of {self.space.make.name} has no embedding of classes to mix")
        made = []
        for i in range(len(steps)):  # one at a time: the hook mixes what one pass asks for
            with blended(self.space.g, a[i : i + 1], b[i : i + 1], share[i : i + 1]):
                made.append(self.space.pictures(z[:1], a[i : i + 1]).tensor)
        return Samples(Batch(x=torch.cat(made)), self.space.spec)

    def mix(
        self,
        rows: Sequence[int],
        columns: Sequence[int],
        *,
        layers: tuple[int, int] | None = None,
        label: str | None = None,
        where: Where | None = None,
        truncation: Truncation | None = None,
    ) -> Samples:
        """A grid of len(rows) + 1 by len(columns) + 1 pictures: each of a row with some styles of a column's.

        The first row and the first column are the sources. (Karras 2018, arXiv:1812.04948, figure 3.)

        Args:
            layers: first and last (exclusive) layer that take the column's style; the coarse third by default.
            label, where: see `interpolate`.

        Raises:
            UserError: a generator without styles, or layers that are not there.
        """
        self.space.need_styles("style mixing")
        ws = {
            name: self.space.styles(self.space.latents(seeds), self._same_label(len(seeds), label, where), truncation)
            for name, seeds in (("rows", rows), ("columns", columns))
        }
        count = ws["rows"].shape[1]
        low, high = layers or (0, max(1, count // 3))
        if not 0 <= low < high <= count:
            raise UserError(f"layers are numbered 0 to {count}, the first before the last; came: {low} to {high}")
        mixed = ws["rows"][:, None].repeat(1, len(columns), 1, 1)
        mixed[:, :, low:high] = ws["columns"][None, :, low:high]
        empty = torch.full((1, *self.space.of_styles(ws["rows"][:1]).tensor.shape[1:]), -1.0)
        x = [empty, self.space.of_styles(ws["columns"]).tensor]
        left = self.space.of_styles(ws["rows"]).tensor
        for i, row in enumerate(mixed):
            x += [left[i : i + 1], self.space.of_styles(row).tensor]
        return Samples(Batch(x=torch.cat(x)), self.space.spec)

    def invert(
        self,
        picture: Image.Image | Path | str,
        *,
        into: str = "w+",
        steps: int = 300,
        label: str | None = None,
        where: Where | None = None,
    ) -> Inverted:
        """The style whose picture is nearest to a given one; see `invert.invert`."""
        return invert(self.space, picture, into=into, steps=steps, label=label, where=where)

    def directions(self, method: str = "sefa", count: int = 5, *, layers: tuple[int, int] | None = None) -> Directions:
        """The latent directions that change pictures most: `sefa` of the weights, `ganspace` of drawn latents.

        Raises:
            UserError: an unknown method, or layers that are not there.
        """
        if method not in ("sefa", "ganspace"):
            raise UserError(f"directions are found by sefa or ganspace, not: {method}")
        return (sefa if method == "sefa" else ganspace)(self.space, count, layers)

    def move(
        self,
        seeds: Sequence[int],
        directions: Directions,
        number: int = 0,
        *,
        reach: float = 3.0,
        frames: int = 7,
        label: str | None = None,
        where: Where | None = None,
        truncation: Truncation | None = None,
    ) -> Samples:
        """Pictures of each seed moved along one direction, from -reach to reach; a row for each seed.

        Args:
            label, where: see `interpolate`.
            truncation: of styles, before they are moved; see `interpolate`.

        Raises:
            UserError: no direction of that number, or truncation without styles.
        """
        way = directions.vector(number)
        by = torch.linspace(-reach, reach, frames, device=self.space.device)
        z, y = self.space.latents(seeds), self._same_label(len(seeds), label, where)
        if not self.space.styled:
            self._refuse(truncation)
            moved = z[:, None] + by[None, :, None] * way
            return self.space.pictures(moved.flatten(0, 1), None if y is None else y.repeat_interleave(frames, 0))
        low, high = directions.layers
        ws = self.space.styles(z, y, truncation)[:, None].repeat(1, frames, 1, 1)
        ws[:, :, low:high] += by[None, :, None, None] * way
        return self.space.of_styles(ws.flatten(0, 1))

    def _same_label(self, n: int, label: str | None, where: Where | None) -> Tensor | None:
        """Class numbers: of `label`, else the first class throughout, so that classes do not jump from step to step;
        of attributes, the first combination of those that fit `where`."""
        if label is None and self.space.spec.classes:
            label = self.space.spec.classes[0]
        y = self.space.labels(n, label, where)
        return y if y is None or y.ndim == 1 else y[:1].expand_as(y)

    def _refuse(self, truncation: Truncation | None) -> None:
        if truncation is not None:
            self.space.need_styles("truncation")


def straight(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Along the line from a to b, (m, ...) for shares (m,)."""
    return torch.lerp(a[None], b[None], share.view(-1, *[1] * a.ndim))


def slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Along the great circle from a to b, lengths in between those of both; (m, n) for shares (m,)."""
    long_a, long_b = a.norm(), b.norm()
    angle = torch.acos((torch.dot(a, b) / (long_a * long_b)).clamp(-1, 1))
    if float(angle) < 1e-4 or float(angle) > math.pi - 1e-4:
        return straight(a, b, share)
    t = share[:, None]
    way = (torch.sin((1 - t) * angle) * a / long_a + torch.sin(t * angle) * b / long_b) / torch.sin(angle)
    return torch.mul(way, torch.lerp(long_a, long_b, t))


def _between(stops: Tensor, frames: int, along: Along, loop: bool) -> Tensor:
    """`frames` steps from each stop to the next; the last stop itself unless it is the first again."""
    share = torch.arange(frames, device=stops.device) / frames
    parts = [along(a, b, share) for a, b in pairwise(stops)]
    return torch.cat(parts if loop else [*parts, stops[-1:]])


def film(samples: Samples, path: Path | str, *, seconds: float = 0.08, scale: int = 1) -> Path:
    """Writes pictures one after another into a moving one: GIF, WebP or APNG (`.png`).

    Args:
        seconds: that each is shown.
        scale: times which they are enlarged.

    Raises:
        UserError: another ending.
    """
    path = Path(path)
    if path.suffix.lower() not in MOVING:
        raise UserError(f"a moving picture ends in {', '.join(MOVING)}; came: {path.name}")
    frames = [p.resize((p.width * scale, p.height * scale), Image.Resampling.NEAREST) for p in samples]
    path.parent.mkdir(parents=True, exist_ok=True)
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=int(1000 * seconds), loop=0)
    return path
