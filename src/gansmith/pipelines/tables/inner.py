"""A table as networks learn it: the user's columns, transformed so that constraints hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...data.tables_read import CHUNK, Table
from ...tabular.frames import canonicalise, restore
from ...tabular.schema import Canonical, Schema
from .rules import Rules


def canonical_chunks(table: Table) -> Iterator[tuple[Any, Canonical]]:
    """The rows of a table as DataFrames, and their canonical columns."""
    first = 0
    for frame in table.chunks(CHUNK):
        yield frame, canonicalise(frame, table.schema, first=first)
        first += len(frame)


class Transformed(Table):
    """A table whose rows go through the transforms of its constraints.

    Args:
        table: as the user has it.
        rules: fitted to it.
    """

    def __init__(self, table: Table, rules: Rules) -> None:
        self.table, self.rules = table, rules
        self.schema, self.rows, self.names = rules.inner, table.rows, rules.inner.names
        self.fingerprint = table.fingerprint

    def chunks(self, size: int = CHUNK) -> Iterator[Any]:
        """DataFrames of the columns that are learnt."""
        learnt, first = Schema(self.schema.learnt), 0
        for frame in self.table.chunks(size):
            canonical = canonicalise(frame, self.rules.schema, first=first)
            first += len(frame)
            yield restore(self.rules.forward(canonical), learnt)

    def notes(self) -> list[str]:
        return self.table.notes()


def transformed(table: Table, rules: Rules) -> Table:
    """The table that networks learn: the same one where no constraint changes its columns."""
    return table if rules.inner == table.schema else Transformed(table, rules)
