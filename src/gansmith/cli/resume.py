"""`gansmith resume RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import ABOVE, COUNT, debug, from_file
from .show import hush_launcher, say


@click.command("resume", short_help="Go on with a run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--samples", type=COUNT, help="A new length of the whole run, in samples.")
@click.option("--minutes", type=ABOVE, help="A new length of the whole run, by the clock.")
@click.option("--devices", type=COUNT, help="GPUs, or processes on a CPU.")
@click.option("--micro", type=COUNT, help="Examples per forward pass, to save memory; the batch stays.")
@click.option("--data", help="Where the data are now, if they have moved.")
@click.option("--accept-data-change", is_flag=True, help="Go on although the data have changed.")
@click.option("--no-treat", is_flag=True, help="The doctor tells what goes wrong, and leaves the run as it is.")
@from_file
@debug
@click.pass_context
def command(
    ctx: click.Context,
    run: Path,
    samples: int | None,
    minutes: float | None,
    devices: int | None,
    micro: int | None,
    data: str | None,
    accept_data_change: bool,
    no_treat: bool,
    recipe: str | None,
) -> None:
    """Go on with a run, from its newest undamaged checkpoint.

    On a CPU the result is the same, to the bit, as if it had never stopped.
    """
    if samples and minutes:
        raise click.UsageError("the length of a run is either --samples or --minutes: give one of them", ctx)
    from ..pipelines.resume import resume
    from ..pipelines.tables.models import refuse_resume
    from ..pipelines.tables.store import is_table_run

    hush_launcher()
    refuse_resume(run)
    if is_table_run(run):
        if devices or micro:
            raise click.UsageError("--devices and --micro are for pictures so far; this run is of a table", ctx)
        from ..pipelines.tables.synthesizer import TableSynthesizer
        from ..report import write_report

        model = TableSynthesizer.load(run, recipe=recipe)
        care = "watch" if no_treat else None
        model.resume(data, samples=samples, minutes=minutes, accept=accept_data_change, doctor=care)
        write_report(run)
        say(f"done. The run is in {run}; its report is {run / 'report.html'}")
        return

    resume(
        run,
        data=data,
        recipe=recipe,
        accept_data_change=accept_data_change,
        samples=samples,
        minutes=minutes,
        devices=devices,
        micro=micro,
        doctor="watch" if no_treat else None,
    )
    say(f"done. The run is in {run}; its report is {run / 'report.html'}")
