"""`gansmith evaluate RUN`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import COUNT, debug, from_file
from .show import say, warn

if TYPE_CHECKING:
    from ..metrics.tables import TableFigure

METRICS = ("fid", "kid", "precision_recall")


@click.command("evaluate", short_help="Judge a run against real pictures.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", help="The real pictures.  [default: those that the run was trained on]")
@click.option("--metric", "metrics", multiple=True, help=f"Of {', '.join(METRICS)}; may be repeated.  [default: all]")
@click.option("-n", "--number", type=COUNT, default=10_000, show_default=True, help="Pictures of each side, at most.")
@click.option("--extractor", help="What takes the features: inception, fashion, random.  [default: the best at hand]")
@click.option("--split", help="Which part of the data is the real side: train, test, all.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the generated pictures.")
@click.option("--test", help="Tables: real rows that were never trained on.  [default: those that the run held out]")
@click.option("--target", metavar="COLUMN", help="Tables: the column that models learn to predict.")
@click.option("--out", type=click.Path(path_type=Path), help="Tables: the report.  [default: in the run, or beside the model]")
@from_file
@debug
def command(
    run: Path,
    data: str | None,
    metrics: tuple[str, ...],
    number: int,
    extractor: str | None,
    split: str | None,
    seed: int,
    test: str | None,
    target: str | None,
    out: Path | None,
    recipe: str | None,
) -> None:
    """Judge a run against real data; or a folder of generated pictures, or a file of synthetic rows, of any origin.

    Every figure is printed with the protocol it was measured by; figures of different protocols do not compare.
    """
    from ..data.tables_read import is_table
    from ..pipelines.tables.models import is_table_model

    if is_table_model(run) or is_table(run):
        table_rows(run, data, test, target, seed, out, recipe)
        return
    if test or target or out:
        raise click.UsageError("--test, --target and --out are for tables; these are pictures")
    from ..pipelines.evaluate import evaluate

    with progress(number) as advance:
        found = evaluate(
            run,
            data,
            metrics=metrics or METRICS,
            n=number,
            extractor=extractor,
            seed=seed,
            recipe=recipe,
            split=split,
            progress=advance,
        )
    for remark in found.remarks:
        warn(remark)
    say(f"{found.extractor}\n")
    for figure in found.figures:
        spread = "" if figure.spread is None else f" ± {figure.spread:.3g}"
        interval = "" if figure.interval is None else "  [{:.4g}, {:.4g}]".format(*figure.interval)
        floor = "" if figure.floor is None else f"  floor {figure.floor:.4g}"
        say(f"{figure.name}-{figure.protocol.extractor} {figure.value:.4g}{spread}{interval}{floor}")
        say(f"    {figure.protocol}")
    if found.written:
        say(f"\nwrote {found.written}")


def table_rows(
    run: Path, data: str | None, test: str | None, target: str | None, seed: int, out: Path | None, recipe: str | None
) -> None:
    from ..pipelines.tables.evaluate import evaluate_table

    found = evaluate_table(run, data, test=test, target=target, seed=seed, out=out, recipe=recipe, progress=say_step)
    group = ""
    for figure in found.judgement.figures:
        if figure.group != group:
            group = figure.group
            say(f"\n{group}")
        say(f"  {figure.name:<44} {figure.value:.4g}{beside(figure)}")
        say(f"      {figure.protocol}")
    for name, reason in found.judgement.missing.items():
        say(f"\nnot measured: {name}, as {reason}")
    if found.ledger is not None:
        say(f"\n{found.ledger.promise()}")
    say(f"\nwrote {found.report}: read it for what the figures mean, and for the verdict")


def beside(figure: TableFigure) -> str:
    """The interval of a figure, and what it is held against."""
    interval = "" if figure.interval is None else f"  [{figure.interval[0]:.3g}, {figure.interval[1]:.3g}]"
    return interval + ("" if figure.reference is None else f"  beside {figure.reference:.4g}")


def say_step(text: str) -> None:
    """What is being worked on, where somebody sees it."""
    if sys.stderr.isatty():
        click.echo(f"  {text} ...", err=True)


@contextmanager
def progress(number: int) -> Iterator[Callable[[str, int], None]]:
    """A bar for each side on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        tasks = {side: bar.add_task(f"{side} pictures", total=number) for side in ("real", "fake")}

        def advance(side: str, done: int) -> None:
            bar.update(tasks[side], completed=done)

        yield advance
