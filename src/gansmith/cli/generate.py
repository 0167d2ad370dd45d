"""`gansmith generate RUN`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .options import COUNT, SEEDS, attributes, debug, from_file, truncated
from .show import say, unknown_together, warn, warned

if TYPE_CHECKING:
    from ..tabular.schema import Schema


@click.command("generate", short_help="Make new examples with a trained run.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("-n", "--number", type=COUNT, default=16, show_default=True, help="How many.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed makes the same examples.")
@click.option("--seeds", type=SEEDS, help="Pictures: one of each of these, 1,2,5 or 0-7, as -n 1 --seed makes it.")
@click.option("--label", help="Make this class only.")
@truncated
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="NAME=VALUE",
    help="Pictures: an attribute, 0 or 1. Tables: VALUE, LOW..HIGH, or A|B|C.",
)
@click.option("--for-spreadsheets", is_flag=True, help="Tables: text that a spreadsheet would run is made safe.")
@click.option("--out", type=click.Path(path_type=Path), help="A folder; of a table, a file.  [default: samples]")
@click.option("--grid/--no-grid", default=True, show_default=True, help="One picture of them all (of 1024 at most).")
@click.option("--overwrite", is_flag=True, help="Replace the examples that are in the folder.")
@click.option("--export", type=click.Path(path_type=Path), help="Pack the generator into this folder instead.")
@from_file
@debug
@click.pass_context
def command(
    ctx: click.Context,
    run: Path,
    number: int,
    seed: int,
    seeds: list[int] | None,
    label: str | None,
    truncation: Any,
    wheres: tuple[str, ...],
    for_spreadsheets: bool,
    out: Path | None,
    grid: bool,
    overwrite: bool,
    export: Path | None,
    recipe: str | None,
) -> None:
    """Make new examples with a trained run: a file each and one grid beside the folder, or the rows of a table."""
    from ..pipelines.tables.models import is_table_model

    given = {name for name in ("number", "seed") if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if seeds and given:
        raise click.UsageError("--seeds says which pictures to make, one of each: leave out -n and --seed")
    if is_table_model(run):
        if seeds:
            raise click.UsageError("--seeds is for pictures; a table is one of --seed")
        if label or truncation is not None:
            raise click.UsageError("--label and --truncation are for pictures; rows are asked for with --where")
        rows(run, number, seed, wheres, out, for_spreadsheets, overwrite, export, recipe)
        return
    if for_spreadsheets and run.exists():
        raise click.UsageError("--for-spreadsheets is for tables; this run makes pictures")
    wish = {"seed": seed, "seeds": seeds or (), "label": label, "truncation": truncation}
    count, folder = len(seeds) if seeds else number, out or Path("samples")
    pictures(run, count, wish, wheres, folder, grid, overwrite, export, recipe)


def pictures(
    run: Path,
    number: int,
    wish: dict[str, Any],
    wheres: tuple[str, ...],
    out: Path,
    grid: bool,
    overwrite: bool,
    export: Path | None,
    recipe: str | None,
) -> None:
    from ..pipelines.generate import load, write

    make = load(run, recipe)
    for problem in make.problems:
        warn(f"{problem}; used the checkpoint before it")
    if export:
        say(f"packed the generator into {make.save(export)}")
        return
    where = attributes(wheres)
    unknown_together(make.spec, where)
    written = write(make, number, out, **wish, where=where, grid=grid, overwrite=overwrite)
    say(f"wrote {number} files to {out}" + (f" and {written}" if written else ""))


def rows(
    run: Path,
    number: int,
    seed: int,
    wheres: tuple[str, ...],
    out: Path | None,
    for_spreadsheets: bool,
    overwrite: bool,
    export: Path | None,
    recipe: str | None,
) -> None:
    from ..pipelines.tables.models import load_table_model

    model = load_table_model(run, recipe)
    if export:
        say(f"packed the synthesizer into {model.save(export)}")
        return
    with warned():
        written = model.sample_to(
            out or Path("synthetic.csv"),
            number,
            where=dict(asked(text, model.schema_) for text in wheres),
            seed=seed,
            for_spreadsheets=for_spreadsheets,
            overwrite=overwrite,
        )
    say(f"wrote {number:,} rows to {written}")


def asked(text: str, schema: Schema) -> tuple[str, Any]:
    """`age=30..40` as ("age", (30, 40)), `job=a|b` as ("job", ["a", "b"]), `sex=F` as ("sex", "F").

    Raises:
        click.UsageError: anything else.
        DataError: no such column.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"wanted --where COLUMN=VALUE, COLUMN=LOW..HIGH or COLUMN=A|B, this was: {text}")
    column = schema[name]
    counted = bool(column.categories) and all(type(c) in (int, float) for c in column.categories)
    numeric = column.kind in ("integer", "float")
    low, dots, high = value.partition("..")
    if dots and numeric | counted | (column.kind == "datetime"):
        return name, (number(low, numeric | counted), number(high, numeric | counted))
    values = [number(part, numeric) for part in value.split("|")]
    return name, values if len(values) > 1 else values[0]


def number(text: str, numeric: bool) -> Any:
    """The number that a text says, where one is wanted; nothing for an open end of a range."""
    try:
        return float(text) if numeric and text else text or None
    except ValueError:
        raise click.UsageError(f"wanted a number in --where, this was: {text}") from None
