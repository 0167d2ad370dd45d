"""`gansmith train DATA`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import private
from .options import ABOVE, COUNT, LAYERS, UNIT, debug, overrides
from .show import hush_launcher, say, table, write_schema

if TYPE_CHECKING:
    from ..pipelines.prepare import Prepared

GAMMA_SAMPLES = 5_000  # of each short run of --find-gamma


@click.command(
    "train",
    short_help="Train a GAN on pictures or on a table.",
    options_metavar="[OPTIONS]",
    epilog="Numbers may be written 50000, 200k, 5M.",
)
@click.argument("data")
@click.argument("fields", nargs=-1, metavar="[recipe.NAME=VALUE]...")
@click.option("--recipe", metavar="NAME", help="See `gansmith recipes`; or a file of your own: my_gan.py:MyGAN.")
@click.option(
    "--preset", type=click.Choice(["paper", "small"]), help="The recipe's settings: the paper's, or quick ones."
)
@click.option("--size", type=COUNT, help="Side of the pictures in pixels.")
@click.option("--batch", type=COUNT, help="Examples in a step, over all devices.")
@click.option("--samples", type=COUNT, help="Length of the run: examples to see; or")
@click.option("--minutes", type=ABOVE, help="length of the run by the clock.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides weights, noise and order.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), help="Of the networks; penalties stay in fp32.")
@click.option("--devices", type=COUNT, help="GPUs, or processes on a CPU.")
@click.option("--shard", multiple=True, metavar="NETWORK", help="Shard this network over the devices (FSDP2).")
@click.option("--save-every", type=COUNT, help="Samples between checkpoints.")
@click.option("--tick", type=COUNT, help="Samples between entries in the log.")
@click.option("--keep-best", is_flag=True, help="Pictures: keep the weights with the best score. Tables always do.")
@click.option("--patience", type=COUNT, help="Pictures: end when the score got no better for so many samples.")
@click.option("--find-gamma", is_flag=True, help="Pictures: find the weight of R1 and R2 first, by short runs.")
@click.option("--gamma-samples", type=COUNT, help="With --find-gamma: length of each of its runs.  [default: 5k]")
@click.option("--no-treat", is_flag=True, help="The doctor tells what goes wrong, and changes nothing.")
@click.option("--no-doctor", is_flag=True, help="Nobody looks for what goes wrong.")
@click.option("--mirror", is_flag=True, help="Show every picture mirrored, too.")
@click.option("--labels/--no-labels", default=None, help="Insist on labels, or leave them out.")
@click.option("--schema", type=click.Path(path_type=Path), help="Tables: a YAML file that says what the columns are.")
@click.option("--save-schema", type=click.Path(path_type=Path), help="Tables: write the schema here, to be edited.")
@click.option("--constraints", type=click.Path(path_type=Path), help="Tables: a YAML file of what every row keeps.")
@click.option("--target", metavar="COLUMN", help="Tables: the column that rows should help to predict.")
@click.option(
    "--holdout", type=click.FloatRange(0, 0.9), help="Share left out, to judge by.  [default: tables 0.1, pictures 0]"
)
@click.option("--epsilon", type=ABOVE, help="Tables: keep differential privacy, within this budget.")
@click.option("--delta", type=UNIT, help="With --epsilon: the chance that it fails.  [default: 1 / rows^1.1]")
@click.option(
    "--stated", type=click.Path(path_type=Path), help="With --epsilon: a YAML file of what you know of columns."
)
@click.option("--preparation", type=UNIT, default=0.2, show_default=True, help="With --epsilon: its share for columns.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder.  [default: runs/NAME]")
@click.option("--overwrite", is_flag=True, help="Replace the run that is there.")
@click.option("--from", "start_from", type=click.Path(path_type=Path), help="Begin with the weights of this run.")
@click.option(
    "--freeze", type=LAYERS, multiple=True, help="With --from: keep its first N layers as they are (FreezeD)."
)
@click.option("--adapt", is_flag=True, help="With --from: for a handful of pictures, to become them and stay varied.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@debug
@click.pass_context
def command(
    ctx: click.Context,
    /,
    data: str,
    fields: tuple[str, ...],
    dry_run: bool,
    save_schema: Path | None,
    find_gamma: bool,
    gamma_samples: int | None,
    no_treat: bool,
    no_doctor: bool,
    **settings: Any,
) -> None:
    """Train a GAN on DATA: pictures (a folder, a zip, parquet, .npz, bundled:fashion-mnist) or a table (CSV, TSV,
    parquet).

    What you leave out is chosen from the data and the machine, and the choices are printed with their reasons.

    \b
    gansmith train photos/ --out runs/photos
    gansmith train patients.csv --out runs/patients
    gansmith train patients.csv --epsilon 1 --stated stated.yaml --out models/patients
    gansmith train photos/ --recipe dcgan --size 64 --minutes 30 recipe.latent=128
    """
    changes = overrides(fields, [name for option in ctx.command.params for name in option.opts])
    private.check(ctx)
    if settings["epsilon"] is not None:
        private.train(ctx, data, changes, {**settings, "dry_run": dry_run, "save_schema": save_schema})
        return
    for name in private.OWN:
        del settings[name]
    if settings["samples"] and settings["minutes"]:
        raise click.UsageError("the length of a run is either --samples or --minutes: give one of them", ctx)
    if gamma_samples and not find_gamma:
        raise click.UsageError("--gamma-samples is the length of --find-gamma's runs: add --find-gamma", ctx)
    from ..pipelines import train as pipeline
    from ..pipelines.tables.store import is_table_run, schema_of

    hush_launcher()

    def tell(prepared: Prepared) -> None:
        show(prepared)
        if save_schema is not None:
            say(f"wrote {write_schema(schema_of(prepared.about), save_schema)}\n")

    settings["constraints"] = settings["constraints"] or ()
    settings["freeze"] = dict(settings["freeze"])
    settings["doctor"] = "off" if no_doctor else "watch" if no_treat else "treat"
    settings["find_gamma"] = (gamma_samples or GAMMA_SAMPLES) if find_gamma else None
    run = pipeline.train(data, **settings, dry_run=dry_run, changes=changes, tell=tell)
    if dry_run:
        say("nothing was trained: this was a dry run")
        return
    say(f"done. The run is in {run}; its report is {run / 'report.html'}")
    asked = ["-n", "1000", "--out", "synthetic.csv"] if is_table_run(run) else ["-n", "64", "--out", "samples"]
    say(f"next: {shlex.join(['gansmith', 'generate', str(run), *asked])}")


def show(prepared: Prepared) -> None:
    """The data's notes, the plan as a table, and the size of the networks."""
    from ..pipelines.plan import rows

    for note in prepared.source.notes():
        say(note)
    say()
    if described := prepared.source.spec.describe():
        table(described[1:], described[0])
        say()
    table(rows(prepared.plan), ("choice", "value", "why"))
    sizes = ", ".join(f"{name} {count:,}" for name, count in prepared.parameters.items())
    say(f"\nparameters: {sizes}\n")
