"""What a private run will ask of a table, told before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass

from ...data.tables_read import Table
from ...privacy.stated import Stated
from ...tabular.schema import DISCRETE, Column


@dataclass(frozen=True)
class PrivatePlan:
    """A private run that is ready to start; the rows have not been asked for anything that will be kept.

    Args:
        stated: by the user.
        recipe: its name.
        epsilon, delta: the whole budget.
    """

    table: Table
    stated: Stated
    recipe: str
    epsilon: float
    delta: float

    def rows(self) -> list[tuple[str, str, str]]:
        """A row for each column: name, kind, and where its range or categories come from."""
        return [(column.name, column.kind, self._source(column)) for column in self.table.schema]

    def unstated(self) -> list[Column]:
        """Columns that the data will be asked about, and a statement could spare them that."""
        return [c for c in self.table.schema.learnt if c.kind != "boolean" and not self.stated.of(c)]

    def _source(self, column: Column) -> str:
        if column.kind == "identifier":
            return f"not learnt; filled with {column.fill}"
        if column.name in self.stated.categories:
            listed = [str(c) for c in self.stated.categories[column.name]]
            more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
            return f"stated: {', '.join(listed[:4])}{more}"
        if column.kind in DISCRETE:
            return "known: true or false" if column.kind == "boolean" else "categories to be found with noise"
        if column.name not in self.stated.bounds:
            return "range to be found with noise"
        if column.kind == "datetime":
            return "stated"
        low, high = self.stated.bounds[column.name]
        return f"stated: {low:g} to {high:g}"
