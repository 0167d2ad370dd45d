"""The sides of a judgement of pictures: where they come from, at which size, how many, with which classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.build import are_grey, native_size
from ..data.find import list_pictures
from ..data.images import ImageSource
from ..errors import DataError, SpecError, UserError
from ..spec import ImageSpec, Spec
from .generate import Generator

PART = 256
Part = Tensor | tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Pictures:
    """Some pictures of a source.

    Args:
        source: holds them.
        rows: which.
        classes: the order of classes in which labels are told; empty tells none.
    """

    source: ImageSource
    rows: Tensor
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def key(self) -> str:
        """What these pictures are, for the cache of features."""
        whole = len(self.rows) == len(self.source)
        picked = "all" if whole else f"{len(self.rows)}-{int(self.rows.sum())}-{int(self.rows[:7].prod())}"
        return f"{self.source.fingerprint}/{picked}/{','.join(self.classes)}"

    def parts(self) -> Iterator[Part]:
        """uint8 pictures (b h w c), with their classes (b,) where these are told."""
        spec = image_spec(self.source.spec)
        order = _renumbered(spec.classes, self.classes)
        for part in self.rows.split(PART):
            batch = self.source.batch(part, torch.device("cpu"))
            pixels = spec.pixels(batch)
            yield (pixels, order[batch["y"]]) if order is not None and "y" in batch else pixels


def _renumbered(own: Sequence[str], wanted: Sequence[str]) -> Tensor | None:
    """The number among `wanted` of each of a source's own classes; None where classes are not wanted.

    Raises:
        DataError: a class that the other side does not have.
    """
    if not own or not wanted:
        return None
    if unknown := [name for name in own if name not in wanted]:
        raise DataError(f"the classes of both sides must be the same; only one has: {', '.join(unknown[:10])}")
    return torch.tensor([list(wanted).index(name) for name in own])


def generated(make: Generator, n: int, seed: int) -> tuple[ImageSpec, Iterator[Part]]:
    """`n` pictures of a generator, with the classes that were asked for where it heeds them."""
    spec = image_spec(make.spec)
    told = heeds_classes(make)

    def parts() -> Iterator[Part]:
        start = 0
        for part in make.parts(n, seed=seed):
            pixels, asked = spec.pixels(part), spec.request(len(part), start=start)
            start += len(part)
            yield (pixels, asked["y"]) if told else pixels

    return spec, parts()


def heeds_classes(make: Generator) -> bool:
    """Whether another class makes another picture of the same noise: unconditional recipes pass classes over."""
    spec = image_spec(make.spec)
    if len(spec.classes) < 2:
        return False
    first, other = (make(1, seed=0, label=name).tensor for name in spec.classes[:2])
    return not torch.equal(first, other)


def folder_of_pictures(path: Path, n: int, seed: int, size: int | None, channels: int | None) -> Pictures:
    """Pictures made by anything, from a folder or a zip, as they are unless `size` and `channels` say otherwise."""
    if path.is_dir() and not any(path.iterdir()):
        raise UserError(f"this folder is empty; wanted a run or generated pictures: {path}")
    found = ImageSource(path, size=size or side_of(path), channels=channels, cache=False)
    return Pictures(found, some(len(found), n, seed))


def side_of(data: Any, split: str | None = None) -> int | None:
    """The side in pixels of the pictures as they are; None where none can be read."""
    return native_size(list_pictures(data, split)) or None


def agreeing(fakes: ImageSpec, data: Any, split: str | None, *, size: int | None, channels: int | None) -> None:
    """Refuses plain folders whose pictures differ in size or colour: bringing them together changes the figures.

    Raises:
        DataError: says how to decide it.
    """
    real = side_of(data, split)
    if size is None and real is not None and real != fakes.size:
        raise DataError(
            f"the generated pictures are {fakes.size} pixels a side, the real ones {real}; resizing changes figures, "
            f"so say it: --size {min(fakes.size, real)} brings both to one size"
        )
    if channels is None and are_grey(list_pictures(data, split)) != (fakes.channels == 1):
        kinds = ("grey", "colour") if fakes.channels == 1 else ("colour", "grey")
        raise DataError(
            f"the generated pictures are {kinds[0]}, the real ones {kinds[1]}; resizing and colour change figures, so "
            "say it: --channels 1 brings both to grey"
        )


def image_spec(spec: Spec) -> ImageSpec:
    """The same, if it is of pictures.

    Raises:
        SpecError: it is not.
    """
    if not isinstance(spec, ImageSpec):
        raise SpecError(f"only pictures can be judged so; these are: {spec.kind}")
    return spec


def some(count: int, n: int, seed: int) -> Tensor:
    """At most `n` of `count` rows, drawn without replacement, in order."""
    return shuffled(count, seed)[:n].sort().values if count > n else torch.arange(count)


def rest(count: int, n: int, seed: int) -> Tensor:
    """At most `n` further rows, none of them among `some(count, n, seed)`."""
    return shuffled(count, seed)[n : 2 * n].sort().values if count > n else torch.arange(0)


def shuffled(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))
