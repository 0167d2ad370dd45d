"""Membership inference with shadow models: the likelihood-ratio attack (Carlini et al. 2022, arXiv:2112.03570).

The attacker knows how the synthesizer works and trains it several times on random halves of similar data. For each
target person it thus learns how near the synthetic rows come when the person was in the data and when not; the
likelihood ratio of the two then says, of one more synthetic table, whether the person was in.

    statistic    t = -log(d + 0.01), d the distance of the target to the closest synthetic row
    ratio        normal densities of t with and without the target, means by target (shrunk to the mean difference of
                 all), one variance
    evaluation   each shadow model in turn is the one attacked, by what the others have shown

It takes any synthesizer: a callable that trains on a table and returns a synthetic one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from ...errors import DataError
from ...tabular.schema import Schema
from . import intervals
from .base import MeasuredOn, TableFigure
from .columns import align, pick
from .neighbours import Floats, Nearest

if TYPE_CHECKING:
    import pandas as pd

TrainAndSample: TypeAlias = "Callable[[pd.DataFrame, int], pd.DataFrame]"
Progress: TypeAlias = Callable[[str], None]
Flags: TypeAlias = npt.NDArray[np.bool_]
FEWEST = 4  # shadow models
FLOOR, SHRINK, RESAMPLES = 0.01, 4.0, 400


def shadow_attack(
    frame: pd.DataFrame,
    schema: Schema,
    train_and_sample: TrainAndSample,
    *,
    shadows: int = 8,
    targets: int = 200,
    most: int = 4_000,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[TableFigure]:
    """How well the attack tells members from others: over random targets, and over the most isolated ones.

    Args:
        frame: real rows; training and held-out ones may be put together.
        schema: what the columns are.
        train_and_sample: called with (table, seed), trains on the table and returns a synthetic one with the same
            columns, best of as many rows.
        shadows: how often it is called, at least 4.
        targets: people attacked; half are random, half are those farthest from any other row.
        most: rows of `frame` used, drawn by seed; each shadow model trains on half of them.
        seed: of all draws.
        progress: called with a line of text for each shadow model.

    Raises:
        DataError: fewer than 4 shadow models, or fewer than 20 rows.
    """
    if shadows < FEWEST or len(frame) < 20:
        raise DataError(f"the attack needs at least {FEWEST} shadow models and 20 rows; got {shadows}, {len(frame)}")
    frame = frame.iloc[pick(len(frame), most, seed, 9)].reset_index(drop=True)
    rng = np.random.default_rng([seed, 11])
    chosen, isolated = choose(frame, schema, min(targets, len(frame) // 2), rng)
    member, statistic = [], []
    for shadow in range(shadows):
        inside = rng.random(len(frame)) < 0.5
        made = train_and_sample(frame[inside].reset_index(drop=True), seed * 1_000 + shadow)
        statistic.append(nearness(frame, made, schema, chosen))
        member.append(inside[chosen])
        if progress:
            progress(f"shadow model {shadow + 1} of {shadows}")
    inside, ratio = np.stack(member), likelihood_ratios(np.stack(statistic), np.stack(member))
    detail = f"{shadows} shadow models, each on half of {len(frame)} rows drawn by seed"
    measured = MeasuredOn(len(frame), len(made), "train and held-out", 0, detail)
    return [_figure(which, ratio, inside, isolated, measured, rng) for which in ("random", "isolated")]


def choose(
    frame: pd.DataFrame, schema: Schema, count: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], Flags]:
    """Rows to attack, and which of them were chosen for being far from all others."""
    near = Nearest(align(schema, {"real": frame}))
    far = near("real", "real", 2)[0][:, -1]  # the closest of all is the row itself
    isolated = np.argsort(-far, kind="stable")[: count // 2]
    rest = np.setdiff1d(np.arange(len(frame)), isolated)
    plain = rng.choice(rest, count - len(isolated), replace=False)
    return np.concatenate([isolated, plain]), np.arange(count) < len(isolated)


def nearness(frame: pd.DataFrame, made: pd.DataFrame, schema: Schema, rows: npt.NDArray[np.int64]) -> Floats:
    """The statistic of each target: high where a synthetic row is close."""
    tables = align(schema, {"scale": frame, "targets": frame.iloc[rows], "fake": made})
    distances = Nearest(tables, scale="scale")("targets", "fake", 1)[0][:, 0]
    found: Floats = -np.log(distances + FLOOR)
    return found


def likelihood_ratios(statistic: Floats, member: Flags) -> Floats:
    """Log likelihood ratios (shadows, targets), each from all shadow models but its own.

    Args:
        statistic: (shadows, targets).
        member: whether the target was in the shadow model's data.
    """
    found = np.zeros_like(statistic)
    for left_out in range(len(statistic)):
        others = np.arange(len(statistic)) != left_out
        t, inside = statistic[others], member[others]
        inner, outer, variance = _fitted(t, inside)
        x = statistic[left_out]
        found[left_out] = ((x - outer) ** 2 - (x - inner) ** 2) / (2 * variance)
    return found


def _fitted(t: Floats, inside: Flags) -> tuple[Floats, Floats, float]:
    """Means of the statistic with and without each target (targets,), and the variance around them."""
    n_in, n_out = inside.sum(0), (~inside).sum(0)
    raw_in, raw_out = (np.where(w, t, 0).sum(0) / np.maximum(w.sum(0), 1) for w in (inside, ~inside))
    both = (n_in > 0) & (n_out > 0)
    typical = float((raw_in - raw_out)[both].mean()) if both.any() else 0.0
    weight = n_in * n_out / (n_in + n_out + SHRINK)
    weight = weight / (weight + 1)
    gain = np.where(both, weight * (raw_in - raw_out) + (1 - weight) * typical, typical)
    outer = (t - inside * gain).mean(0)
    inner = outer + gain
    rest = t - np.where(inside, inner, outer)
    return inner, outer, max(float((rest**2).mean()), 1e-9)


def _figure(
    which: str, ratio: Floats, member: Flags, isolated: Flags, measured: MeasuredOn, rng: np.random.Generator
) -> TableFigure:
    """AUC over one half of the targets; its interval by drawing targets with replacement."""
    rows = np.flatnonzero(isolated if which == "isolated" else ~isolated)
    value = _auc(ratio, member, rows)
    drawn = [_auc(ratio, member, rng.choice(rows, len(rows))) for _ in range(RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    who = "the people who differ most from all others" if which == "isolated" else "people drawn at random"
    return TableFigure(
        name=f"membership-shadow-auc, {which}",
        value=value,
        better="low",
        interval=(float(low), float(high)),
        reference=0.5,
        group="privacy",
        meaning="An attacker who can run this synthesizer on similar data guesses who was in the training data, from "
        f"the synthetic table alone; how well members are told from others among {who}: 0.5 is guessing.",
        protocol=measured,
    )


def _auc(ratio: Floats, member: Flags, rows: npt.NDArray[np.int64]) -> float:
    scores, inside = ratio[:, rows], member[:, rows]
    return intervals.auc(scores[inside], scores[~inside])[0] if inside.any() and not inside.all() else 0.5
