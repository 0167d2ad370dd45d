"""What the commands print. Only the first process of a run prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

import click


def first_process() -> bool:
    """Whether this is the process that speaks: rank 0, or the only one."""
    global_rank = next((os.environ[name] for name in ("RANK", "SLURM_PROCID") if name in os.environ), None)
    if global_rank is not None:
        return global_rank == "0"
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))


def say(text: str = "") -> None:
    """A line on stdout, from the first process alone."""
    if first_process():
        click.echo(text)


def warn(text: str) -> None:
    """A line on stderr, from the first process alone."""
    if first_process():
        click.echo(f"warning: {text}", err=True)


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Columns of text; the last one wraps at the terminal's width."""
    if not first_process():
        return
    from rich.console import Console
    from rich.table import Table

    made = Table(box=None, show_header=bool(header), pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    rows = [tuple(row) for row in rows]
    width = len(header) or max((len(row) for row in rows), default=0)
    for i in range(width):
        last = i == width - 1
        made.add_column(header[i] if header else "", no_wrap=not last, overflow="fold")
    from rich.text import Text

    for row in rows:
        made.add_row(*(Text(cell, style="bold" if i == 0 else "") for i, cell in enumerate(row)))
    console = Console(file=sys.stdout, highlight=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=120)
    console.print(made)
