"""Values that change over the samples seen: learning rate, gamma, EMA half-life, augmentation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias


@dataclass(frozen=True)
class Cosine:
    """From `start` to `end` along half a cosine over the first `over` samples, then constant.

    In YAML and on the command line: `{start: 2e-4, end: 5e-5, over: 20000000}`.
    """

    start: float
    end: float
    over: int
    kind: Literal["cosine"] = "cosine"

    def at(self, samples: float) -> float:
        done = min(max(samples / self.over, 0.0), 1.0)
        return self.end + (self.start - self.end) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Linear:
    """From `start` to `end` in a straight line from sample `begin` to `begin + over`, constant elsewhere.

    In YAML and on the command line: `{kind: linear, start: 0, end: 0.5, over: 100000}`.
    """

    start: float
    end: float
    over: int
    begin: int = 0
    kind: Literal["linear"] = "linear"

    def at(self, samples: float) -> float:
        done = min(max((samples - self.begin) / self.over, 0.0), 1.0)
        return self.start + (self.end - self.start) * done


@dataclass(frozen=True)
class Exponential:
    """`start` times `factor` to the power of samples / `over`, until it reaches `end`.

    In YAML and on the command line: `{kind: exponential, start: 0.1, factor: 0.5, over: 100000, end: 1e-6}`.
    """

    start: float
    factor: float
    over: int
    end: float
    kind: Literal["exponential"] = "exponential"

    def at(self, samples: float) -> float:
        value = self.start * math.exp(math.log(self.factor) * samples / self.over)
        return max(value, self.end) if self.factor < 1 else min(value, self.end)


Scheduled: TypeAlias = float | Cosine | Linear | Exponential


def ramped(half_life: float) -> Linear:
    """The half-life of an average that forgets its beginning: a tenth of the samples so far, until it is `half_life`.

    A constant one would keep a quarter of the untrained weights after two half-lives, and short runs be judged by them.
    """
    return Linear(0.0, half_life, round(10 * half_life))


def at(value: Scheduled, samples: float) -> float:
    """The value of a constant or a schedule after `samples` samples."""
    return value if isinstance(value, int | float) else value.at(samples)


def scaled(value: Scheduled, by: float) -> Scheduled:
    """The same constant or schedule, `by` times as large at every moment."""
    if isinstance(value, int | float):
        return value * by
    return replace(value, start=value.start * by, end=value.end * by)
