"""`gansmith inspect DATA`."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..errors import GansmithError, several
from .options import debug
from .show import say, table


@click.command("inspect", short_help="Look at data before training: copies, blanks, leaks, outliers.")
@click.argument("data")
@click.option("--test", help="Pictures that must not be among them.  [default: the other splits of the data]")
@click.option("--split", help="Which part of the data to look at: train, test, all.  [default: train, or all]")
@click.option("--out", type=click.Path(path_type=Path), help="The page.  [default: NAME-inspect.html]")
@click.option("--strict", is_flag=True, help="Exit with 1 if there is a problem or a warning.")
@debug
@click.pass_context
def command(
    ctx: click.Context, /, data: str, test: str | None, split: str | None, out: Path | None, strict: bool
) -> None:
    """Look at pictures before training on them: copies (of other sizes and compressions, too), pictures of one colour,
    outliers, class balance, sizes, channels, values, and test pictures that are among the training pictures.

    Writes a page with thumbnails, and beside it the same as JSON. Of a table it prints the columns that were found.

    \b
    gansmith inspect photos/
    gansmith inspect photos/ --test held-out/ --strict
    """
    from ..data.tables_read import is_table

    if is_table(data):
        if test or split or out or strict:
            raise click.UsageError("--test, --split, --out and --strict are for pictures; these data are a table", ctx)
        columns(data)
        return
    from ..pipelines.inspect import inspect, title_of
    from ..pipelines.prepare import command as line

    page = out or Path(f"{Path(title_of(data).removeprefix('bundled:')).stem or 'data'}-inspect.html")
    with progress() as advance:
        found = inspect(data, test=test, split=split, out=page, progress=advance, command=shlex.join(line()))
    say(f"{several(len(found.seen.own), 'picture')} of {found.title}\n")
    lines = [(f.level, f"{f.text} {f.advice}".rstrip()) for f in found.findings]
    table(lines)
    say(f"\nwrote {found.written}, and {found.written.with_suffix('.json') if found.written else ''}")
    if strict and not found.clean:
        counts = Counter(level for level, _ in lines)
        raise GansmithError(f"--strict, and there are problems: {counts['problem']}, warnings: {counts['warning']}")


def columns(data: str) -> None:
    """What the columns of a table are."""
    from ..data.tables_read import open_table
    from ..tabular.schemafile import summary

    opened = open_table(data)
    for note in opened.notes():
        say(note)
    say()
    described = summary(opened.schema)
    table(described[1:], described[0])
    keep = shlex.join(["gansmith", "train", data, "--dry-run", "--save-schema", "schema.yaml"])
    say(f"\nto change what was found: {keep}")


@contextmanager
def progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    shown = (TextColumn("{task.completed:,.0f} pictures"), BarColumn(), TimeRemainingColumn())
    with Progress(*shown, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance
