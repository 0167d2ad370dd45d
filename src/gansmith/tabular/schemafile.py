"""Schemas as YAML files that people read and edit, and as rows to print."""

from __future__ import annotations

import os
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from ..errors import DataError, did_you_mean
from . import decorated
from .dates import render, unknown_token
from .schema import KINDS, Column, Schema

_HEAD = """\
# The columns of a table. Change a kind (integer, float, datetime, category, boolean, identifier), take a column out,
# or say what fills an identifier; lines that are left out are found in the data.
"""
SHOWN_CATEGORIES, SHOWN_LETTERS = 4, 24


def save_schema(schema: Schema, path: Path | str) -> None:
    """Writes a schema as YAML, whole or not at all.

    Raises:
        DataError: the file cannot be written.
    """
    plain = {"columns": schema.to_json()}
    text = _as_yaml(plain, unicode=True)
    if yaml.safe_load(text) != plain:  # letters that YAML takes for line ends, such as U+0085
        text = _as_yaml(plain, unicode=False)
    write_whole(Path(path), (_HEAD + text).encode("utf-8"))


def _as_yaml(plain: dict[str, Any], *, unicode: bool) -> str:
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=unicode, width=110, default_flow_style=None)
    return text


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file beside its place and moves it there.

    Raises:
        DataError: it cannot be written.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            file.write(content)
        os.chmod(file.name, 0o666 & ~_umask())
        os.replace(file.name, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror or error}") from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load_schema(path: Path | str) -> Schema:
    """The schema in a YAML file.

    Raises:
        DataError: unreadable, no schema, an unknown field or kind (the nearest is named), or two columns of one name.
    """
    path = Path(path)
    found = read_yaml(path, f"the schema {path}")
    columns = found.get("columns") if isinstance(found, dict) else found
    if not isinstance(columns, list) or not all(isinstance(c, dict) for c in columns) or not columns:
        raise DataError(
            f"the schema {path} holds no list of columns; wanted columns: [{{name: age, kind: integer}}, …]"
        )
    return _checked(Schema(tuple(_column(values, i) for i, values in enumerate(columns))))


def _column(values: dict[str, Any], place: int) -> Column:
    """One column, its values checked."""
    from pydantic import TypeAdapter, ValidationError

    if values.get("name") is None:
        raise DataError(f"column {place + 1} of the schema has no name")
    name, known = str(values["name"]), [f.name for f in fields(Column)]
    for field in values:
        if field not in known:
            raise DataError(f"column {name!r}: there is no field {field!r}.{did_you_mean(str(field), known)}")
    if (kind := values.get("kind")) not in KINDS:
        said = "" if kind is None else f" {kind!r}"
        raise DataError(
            f"column {name!r} has no kind{said}; known: {', '.join(KINDS)}.{did_you_mean(str(kind), KINDS)}"
        )
    try:
        return TypeAdapter(Column).validate_python({**values, "name": name})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = f"{first['msg'][:1].lower()}{first['msg'][1:]}: {first['input']!r}"
        raise DataError(f"column {name!r}, {first['loc'][0]}: {said}") from None


def _checked(schema: Schema) -> Schema:
    names = [str(n) for n in schema.names]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"the schema has two columns {name!r}")
    for column in schema:
        if column.kind == "datetime" and column.format is not None and (bad := unknown_token(column.format)):
            raise DataError(
                f"column {column.name!r}: the date format {column.format!r} has a part {bad} that is unknown"
            )
        if column.kind in ("integer", "float") and column.format is not None and decorated.style(column.format) is None:
            raise DataError(
                f"column {column.name!r}: no format of numbers: {column.format!r}; wanted one such as ${{:,.2f}} for "
                "$1,250.00, or {:.,2f} € for 1.250,00 €"
            )
    return schema


def summary(schema: Schema) -> list[tuple[str, ...]]:
    """A row for each column, to print: name, kind, values, missing values, remarks; the first row is the header."""
    rows: list[tuple[str, ...]] = [("column", "kind", "values", "missing", "notes")]
    return [*rows, *((c.name, c.kind, _values(c), _missing(c), _remarks(c)) for c in schema)]


def _values(column: Column) -> str:
    if column.kind in ("category", "boolean"):
        words = [str(c)[:SHOWN_LETTERS] for c in column.categories[:SHOWN_CATEGORIES]]
        while len(words) > 2 and sum(map(len, words)) > SHOWN_LETTERS:  # a wide column leaves the notes no room
            words.pop()
        more = len(column.categories) - len(words)
        return f"{', '.join(words)} and {more} more" if more > 0 else ", ".join(words)
    if column.kind == "identifier" or column.low is None or column.high is None:
        return ""
    return f"{_bound(column, column.low)} to {_bound(column, column.high)}"


def _bound(column: Column, value: float) -> str:
    import numpy as np

    if column.kind == "datetime":
        form = column.format or ("%Y-%m-%d" if column.step == 86_400e6 else "%Y-%m-%d %H:%M:%S")
        return str(render(np.array([value]), form)[0])
    return (
        f"{int(value):,}"
        if column.kind == "integer"
        else f"{value:,.{4 if column.decimals is None else min(column.decimals, 4)}f}"
    )


def _missing(column: Column) -> str:
    if not column.nulls:
        return ""
    total = sum(column.counts)
    return f"{column.counts[-1] / total:.1%}" if column.counts and total else "yes"


def _remarks(column: Column) -> str:
    found: list[Any] = []
    if column.kind == "identifier":
        found.append(f"not learnt; filled with {column.fill}")
    if column.special:
        found.append("special: " + ", ".join(f"{v:g}" for v in column.special))
    if column.format is not None:
        found.append(f"written {column.format if column.kind == 'datetime' else _example(column.format)}")
    if column.nulls and column.missing:
        found.append(f"missing: {column.missing}")
    if column.kind == "category" and len(column.categories) == 1 and not column.nulls:
        found.append("one value only")
    return "; ".join(found)


def _example(form: str) -> str:
    import numpy as np

    return decorated.write(np.array([1234.5]), form)[0]


def read_yaml(path: Path, what: str) -> Any:
    """What a YAML file of the user's holds.

    Args:
        what: it is, for messages.

    Raises:
        DataError: it cannot be read, or is no YAML; the line is named.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{what} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        where = f" (line {at.line + 1})" if at else ""
        raise DataError(f"{what} is no YAML{where}: {getattr(error, 'problem', None) or error}") from None
