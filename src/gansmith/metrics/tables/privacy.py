"""Whether synthetic rows stay near the rows that the generator saw: copies, closest records, a distance attack.

All of them compare the training rows with rows that were held out: a generator that has learnt people in general, and
none in particular, makes rows that are as near to the one as to the other.
"""

from __future__ import annotations

import numpy as np

from . import intervals
from .base import MeasuredOn, TableFigure
from .columns import Aligned, pick
from .neighbours import Floats, Nearest, Rows

ASKED = 3_000  # rows whose neighbours are looked for, of each table
MOST = 50_000  # rows that they are looked for among
DISTANCE = "mixed distance (numbers by range, categories by equality)"


def copies(tables: Aligned) -> TableFigure:
    """The share of synthetic rows that equal a training row in every column; all rows are used."""
    known, fake = set(_keys(tables, "real")), _keys(tables, "fake")
    test = _keys(tables, "test") if "test" in tables.sides else []
    hits, n = sum(k in known for k in fake), len(fake)
    return TableFigure(
        name="exact-copies",
        value=hits / n,
        better="low",
        interval=intervals.wilson(hits, n),
        reference=sum(k in known for k in test) / len(test) if test else None,
        group="privacy",
        meaning="Share of synthetic rows that equal a training row in every column. Beside it: the share of held-out "
        "rows that do, which is what chance alone gives.",
        protocol=MeasuredOn(tables.rows("real"), n, _split(tables), len(test), "all rows"),
    )


def _keys(tables: Aligned, side: str) -> list[bytes]:
    """One key for each row, equal for equal rows."""
    columns = []
    for column in tables.columns:
        values = tables[side][column.name]
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), np.nan, values + 0.0).view(np.int64)  # one NaN, one zero
        columns.append(values)
    rows = np.ascontiguousarray(np.stack(columns, 1))
    return [row.tobytes() for row in rows]


def _split(tables: Aligned) -> str:
    return "train and held-out" if "test" in tables.sides else "train"


def cut(tables: Aligned, *, seed: int, asked: int = ASKED, most: int = MOST) -> Aligned:
    """The sides that neighbours are looked for among, and the rows that ask, all drawn by seed.

    Returns:
        Sides `real` and `test`, equally many rows; `fake`, all rows where the memory allows, since an attacker has
        them all; and at most `asked` rows each of `members` (training rows), `others` (held-out rows) and `made`
        (synthetic rows).
    """
    even = min(tables.rows("real"), tables.rows("test"), most)
    plan = [
        ("real", "real", even), ("test", "test", even), ("fake", "fake", most),
        ("members", "real", asked), ("others", "test", asked), ("made", "fake", asked),
    ]  # fmt: skip
    sides = {}
    for salt, (name, source, size) in enumerate(plan):
        rows = pick(tables.rows(source), size, seed, salt)
        sides[name] = {column: values[rows] for column, values in tables[source].items()}
    return Aligned(tables.columns, sides, tables.levels)


def closest(near: Nearest) -> list[TableFigure]:
    """Distances of synthetic rows to the closest training and held-out rows.

    Args:
        near: over tables from `cut`.
    """
    to_train, train_rows = near("made", "real", 2)
    to_test, test_rows = near("made", "test", 1)
    held, _ = near("others", "real", 2)
    share = nearer_to_train(to_train[:, 0], to_test[:, 0], train_rows[:, 0], test_rows[:, 0])
    return [_share(*share, near.tables), *_distances(to_train, held, near.tables)]


def nearer_to_train(to_train: Floats, to_test: Floats, train_rows: Rows, test_rows: Rows) -> tuple[float, float]:
    """The share of synthetic rows that are closer to a training row, ties counting half, and its effective trials.

    Rows that share their closest record win or lose together. If it were only chance which records are training rows,
    the variance of the share would be the sum of w^2 / (4 n^2), w the times that each record is closest: n^2 / sum(w^2)
    is the number of independent trials of the same variance.

    Args:
        to_train, to_test: distances (n,) of each synthetic row to its closest training and held-out row.
        train_rows, test_rows: which rows these are (n,).
    """
    won = np.where(to_train < to_test, 1.0, np.where(to_train == to_test, 0.5, 0.0))
    times = [np.bincount(train_rows, weights=won), np.bincount(test_rows, weights=1 - won)]
    return float(won.mean()), len(won) ** 2 / float(sum((t**2).sum() for t in times))


def _share(value: float, trials: float, tables: Aligned) -> TableFigure:
    return TableFigure(
        name="closer-to-training-share",
        value=value,
        better="low",
        interval=intervals.wilson(value * min(trials, tables.rows("made")), min(trials, tables.rows("made"))),
        reference=0.5,
        group="privacy",
        meaning="Share of synthetic rows that lie closer to a training row than to any of as many held-out rows (ties "
        "count half): 0.5 when the generator remembers nobody in particular, 1 when it repeats its training rows.",
        protocol=_measured(tables, "made"),
    )


def _distances(to_train: Floats, held: Floats, tables: Aligned) -> list[TableFigure]:
    """The distance to the closest record, and its ratio to the second closest; held-out rows stand beside."""
    low, low_held = (float(np.percentile(d[:, 0], 5)) for d in (to_train, held))
    found = [
        ("closest-record-distance-median", float(np.median(to_train[:, 0])), float(np.median(held[:, 0])), CLOSEST),
        ("closest-record-distance-5%", low, low_held, LOWEST),
    ]
    if to_train.shape[1] > 1:
        found.append(("nearest-neighbour-ratio", _ratio(to_train), _ratio(held), RATIO))
    return [
        TableFigure(
            name=name, value=value, better="high", reference=beside, group="privacy", meaning=text,
            protocol=_measured(tables, "made"),
        )
        for name, value, beside, text in found
    ]  # fmt: skip


CLOSEST = (
    "Distance of the middle synthetic row to its closest training row (0: the same row). Beside it: the same for "
    "held-out rows, which are real and were never seen; much less than that means copying."
)
LOWEST = "The same distance, which one synthetic row in twenty falls below. Beside it: the same for held-out rows."
RATIO = (
    "Distance to the closest training row over the distance to the second closest, the mean over synthetic rows: near "
    "0, rows cling to one training row each. Beside it: the same for held-out rows."
)


def _ratio(distances: Floats) -> float:
    """The mean of first over second distance; 1 where both are 0."""
    first, second = distances[:, 0], distances[:, 1]
    return float(np.where(second > 0, first / np.where(second > 0, second, 1), 1.0).mean())


def distance_attack(near: Nearest) -> list[TableFigure]:
    """Membership inference by distance: rows with a close synthetic row are taken for training rows.

    Args:
        near: over tables from `cut`.
    """
    (members, _), (others, _) = near("members", "fake"), near("others", "fake")
    value, interval = intervals.auc(-members[:, 0], -others[:, 0])
    share, hits = intervals.true_positives_at(-members[:, 0], -others[:, 0], 0.01)
    return [
        TableFigure(
            name="membership-distance-auc",
            value=value,
            better="low",
            interval=interval,
            reference=0.5,
            group="privacy",
            meaning="An attacker who holds only the synthetic table guesses that people with a very similar synthetic "
            "row were in the training data; this is how well training and held-out rows are told apart: 0.5 is "
            "guessing.",
            protocol=_measured(near.tables, "members"),
        ),
        TableFigure(
            name="membership-distance-found-at-1%",
            value=share,
            better="low",
            interval=intervals.wilson(hits, len(members)),
            reference=0.01,
            group="privacy",
            meaning="Share of training rows that this attacker names while wrongly naming at most 1 % of the others: "
            "0.01 is guessing.",
            protocol=_measured(near.tables, "members"),
        ),
    ]


def _measured(tables: Aligned, asked: str) -> MeasuredOn:
    """What was compared with what: closest records ask from synthetic rows, the attack from real ones."""
    n = {side: tables.rows(side) for side in tables.sides}
    if asked == "made":
        detail = f"{DISTANCE}, equally many training and held-out rows, by seed"
        return MeasuredOn(n["real"], n["made"], "train and held-out", n["test"], detail)
    detail = f"{DISTANCE}, rows drawn by seed"
    return MeasuredOn(n["members"], n["fake"], "train and held-out", n["others"], detail)
