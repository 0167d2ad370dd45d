"""`gansmith report RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import debug
from .show import say


@click.command("report", short_help="Write a run's report, or compare runs, in one HTML file.")
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Where to write it; as .json or .csv, the figures alone.  [default: RUN/report.html, or comparison.html]",
)
@debug
def command(runs: tuple[Path, ...], out: Path | None) -> None:
    """Write the report of a run: one HTML file that needs no other. Of several runs: a page with all side by side.

    It works on a run that is still going on, too. CSV holds a row for each figure: the newest of each protocol, those
    of earlier judgements, those logged during training, and those of single classes (column `kind`). JSON holds these,
    the facts and the curves.

    \b
    gansmith report runs/a
    gansmith report runs/a runs/b --out comparison.html
    """
    from ..report import write_comparison, write_report

    if len(runs) == 1 and (out is None or out.suffix.lower() not in (".json", ".csv")):
        say(f"wrote {write_report(runs[0], out)}")
    else:
        say(f"wrote {write_comparison(runs, out or Path('comparison.html'))}")
