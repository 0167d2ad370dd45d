"""Constraints as JSON and YAML, both ways."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ...errors import ConfigError, UserError, did_you_mean
from ...tabular.schemafile import read_yaml
from .constraints import Constraint, Custom, FixedCombinations, Inequality, OneHot, Predicate, Range, Unique
from .formulas import Product, Sum

KINDS: dict[str, type[Constraint]] = {
    c.kind: c for c in (Inequality, Range, Sum, Product, FixedCombinations, OneHot, Unique, Custom)
}
Functions: TypeAlias = Callable[[str], Predicate]


def constraint_from_json(data: Mapping[str, Any], functions: Functions | None = None) -> Constraint:
    """The inverse of `Constraint.to_json`.

    Args:
        functions: finds the function of a Custom by its name; without it the name is imported, so leave it out only
            for what the user wrote.

    Raises:
        ConfigError: an unknown kind or setting; the nearest is offered.
    """
    values = dict(data)
    kind = str(values.pop("kind", None))
    if kind not in KINDS:
        raise ConfigError(f"no constraint {kind!r}; known: {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}")
    columns = values.pop("columns", ())
    columns = [columns] if isinstance(columns, str) else list(columns)
    try:
        if kind == Custom.kind:
            return Custom((functions or imported)(str(values.pop("predicate"))), columns, **values)
        return KINDS[kind](*columns, **values)
    except (TypeError, KeyError) as error:
        raise ConfigError(f"the constraint {dict(data)!r} cannot be made: {error}") from None


def imported(name: str) -> Predicate:
    """The function called `package.module:function`.

    Raises:
        ConfigError: there is none.
    """
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"no function {name!r}, written as package.module:function: {error}") from None
    return found  # type: ignore[no-any-return]


def handed_over(given: Sequence[Predicate]) -> Functions:
    """Finds the functions of Custom constraints among those that the user hands over; imports nothing.

    Raises:
        UserError: (when asked) one that was not handed over.
    """
    known = {Custom(function).name: function for function in given}

    def find(name: str) -> Predicate:
        if name not in known:
            raise UserError(
                f"this model has a constraint of its own, {name}, and loading never runs code that a model names: "
                f"import the function and hand it over, load(path, custom=[{name.rpartition(':')[2]}])"
            )
        return known[name]

    return find


def read(given: Any) -> tuple[Constraint, ...]:
    """Constraints from a sequence of them (or of mappings), or from a YAML or JSON file with a list.

    Raises:
        ConfigError: not a list of constraints.
    """
    found: Any = _from_file(Path(given)) if isinstance(given, str | Path) else given
    if isinstance(found, Constraint):
        found = [found]
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ConfigError(f"constraints are a list, such as [Inequality('start', 'end')], not: {type(found).__name__}")
    return tuple(_one(item) for item in found)


def _one(item: Any) -> Constraint:
    if isinstance(item, Constraint):
        return item
    if isinstance(item, Mapping):
        return constraint_from_json(item)
    raise ConfigError(f"not a constraint: {item!r}; there are: {', '.join(c.__name__ for c in KINDS.values())}")


def _from_file(path: Path) -> Any:
    found = read_yaml(path, f"the file of constraints {path}")
    return found.get("constraints", ()) if isinstance(found, Mapping) else found


def write(path: Path | str, constraints: Sequence[Constraint]) -> None:
    """Writes constraints to a JSON or YAML file, as its ending says."""
    data = {"constraints": [c.to_json() for c in constraints]}
    text = json.dumps(data, indent=1) if str(path).endswith(".json") else yaml.safe_dump(data, sort_keys=False)
    Path(path).write_text(text, encoding="utf-8")
