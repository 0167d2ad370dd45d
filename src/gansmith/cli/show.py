"""What the commands print. Only the first process of a run prints."""

from __future__ import annotations

import logging
import shutil
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..pipelines.processes import first_process

if TYPE_CHECKING:
    from ..spec import Spec
    from ..tabular.schema import Schema

WIDEST = 120


def say(text: str = "") -> None:
    """A line on stdout, from the first process alone."""
    if first_process():
        click.echo(text)


def hush_launcher() -> None:
    """The launcher of several processes tells of each; what goes wrong is still told."""
    for name in ("distributed", "rank_zero"):
        logging.getLogger(f"lightning_fabric.utilities.{name}").setLevel(logging.WARNING)


def warn(text: str) -> None:
    """A line on stderr, from the first process alone."""
    if first_process():
        click.echo(f"warning: {text}", err=True)


def unknown_together(spec: Spec, where: Mapping[str, int] | None) -> None:
    """Warns of attributes that no training picture has together, where pictures have attributes."""
    from ..spec import ImageSpec

    if where and isinstance(spec, ImageSpec) and spec.attributes and not spec.occurs(where):
        warn("no training picture has just these attributes; the generator may not know what they look like together")


@contextmanager
def warned() -> Iterator[None]:
    """What the library warns of meanwhile is told as other warnings are, each once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        finally:
            for text in dict.fromkeys(str(warning.message) for warning in caught):
                warn(text)


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Columns of text; the last one wraps at the terminal's width."""
    lines = [tuple(header), *map(tuple, rows)] if header else [tuple(row) for row in rows]
    if not lines:
        return
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    indent = sum(widths) + 2 * len(widths)
    room = max(min(shutil.get_terminal_size((WIDEST, 24)).columns, WIDEST) - indent, 24)
    for number, line in enumerate(lines):
        start = "".join(f"{cell:<{width}}  " for cell, width in zip(line, widths, strict=False))
        text = textwrap.fill(line[-1], room, break_long_words=False).replace("\n", "\n" + " " * indent)
        say(click.style(start + text, dim=True) if header and number == 0 else start + text)


def write_schema(schema: Schema, path: Path) -> Path:
    """Writes the schema of a table.

    Raises:
        UserError: a file is there already.
    """
    from ..errors import UserError
    from ..tabular.schemafile import save_schema

    if path.exists():
        raise UserError(f"{path} is there already, and nothing is overwritten; choose another name for --save-schema")
    save_schema(schema, path)
    return path
