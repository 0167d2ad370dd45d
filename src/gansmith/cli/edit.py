"""`gansmith edit RUN WHAT`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import COUNT, SEEDS, attributes, debug, from_file, truncated, where
from .show import say, unknown_together

if TYPE_CHECKING:
    from ..pipelines.edit import Editor
    from ..pipelines.generate import Samples

MOVING = (".gif", ".webp")


class Span(click.ParamType):  # type: ignore[type-arg]
    """First and last layer: 0:4."""

    name = "FIRST:LAST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        first, colon, last = str(value).partition(":")
        if not colon or not first.isdecimal() or not last.isdecimal():
            self.fail(f"wanted two numbers of layers, such as 0:4: {value}", param, ctx)
        return int(first), int(last)


SPAN = Span()
OUT = click.option("--out", type=click.Path(path_type=Path), required=True, help="The picture; .gif and .webp move.")
LABEL = click.option("--label", help="Of all pictures.")
LAYERS = click.option("--layers", type=SPAN, help="Layers whose style changes.")


@click.group("edit", short_help="Interpolate, mix, invert and steer a trained generator.")
@debug
def command() -> None:
    """Control of a trained generator. Seeds are those of `gansmith generate RUN -n 1 --seed SEED`.

    \b
    gansmith edit interpolate runs/x 1,2,3 --out walk.gif
    gansmith edit directions runs/x 0-3 --method sefa --number 0 --out steer.png
    """


@command.command("interpolate")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("seeds", type=SEEDS)
@click.option("--frames", type=COUNT, default=8, show_default=True, help="From one seed to the next.")
@LABEL
@where
@truncated
@OUT
@from_file
@debug
def interpolate(run: Path, seeds: list[int], frames: int, recipe: str | None, out: Path, **settings: Any) -> None:
    """From the picture of one seed to the next, as a strip or a moving picture."""
    found = editor(run, recipe, settings).interpolate(seeds, frames, loop=out.suffix in MOVING, **settings)
    write(found, out, columns=frames)


@command.command("classes")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("labels", nargs=-1, required=True)
@click.option("--frames", type=COUNT, default=8, show_default=True, help="From one class to the next.")
@click.option("--seed", type=int, default=0, show_default=True)
@truncated
@OUT
@from_file
@debug
def classes(run: Path, labels: tuple[str, ...], frames: int, recipe: str | None, out: Path, **settings: Any) -> None:
    """One latent under one class after another; of pictures with attributes LABELS are such as smiling=1,glasses=0."""
    made = editor(run, recipe, settings)
    asked = [attributes([label]) for label in labels] if made.space.spec.attributes else labels
    write(made.classes(asked, frames, **settings), out, columns=frames)


@command.command("mix")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("rows", type=SEEDS)
@click.argument("columns", type=SEEDS)
@LAYERS
@LABEL
@where
@truncated
@OUT
@from_file
@debug
def mix(run: Path, rows: list[int], columns: list[int], recipe: str | None, out: Path, **settings: Any) -> None:
    """A grid: each picture of a row with some styles of a column's."""
    write(editor(run, recipe, settings).mix(rows, columns, **settings), out, columns=len(columns) + 1)


@command.command("invert")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "--into", type=click.Choice(("w", "w+")), default="w+", show_default=True, help="One style, or one a layer."
)
@click.option("--steps", type=COUNT, default=300, show_default=True)
@LABEL
@where
@OUT
@from_file
@debug
def invert(run: Path, picture: Path, recipe: str | None, out: Path, **settings: Any) -> None:
    """The picture that the generator can make nearest to PICTURE, beside it."""
    found = editor(run, recipe, settings).invert(picture, **settings)
    write(found.samples, out, columns=2)
    say(f"pixels differ by {found.error:.3f} of a range of 2 (root mean square); made small by: {found.loss}")


@command.command("directions")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("seeds", type=SEEDS)
@click.option("--method", type=click.Choice(("sefa", "ganspace")), default="sefa", show_default=True)
@click.option("--number", type=click.IntRange(0), default=0, show_default=True, help="Which, the strongest being 0.")
@click.option("--reach", type=float, default=3.0, show_default=True, help="How far either way.")
@click.option("--frames", type=COUNT, default=7, show_default=True, help="Pictures of each seed.")
@LAYERS
@LABEL
@where
@truncated
@OUT
@from_file
@debug
def directions(
    run: Path,
    seeds: list[int],
    method: str,
    number: int,
    reach: float,
    frames: int,
    layers: tuple[int, int] | None,
    out: Path,
    recipe: str | None,
    **settings: Any,
) -> None:
    """Each seed moved along a direction that changes pictures much; a row for each seed."""
    made = editor(run, recipe, settings)
    found = made.directions(method, number + 1, layers=layers)
    write(made.move(seeds, found, number, reach=reach, frames=frames, **settings), out, columns=frames)


def editor(run: Path, recipe: str | None, settings: Mapping[str, Any]) -> Editor:
    """The editor of a run; warns of attributes among `settings` that no training picture has together."""
    from ..pipelines.edit import Editor
    from ..pipelines.generate import load

    made = Editor(load(run, recipe))
    unknown_together(made.space.spec, settings.get("where"))
    return made


def write(samples: Samples, out: Path, columns: int) -> None:
    """A moving picture by the name's ending, else a grid. Nothing is overwritten."""
    from ..errors import UserError
    from ..pipelines.edit.editor import film

    if out.exists():
        raise UserError(f"{out} is there already, and nothing is overwritten; choose another name for --out")
    if out.suffix.lower() in MOVING:
        film(samples, out)
    else:
        samples.save(out, columns=columns)
    say(f"wrote {len(samples)} pictures to {out}")
