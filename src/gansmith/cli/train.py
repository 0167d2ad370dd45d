"""`gansmith train DATA`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import ABOVE, COUNT, debug, overrides
from .show import hush_launcher, say, table

if TYPE_CHECKING:
    from ..pipelines.prepare import Prepared


@click.command(
    "train",
    short_help="Train a GAN on a folder of pictures.",
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
@click.option("--mirror", is_flag=True, help="Show every picture mirrored, too.")
@click.option("--labels/--no-labels", default=None, help="Insist on labels, or leave them out.")
@click.option("--out", type=click.Path(path_type=Path), help="The run folder.  [default: runs/NAME]")
@click.option("--overwrite", is_flag=True, help="Replace the run that is there.")
@click.option("--from", "start_from", type=click.Path(path_type=Path), help="Begin with the weights of this run.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@debug
@click.pass_context
def command(ctx: click.Context, /, data: str, fields: tuple[str, ...], dry_run: bool, **settings: Any) -> None:
    """Train a GAN on DATA: a folder of pictures, a zip, parquet, .npz, or bundled:fashion-mnist.

    What you leave out is chosen from the data and the machine, and the choices are printed with their reasons.

    \b
    gansmith train photos/ --out runs/photos
    gansmith train photos/ --recipe dcgan --size 64 --minutes 30 recipe.latent=128
    """
    changes = overrides(fields, [name for option in ctx.command.params for name in option.opts])
    if settings["samples"] and settings["minutes"]:
        raise click.UsageError("the length of a run is either --samples or --minutes: give one of them", ctx)
    from ..pipelines import train as pipeline

    hush_launcher()

    run = pipeline.train(data, **settings, dry_run=dry_run, changes=changes, tell=show)
    if dry_run:
        say("nothing was trained: this was a dry run")
        return
    say(f"done. The run is in {run}; its report is {run / 'report.html'}")
    say(f"next: {shlex.join(['gansmith', 'generate', str(run), '-n', '64', '--out', 'samples'])}")


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
