"""A progress bar over rows that are being made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .drawing import Tell


@contextmanager
def rows_bar(n: int, show: bool | None) -> Iterator[Tell | None]:
    """What to tell how many rows there are, and how many were made for them.

    Args:
        show: None shows a bar where somebody sees it.
    """
    if show is False or (show is None and not sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} rows"),
        BarColumn(),
        TextColumn("{task.fields[share]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=n, share="")

        def tell(done: int, draws: int) -> None:
            share = "" if draws <= 2 * max(done, 1) else f"{draws:,} made in search of them"
            bar.update(task, completed=done, share=share)

        yield tell
