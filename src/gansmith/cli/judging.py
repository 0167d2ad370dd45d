"""What the commands that judge pictures share: their options, how figures are printed, a bar for each side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .options import COUNT
from .show import say, warn

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from ..metrics.base import Figure
    from ..pipelines.evaluate import Evaluation

F = TypeVar("F", bound=Callable[..., Any])
EXPORTS = (".json", ".csv")
EXTRACTORS = (
    "inception, inception:clean (resizes as clean-fid), inception:bf16 (for a GPU), fashion, random, "
    "stacked:NAME (each channel alone), timm:NAME, dinov2:NAME, or a network of your own, FILE.py:NAME."
)


def sides(command: F) -> F:
    """Options that say which pictures are compared."""
    for option in (
        click.option(
            "--channels", type=click.Choice(["1", "3", "4"]), help="Bring folders that differ in colour to this."
        ),
        click.option("--size", type=COUNT, help="Bring folders whose pictures differ in size to this side, in pixels."),
        click.option("--seed", type=int, default=0, show_default=True, help="Of the generated pictures."),
        click.option("--split", help="Which part of the data is the real side: train, test, all."),
        click.option(
            "-n", "--number", type=COUNT, default=10_000, show_default=True, help="Pictures of each side, at most."
        ),
    ):
        command = option(command)
    return command


def settings(number: int, channels: str | None, **same: Any) -> dict[str, Any]:
    """What the options of `sides` and `--recipe` say, as `evaluate` and `compare` take it."""
    return {**same, "n": number, "channels": int(channels) if channels else None}


def tell(found: Evaluation) -> None:
    """Prints what a judgement found, each figure with its protocol."""
    for remark in found.remarks:
        warn(remark)
    say(f"{found.extractor}\n")
    for figure in found.figures:
        if not figure.name.endswith("-floor"):
            say(f"{figure.name}-{figure.protocol.extractor} {beside(figure)}")
            say(f"    {figure.protocol}")
    if found.written:
        say(f"\nwrote {found.written}")


def beside(figure: Figure) -> str:
    """The value of a figure and all that tells how far to trust it."""
    spread = "" if figure.spread is None else f" ± {figure.spread:.3g}"
    interval = "" if figure.interval is None else f"  [{figure.interval[0]:.4g}, {figure.interval[1]:.4g}]"
    of = f" ({figure.floor_of})" if figure.floor_of else ""
    floor = "" if figure.floor is None else f"  real against real: {figure.floor:.4g}{of}"
    return f"{figure.value:.4g}{spread}{interval}{floor}"


def refuse(path: Path) -> None:
    """Refuses a file for figures before anything is judged.

    Raises:
        UserError: another ending than EXPORTS, or a file that is there.
    """
    from ..errors import UserError

    if path.suffix.lower() not in EXPORTS:
        raise UserError(f"figures are written as {' or '.join(EXPORTS)}, by the file's ending; this was: {path.name}")
    if path.exists():
        raise UserError(f"{path} is there already, and nothing is overwritten; choose another name for --out")


def export(figures: Sequence[Figure], path: Path) -> Path:
    """Writes figures as JSON or CSV, by the ending; see `refuse`."""
    import csv
    import io
    import json

    from ..config import write_text

    refuse(path)
    rows = [figure.to_json() for figure in figures]
    text = io.StringIO()
    if path.suffix.lower() == ".json":
        json.dump({"figures": rows}, text, indent=1, ensure_ascii=False)
    else:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["figure", "value", "spread", "low", "high", "floor", "protocol"])
        for row in rows:
            low, high = row["interval"] or (None, None)
            writer.writerow([row["name"], row["value"], row["spread"], low, high, row["floor"], row["protocol"]])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())
    return path


class Bars:
    """A bar for each thing that is being done.

    Args:
        bar: draws them.
        number: of the pictures of a side.
    """

    def __init__(self, bar: Progress, number: int) -> None:
        self._bar, self._number = bar, number
        self._tasks: dict[str, TaskID] = {}

    def side(self, name: str, done: int) -> None:
        """So many pictures of a side are done."""
        self.working(f"{name} pictures", done, self._number)

    def working(self, what: str, done: int, of: int) -> None:
        """So much of something is done."""
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=of)
        self._bar.update(self._tasks[what], completed=done)


@contextmanager
def progress(number: int) -> Iterator[Bars]:
    """Bars on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        yield Bars(bar, number)
