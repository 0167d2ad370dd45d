"""The Metric protocol, and the protocol string that every printed figure carries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

Reduction = Literal["sum", "cat"]


@runtime_checkable
class Extractor(Protocol):
    """A frozen network that turns uint8 pictures into features.

    Attributes:
        name: short name that the figures carry: `inception`, `fashion`, `random`.
        resize: how it resizes: `tf-bilinear`, `clean`, `none`.
        digest: sha256 of its weights, first 12 hex digits.
        dim: number of features.
    """

    name: str
    resize: str
    digest: str
    dim: int

    def __call__(self, pixels: Tensor) -> Tensor:
        """uint8 pictures (b h w c), 1, 3 or 4 channels, any size -> float32 features (b, dim)."""
        ...


@dataclass(frozen=True)
class MeasuredBy:
    """How a figure was measured; `str()` of it stands beside the figure.

    Args:
        extractor: its name.
        resize: how it resized.
        digest: of its weights.
        n_real: pictures of the data.
        n_fake: generated ones.
        split: the part of the data that they were compared with.
        dtype: of the features.
        detail: the metric's own settings, e.g. `k=3`.
    """

    extractor: str
    resize: str
    digest: str
    n_real: int
    n_fake: int
    split: str
    dtype: str = "f32"
    detail: str = ""

    def __str__(self) -> str:
        detail = f"{self.detail}, " if self.detail else ""
        return (
            f"{self.extractor}(n_real={self.n_real}, n_fake={self.n_fake}, split={self.split}, "
            f"resize={self.resize}, {detail}{self.dtype}, weights={self.digest})"
        )


@dataclass(frozen=True)
class Figure:
    """One measured number with the protocol it was measured by."""

    name: str
    value: float
    protocol: MeasuredBy
    spread: float | None = None

    def __str__(self) -> str:
        spread = "" if self.spread is None else f" ± {self.spread:.4g}"
        return f"{self.name}-{self.protocol} = {self.value:.4g}{spread}"

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "spread": self.spread, "protocol": str(self.protocol)}


@runtime_checkable
class Metric(Protocol):
    """A streaming metric over features: feed both sides in parts of any size, merge processes, compute.

    `states` declares each accumulator and how two of them combine; a distributed run reduces them so.
    """

    states: ClassVar[dict[str, Reduction]]

    def update(self, features: Tensor, *, real: bool) -> None:
        """Adds features (b, d) of one side."""
        ...

    def merge(self, other: Any) -> None:
        """Adds what `other`, a metric of the same class, has seen."""
        ...

    def compute(self) -> dict[str, float]:
        """Figures by name; a spread stands under `NAME_std`."""
        ...

    def detail(self) -> str:
        """The metric's own settings, as they were used, for the protocol: `k=3`."""
        ...


def as_float64(features: Tensor) -> Tensor:
    return features.to(torch.float64)
