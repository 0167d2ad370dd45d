"""Spec: what one example looks like, and how tensors become again what the user gave."""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import torch

from .batch import Batch
from .errors import DataError, SpecError, did_you_mean

if TYPE_CHECKING:
    from PIL import Image

S = TypeVar("S", bound="Spec")
HOMES = {"table": "tabular.spec"}  # kinds of data whose Spec is imported when one is met


@dataclass(frozen=True, kw_only=True)
class Spec(ABC):
    """What one example looks like. JSON both ways; saved with the model, so decoding needs no data set.

    `kind` names the subclass in JSON. A subclass is a frozen dataclass whose fields are JSON values.
    """

    kind: ClassVar[str]

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
    """Square pictures. Batch: `x` (b c h w) in [-1, 1]; `y` (b,) int64 where there are classes.

    Args:
        size: side in pixels.
        channels: 1 grey, 3 RGB, 4 RGBA.
        classes: names of the classes, in the order of their numbers; empty when unlabelled.
        class_counts: how many training pictures each class has.
    """

    kind: ClassVar[str] = "image"
    size: int
    channels: int = 3
    classes: tuple[str, ...] = ()
    class_counts: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.channels not in (1, 3, 4):
            raise SpecError(f"pictures have 1 (grey), 3 (RGB) or 4 (RGBA) channels, not: {self.channels}")
        if self.class_counts and len(self.class_counts) != len(self.classes):
            raise SpecError(f"{len(self.classes)} classes but {len(self.class_counts)} class counts")

    @property
    def bounds(self) -> Mapping[str, tuple[float, float]]:
        return {"x": (-1.0, 1.0)}

    def request(self, n: int, *, label: str | None = None, start: int = 0) -> Batch:
        index = torch.arange(start, start + n)
        if not self.classes:
            if label is not None:
                raise DataError(f"this model knows no classes; leave the label out: {label}")
            return Batch(index=index)
        if label is not None:
            if label not in self.classes:
                known = ", ".join(self.classes[:20])
                raise DataError(f"no class {label!r}; known: {known}.{did_you_mean(label, self.classes)}")
            return Batch(index=index, y=torch.full((n,), self.classes.index(label)))
        return Batch(index=index, y=self._labels(index))

    def _labels(self, index: torch.Tensor) -> torch.Tensor:
        """Labels in the shares of the data; a low-discrepancy sequence keeps the shares even in short requests."""
        counts = self.class_counts or (1,) * len(self.classes)
        edges = torch.tensor(counts, dtype=torch.float64).cumsum(0) / sum(counts)
        if len(set(counts)) == 1:
            return index % len(counts)
        golden = (math.sqrt(5) - 1) / 2
        return torch.searchsorted(edges, (index.double() * golden) % 1.0, right=True).clamp(max=len(counts) - 1)

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
        from PIL import Image

        pixels = self.pixels(batch)
        n, size = len(pixels), self.size
        columns = columns or math.ceil(math.sqrt(n))
        rows = math.ceil(n / columns)
        sheet = torch.zeros(rows * columns, size, size, self.channels, dtype=torch.uint8)
        sheet[:n] = pixels
        sheet = sheet.view(rows, columns, size, size, -1).transpose(1, 2).reshape(rows * size, columns * size, -1)
        return Image.fromarray(sheet.squeeze(-1).numpy() if self.channels == 1 else sheet.numpy())
