"""Attribute inference: who knows all of a person but one column learns that column from the synthetic table.

The attacker takes it from the synthetic row that is closest in the known columns. What counts is how much better that
works for people in the training data than for people who were held out: the rest is what anyone learns from a table
that tells the truth about the population. Beside it stands an attacker who knows the synthetic marginals alone.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...tabular.schema import DISCRETE, Column
from . import intervals
from .base import MeasuredOn, TableFigure
from .columns import Array
from .neighbours import CELLS, Nearest, Rows

TARGETS, MOST_SECRETS = 1_000, 24
CLOSE = 0.05  # a number counts as guessed within this part of the range between its 1st and 99th percentile


@dataclass(frozen=True)
class Secret:
    """One column as the secret: the share of rows whose value was guessed, each in [0, 1].

    Attributes:
        train, held_out: by the closest synthetic row, of training rows and of held-out rows.
        marginal: of training rows, by the value that is most common among synthetic rows.
        interval: 95 % interval of `train` less `held_out`, for this column alone.
    """

    name: str
    train: float
    held_out: float
    marginal: float
    interval: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"interval": list(self.interval)}


def attack(near: Nearest) -> tuple[list[TableFigure], list[Secret]]:
    """The attack on every column (the first 24 of a wide table).

    Args:
        near: over tables from `privacy.cut`; at most 1,000 of its `members` and `others` are attacked.
    """
    columns = near.tables.columns[:MOST_SECRETS]
    if len(near.tables.columns) < 2:
        return [], []
    won = {side: _won(near, side, columns) for side in ("members", "others")}
    marginal = [_by_marginal(near, c) for c in columns]
    secrets = [_secret(c.name, won["members"][:, i], won["others"][:, i], marginal[i]) for i, c in enumerate(columns)]
    return [_mean_gain(won["members"], won["others"], near), _worst(secrets, won, near)], secrets


def _secret(name: str, train: Array, test: Array, marginal: float) -> Secret:
    gain = intervals.difference(float(train.sum()), len(train), float(test.sum()), len(test))
    return Secret(name, float(train.mean()), float(test.mean()), marginal, gain)


def _won(near: Nearest, side: str, columns: tuple[Column, ...]) -> npt.NDArray[np.bool_]:
    """Whether each secret (columns) of each target (rows) was guessed."""
    targets = np.arange(min(TARGETS, near.tables.rows(side)))
    rows = _closest_without(near, side, len(targets), columns)
    return np.stack([_guessed(near, side, targets, "fake", rows[:, i], c) for i, c in enumerate(columns)], 1)


def _closest_without(near: Nearest, side: str, n: int, columns: tuple[Column, ...]) -> Rows:
    """Of the first n rows of a side, the closest synthetic row (n, columns) when one column does not count."""
    a, b = near.blocks(side), near.blocks("fake")
    place = {c.name: i for i, c in enumerate(near.tables.columns)}
    found = np.zeros((n, len(columns)), np.int64)
    wide_b, norms = np.concatenate(b, 1), [(x * x).sum(1) for x in b]
    total, block = np.sum(norms, axis=0), max(1, CELLS // len(wide_b))
    for start in range(0, n, block):
        part = slice(start, min(start + block, n))
        wide_a = np.concatenate([x[part] for x in a], 1)
        whole = total - 2 * (wide_a @ wide_b.T)
        for j, column in enumerate(columns):
            i = place[column.name]
            found[part, j] = (whole - (norms[i] - 2 * (a[i][part] @ b[i].T))).argmin(1)
    return found


def _guessed(
    near: Nearest, side: str, rows: Rows, guess_side: str, guesses: Rows, column: Column
) -> npt.NDArray[np.bool_]:
    """Whether row guesses[i] of one side has (nearly) the value of row rows[i] of the other."""
    truth = near.tables[side][column.name][rows]
    told = near.tables[guess_side][column.name][guesses]
    return _same(truth, told, near, column)


def _same(truth: Array, told: Array, near: Nearest, column: Column) -> npt.NDArray[np.bool_]:
    if column.kind in DISCRETE:
        return np.asarray(truth == told)
    gap = np.abs(truth - told) <= CLOSE * near.measure.span[column.name]
    return np.asarray(gap | (np.isnan(truth) & np.isnan(told)))


def _by_marginal(near: Nearest, column: Column) -> float:
    """The share of training rows guessed by the commonest synthetic value (the middle of the fullest window)."""
    fake = near.tables["fake"][column.name]
    truth = near.tables["members"][column.name][:TARGETS]
    if column.kind in DISCRETE:
        best = np.bincount(fake + 1).argmax() - 1
        return float((truth == best).mean())
    known = np.sort(fake[~np.isnan(fake)])
    if 2 * len(known) < len(fake):
        return float(np.isnan(truth).mean())
    width = 2 * CLOSE * near.measure.span[column.name]
    ends = np.searchsorted(known, known + width, "right")
    middle = known[(ends - np.arange(len(known))).argmax()] + width / 2
    return float(_same(truth, np.full(len(truth), middle), near, column).mean())


def _mean_gain(train: Array, test: Array, near: Nearest) -> TableFigure:
    """The mean gain over the columns; the columns of one row hang together, so rows are what is counted."""
    a, b = train.mean(1), test.mean(1)
    gain = float(a.mean() - b.mean())
    spread = intervals.Z * math.sqrt(float(a.var() / len(a) + b.var() / len(b)))
    return TableFigure(
        name="attribute-inference-gain",
        value=gain,
        better="low",
        interval=(gain - spread, gain + spread),
        reference=0.0,
        group="privacy",
        meaning="An attacker who knows all of a person but one column guesses it from the closest synthetic row; this "
        "is how much more often that succeeds for people in the training data than for held-out people, mean over "
        "columns: 0 when being in the data costs nobody anything.",
        protocol=_measured(near, len(a), len(b)),
    )


def _worst(secrets: list[Secret], won: dict[str, npt.NDArray[np.bool_]], near: Nearest) -> TableFigure:
    """The column of the largest gain, its interval widened for having been picked among all."""
    worst = max(secrets, key=lambda s: s.train - s.held_out)
    gain, n = worst.train - worst.held_out, len(won["members"])
    wider = _bonferroni(len(secrets)) / intervals.Z
    low, high = worst.interval
    return TableFigure(
        name="attribute-inference-worst-gain",
        value=gain,
        better="low",
        interval=(gain - (gain - low) * wider, gain + (high - gain) * wider),
        reference=0.0,
        group="privacy",
        meaning=f"The same for the column where it is largest, {worst.name!r}; its interval allows for the choice.",
        protocol=_measured(near, n, len(won["others"])),
    )


def _bonferroni(tests: int) -> float:
    """The normal quantile for a 95 % interval that holds for all of `tests` at once."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - 0.025 / tests)


def _measured(near: Nearest, train: int, test: int) -> MeasuredOn:
    detail = f"closest of the synthetic rows in all other columns; numbers within {CLOSE:.0%} of the range"
    return MeasuredOn(train, near.tables.rows("fake"), "train and held-out", test, detail)
