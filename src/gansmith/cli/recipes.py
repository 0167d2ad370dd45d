"""`gansmith recipes` and `gansmith recipes show NAME`."""

from __future__ import annotations

from typing import Any

import click

from ..errors import did_you_mean
from .options import COUNT, debug, overrides
from .show import say, table


class Catalogue(click.Group):
    """`recipes r3gan` is taken for `recipes show r3gan` with a hint."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            near = did_you_mean(args[0], self.commands) or f" Did you mean: gansmith recipes show {args[0]}?"
            raise click.UsageError(f"no command {args[0]!r}; known: show.{near}", ctx)
        return super().resolve_command(ctx, args)


@click.group("recipes", short_help="List the recipes, or show one.", cls=Catalogue, invoke_without_command=True)
@debug
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the recipes; `recipes show NAME` tells all about one."""
    if ctx.invoked_subcommand:
        return
    from ..pipelines.catalogue import DEFAULT, entries

    marks = {name: mark for usual in DEFAULT.values() for name, mark in ((usual["gpu"], " **"), (usual["cpu"], " *"))}
    rows = [(e.name + marks.get(e.name, ""), e.makes, e.paper, e.title) for e in entries()]
    table(rows, ("recipe", "makes", "paper", "what it is"))
    say("\n* the default without a GPU, ** with one")
    say("more: gansmith recipes show NAME; your own: --recipe my_gan.py:MyGAN")


@command.command("show")
@click.argument("name")
@click.argument("fields", nargs=-1, metavar="[recipe.NAME=VALUE]...")
@click.option("--size", type=COUNT, default=32, show_default=True, help="Side of the pictures in pixels.")
@click.option("--channels", type=click.Choice(["1", "3", "4"]), default="3", show_default=True)
@click.option("--classes", type=click.IntRange(0), help="Number of classes.  [default: as few as it can do with]")
@click.option("--preset", type=click.Choice(["paper", "small"]), default="paper", show_default=True)
@debug
@click.pass_context
def show(
    ctx: click.Context, name: str, fields: tuple[str, ...], size: int, channels: str, classes: int | None, preset: str
) -> None:
    """Show a recipe: its paper, its settings for such pictures, and the size of its networks."""
    changes = overrides(fields, [option for param in ctx.command.params for option in param.opts])
    from ..config import to_dict
    from ..errors import DataError
    from ..pipelines import catalogue
    from ..pipelines.prepare import parameters
    from ..spec import ImageSpec
    from ..testing import example_spec

    cls = catalogue.find(name)

    def made(classes: int) -> tuple[Any, dict[str, int]]:
        if cls.makes != "image":
            spec = example_spec(cls.makes)
            recipe = catalogue.build(cls, spec, preset, changes)
            return recipe, parameters(recipe, spec)
        spec = ImageSpec(size=size, channels=int(channels), classes=tuple(f"class {i}" for i in range(classes)))
        recipe = catalogue.build(cls, spec, preset, changes)
        return recipe, parameters(recipe, spec)

    try:
        recipe, counts = made(classes or 0)
    except DataError:  # it cannot do without classes
        if classes is not None:
            raise
        classes = 10
        recipe, counts = made(classes)
    entry = catalogue.entry(name)
    say(catalogue.summary(name))
    say(f"\npaper    {entry.paper or 'none named'}")
    data = f"{size} x {size} x {channels}" + (f" in {classes} classes" if classes else "")
    data = data if cls.makes == "image" else f"a {cls.makes} of four columns"
    say(f"presets  {', '.join(catalogue.presets(cls)) or 'none'}; this is {preset}, for {data}")
    say("\nsettings, each to be changed as recipe.NAME=VALUE:")
    table((f"  {key}", str(value)) for key, value in to_dict(recipe).items())
    say("\nparameters:")
    table((f"  {net}", f"{count:,}") for net, count in counts.items())
