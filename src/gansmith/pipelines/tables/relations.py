"""Relations between columns that all rows of a table keep, looked for so that they can be suggested as constraints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ...data.tables_read import Table
from ...tabular.schema import NUMERIC, Canonical, Column, Schema
from .constraints import Constraint, Inequality, Rows
from .formulas import UNITS, Formula, Product, Sum
from .inner import canonical_chunks

Matrix: TypeAlias = npt.NDArray[np.float64]
MOST_COLUMNS, MOST_TOLD = 60, 8
LOOKED_AT, FEWEST = 128, 30  # rows in which a relation is looked for, and those that must have all of its values
LEAST_USED = 0.1  # share of the rows in which each column of a formula is not 0
LEAST_TELLING = 0.1  # share of the rows that would break an inequality if the columns had nothing to do with each other


def suggestions(table: Table, asked: Sequence[Constraint]) -> list[str]:
    """Sentences on relations that every row keeps and no constraint keeps yet, with the line that would keep each.

    Args:
        asked: the constraints that there are.
    """
    found = confirmed(table, asked)
    told = [
        f"{_words(relation)} in all {table.rows:,} rows; to keep that in every row made (--constraints): "
        f"- {_line(relation)}"
        for relation in found[:MOST_TOLD]
    ]
    more = len(found) - len(told)
    return [*told, *([f"{more} more such relations are not listed."] if more > 0 else [])]


def confirmed(table: Table, asked: Sequence[Constraint] = ()) -> list[Constraint]:
    """Sums, products and inequalities that hold in every row. They are guessed from a few rows and then checked on all,
    so that a table without any costs one look at its beginning."""
    chunks, schema, found = canonical_chunks(table), table.schema, list[Constraint]()
    for number, (frame, canonical) in enumerate(chunks):
        if number == 0:
            found = [c for c in guessed(canonical, schema) if not any(_covers(other, c) for other in asked)]
        rows = Rows(frame, canonical)
        found = [c for c in found if c.holds(rows, schema).all()]
        if not found:
            break
    formulas = [c for c in found if isinstance(c, Formula)]
    linked = _linked([*formulas, *(c for c in asked if isinstance(c, Formula))])
    orders = [c for c in found if not isinstance(c, Formula) and not any(set(c.columns) <= s for s in linked)]
    return [*formulas, *_shortest(orders)]


def _linked(formulas: Sequence[Formula]) -> list[set[str]]:
    """Columns that formulas link with each other: an inequality between them says little more."""
    groups = list[set[str]]()
    for formula in formulas:
        own = set(formula.columns)
        groups = [g for g in groups if not g & own] + [own.union(*(g for g in groups if g & own))]
    return groups


def guessed(canonical: Canonical, schema: Schema) -> list[Constraint]:
    """Relations that hold in some rows, chosen at random."""
    columns = [c for c in schema.learnt if c.kind in NUMERIC][:MOST_COLUMNS]
    if len(columns) < 2:
        return []
    whole = np.stack([np.asarray(canonical[c.name], dtype=np.float64) for c in columns], 1)
    few = whole[np.random.default_rng(0).permutation(len(whole))[:LOOKED_AT]]
    kept = [i for i in range(len(columns)) if (~np.isnan(few[:, i])).sum() >= FEWEST]
    few, columns = few[:, kept], [columns[i] for i in kept]
    return [*_formulas(few, columns), *_orders(few, columns)]


def _formulas(x: Matrix, columns: Sequence[Column]) -> Iterator[Formula]:
    """Sums and products of two columns; each relation once, in the first form that holds."""
    values = {c.name: x[:, i] for i, c in enumerate(columns)}
    used = [c for c in columns if _varies(values[c.name])]
    schema, told = Schema(tuple(used)), set[frozenset[str]]()
    for a, b in combinations(used, 2):
        if (~np.isnan(values[a.name] + values[b.name])).sum() < FEWEST:
            continue
        for candidate in _candidates(a, b, used):
            key = frozenset(candidate.columns)
            if key not in told and candidate.keeps(values, schema).all():
                told.add(key)
                yield candidate


def _varies(values: Matrix) -> bool:
    known = values[~np.isnan(values)]
    return bool((known != 0).mean() >= LEAST_USED and np.ptp(known) > 0)


def _candidates(a: Column, b: Column, columns: Sequence[Column]) -> Iterator[Formula]:
    others = [c for c in columns if c.name not in (a.name, b.name)]
    dates = [c.kind == "datetime" for c in (a, b)]
    for c in others:
        if not any(dates) and c.kind != "datetime":
            yield Sum(c.name, a.name, b.name)
            if not _is_flag(a) and not _is_flag(b):
                yield Product(c.name, a.name, b.name)
        elif sum(dates) == 1 and c.kind == "datetime":
            yield from (Sum(c.name, *((a.name, b.name) if dates[0] else (b.name, a.name)), unit=unit) for unit in UNITS)


def _is_flag(column: Column) -> bool:
    """Whether a column is 0 and 1, times which everything fits."""
    return column.low == 0.0 and column.high == 1.0


def _orders(x: Matrix, columns: Sequence[Column]) -> Iterator[Inequality]:
    """Inequalities of two columns that would often be broken if the rows of one were shuffled."""
    for i, j in permutations(range(len(columns)), 2):
        low, high = x[~np.isnan(x[:, i] + x[:, j])][:, [i, j]].T
        alike = (columns[i].kind == "datetime") == (columns[j].kind == "datetime")
        if alike and len(low) >= FEWEST and (low <= high).all() and (low[:, None] > high[None]).mean() >= LEAST_TELLING:
            yield Inequality(columns[i].name, columns[j].name)


def _covers(constraint: Constraint, other: Constraint) -> bool:
    """Whether a constraint speaks of all columns that another one does."""
    return isinstance(constraint, Formula | Inequality) and set(other.columns) <= set(constraint.columns)


def _shortest(orders: Sequence[Constraint]) -> list[Constraint]:
    """Inequalities without those that follow from two others."""
    pairs = {c.columns for c in orders}
    follows = {(a, d) for a, b in pairs for c, d in pairs if b == c}
    return [c for c in orders if c.columns not in follows or c.columns[::-1] in pairs]


def _words(relation: Constraint) -> str:
    if isinstance(relation, Sum):
        return f"{relation.made} = {' + '.join(relation.parts)}{f' (in {relation.unit})' if relation.unit else ''}"
    if isinstance(relation, Product):
        return f"{relation.made} = {' * '.join(relation.parts)}"
    return " <= ".join(relation.columns)


def _line(relation: Constraint) -> str:
    """The line of YAML that says a constraint."""
    data = {name: value for name, value in relation.to_json().items() if value not in (None, False)}
    names = ", ".join(json.dumps(name, ensure_ascii=False) for name in data.pop("columns"))
    rest = "".join(f", {name}: {value}" for name, value in data.items() if name != "kind")
    return f"{{kind: {relation.to_json()['kind']}, columns: [{names}]{rest}}}"
