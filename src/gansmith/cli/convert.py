"""`gansmith convert FILE.pkl`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from .options import debug
from .show import say


@click.command("convert", short_help="Take over weights of StyleGAN2, StyleGAN3 or R3GAN.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The model's folder.  [default: runs/NAME]")
@click.option("--classes", metavar="NAME,NAME,...", help="Names of the classes, in the file's order.")
@click.option("--licence", help="Of the weights, for the model to state.")
@click.option("--preview/--no-preview", default=True, show_default=True, help="Make a picture of 16 samples.")
@debug
def command(file: Path, out: Path | None, classes: str | None, licence: str | None, preview: bool) -> None:
    """Make a model of FILE, a .pkl of StyleGAN2(-ADA), StyleGAN3 or R3GAN.

    Such files are programs. This reads their numbers, and runs nothing.

    \b
    gansmith convert ffhq.pkl --out runs/ffhq
    gansmith generate runs/ffhq -n 16 --truncation 0.7
    """
    from ..migration import convert
    from ..migration.models import LICENCE

    out = out or Path("runs") / file.stem
    named = tuple(name.strip() for name in classes.split(",")) if classes else ()
    for line in convert(file, out, classes=named, licence=licence or LICENCE, preview=preview).lines():
        say(line)
    say(f"next: {shlex.join(['gansmith', 'generate', str(out), '-n', '16', '--out', 'samples'])}")
