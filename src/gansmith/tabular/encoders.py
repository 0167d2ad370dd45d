"""Encoders: how one canonical column becomes numbers that networks learn, and comes back. Fitted, frozen, JSON.

A column turns into *scalars* (numbers in [-1, 1], from a tanh) and *codes* (whole numbers, each from a softmax).
That compact form is what is stored; `TableSpec.expand` makes the networks' input of it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import SpecError
from .monotone import Monotone

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Codes: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Encoder(ABC):
    """A fitted encoding of one column."""

    kind: ClassVar[str]

    @property
    @abstractmethod
    def scalars(self) -> int:
        """How many numbers in [-1, 1]."""

    @property
    @abstractmethod
    def choices(self) -> tuple[int, ...]:
        """The size of each choice."""

    @property
    def ordinary(self) -> int:
        """How many codes of the (first) choice, the first ones, leave it to the scalars what the value is."""
        return 0

    @abstractmethod
    def encode(self, values: npt.NDArray[Any], rng: np.random.Generator) -> tuple[Floats, Codes]:
        """(n,) canonical values -> (n, scalars) float64 in [-1, 1], (n, len(choices)) int64."""

    @abstractmethod
    def decode(self, scalars: Floats, codes: Codes, rng: np.random.Generator) -> npt.NDArray[Any]:
        """The inverse: (n, scalars), (n, len(choices)) -> (n,) canonical values."""

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


def encoder_from_json(data: Mapping[str, Any]) -> Encoder:
    """The inverse of `Encoder.to_json`.

    Raises:
        SpecError: an unknown encoder, or one that lacks a field.
    """
    kinds = {cls.kind: cls for cls in (Choice, Modes, Quantile, Moment)}
    cls = kinds.get(str(data.get("kind")))
    if cls is None:
        raise SpecError(f"no encoder {data.get('kind')!r}; known: {', '.join(kinds)}")
    values: dict[str, Any] = {k: v for k, v in _tuples(data).items() if k != "kind"}
    if set(values) != {f.name for f in fields(cls)}:
        raise SpecError(f"the encoder {cls.kind} has the fields {', '.join(f.name for f in fields(cls))}")
    if "day" in values:
        values["day"] = Quantile(**_tuples(values["day"]))
    made: Encoder = cls(**values)
    return made


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}


@dataclass(frozen=True, kw_only=True)
class Choice(Encoder):
    """A discrete column as one choice: a code for each of the first `top` categories, then one for all the rest
    together where there are more, then one for a missing value.

    Args:
        weights: how many training rows each category has; decides which of the rest is drawn.
        top: categories with a code of their own.
        nulls: whether there is a code for a missing value.
    """

    kind: ClassVar[str] = "choice"
    weights: tuple[float, ...]
    top: int
    nulls: bool

    @property
    def scalars(self) -> int:
        return 0

    @property
    def choices(self) -> tuple[int, ...]:
        return (self.top + self.has_rest + self.nulls,)

    @property
    def has_rest(self) -> bool:
        return len(self.weights) > self.top

    def encode(self, values: npt.NDArray[Any], rng: np.random.Generator) -> tuple[Floats, Codes]:
        codes = np.minimum(values, self.top) if self.has_rest else values
        if self.nulls:
            codes = np.where(values < 0, self.choices[0] - 1, codes)
        return np.zeros((len(values), 0)), codes.astype(np.int64)[:, None]

    def decode(self, scalars: Floats, codes: Codes, rng: np.random.Generator) -> npt.NDArray[Any]:
        found = codes[:, 0].copy()
        rest = (found == self.top) if self.has_rest else np.zeros(len(found), dtype=bool)
        if self.nulls:
            found[found == self.choices[0] - 1] = -1
        if rest.any():
            shares = np.asarray(self.weights[self.top :], dtype=np.float64) + 1e-12
            found[rest] = self.top + rng.choice(len(shares), rest.sum(), p=shares / shares.sum())
        return found


def _split_special(
    values: npt.NDArray[Any], special: tuple[float, ...], nulls: bool, first: int
) -> tuple[npt.NDArray[np.bool_], Codes]:
    """Which values are ordinary, and the code of those that are not (`first` for the first special value)."""
    codes = np.zeros(len(values), dtype=np.int64)
    ordinary = np.ones(len(values), dtype=bool)
    for i, value in enumerate(special):
        at = values == value
        codes[at], ordinary[at] = first + i, False
    if nulls:
        at = np.isnan(values)
        codes[at], ordinary[at] = first + len(special), False
    return ordinary, codes


def _join_special(
    values: npt.NDArray[Any], codes: Codes, special: tuple[float, ...], nulls: bool, first: int
) -> npt.NDArray[Any]:
    """The inverse: special and missing values put where their codes say."""
    for i, value in enumerate(special):
        values[codes == first + i] = value
    if nulls:
        values[codes == first + len(special)] = np.nan
    return values


@dataclass(frozen=True, kw_only=True)
class Modes(Encoder):
    """A number as its mode in a Gaussian mixture and its place there, (x - mean) / (4 std) (mode-specific
    normalisation, Xu et al. 2019, arXiv:1907.00503, section 4.2), with codes of their own for special and missing
    values (mixed-type encoder, Zhao et al. 2021, arXiv:2102.08369, section 3.2).

    Args:
        means, stds, weights: of the mixture's components, (k,).
        special, nulls: see `Column`.
        log: whether the mixture is over sign(x) log(1 + |x|), for long tails.
    """

    kind: ClassVar[str] = "modes"
    means: tuple[float, ...]
    stds: tuple[float, ...]
    weights: tuple[float, ...]
    special: tuple[float, ...] = ()
    nulls: bool = False
    log: bool = False

    @property
    def ordinary(self) -> int:
        return len(self.means)

    @property
    def scalars(self) -> int:
        return 1

    @property
    def choices(self) -> tuple[int, ...]:
        return (len(self.means) + len(self.special) + self.nulls,)

    def encode(self, values: npt.NDArray[Any], rng: np.random.Generator) -> tuple[Floats, Codes]:
        ordinary, codes = _split_special(values, self.special, self.nulls, len(self.means))
        x = self._forward(np.asarray(values, dtype=np.float64)[ordinary])
        means, stds = np.asarray(self.means), np.asarray(self.stds)
        z = (x[:, None] - means) / stds
        score = np.log(np.asarray(self.weights)) - np.log(stds) - 0.5 * z**2
        mode = (score + rng.gumbel(size=score.shape)).argmax(1)  # a draw from the responsibilities
        scalars = np.zeros((len(values), 1))
        scalars[ordinary, 0] = np.clip(z[np.arange(len(x)), mode] / 4, -0.99, 0.99)
        codes[ordinary] = mode
        return scalars, codes[:, None]

    def decode(self, scalars: Floats, codes: Codes, rng: np.random.Generator) -> npt.NDArray[Any]:
        mode = np.minimum(codes[:, 0], len(self.means) - 1)
        x = scalars[:, 0] * 4 * np.asarray(self.stds)[mode] + np.asarray(self.means)[mode]
        return _join_special(self._backward(x), codes[:, 0], self.special, self.nulls, len(self.means))

    def _forward(self, x: Floats) -> Floats:
        return np.sign(x) * np.log1p(np.abs(x)) if self.log else x

    def _backward(self, x: Floats) -> Floats:
        return np.sign(x) * np.expm1(np.abs(x)) if self.log else x.astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class Quantile(Encoder):
    """A number as its place in the training distribution, uniform in [-1, 1]; a value that many rows share gets the
    whole interval of its share, at random within it, so that the scalar stays uniform and comes back exactly.

    Args:
        values: ascending knots of the distribution.
        left, right: the share of training rows below each knot, and up to it; (k,) in [0, 1].
        special, nulls: see `Column`.
    """

    kind: ClassVar[str] = "quantile"
    values: tuple[float, ...]
    left: tuple[float, ...]
    right: tuple[float, ...]
    special: tuple[float, ...] = ()
    nulls: bool = False

    @property
    def ordinary(self) -> int:
        return 1

    @property
    def scalars(self) -> int:
        return 1

    @property
    def choices(self) -> tuple[int, ...]:
        extra = len(self.special) + self.nulls
        return (1 + extra,) if extra else ()

    def encode(self, values: npt.NDArray[Any], rng: np.random.Generator) -> tuple[Floats, Codes]:
        ordinary, codes = _split_special(values, self.special, self.nulls, 1)
        x = np.asarray(values, dtype=np.float64)[ordinary]
        scalars = np.zeros((len(values), 1))
        scalars[ordinary, 0] = 2 * self._place(x, rng) - 1
        return scalars, codes[:, None] if self.choices else np.zeros((len(values), 0), dtype=np.int64)

    def _place(self, x: Floats, rng: np.random.Generator) -> Floats:
        """The share of rows below each value: on a knot at random within its share, between knots on the line."""
        knots, left, right = np.asarray(self.values), np.asarray(self.left), np.asarray(self.right)
        at = np.searchsorted(knots, x).clip(0, len(knots) - 1)
        before = (at - 1).clip(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.nan_to_num((x - knots[before]) / (knots[at] - knots[before])).clip(0, 1)
        on = knots[at] == x
        low = np.where(on, left[at], right[before])
        return np.asarray(
            low + (left[at] - right[before]) * np.where(on, 0, share) + (right - left)[at] * on * rng.random(len(x))
        )

    @cached_property
    def _back(self) -> Monotone:
        """From a place to its value: flat from left to right of each knot, rising between knots."""
        return Monotone(np.stack([self.left, self.right], 1).ravel(), np.repeat(self.values, 2))

    def decode(self, scalars: Floats, codes: Codes, rng: np.random.Generator) -> npt.NDArray[Any]:
        x = self._back((np.asarray(scalars[:, 0], dtype=np.float64) + 1) / 2)
        return _join_special(x, codes[:, 0], self.special, self.nulls, 1) if self.choices else x


@dataclass(frozen=True, kw_only=True)
class Moment(Encoder):
    """A date with a time of day: its day as a Quantile, and the time as an angle, (sin, cos) of its share of the day;
    the day's own cycle is thereby closed at midnight.

    Args:
        day: the Quantile over days since 1970, special and missing values included.
    """

    kind: ClassVar[str] = "moment"
    day: Quantile

    DAY: ClassVar[float] = 86_400e6  # microseconds

    @property
    def ordinary(self) -> int:
        return 1

    @property
    def scalars(self) -> int:
        return 3

    @property
    def choices(self) -> tuple[int, ...]:
        return self.day.choices

    def encode(self, values: npt.NDArray[Any], rng: np.random.Generator) -> tuple[Floats, Codes]:
        days = np.floor(values / self.DAY)
        angle = 2 * math.pi * np.nan_to_num(values / self.DAY - days)
        place, codes = self.day.encode(days, rng)
        return np.concatenate([place, np.sin(angle)[:, None], np.cos(angle)[:, None]], 1), codes

    def decode(self, scalars: Floats, codes: Codes, rng: np.random.Generator) -> npt.NDArray[Any]:
        days = np.round(self.day.decode(scalars[:, :1], codes, rng))
        share = np.arctan2(scalars[:, 1], scalars[:, 2]) / (2 * math.pi) % 1.0
        return np.asarray((days + share) * self.DAY)
