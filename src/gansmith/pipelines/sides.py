"""The sides of a judgement of pictures: where they come from, at which size, how many, with which classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..data.build import are_grey, native_size, sides_between
from ..data.decode import FACTS
from ..data.find import list_pictures
from ..data.images import ImageSource
from ..data.listing import shown
from ..errors import DataError, SpecError, UserError
from ..spec import ImageSpec, Spec
from .generate import Generator

PART = 256
GLANCE = 256  # pictures that are looked at for colour
HARMLESS = ("padded", "rotated", "palette", "cmyk", "opaque")  # of FACTS: what changes no picture
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


def shared_classes(fake: Sequence[str], real: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The classes in which both sides are told: the real side's, where it has all of the other's; and else why not."""
    if not fake or not real:
        return (), ""
    if unknown := [name for name in fake if name not in real]:
        listed = ", ".join(unknown[:10]) + (f", and {len(unknown) - 10} more" if len(unknown) > 10 else "")
        return (), f"the classes of both sides must have the same names; only the generated pictures have: {listed}"
    return tuple(real), ""


def generated(make: Generator, n: int, seed: int, classes: Sequence[str] = ()) -> Iterator[Part]:
    """`n` pictures of a generator; with the classes that were asked for, numbered as `classes` has them, if it does."""
    spec, start = image_spec(make.spec), 0
    order = _renumbered(spec.classes, classes)
    for part in make.parts(n, seed=seed):
        pixels, asked = spec.pixels(part), spec.request(len(part), start=start)
        start += len(part)
        yield (pixels, order[asked["y"]]) if order is not None else pixels


def without_classes(parts: Iterable[Part]) -> Iterator[Tensor]:
    """The pictures alone."""
    for part in parts:
        yield part[0] if isinstance(part, tuple) else part


def heeds_classes(make: Generator) -> bool:
    """Whether another class makes another picture of the same noise: unconditional recipes pass classes over."""
    spec = image_spec(make.spec)
    if len(spec.classes) < 2:
        return False
    first, other = (make(1, seed=0, label=name).tensor for name in spec.classes[:2])
    return not torch.equal(first, other)


def folder_of_pictures(path: Any, n: int, seed: int, size: int | None, channels: int | None) -> Pictures:
    """Pictures made by anything, in whatever `ImageSource` takes, as they are unless `size` and `channels` say more."""
    if isinstance(path, Path) and path.is_dir() and not any(path.iterdir()):
        raise UserError(f"this folder is empty; wanted a run or generated pictures: {path}")
    found = ImageSource(path, size=size or side_of(path), channels=channels, cache=False)
    return Pictures(found, some(len(found), n, seed))


def side_of(data: Any, split: str | None = None) -> int | None:
    """The side in pixels of the pictures as they are; None where none can be read."""
    return native_size(list_pictures(data, split)) or None


def _differing(data: Any, split: str | None = None) -> str:
    """Says so where pictures differ in size among themselves; else an empty string."""
    low, high = sides_between(list_pictures(data, split))
    return f" (the middle one: they differ among themselves, from {low} to {high})" if low < high else ""


def agreeing(
    fakes: ImageSpec, made: Any, data: Any, split: str | None, *, size: int | None, channels: int | None
) -> None:
    """Refuses plain folders whose pictures differ in size or colour: bringing them together changes the figures.

    Args:
        fakes: what the generated pictures are taken as.
        made: these pictures.
        data: the real ones.
        split: of the real ones.
        size: the side that was asked for.
        channels: those that were asked for.

    Raises:
        DataError: says how to decide it.
    """
    real = side_of(data, split)
    if size is None and real is not None and real != fakes.size:
        raise DataError(
            f"the generated pictures are {fakes.size} pixels a side{_differing(made)}, the real ones "
            f"{real}{_differing(data, split)}; resizing changes figures, so say it: --size {min(fakes.size, real)} "
            "brings both to one size"
        )
    if channels is None and are_grey(list_pictures(data, split)) != (fakes.channels == 1):
        kinds = ("grey", "colour") if fakes.channels == 1 else ("colour", "grey")
        raise DataError(
            f"the generated pictures are {kinds[0]}, the real ones {kinds[1]}; resizing and colour change figures, so "
            "say it: --channels 1 brings both to grey, --channels 3 takes grey as colour"
        )


def bent(source: ImageSource, side: str) -> list[str]:
    """What was done to pictures so that they could be judged, and which were left out: a sentence each, or none."""
    report, spec = source.report, image_spec(source.spec)
    quiet = {FACTS[fact].format(n=f"{n:,}") for fact in HARMLESS for n in report.conversions.values()}
    done = [words for words in report.conversions if words not in quiet]
    if spec.channels > 1 and _all_grey(source):
        done.append("they are grey, and were taken as colour")
    said = []
    if done:
        size = in_words(spec)
        said.append(f"the {side} pictures were brought to {size}, which moves figures: {'; '.join(done)}")
    if skipped := report.skipped:
        listed = "; ".join(f"{shown(name)}: {reason}" for name, reason in skipped[:3])
        more = f"; and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        said.append(f"{len(skipped):,} of {report.found:,} {side} pictures cannot be used: {listed}{more}")
    return said


def _all_grey(source: ImageSource) -> bool:
    """Whether the colours of a sample of the pictures are all equal."""
    pixels = source.pixels[:: max(1, len(source.pixels) // GLANCE)]
    return bool((pixels[..., :3] == pixels[..., :1]).all())


def in_words(spec: ImageSpec) -> str:
    """`32 x 32 pixels, grey`."""
    kind = {1: "grey", 3: "colour", 4: "colour with transparency"}[spec.channels]
    return f"{spec.size} x {spec.size} pixels, {kind}"


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
