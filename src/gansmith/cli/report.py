"""`gansmith report RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import debug
from .show import say


@click.command("report", short_help="Write a run's report, one HTML file.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it.  [default: RUN/report.html]")
@debug
def command(run: Path, out: Path | None) -> None:
    """Write the report of a run: one HTML file that needs no other.

    It works on a run that is still going on, too.
    """
    from ..report import write_report

    say(f"wrote {write_report(run, out)}")
