"""Spec: what one example looks like, and how tensors become again what the user gave."""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import torch

from .batch import Batch
from .errors import DataError, SpecError, did_you_mean

if TYPE_CHECKING:
    from PIL import Image

S = TypeVar("S", bound="Spec")
HOMES = {"table": "tabular.spec"}  # kinds of data whose Spec is imported when one is met
COMBINATIONS = 1024  # of attributes that a spec keeps at most
CAPTIONED = 96  # pixels that a picture with a caption is wide, at least
CAPTION_LINES = 4


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):
    """What one example looks like. JSON both ways; saved with the model, so decoding needs no data set.

    `kind` names the subclass in JSON. A subclass is a frozen dataclass whose fields are JSON values.

    Attributes:
        repeats: whether equal examples are nothing unusual in such data.
        fills: whether such data reach both of their bounds, so that to use half of the range is a mistake.
    """

    kind: ClassVar[str]
    repeats: ClassVar[bool] = False
    fills: ClassVar[bool] = True

    @property
    @abstractmethod
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        """Lowest and highest value of each bounded batch entry; the trainer refuses a batch outside of them."""

    @abstractmethod
    def request(self, n: int, *, label: str | None = None, start: int = 0) -> Batch:
        """What to generate: a Batch of `n` conditions (indices, labels) that `Recipe.generate` fulfils.

        Conditions follow the shares of the training data unless `label` asks for one class. `start` is the
        number of the first example, so that a long request can be made in parts and stay the same.
        """

    @abstractmethod
    def decode(self, batch: Batch) -> list[Any]:
        """The examples in the user's own form (pictures, rows, strings)."""

    @abstractmethod
    def write(self, batch: Batch, folder: Path, *, start: int = 0) -> list[Path]:
        """Writes each example of `batch` to a file of its own in `folder`, numbered from `start`."""

    @abstractmethod
    def preview(self, batch: Batch, columns: int | None = None) -> Image.Image:
        """One picture of all examples of `batch`, for logs and reports."""

    def describe(self) -> list[tuple[str, ...]]:
        """What one example is made of, as a table's rows with its header first; empty where `notes` say it all."""
        return []

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls: type[S], data: Mapping[str, Any]) -> S:
        """The inverse of `to_json`, without `kind`.

        Raises:
            SpecError: a field is unknown or missing.
        """
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise SpecError(f"{cls.kind} spec has unknown fields: {', '.join(sorted(unknown))}")
        try:
            return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()})
        except TypeError as error:
            raise SpecError(f"{cls.kind} spec is incomplete: {error}") from None


def spec_from_json(data: Mapping[str, Any]) -> Spec:
    """The inverse of `Spec.to_json`.

    Raises:
        SpecError: unknown kind or unknown field.
    """
    kind = str(data.get("kind"))
    known = {c.kind: c for c in _concrete(Spec)}  # type: ignore[type-abstract]
    if kind not in known and kind in HOMES:
        importlib.import_module(f"gansmith.{HOMES[kind]}")
        known = {c.kind: c for c in _concrete(Spec)}  # type: ignore[type-abstract]
    if kind not in known:
        kinds = sorted({*known, *HOMES})
        raise SpecError(f"unknown kind of data {kind!r}; known: {', '.join(kinds)}.{did_you_mean(kind, kinds)}")
    return known[kind].from_json({name: value for name, value in data.items() if name != "kind"})


def _concrete(cls: type[Spec]) -> list[type[Spec]]:
    subclasses = [s for direct in cls.__subclasses__() for s in [direct, *_concrete(direct)]]
    return [s for s in subclasses if hasattr(s, "kind")]


@dataclass(frozen=True, kw_only=True)
class ImageSpec(Spec):
    """Square pictures. Batch: `x` (b c h w) in [-1, 1]; `y` int64, (b,) class numbers or (b, a) attributes, 0 or 1.

    Args:
        size: side in pixels.
        channels: 1 grey, 3 RGB, 4 RGBA.
        classes: names of the classes, in the order of their numbers; empty when unlabelled.
        class_counts: how many training pictures each class has.
        attributes: names of what a picture may have, several at once; not beside classes.
        combinations: which attributes occur together in the training pictures (of a sample of them where that is more
            than `COMBINATIONS`), as text of a 0 or 1 for each attribute; empty takes all as equally likely.
        combination_counts: how many of these pictures have each.
    """

    kind: ClassVar[str] = "image"
    size: int
    channels: int = 3
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()
    attributes: tuple[str, ...] = ()
    combinations: tuple[str, ...] = ()
    combination_counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.channels not in (1, 3, 4):
            raise SpecError(f"pictures have 1 (grey), 3 (RGB) or 4 (RGBA) channels, not: {self.channels}")
        if self.class_counts and len(self.class_counts) != len(self.classes):
            raise SpecError(f"{len(self.classes)} classes but {len(self.class_counts)} class counts")
        if self.classes and self.attributes:
            raise SpecError("pictures have either classes or attributes; these have both")
        if len(self.combination_counts) != len(self.combinations):
            raise SpecError(f"{len(self.combinations)} combinations but {len(self.combination_counts)} counts of them")
        if odd := [c for c in self.combinations if len(c) != len(self.attributes) or set(c) - {"0", "1"}]:
            raise SpecError(f"wanted a 0 or 1 for each of {len(self.attributes)} attributes, not: {odd[0]}")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the rows of any table of labels: the classes; or of each attribute `not NAME` and `NAME`."""
        return self.classes or tuple(text for name in self.attributes for text in (f"not {name}", name))

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {"x": (-1.0, 1.0)}

    def request(
        self, n: int, *, label: str | None = None, start: int = 0, where: Mapping[str, bool | int] | None = None
    ) -> Batch:
        """See `Spec.request`. `where` says which attributes pictures are to have (1) and which not (0); all others come
        as they do in the training pictures that fit it, or in all of them if none fits.

        Raises:
            DataError: no such class or attribute; the nearest is named.
        """
        index = torch.arange(start, start + n)
        if where and not self.attributes:
            raise DataError(f"this model knows no attributes; leave out: {', '.join(where)}")
        if not self.classes:
            if label is not None:
                instead = f"; ask by attributes: {', '.join(self.attributes[:20])}" if self.attributes else ""
                raise DataError(f"this model knows no classes; leave the label out: {label}{instead}")
            return Batch(index=index, y=self._attributes(index, where or {})) if self.attributes else Batch(index=index)
        if label is not None:
            if label not in self.classes:
                known = ", ".join(self.classes[:20])
                raise DataError(f"no class {label!r}; known: {known}.{did_you_mean(label, self.classes)}")
            return Batch(index=index, y=torch.full((n,), self.classes.index(label)))
        return Batch(index=index, y=self._labels(index))

    def _labels(self, index: torch.Tensor) -> torch.Tensor:
        """Labels in the shares of the data; a low-discrepancy sequence keeps the shares even in short requests."""
        return _in_shares(index, self.class_counts or (1,) * len(self.classes))

    def _attributes(self, index: torch.Tensor, where: Mapping[str, bool | int]) -> torch.Tensor:
        """Attributes (n, a) in the shares of the data, those of `where` as asked."""
        known, counts = self._known()
        fits = self._fitting(where)
        if fits:
            known, counts = [known[i] for i in fits], [counts[i] for i in fits]
        table = torch.tensor([[int(mark) for mark in combination] for combination in known])
        for name, value in where.items():
            table[:, self.attributes.index(name)] = int(value)
        return table[_in_shares(index, counts)]

    def occurs(self, where: Mapping[str, bool | int]) -> bool:
        """Whether there is a training picture with and without just these attributes, among those that were counted.

        Raises:
            DataError: no such attribute, or a value that is neither 0 nor 1.
        """
        return bool(self._fitting(where))

    def _fitting(self, where: Mapping[str, bool | int]) -> list[int]:
        """The combinations that have what is asked."""
        asked = {}
        for name, value in where.items():
            if name not in self.attributes:
                known = ", ".join(self.attributes[:20])
                raise DataError(f"no attribute {name!r}; known: {known}.{did_you_mean(name, self.attributes)}")
            if value not in (0, 1):
                raise DataError(f"a picture has the attribute {name} (1) or not (0), not: {value!r}")
            asked[self.attributes.index(name)] = str(int(value))
        return [i for i, text in enumerate(self._known()[0]) if all(text[a] == v for a, v in asked.items())]

    def _known(self) -> tuple[Sequence[str], Sequence[int]]:
        if self.combinations:
            return self.combinations, self.combination_counts
        every = ["".join(marks) for marks in islice(product("01", repeat=len(self.attributes)), COMBINATIONS)]
        return every, (1,) * len(every)

    def had(self, marks: Sequence[int]) -> list[str]:
        """Names of the attributes that are there, of one example's row of `y`."""
        return [name for name, mark in zip(self.attributes, marks, strict=True) if mark]

    def decode(self, batch: Batch) -> list[Any]:
        """PIL pictures of mode L, RGB or RGBA."""
        from PIL import Image

        pixels = self.pixels(batch)
        return [Image.fromarray(p.squeeze(-1).numpy() if self.channels == 1 else p.numpy()) for p in pixels]

    def pixels(self, batch: Batch) -> torch.Tensor:
        """uint8 pictures, (b h w c), on the CPU."""
        x = batch["x"].detach().float().cpu()
        return ((x + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def write(self, batch: Batch, folder: Path, *, start: int = 0) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for i, picture in enumerate(self.decode(batch), start):
            path = folder / f"{i:06d}.png"
            picture.save(path)
            paths.append(path)
        return paths

    def preview(self, batch: Batch, columns: int | None = None) -> Image.Image:
        """Pictures side by side; where they have attributes, larger, with the names of these below each."""
        from PIL import Image

        if self.attributes and "y" in batch:
            captions = [self.had(marks) or ["(none)"] for marks in batch["y"].tolist()]
            return _captioned(self.decode(batch), captions, columns)
        pixels = self.pixels(batch)
        n, size = len(pixels), self.size
        columns = columns or math.ceil(math.sqrt(n))
        rows = math.ceil(n / columns)
        sheet = torch.zeros(rows * columns, size, size, self.channels, dtype=torch.uint8)
        sheet[:n] = pixels
        sheet = sheet.view(rows, columns, size, size, -1).transpose(1, 2).reshape(rows * size, columns * size, -1)
        return Image.fromarray(sheet.squeeze(-1).numpy() if self.channels == 1 else sheet.numpy())


def _in_shares(index: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """A choice (n,) among as many as there are `counts`, each in its share; in turn where these are equal."""
    edges = torch.tensor(counts, dtype=torch.float64).cumsum(0) / sum(counts)
    if len(set(counts)) == 1:
        return index % len(counts)
    golden = (math.sqrt(5) - 1) / 2
    return torch.searchsorted(edges, (index.double() * golden) % 1.0, right=True).clamp(max=len(counts) - 1)


def _captioned(pictures: Sequence[Image.Image], captions: Sequence[Sequence[str]], columns: int | None) -> Image.Image:
    """Pictures, whole times enlarged so that words fit, each above the lines of its caption."""
    from PIL import Image, ImageDraw, ImageFont

    font, high = ImageFont.load_default(), 12
    size = pictures[0].width
    side = size * max(1, math.ceil(CAPTIONED / size))
    lines = min(max(map(len, captions)), CAPTION_LINES)
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    tall = side + high * lines + high // 2
    sheet = Image.new("RGB", (columns * (side + 4), math.ceil(len(pictures) / columns) * tall), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = i % columns * (side + 4), i // columns * tall
        sheet.paste(picture.convert("RGB").resize((side, side), Image.Resampling.NEAREST), (x, y))
        more = len(caption) - CAPTION_LINES
        said = [*caption[: CAPTION_LINES - 1], f"and {more + 1} more"] if more > 0 else caption
        for row, text in enumerate(said):
            while draw.textlength(text, font) > side:
                text = text[:-1]
            draw.text((x, y + side + high * row), text, "black", font)
    return sheet
