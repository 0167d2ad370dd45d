"""Filling in what is missing, so that it fits what is known of the row.

A recipe that imputes (`Recipe.imputes`) is given the rows. Of any other the generator's noise is searched: the row of
many made at random that is nearest to what is known starts a chain of small moves, of which only those are kept that do
not lead away; what it ends with is put where values are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ...batch import Batch
from ...errors import UserError
from ...recipes.base import fold, sample
from ...tabular.frames import canonicalise, restore
from ...tabular.schema import DISCRETE, Column, Schema
from .conditional import Walker
from .constraints import Mask, Rows
from .drawing import Drawer
from .formulas import Derived, Sum
from .transforms import Columns
from .where import Numbers

if TYPE_CHECKING:
    import pandas as pd

POOL = 8_192  # rows made at random, among which each search begins
NEAREST = 5  # of them, one is chosen to begin with
MOVES = 40
BLOCK = 2_048  # rows filled in at once
UNFILLED = 100.0  # how far a row is that has no value itself where one is wanted
TRIES = 10  # for rows whose filling breaks a constraint


def impute(drawer: Drawer, frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A copy of `frame` without missing values in learnt columns; known values stay as they are.

    Raises:
        DataError: the frame does not fit the schema.
        UserError: rows whose known values alone break a constraint.
    """
    learnt = Schema(tuple(replace(c, nulls=True) for c in drawer.rules.schema.learnt))
    canonical = canonicalise(frame, learnt)
    missing = {c.name: _missing(canonical[c.name], c) for c in learnt}
    wanted = np.flatnonzero(np.any(list(missing.values()), axis=0))
    found = {name: values.copy() for name, values in canonical.items()}
    for first in range(0, len(wanted), BLOCK):
        at = wanted[first : first + BLOCK]
        part = _Part({n: v[at] for n, v in canonical.items()}, {n: v[at] for n, v in missing.items()})
        for name, values in _kept(drawer, part, fold(seed, "impute", first)).items():
            found[name][at] = values
    return _written(frame, found, missing, drawer.rules.schema)


@dataclass(frozen=True)
class _Part:
    """Some rows: canonical columns, and which of their values are missing."""

    canonical: Columns
    missing: dict[str, Mask]

    def __len__(self) -> int:
        return len(next(iter(self.missing.values())))

    def take(self, rows: npt.NDArray[np.int64]) -> _Part:
        return _Part({n: v[rows] for n, v in self.canonical.items()}, {n: v[rows] for n, v in self.missing.items()})


def _missing(values: npt.NDArray[Any], column: Column) -> Mask:
    return np.asarray(values < 0 if column.kind in DISCRETE else np.isnan(values))


def _kept(drawer: Drawer, part: _Part, seed: int) -> Columns:
    """Filled rows that keep the constraints; those that do not are filled again."""
    found = _filled(drawer, part, seed)
    for attempt in range(1, TRIES + 1):
        bad = np.flatnonzero(~_holds(drawer, found))
        if not len(bad):
            return found
        again = _filled(drawer, part.take(bad), fold(seed, attempt))
        for name, values in again.items():
            found[name][bad] = values
    bad = np.flatnonzero(~_holds(drawer, found))
    if len(bad):
        kept = ", ".join(repr(c) for c in drawer.rules.constraints)
        raise UserError(
            f"{len(bad):,} rows cannot be filled in so that they keep {kept}; do their known values break it already?"
        )
    return found


def _holds(drawer: Drawer, canonical: Columns) -> Mask:
    rules = drawer.rules
    if not rules.rules:
        return np.ones(len(next(iter(canonical.values()))), dtype=bool)
    frame = restore(canonical, Schema(rules.schema.learnt))
    return rules.holds(Rows(frame, canonicalise(frame, Schema(rules.schema.learnt))))


def _filled(drawer: Drawer, part: _Part, seed: int) -> Columns:
    """The same columns, with values made where they are missing."""
    made = (
        _by_recipe(drawer, part, seed) if getattr(drawer.recipe, "imputes", False) else _by_search(drawer, part, seed)
    )
    found = {n: np.where(part.missing[n], made[n], known) for n, known in part.canonical.items()}
    for transform in drawer.rules.transforms:
        if isinstance(transform, Derived):
            found |= _computed(transform, found, part)
    return found


def _computed(transform: Derived, found: Columns, part: _Part) -> Columns:
    """What follows from a formula: the column made; of a sum that is known, the last part that is missing."""
    formula, fresh = transform.formula, transform.backward(found)
    made = np.where(part.missing[formula.made], fresh[formula.made], found[formula.made])
    columns, left = {formula.made: made}, np.where(part.missing[formula.made], 0.0, made - fresh[formula.made])
    if isinstance(formula, Sum):
        for column in transform.parts[::-1]:
            here = part.missing[column.name]
            columns[column.name] = found[column.name] + np.where(here, left / formula.scale(column), 0.0)
            left = np.where(here, 0.0, left)
    return columns


def _by_recipe(drawer: Drawer, part: _Part, seed: int) -> Columns:
    """Rows completed by a recipe that does just that."""
    spec, columns = drawer.spec, dict[str, npt.NDArray[Any]]()
    inner = drawer.rules.forward(part.canonical)
    flags = {c.name: _missing(inner[c.name], c) for c in spec.schema.learnt}
    for column in spec.schema.learnt:  # what stands in a missing place does not count, but must be a value
        columns[column.name] = np.where(flags[column.name], _any_value(column), inner[column.name])
    scalars, codes = spec.encode(columns, np.random.default_rng(seed))
    x = spec.expand(torch.from_numpy(scalars), torch.from_numpy(codes))
    missing = torch.from_numpy(np.stack(list(flags.values()), 1)).float()
    request = Batch(index=torch.arange(len(x)), x=x, missing=missing)
    made = sample(drawer.recipe, drawer.nets, request, seed=seed, chunk=BLOCK)["x"]
    return drawer.rules.backward(spec.canonical(made, np.random.default_rng(seed)))


def _any_value(column: Column) -> float:
    return 0 if column.kind in DISCRETE else float(column.low or 0.0)


def _by_search(drawer: Drawer, part: _Part, seed: int) -> Columns:
    """Rows of the generator that are near to what is known."""
    spec, rules = drawer.spec, drawer.rules

    def columns_of(x: torch.Tensor) -> Columns:
        return rules.backward(spec.canonical(x, np.random.default_rng(seed)))

    cond, mask = torch.zeros(POOL, sum(s.width for s in spec.conditions)), torch.zeros(POOL, len(spec.conditions))
    walker = Walker(drawer.recipe, drawer.nets, lambda x: np.zeros(len(x)), seed)
    pool = walker.fresh(cond, mask)
    ruler = _Ruler(columns_of(pool.x), Schema(rules.schema.learnt))
    chains = pool.take(_begin(ruler, part, np.random.default_rng(seed)))
    walker.judge = lambda x: ruler.far(columns_of(x), part)
    chains = replace(chains, far=walker.judge(chains.x))
    for _ in range(MOVES):
        chains = walker.move(chains, chains.far)
    return columns_of(chains.x)


def _begin(ruler: _Ruler, part: _Part, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """For each row one of the nearest rows of the pool."""
    chosen = []
    for first in range(0, len(part), 256):
        rows = np.arange(first, min(first + 256, len(part)))
        far = ruler.far_from_pool(part.take(rows))
        near = np.argpartition(far, NEAREST, axis=1)[:, :NEAREST]
        chosen.append(near[np.arange(len(rows)), rng.integers(NEAREST, size=len(rows))])
    return np.concatenate(chosen)


class _Ruler:
    """How far rows are from each other: of numbers the difference of their ranks within the pool, of categories 0 or
    1; the mean over the columns that are known."""

    def __init__(self, pool: Columns, schema: Schema) -> None:
        self.schema = schema
        self.sorted = {c.name: np.sort(_known(pool[c.name])) for c in schema if c.kind not in DISCRETE}
        self.pool = {c.name: self._place(pool[c.name], c) for c in schema}
        self.void = {c.name: np.float32(UNFILLED) * _missing(pool[c.name], c) for c in schema}

    def _place(self, values: npt.NDArray[Any], column: Column) -> npt.NDArray[np.float32]:
        """A number's rank in [0, 1], the middle of those that share it; a category as it is; a missing value as -9."""
        if column.kind in DISCRETE:
            return values.astype(np.float32)
        order = self.sorted[column.name]
        x = np.nan_to_num(values)
        rank = (np.searchsorted(order, x, "left") + np.searchsorted(order, x, "right")) / (2 * max(1, len(order)))
        return np.where(np.isnan(values), -9.0, rank).astype(np.float32)

    def _gap(self, a: npt.NDArray[np.float32], b: npt.NDArray[np.float32], column: Column) -> npt.NDArray[np.float32]:
        if column.kind in DISCRETE:
            return np.asarray(a != b, dtype=np.float32)
        return np.asarray(np.minimum(np.abs(a - b), np.float32(1.0)))

    def far(self, made: Columns, part: _Part) -> Numbers:
        """Row by row, (n,)."""
        total = np.zeros(len(part))
        for column in self.schema:
            here = self._place(part.canonical[column.name], column)
            gap = self._gap(self._place(made[column.name], column), here, column)
            void = UNFILLED * _missing(made[column.name], column)
            total += np.where(part.missing[column.name], void, gap)
        return total

    def far_from_pool(self, part: _Part) -> npt.NDArray[np.float32]:
        """Every row from every row of the pool, (n, pool)."""
        total = np.zeros((len(part), len(next(iter(self.pool.values())))), np.float32)
        for column in self.schema:
            here = self._place(part.canonical[column.name], column)
            gap = self._gap(self.pool[column.name][None], here[:, None], column)
            total += np.where(part.missing[column.name][:, None], self.void[column.name][None], gap)
        return total


def _known(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.asarray(values[~np.isnan(values)])


def _written(frame: pd.DataFrame, found: Columns, missing: dict[str, Mask], schema: Schema) -> pd.DataFrame:
    """The frame with the values found where they are missing, each column in the training data's dtype."""
    whole = restore(found, Schema(schema.learnt))
    out = frame.copy()
    for column in schema.learnt:
        at = missing[column.name]
        if at.any():
            new = whole[column.name].set_axis(frame.index)
            kept = out[column.name].astype(object).where(~at, new.astype(object))
            out[column.name] = kept.astype(new.dtype)
    return out
