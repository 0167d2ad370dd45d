"""`gansmith synthesize TABLE --out ROWS`."""

from __future__ import annotations

import shlex
import textwrap
from pathlib import Path
from typing import Any

import click

from .evaluate import say_step
from .options import ABOVE, COUNT, debug
from .show import WIDEST, hush_launcher, say, warned


@click.command("synthesize", short_help="From a table to synthetic rows and a report on them, in one go.")
@click.argument("data")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Synthetic rows: .csv, .tsv, .parquet, .gz."
)
@click.option("--rows", "number", type=COUNT, help="How many.  [default: as many as the table has]")
@click.option("--run", type=click.Path(path_type=Path), help="The run folder.  [default: runs/NAME]")
@click.option("--recipe", metavar="NAME", help="See `gansmith recipes`.")
@click.option("--target", metavar="COLUMN", help="The column that rows should help to predict.")
@click.option("--schema", type=click.Path(path_type=Path), help="A YAML file that says what the columns are.")
@click.option("--constraints", type=click.Path(path_type=Path), help="A YAML file of what every row keeps.")
@click.option("--samples", type=COUNT, help="Length of the training at most: rows to see; or")
@click.option("--minutes", type=ABOVE, help="by the clock.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the training and the rows.")
@click.option("--for-spreadsheets", is_flag=True, help="Text that a spreadsheet would run is made safe.")
@click.option("--overwrite", is_flag=True, help="Replace the rows and the report that are there; never the run.")
@debug
@click.pass_context
def command(
    ctx: click.Context,
    /,
    data: str,
    out: Path,
    number: int | None,
    recipe: str | None,
    samples: int | None,
    minutes: float | None,
    seed: int,
    **settings: Any,
) -> None:
    """Train on the table DATA, write synthetic rows, and beside them a report on their quality and privacy.

    The same command again, after an interruption, goes on where it was. `gansmith train`, `generate` and `evaluate` do
    the same step by step, with more options; differential privacy (--epsilon) is theirs.

    \b
    gansmith synthesize patients.csv --out synthetic.csv --rows 10000
    """
    if samples and minutes:
        raise click.UsageError("the length of the training is either --samples or --minutes: give one of them", ctx)
    from ..pipelines.plan import Wishes
    from ..pipelines.tables.synthesize import synthesize
    from .train import show

    hush_launcher()
    wishes = Wishes(recipe=recipe, samples=samples, minutes=minutes, seed=seed)
    with warned():
        made = synthesize(data, out, number, wishes=wishes, tell=show, step=say_step, **settings)
    say(f"\n{textwrap.fill(made.verdict.sentence, WIDEST)}\n")
    say(f"wrote {made.rows}, and the report {made.report}: read it before you hand the rows on")
    say(f"more rows: {shlex.join(['gansmith', 'generate', str(made.run), '-n', '1000', '--out', 'more.csv'])}")
