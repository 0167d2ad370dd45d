"""Rules: the constraints of one table, checked on its rows, and turned into transforms where that can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...errors import CheckpointError, DataError
from ...tabular.schema import DISCRETE, Canonical, Column, Schema
from .constraint_files import Functions, constraint_from_json
from .constraints import (
    Constraint,
    FixedCombinations,
    Inequality,
    Mask,
    OneHot,
    Rows,
    Unique,
)
from .formulas import Derived, Formula, ordered, without_circles
from .keys import Seen, hashes_of, hashes_of_numbers
from .transforms import (
    MOST_COMBINATIONS,
    Columns,
    Combined,
    Gaps,
    Transform,
    as_identifier,
    gaps,
    matrix_of,
    transform_from_json,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Rule:
    """One constraint, what was learnt of the training data for it, and whether that transforms the columns."""

    constraint: Constraint
    transform: Transform | None = None
    applied: bool = False

    def holds(self, rows: Rows, schema: Schema) -> Mask:
        kept = self.constraint.holds(rows, schema)
        if isinstance(self.transform, Combined) and isinstance(self.constraint, FixedCombinations):
            kept = kept & self.transform.holds(rows.canonical)
        return kept


@dataclass(frozen=True)
class Rules:
    """All constraints of a table.

    Args:
        schema: the table's, as the user knows it.
        rules: one for each constraint, in their order.
    """

    schema: Schema
    rules: tuple[Rule, ...] = ()

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        return tuple(rule.constraint for rule in self.rules)

    @property
    def keys(self) -> tuple[tuple[str, ...], ...]:
        """The columns of each Unique."""
        return tuple(c.columns for c in self.constraints if isinstance(c, Unique))

    @property
    def looked_at(self) -> tuple[str, ...]:
        """Columns whose canonical values the constraints compare."""
        needs = (c.columns for c in self.constraints if not isinstance(c, Unique))
        return tuple(dict.fromkeys(name for names in needs for name in names))

    @cached_property
    def transforms(self) -> tuple[Transform, ...]:
        """Those that are applied, in the order in which they are undone."""
        return ordered([rule.transform for rule in self.rules if rule.applied and rule.transform is not None])

    @cached_property
    def inner(self) -> Schema:
        """What the networks learn: each transform's columns stand where the first that it takes stood."""
        taken = {name: t for t in self.transforms for name in t.takes}
        found: list[Column] = []
        for column in self.schema:
            if column.name not in taken:
                found.append(column)
            elif column.name == min(taken[column.name].takes, key=self.schema.names.index):
                found += taken[column.name].columns(self.schema)
        return Schema(tuple(found))

    def forward(self, canonical: Canonical) -> Columns:
        """The user's canonical columns -> those that networks learn."""
        taken = {name for t in self.transforms for name in t.takes}
        found = {name: values for name, values in canonical.items() if name not in taken}
        for transform in self.transforms:
            found |= transform.forward(canonical)
        return {c.name: found[c.name] for c in self.inner.learnt}

    def backward(self, canonical: Canonical) -> Columns:
        """The inverse of `forward`."""
        found = dict(canonical)
        for transform in self.transforms:
            found |= transform.backward(found)
        return {c.name: found[c.name] for c in self.schema.learnt}

    def holds(self, rows: Rows) -> Mask:
        """Which rows keep every constraint, those between rows (Unique) apart."""
        kept = np.ones(len(rows), dtype=bool)
        for rule in self.rules:
            kept &= rule.holds(rows, self.schema)
        return kept

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": self.schema.to_json(),
            "rules": [
                {
                    "constraint": rule.constraint.to_json(),
                    "transform": rule.transform.to_json() if rule.transform else None,
                    "applied": rule.applied,
                }
                for rule in self.rules
            ],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any], functions: Functions | None = None) -> Rules:
        """The inverse of `to_json`; see `constraint_from_json` for `functions`.

        Raises:
            CheckpointError: not what `to_json` made.
        """
        try:
            rules = tuple(_rule_from_json(rule, functions) for rule in data["rules"])
            return Rules(Schema.from_json(data["schema"]), rules)
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"the constraints of this model cannot be read: {error}") from None


def _rule_from_json(data: Mapping[str, Any], functions: Functions | None) -> Rule:
    constraint = constraint_from_json(data["constraint"], functions)
    if isinstance(constraint, Formula):
        parts = tuple(Column.from_json(column) for column in data["transform"]["parts"])
        return Rule(constraint, Derived(constraint, parts), bool(data["applied"]))
    transform = transform_from_json(data["transform"]) if data["transform"] else None
    return Rule(constraint, transform, bool(data["applied"]))


def fit_rules(
    chunks: Iterable[tuple[pd.DataFrame, Canonical]], schema: Schema, constraints: Sequence[Constraint]
) -> Rules:
    """Checks every row of the training data, and learns what the transforms need, in one pass.

    Args:
        chunks: the table's rows, and their canonical columns.

    Raises:
        DataError: the data break a constraint; says in how many rows, and which is the first.
    """
    for constraint in constraints:
        constraint.check(schema)
    looks = [_Look(constraint, schema) for constraint in constraints]
    total = 0
    for frame, canonical in chunks if looks else ():
        rows = Rows(frame, canonical)
        for look in looks:
            look.see(rows, total)
        total += len(frame)
    for look in looks:
        look.refuse_breaks(total)
    return _assemble(looks, schema)


def _assemble(looks: Sequence[_Look], schema: Schema) -> Rules:
    """Formulas first, then transforms in the order of their constraints; one whose columns another has taken is kept by
    rejection."""
    formulas = without_circles([look.constraint for look in looks if isinstance(look.constraint, Formula)])
    rules, taken = list[Rule](), {formula.made for formula in formulas}
    for look in looks:
        transform = look.transform()
        if isinstance(transform, Derived):
            rules.append(Rule(look.constraint, transform, any(transform.formula is f for f in formulas)))
            continue
        free = transform is not None and not taken & set(transform.takes) and look.small
        if free and transform is not None:
            taken |= set(transform.takes)
        rules.append(Rule(look.constraint, transform, free))
    used = {name for formula in formulas for name in formula.columns}
    keys = {look.constraint.columns[0] for look in looks if look.is_whole_key} - taken - used
    columns = tuple(as_identifier(c) if c.name in keys else c for c in schema)
    return Rules(Schema(columns), tuple(rules))


class _Look:
    """What one constraint sees of the training data."""

    def __init__(self, constraint: Constraint, schema: Schema) -> None:
        self.constraint, self.schema = constraint, schema
        self.broken, self.first = 0, list[tuple[int, str]]()
        self._seen = Seen()
        self._limits: npt.NDArray[np.float64] | None = None
        self._values: dict[int, tuple[float, ...]] = {}
        self._counts: dict[int, int] = {}

    def see(self, rows: Rows, start: int) -> None:
        """Takes in some rows; `start` is the number of the first."""
        bad = np.flatnonzero(~self._kept(rows))
        self.broken += len(bad)
        for i in bad[: 3 - len(self.first)] if len(self.first) < 3 else ():
            self.first.append((start + int(i) + 1, self._words(rows.frame, int(i))))
        if isinstance(self.constraint, Inequality):
            self._see_gaps(rows.canonical)
        if isinstance(self.constraint, FixedCombinations | OneHot):
            self._see_combinations(rows.canonical)

    def _kept(self, rows: Rows) -> Mask:
        if not isinstance(self.constraint, Unique):
            return self.constraint.holds(rows, self.schema)
        hashes, whole = hashes_of(rows.frame, self.constraint.columns)
        new = np.ones(len(rows), dtype=bool)
        new[whole] = self._seen.new(hashes[whole])
        self._seen.add(hashes[whole & new])
        return new

    def _words(self, frame: pd.DataFrame, row: int) -> str:
        return ", ".join(f"{name}={frame[name].iloc[row]}" for name in self.constraint.columns[:4])

    def refuse_breaks(self, total: int) -> None:
        if not self.broken:
            return
        number, words = self.first[0]
        others = f", then {', '.join(str(n) for n, _ in self.first[1:])}" if len(self.first) > 1 else ""
        raise DataError(
            f"the training data break {self.constraint!r} in {self.broken:,} of {total:,} rows; "
            f"the first is row {number}{f' ({words})' if words else ''}{others}\n"
            "mend the data, or leave the constraint out: rows that are made can only keep what the data keep"
        )

    def _see_gaps(self, canonical: Canonical) -> None:
        order = self._gap_order()
        if order is None:
            return
        found = gaps(canonical, order, [str(i) for i in range(1, len(order))])
        with np.errstate(invalid="ignore"):
            low = [np.nanmin(g, initial=np.inf) for g in found.values()]
            high = [np.nanmax(g, initial=-np.inf) for g in found.values()]
        now = np.array([low, high])
        before = now if self._limits is None else self._limits
        self._limits = np.stack([np.minimum(before[0], now[0]), np.maximum(before[1], now[1])])

    def _gap_order(self) -> tuple[str, ...] | None:
        """The columns, the one that stays first; None where missing values would lose what they hide."""
        for order in (self.constraint.columns, self.constraint.columns[::-1]):
            if not any(self.schema[name].nulls for name in order[:-1]):
                return order
        return None

    def _see_combinations(self, canonical: Canonical) -> None:
        matrix = matrix_of(canonical, self.constraint.columns)
        found, at, counts = np.unique(hashes_of_numbers(matrix), return_index=True, return_counts=True)
        for key, i, count in zip(found.tolist(), at.tolist(), counts.tolist(), strict=True):
            self._counts[key] = self._counts.get(key, 0) + count
            self._values.setdefault(key, tuple(matrix[i].tolist()))

    @property
    def small(self) -> bool:
        """Whether there are few enough combinations for a category."""
        return len(self._values) <= MOST_COMBINATIONS

    @property
    def is_whole_key(self) -> bool:
        """Whether this is one column of unique whole numbers, in which there is nothing to learn."""
        columns = self.constraint.columns
        if not isinstance(self.constraint, Unique) or len(columns) != 1:
            return False
        column = self.schema[columns[0]]
        return column.kind == "integer" and not column.nulls

    def transform(self) -> Transform | None:
        if isinstance(self.constraint, Formula):
            return Derived(self.constraint, tuple(self.schema[name] for name in self.constraint.parts))
        if isinstance(self.constraint, Inequality) and self._limits is not None:
            order = self._gap_order()
            assert order is not None
            limits = tuple((float(low), float(high)) for low, high in self._limits.T)
            down = order != self.constraint.columns
            return Gaps(self.constraint.columns, self._step(self.constraint), limits, down)
        if self._values:
            keys = sorted(self._counts, key=lambda k: (-self._counts[k], k))
            values = tuple(tuple(None if v != v else v for v in self._values[k]) for k in keys)
            discrete = tuple(n for n in self.constraint.columns if self.schema[n].kind in DISCRETE)
            return Combined(self.constraint.columns, values, tuple(self._counts[k] for k in keys), discrete)
        return None

    def _step(self, constraint: Inequality) -> float:
        """The smallest gap that keeps a strict inequality once values are rounded; 0 where rejection must see to it."""
        columns = [self.schema[name] for name in constraint.columns]
        if not constraint.strict:
            return 0.0
        if all(c.kind == "integer" for c in columns):
            return 1.0
        decimals = [c.decimals for c in columns if c.kind == "float"]
        return 0.0 if None in decimals or not decimals else 10.0 ** -max(d for d in decimals if d is not None)
