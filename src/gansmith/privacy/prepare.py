"""Private preparation of a table: bounds, lists of categories and histograms, each entered in the ledger.

Of the schema only the names, kinds, dtypes and formats of the columns are taken as known; counts, categories, bounds,
missing values are found privately, or stated by the user. What comes out may be published: it is a TableSpec in which
nothing of the data is but what was paid for.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, DataError
from ..tabular.encoders import Choice, Encoder, Quantile
from ..tabular.schema import DISCRETE, Canonical, Column, Schema, rows_of
from ..tabular.spec import TableSpec
from .accounting import gaussian, noise_for
from .ledger import Ledger
from .noise import Noise
from .stated import Stated as Stated
from .stated import to_fill_in

Floats: TypeAlias = npt.NDArray[np.float64]

BINS = 32
MISS = 0.1  # chance that a search for bounds or for the bulk goes astray
OCTAVES = np.concatenate([-(2.0 ** np.arange(62, -11, -1)), [0.0], 2.0 ** np.arange(-10, 63)])
FAILURE = 0.05  # share of the ledger's delta that lists of categories may take
SHARES = {"categories": 2.0, "histograms": 2.0, "bounds": 1.0}  # of the preparation's budget, among those there are


def prepare(
    canonical: Canonical,
    schema: Schema,
    ledger: Ledger,
    *,
    epsilon: float,
    stated: Stated | None = None,
    bins: int = BINS,
    noise: Noise | None = None,
) -> TableSpec:
    """The spec of a table, found privately, its cost entered in `ledger`.

    Args:
        canonical: all rows; their number is public (see `gansmith.privacy`).
        schema: names, kinds, dtypes and formats are taken as known, nothing else.
        epsilon: what this may cost, alone, at the ledger's delta.
        stated: what the user states, free of charge.
        bins: of each number's histogram.
        noise: from the operating system unless given.

    Raises:
        ConfigError: the budget does not allow it.
        DataError: something stated does not fit the schema, or the rows are too few to find bounds or frequent
            categories; all columns of which that is so are named.
    """
    stated, noise = stated or Stated(), noise or Noise()
    stated.check(schema)
    if bins < 2 or not schema.learnt:
        raise ConfigError(
            f"a histogram needs 2 bins and a table one column to learn; came: {bins}, {len(schema.learnt)}"
        )
    ledger.given("names, kinds and formats of columns", "from the schema; read it before it is published")
    ledger.given("number of rows", "public: a neighbour's row is blank, not gone")
    budget = _Budget(ledger, schema, stated, epsilon)
    found = [(c, _column(c, canonical[c.name], budget, stated, bins, noise)) for c in schema.learnt]
    if unfound := [column for column, made in found if made is None]:
        raise _on_unfound(unfound, rows_of(canonical), ledger)
    made = [each for _, each in found if each is not None]
    columns = {column.name: column for column, _ in made}
    kept = tuple(columns.get(c.name, bare(c)) for c in schema)
    return TableSpec(schema=Schema(kept), encoders=tuple(encoder for _, encoder in made), rows=rows_of(canonical))


def _on_unfound(columns: list[Column], rows: int, ledger: Ledger) -> DataError:
    """The error for columns that the rows did not tell of; what asking has cost is spent all the same."""
    asked = {"bounds": [c.name for c in columns if c.kind not in DISCRETE],
             "frequent categories": [c.name for c in columns if c.kind in DISCRETE]}  # fmt: skip
    said = " and ".join(f"{what} of {', '.join(map(repr, names))}" for what, names in asked.items() if names)
    return DataError(
        f"{rows:,} rows are too few to find {said} privately at this budget; asking has spent epsilon "
        f"{ledger.spent():.2g} of these rows, though no model came of it\n"
        "state what you know without looking at the rows (--stated), leave such columns out (--schema), or give the "
        f"preparation more epsilon; to fill in, as stated.yaml:\n{to_fill_in(columns)}"
    )


def conform(canonical: Canonical, found: Schema, private: Schema) -> dict[str, npt.NDArray[Any]]:
    """Rows as the private schema can say them, each by itself: numbers moved into its bounds, categories it does not
    list made missing (or the first one, where nothing may be missing).

    Args:
        canonical: rows with the codes of the schema `found`.
    """
    made: dict[str, npt.NDArray[Any]] = {}
    for column in private.learnt:
        values = canonical[column.name]
        if column.kind in DISCRETE:
            code = {category: i for i, category in enumerate(column.categories)}
            absent = -1 if column.nulls else 0
            table = [code.get(category, absent) for category in found[column.name].categories]
            made[column.name] = np.array([*table, absent], dtype=np.int64)[values]  # -1, missing, is the last
        else:
            made[column.name] = _inside(np.asarray(values, dtype=np.float64), column)
    return made


def _inside(values: Floats, column: Column) -> Floats:
    low, high = column.low or 0.0, column.high or 0.0
    moved = np.where(np.isin(values, column.special), values, np.clip(values, low, high))
    return moved if column.nulls else np.nan_to_num(moved, nan=(low + high) / 2)


def bare(column: Column) -> Column:
    """The column without anything that was counted in the data."""
    return replace(
        column, nulls=False, missing="", categories=(), counts=(), levels=(), low=None, high=None, special=()
    )


class _Budget:
    """Splits the preparation's cost, in zero-concentrated terms (rho adds up), over what must be found."""

    def __init__(self, ledger: Ledger, schema: Schema, stated: Stated, epsilon: float) -> None:
        self.ledger = ledger
        rho = 1 / (2 * noise_for(epsilon, ledger.delta, gaussian) ** 2)
        discrete = [c for c in schema.learnt if c.kind in DISCRETE]
        numbers = [c for c in schema.learnt if c.kind not in DISCRETE]
        asked = {
            "categories": float(len(discrete)),
            "histograms": float(len(numbers)),
            "bounds": float(sum((c.name not in stated.bounds) + 2 * (c.name not in stated.bulk) for c in numbers)),
        }
        whole = sum(SHARES[what] for what, count in asked.items() if count)
        self.rho = {what: rho * SHARES[what] / whole / count for what, count in asked.items() if count}
        hidden = sum(c.name not in stated.categories and c.kind != "boolean" for c in discrete)
        self.failure = FAILURE * ledger.delta / max(hidden, 1)

    def counts(self, what: str, share: str, counts: npt.NDArray[Any], noise: Noise, failure: float = 0.0) -> Floats:
        """Counts with Gaussian noise, whole numbers; a row is in one of them."""
        std = math.sqrt(1 / (2 * self.rho[share]))
        self.ledger.charge(what, "gaussian", noise=std, sensitivity="1 in one count", failure=failure)
        return np.round(counts + std * noise.normal(len(counts)))

    def quartiles(self, what: str, values: Floats, grid: Floats, noise: Noise) -> tuple[float, float] | None:
        """The outer quartiles by the exponential mechanism, points of a public grid. None where there are too few rows
        to tell them from the ends; then nothing is charged."""
        epsilon = math.sqrt(8 * self.rho["bounds"])
        if 2 * math.log(len(grid) / MISS) / epsilon > len(values) / 4:
            return None
        note = f"quartiles, of {len(grid)} public points"
        self.ledger.charge(what, "exponential", epsilon=epsilon, times=2, sensitivity="1 in rank", note=note)
        known = np.sort(values[~np.isnan(values)])
        ranks = np.searchsorted(known, grid, side="right")
        scores = [-np.abs(ranks - q * len(known)) * epsilon / 2 for q in (0.25, 0.75)]
        low, high = sorted(float(grid[np.argmax(score + noise.gumbel(len(grid)))]) for score in scores)
        return low, high


def _column(
    column: Column, values: npt.NDArray[Any], budget: _Budget, stated: Stated, bins: int, noise: Noise
) -> tuple[Column, Encoder] | None:
    """The column and its encoder; None where the rows do not tell."""
    if column.kind in DISCRETE:
        return _choice(column, values, budget, stated, noise)
    return _quantile(column, np.asarray(values, dtype=np.float64), budget, stated, bins, noise)


def _choice(
    column: Column, values: npt.NDArray[Any], budget: _Budget, stated: Stated, noise: Noise
) -> tuple[Column, Encoder] | None:
    """Categories and their counts: those stated, else those that stand out of the noise; None where none does."""
    known = stated.categories.get(column.name) or _both(column)
    what = f"counts of {column.name}"
    if known is None:
        what = f"categories of {column.name} and their counts"
    names = [*(column.categories if known is None else known)]
    place = {name: i for i, name in enumerate(names)}
    other = len(names)  # missing, or not on the list
    codes = np.array([*(place.get(c, other) for c in column.categories), other])[values]
    counts = budget.counts(
        what,
        "categories",
        np.bincount(codes, minlength=other + 1),
        noise,
        budget.failure if known is None else 0.0,
    )
    kept = _frequent(counts[:-1], budget) if known is None else np.arange(other)
    if not len(kept):
        return None
    absent = float(len(values) - counts[kept].clip(0).sum()) if known is None else float(counts[-1])
    return _stated_choice(column, [names[i] for i in kept], counts[kept].clip(0), absent, budget)


def _both(column: Column) -> list[Any] | None:
    """The two values of a boolean, which its kind tells; None for a category."""
    if column.kind != "boolean":
        return None
    truth = all(isinstance(c, bool) for c in column.categories)
    return [False, True] if truth else sorted(column.categories, key=str)


def _stated_choice(
    column: Column, names: list[Any], counts: Floats, absent: float, budget: _Budget
) -> tuple[Column, Encoder]:
    order = np.argsort(-counts, kind="stable")
    nulls = absent > limit(budget.rho["categories"], budget.failure)
    weights = tuple(float(max(counts[i], 1.0)) for i in order)
    tally = (*(int(w) for w in weights), *([int(absent)] if nulls else []))
    kept = tuple(names[i] for i in order)
    levels = tuple(level for level in column.levels if level in kept)  # others are of the data alone
    levels = (*levels, *(name for name in names if name not in levels)) if column.levels else ()
    made = replace(bare(column), categories=kept, counts=tally, nulls=bool(nulls), levels=levels)
    return made, Choice(weights=weights, top=len(weights), nulls=bool(nulls))


def _frequent(counts: Floats, budget: _Budget) -> npt.NDArray[np.int64]:
    """Which counts are so large that a category of a single row comes as far but with the chance `failure`."""
    return np.flatnonzero(counts > limit(budget.rho["categories"], budget.failure))


def limit(rho: float, failure: float) -> float:
    """What 1 and Gaussian noise of a cost `rho` exceed with the chance `failure`, rounding included."""
    from statistics import NormalDist

    return 1.5 + math.sqrt(1 / (2 * rho)) * NormalDist().inv_cdf(1 - failure)


def _quantile(
    column: Column, values: Floats, budget: _Budget, stated: Stated, bins: int, noise: Noise
) -> tuple[Column, Encoder] | None:
    """A histogram whose bins are even where most values are and grow outside, and the Quantile that it gives; None
    where no bounds were found."""
    special = tuple(stated.special.get(column.name, ()))
    values = np.where(np.isin(values, special), np.nan, values) if special else values
    ends = stated.bounds.get(column.name) or _bounds(column.name, values, budget, noise)
    if ends is None:
        return None
    low, high = ends
    values = np.clip(values, low, high)
    edges = _edges(low, high, _bulk(column.name, values, low, high, budget, stated, noise), bins)
    place = np.where(np.isnan(values), bins, np.searchsorted(edges, values, side="right").clip(1, bins) - 1)
    exact = np.bincount(place.astype(np.int64), minlength=bins + 1)
    counts = budget.counts(f"histogram of {column.name}", "histograms", exact, noise)
    nulls = bool(not special and counts[-1] > limit(budget.rho["histograms"], budget.failure))
    knots, share = _distribution(edges, counts[:-1], limit(budget.rho["histograms"], MISS / bins))
    made = replace(bare(column), low=float(knots[0]), high=float(knots[-1]), nulls=nulls, special=special)
    cumulative = tuple(share.tolist())
    return made, Quantile(values=tuple(knots.tolist()), left=cumulative, right=cumulative, special=special, nulls=nulls)


def _bounds(name: str, values: Floats, budget: _Budget, noise: Noise) -> tuple[float, float] | None:
    """The outermost powers of two between which values stand out of the noise; None where none does."""
    known = np.clip(values[~np.isnan(values)], OCTAVES[0], OCTAVES[-1])
    counts = np.histogram(known, OCTAVES)[0]
    noisy = budget.counts(f"magnitude of {name}", "bounds", counts, noise)
    used = np.flatnonzero(noisy > limit(budget.rho["bounds"], MISS / len(counts)))
    if not len(used):
        return None
    return float(OCTAVES[used[0]]), float(OCTAVES[used[-1] + 1])


def _bulk(
    name: str, values: Floats, low: float, high: float, budget: _Budget, stated: Stated, noise: Noise
) -> tuple[float, float]:
    """Where about half of the rows lie; the middle half between the bounds where nobody can tell."""
    if name in stated.bulk:
        return stated.bulk[name]
    quarter = (high - low) / 4
    return budget.quartiles(f"bulk of {name}", values, _grid(low, high), noise) or (low + quarter, high - quarter)


def _grid(low: float, high: float) -> Floats:
    """Even points, and powers of the root of two, between two bounds."""
    half = np.sign(OCTAVES) * np.abs(OCTAVES) * math.sqrt(2)
    points = np.concatenate([np.linspace(low, high, 129), OCTAVES, half])
    return np.unique(points[(points >= low) & (points <= high)])


def _edges(low: float, high: float, bulk: tuple[float, float], bins: int) -> Floats:
    """Edges of bins, even in asinh((x - centre) / half the bulk's width)."""
    near, far = bulk
    centre, half = (near + far) / 2, max((far - near) / 2, (high - low) / 1000)
    ends = np.arcsinh((np.array([low, high]) - centre) / half)
    edges = centre + half * np.sinh(np.linspace(ends[0], ends[1], bins + 1))
    edges[0], edges[-1] = low, high
    return np.asarray(edges)


def _distribution(edges: Floats, counts: Floats, least: float) -> tuple[Floats, Floats]:
    """Knots and the share of rows below each: the nearest histogram that is nowhere negative, cut at both ends where
    counts do not stand out of the noise (are not above `least`)."""
    used = np.flatnonzero(counts > least)
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, len(counts) - 1)
    kept = counts[first : last + 1]
    fair = _simplex(kept, max(float(kept.sum()), 1.0))
    share = np.concatenate([[0.0], fair.cumsum()])
    return edges[first : last + 2], share / share[-1]


def _simplex(counts: Floats, total: float) -> Floats:
    """The nearest point with no entry negative and the sum `total`."""
    down = np.sort(counts)[::-1]
    excess = (down.cumsum() - total) / np.arange(1, len(counts) + 1)
    return np.asarray((counts - excess[np.flatnonzero(down > excess)[-1]]).clip(0))
