"""`gansmith evaluate RUN`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .options import COUNT, debug, from_file
from .show import say, warn

METRICS = ("fid", "kid", "precision_recall")


@click.command("evaluate", short_help="Judge a run against real pictures.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", help="The real pictures.  [default: those that the run was trained on]")
@click.option("--metric", "metrics", multiple=True, help=f"Of {', '.join(METRICS)}; may be repeated.  [default: all]")
@click.option("-n", "--number", type=COUNT, default=10_000, show_default=True, help="Pictures of each side, at most.")
@click.option("--extractor", help="What takes the features: inception, fashion, random.  [default: the best at hand]")
@click.option("--split", help="Which part of the data is the real side: train, test, all.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the generated pictures.")
@from_file
@debug
def command(
    run: Path,
    data: str | None,
    metrics: tuple[str, ...],
    number: int,
    extractor: str | None,
    split: str | None,
    seed: int,
    recipe: str | None,
) -> None:
    """Judge a run, or a folder of generated pictures, against real pictures.

    Every figure is printed with the protocol it was measured by; figures of different protocols do not compare.
    """
    from ..pipelines.evaluate import evaluate

    with progress(number) as advance:
        found = evaluate(
            run,
            data,
            metrics=metrics or METRICS,
            n=number,
            extractor=extractor,
            seed=seed,
            recipe=recipe,
            split=split,
            progress=advance,
        )
    for remark in found.remarks:
        warn(remark)
    say(f"{found.extractor}\n")
    for figure in found.figures:
        spread = "" if figure.spread is None else f" ± {figure.spread:.3g}"
        say(f"{figure.name}-{figure.protocol.extractor} {figure.value:.4g}{spread}")
        say(f"    {figure.protocol}")
    if found.written:
        say(f"\nwrote {found.written}")


@contextmanager
def progress(number: int) -> Iterator[Callable[[str, int], None]]:
    """A bar for each side on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        tasks = {side: bar.add_task(f"{side} pictures", total=number) for side in ("real", "fake")}

        def advance(side: str, done: int) -> None:
            bar.update(tasks[side], completed=done)

        yield advance
