"""Transforms: columns that networks learn in place of others, so that a constraint holds by construction.

Each takes canonical columns (`tabular/schema.py`) out, puts others in, and knows the way back.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ...errors import CheckpointError
from ...tabular.schema import Canonical, Column, Schema
from .constraints import Mask
from .keys import hashes_of_numbers

Columns: TypeAlias = dict[str, npt.NDArray[Any]]
MOST_COMBINATIONS = 20_000  # more of them are no category any longer


class Transform(ABC):
    """A fitted transform.

    Attributes:
        takes: columns of the user's that it replaces.
    """

    kind: ClassVar[str]
    takes: tuple[str, ...]

    @abstractmethod
    def forward(self, canonical: Canonical) -> Columns:
        """The columns that replace those taken."""

    @abstractmethod
    def backward(self, canonical: Canonical) -> Columns:
        """The columns taken, again."""

    @abstractmethod
    def columns(self, schema: Schema) -> tuple[Column, ...]:
        """What the new columns are."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Gaps(Transform):
    """Columns in rising order as the first of them and the gaps to the next, which are never negative; or, where the
    first has missing values, as the last and the gaps to the one before.

    Args:
        takes: in rising order.
        least: the smallest gap allowed, in canonical units (0, or one step of a strict inequality).
        limits: lowest and highest gap of the training data, for each.
        down: whether the last column is the one that stays.
    """

    kind: ClassVar[str] = "gaps"
    takes: tuple[str, ...]
    least: float
    limits: tuple[tuple[float, float], ...]
    down: bool = False

    @property
    def order(self) -> tuple[str, ...]:
        """The one that stays first, then each next."""
        return self.takes[::-1] if self.down else self.takes

    @property
    def names(self) -> list[str]:
        pairs = zip(self.takes, self.takes[1:], strict=False)
        found = [f"{high} - {low}" for low, high in pairs]
        return found[::-1] if self.down else found

    def forward(self, canonical: Canonical) -> Columns:
        return {self.order[0]: canonical[self.order[0]]} | gaps(canonical, self.order, self.names)

    def backward(self, canonical: Canonical) -> Columns:
        found = {self.order[0]: canonical[self.order[0]]}
        for name, before, gap in zip(self.order[1:], self.order, self.names, strict=False):
            step = np.maximum(canonical[gap], self.least)
            found[name] = found[before] - step if self.down else found[before] + step
        return found

    def columns(self, schema: Schema) -> tuple[Column, ...]:
        whole = all(schema[name].kind == "integer" for name in self.takes)
        decimals = [schema[name].decimals for name in self.takes if schema[name].kind == "float"]
        digits = None if None in decimals else max((d for d in decimals if d is not None), default=None)
        nulls = any(schema[name].nulls for name in self.order[1:])
        made = [
            Column(
                name=name,
                kind="integer" if whole else "float",
                dtype="float64",
                nulls=nulls,
                decimals=None if whole else digits,
                low=low,
                high=high,
            )
            for name, (low, high) in zip(self.names, self.limits, strict=True)
        ]
        return (schema[self.order[0]], *made)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "takes": list(self.takes),
            "least": self.least,
            "limits": [list(pair) for pair in self.limits],
            "down": self.down,
        }


def gaps(canonical: Canonical, order: Sequence[str], names: Sequence[str]) -> Columns:
    """What lies between each column and the one before it in `order`."""
    pairs = zip(order, order[1:], names, strict=False)
    return {name: np.abs(canonical[after] - canonical[before]) for before, after, name in pairs}


@dataclass(frozen=True)
class Combined(Transform):
    """Several columns as one category: each combination that the training data have.

    Args:
        takes: the columns.
        values: of each combination, most frequent first: canonical values, None for a missing one.
        counts: training rows of each.
        discrete: those of the columns whose canonical values are codes.
    """

    kind: ClassVar[str] = "combined"
    takes: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    counts: tuple[int, ...]
    discrete: tuple[str, ...]

    @property
    def name(self) -> str:
        return " + ".join(self.takes)

    @cached_property
    def table(self) -> npt.NDArray[np.float64]:
        """Canonical values of each combination, (combinations, columns)."""
        return np.array(self.values, dtype=np.float64).reshape(len(self.values), len(self.takes))

    @cached_property
    def _known(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        hashes = hashes_of_numbers(self.table)
        order = np.argsort(hashes)
        return hashes[order], order

    def codes(self, canonical: Canonical) -> npt.NDArray[np.int64]:
        """The number of each row's combination, -1 for one that the training data do not have."""
        hashes = hashes_of_numbers(matrix_of(canonical, self.takes))
        known, numbers = self._known
        at = np.searchsorted(known, hashes).clip(max=len(known) - 1)
        return np.where(known[at] == hashes, numbers[at], -1)

    def holds(self, canonical: Canonical) -> Mask:
        """Which rows have a combination of the training data."""
        return np.asarray(self.codes(canonical) >= 0)

    def forward(self, canonical: Canonical) -> Columns:
        return {self.name: self.codes(canonical)}

    def backward(self, canonical: Canonical) -> Columns:
        rows = self.table[canonical[self.name]]
        found: Columns = {name: np.ascontiguousarray(rows[:, i]) for i, name in enumerate(self.takes)}
        return {name: v.astype(np.int64) if name in self.discrete else v for name, v in found.items()}

    def columns(self, schema: Schema) -> tuple[Column, ...]:
        names = tuple(json.dumps(list(combination)) for combination in self.values)
        return (Column(name=self.name, kind="category", dtype="str", categories=names, counts=self.counts),)

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "takes": list(self.takes),
            "values": [list(v) for v in self.values],
            "counts": list(self.counts),
            "discrete": list(self.discrete),
        }


def matrix_of(canonical: Canonical, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Canonical columns side by side, (n, columns) float64."""
    return np.stack([np.asarray(canonical[name], dtype=np.float64) for name in names], 1)


def transform_from_json(data: Mapping[str, Any]) -> Transform:
    """The inverse of `Transform.to_json`.

    Raises:
        CheckpointError: an unknown kind, or a field that is missing.
    """
    kind = data.get("kind")
    try:
        if kind == Gaps.kind:
            limits = tuple((float(low), float(high)) for low, high in data["limits"])
            return Gaps(tuple(data["takes"]), float(data["least"]), limits, bool(data["down"]))
        if kind == Combined.kind:
            values = tuple(tuple(v) for v in data["values"])
            return Combined(tuple(data["takes"]), values, tuple(data["counts"]), tuple(data["discrete"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the transform {kind!r} of a constraint is not this version's: {error}") from None
    raise CheckpointError(f"no transform {kind!r}; known: {Gaps.kind}, {Combined.kind}")


def as_identifier(column: Column) -> Column:
    """A whole-number key: nothing to learn in it, and unique by counting on from the highest of the training data."""
    return replace(column, kind="identifier", fill="sequence", special=())
