"""`gansmith evaluate RUN`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .judging import EXTRACTORS, export, progress, refuse, settings, sides, tell
from .options import debug, from_file
from .show import say

if TYPE_CHECKING:
    from ..metrics.tables import TableFigure


@click.command("evaluate", short_help="Judge a run, or anything's pictures or rows, against real ones.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", help="The real data.  [default: those that the run was trained on]")
@click.option("--metric", "metrics", multiple=True, help="See `gansmith metrics`; may be repeated; or `all`.")
@click.option("--extractor", multiple=True, help=f"{EXTRACTORS} May be repeated.  [default: the best at hand]")
@click.option("--held", help="Real pictures that training never saw.  [default: the data's test split]")
@sides
@click.option("--test", help="Tables: real rows that were never trained on.  [default: those that the run held out]")
@click.option("--target", metavar="COLUMN", help="Tables: the column that models learn to predict.")
@click.option(
    "--shadows",
    type=click.IntRange(0),
    default=0,
    metavar="N",
    help="Tables: also attack with N models trained as the run was, on half of the rows each; at least 4.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Pictures: figures as .json or .csv. Tables: the report.")
@from_file
@debug
def command(
    run: Path,
    data: str | None,
    metrics: tuple[str, ...],
    extractor: tuple[str, ...],
    held: str | None,
    test: str | None,
    target: str | None,
    shadows: int,
    out: Path | None,
    **common: Any,
) -> None:
    """Judge a run against real data; or a folder of generated pictures, or a file of synthetic rows, of any origin.

    Every figure is printed with the protocol it was measured by, its 95 % interval, and the same figure of real
    pictures against real ones; figures of different protocols do not compare.

    \b
    gansmith evaluate runs/photos --split test
    gansmith evaluate fakes/ --data photos/ --metric fid --metric memorisation --held never-seen/
    """
    from ..data.tables_read import is_table
    from ..pipelines.tables.models import is_table_model

    if is_table_model(run) or is_table(run):
        table_rows(run, data, test, target, shadows, common["seed"], out, common["recipe"])
        return
    if test or target or shadows:
        raise click.UsageError("--test, --target and --shadows are for tables; these are pictures")
    from ..pipelines.asked import METRICS
    from ..pipelines.evaluate import evaluate

    if out is not None:
        refuse(out)
    with progress(common["number"]) as bars:
        found = evaluate(
            run,
            data,
            metrics=metrics or METRICS,
            extractor=list(extractor) or None,
            held=held,
            progress=bars.side,
            working=bars.working,
            **settings(**common),
        )
    tell(found)
    if out is not None:
        say(f"wrote {export(found.figures, out)}")


def table_rows(
    run: Path,
    data: str | None,
    test: str | None,
    target: str | None,
    shadows: int,
    seed: int,
    out: Path | None,
    recipe: str | None,
) -> None:
    from ..pipelines.tables.evaluate import evaluate_table

    asked: dict[str, Any] = {"test": test, "target": target, "shadows": shadows, "seed": seed}
    found = evaluate_table(run, data, **asked, out=out, recipe=recipe, progress=say_step)
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
