"""`gansmith oversample-lab DATA --target COLUMN`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from .options import COUNT, debug
from .show import say


@click.command("oversample-lab", short_help="Tell whether over-sampling helps on an imbalanced table.")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--target", required=True, help="The column with the classes.")
@click.option("--methods", help="Which to compare, with commas: none,weights,random,smote,borderline,adasyn,gan.")
@click.option("--models", help="Which classifiers, with commas: logistic,knn,forest,boosting.")
@click.option("--folds", default="5x2", show_default=True, help="Repeats x folds of the cross-validation.")
@click.option("--samples", type=COUNT, help="How long each GAN trains, in rows.  [default: by the table's size]")
@click.option("--recipe", help="The GAN.  [default: GANOverSampler's own]")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write the report here: .html, or .json with all figures.")
@click.option("--json", "as_json", is_flag=True, help="Print every figure as JSON instead of the table.")
@debug
def command(
    data: Path,
    target: str,
    methods: str | None,
    models: str | None,
    folds: str,
    samples: int | None,
    recipe: str | None,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Compare ways to treat a rare class: none, class weights, random over-sampling, SMOTE, Borderline-SMOTE, ADASYN
    and a GAN, by cross-validation in which every method sees training rows alone. Ends with a verdict.
    """
    from ..imbalance.lab import oversample_lab

    if out is not None and out.suffix not in (".html", ".json"):
        raise click.UsageError(f"--out takes a name that ends in .html or .json, this was: {out}")
    settings = {key: value for key, value in (("samples", samples), ("recipe", recipe)) if value is not None}
    with progress() as advance:
        found = oversample_lab(
            data,
            target,
            methods=_words(methods),
            models=_words(models),
            folds=folds,
            seed=seed,
            gan=settings,
            progress=advance,
        )
    written = found.save(out) if out else None
    say(json.dumps(found.to_json(), indent=1) if as_json else str(found).rstrip())
    if written and not as_json:
        say(f"\nwrote {written}")


def _words(text: str | None) -> list[str] | None:
    return None if text is None else [word.strip() for word in text.split(",") if word.strip()]


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("folds", total=None)

        def advance(done: int, total: int, what: str) -> None:
            bar.update(task, completed=done, total=total, description=what)

        yield advance
