"""`gansmith diagnose RUN`."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import debug
from .show import say

if TYPE_CHECKING:
    from ..pipelines.diagnose import Diagnosis

UNSOUND = 3


@click.command("diagnose", short_help="Say what goes wrong in a run, and what to do.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--samples", type=click.Path(path_type=Path), help="Pictures that the generator made, of anyone's run.")
@click.option("--data", help="The real pictures, beside which --samples are looked at.")
@click.option("--tile", type=click.IntRange(min=4), help="--samples are grids; the side of one picture in pixels.")
@click.option("--loss", help="The adversarial loss of anyone's run: non_saturating, wasserstein, relativistic, ...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@debug
@click.pass_context
def command(
    ctx: click.Context,
    run: Path,
    samples: Path | None,
    data: str | None,
    tile: int | None,
    loss: str | None,
    as_json: bool,
) -> None:
    """Say what goes wrong in a run, since when, by what evidence, and what to do.

    RUN is a run folder, or anyone's log: a CSV file with columns such as step,d_loss,g_loss, or TensorBoard's folder.
    Exits with 3 if something serious was found, with 0 if not.

    \b
    gansmith diagnose runs/photos
    gansmith diagnose their-losses.csv --samples their-samples/ --data photos/
    """
    from ..pipelines.diagnose import diagnose

    found = diagnose(run, samples=samples, data=data, tile=tile, loss=loss)
    if as_json:
        say(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
    else:
        tell(found)
    if not found.sound:
        ctx.exit(UNSOUND)


def tell(found: Diagnosis) -> None:
    """A diagnosis in words."""
    say(f"Looked at {found.looked_at}.")
    for finding in found.findings:
        say(f"\n{finding.severity.upper()}: {finding.sentence()}")
        say(textwrap.fill(finding.failure.meaning, 110, initial_indent="  ", subsequent_indent="  "))
        advice = f"What to do: {finding.failure.advice}"
        say(textwrap.fill(advice, 110, initial_indent="  ", subsequent_indent="  "))
        say(f"  See {finding.failure.reference}")
    if not found.findings:
        say("\nNothing is wrong that could be seen.")
    for what in found.blind:
        say(f"\nNot to be seen: {what}.")
