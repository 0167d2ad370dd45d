"""`gansmith generate RUN`."""

from __future__ import annotations

from pathlib import Path

import click

from .options import ABOVE, COUNT, debug, from_file
from .show import say, warn


@click.command("generate", short_help="Make new examples with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "--number", type=COUNT, default=16, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same examples.")
@click.option("--label", help="Make this class only.")
@click.option("--truncation", type=ABOVE, help="Below 1: likelier, less varied; for recipes that know how.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("samples"), show_default=True, help="A folder.")
@click.option("--grid/--no-grid", default=True, show_default=True, help="One picture of them all (of 1024 at most).")
@click.option("--overwrite", is_flag=True, help="Replace the examples that are in the folder.")
@click.option("--export", type=click.Path(path_type=Path), help="Pack the generator into this folder instead.")
@from_file
@debug
def command(
    run: Path,
    number: int,
    seed: int,
    label: str | None,
    truncation: float | None,
    out: Path,
    grid: bool,
    overwrite: bool,
    export: Path | None,
    recipe: str | None,
) -> None:
    """Make new examples with a trained run: a file each, and one grid beside the folder."""
    from ..pipelines.generate import load, write

    make = load(run, recipe)
    for problem in make.problems:
        warn(f"{problem}; used the checkpoint before it")
    if export:
        say(f"packed the generator into {make.save(export)}")
        return
    written = write(make, number, out, seed=seed, label=label, truncation=truncation, grid=grid, overwrite=overwrite)
    say(f"wrote {number} files to {out}" + (f" and {written}" if written else ""))
