"""`gansmith compare A B`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .judging import progress, settings, sides
from .options import debug, from_file
from .show import say

METRICS = ("fid", "kid", "precision_recall")


@click.command("compare", short_help="Say which of two runs, or folders of pictures, is better.")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--data", help="The real pictures.  [default: those that A was trained on]")
@click.option("--metric", "metrics", multiple=True, help=f"May be repeated.  [default: {', '.join(METRICS)}]")
@click.option("--extractor", help="What takes the features.  [default: the best at hand]")
@click.option("--out", type=click.Path(path_type=Path), help="Write the comparison here, too, as JSON.")
@sides
@from_file
@debug
def command(
    a: Path,
    b: Path,
    data: str | None,
    metrics: tuple[str, ...],
    extractor: str | None,
    out: Path | None,
    **common: Any,
) -> None:
    """Say which of A and B makes the better pictures: runs, packed models, or folders of pictures of any origin.

    Both are judged against the same real pictures, and the difference is resampled with these shared; when it is no
    larger than noise, the answer is "too few samples to tell". A Fréchet distance is compared without its bias.

    \b
    gansmith compare runs/a runs/b
    gansmith compare fakes-old/ fakes-new/ --data photos/
    """
    from ..errors import UserError
    from ..pipelines.evaluate import compare

    if out is not None and out.exists():
        raise UserError(f"{out} is there already, and nothing is overwritten; choose another name for --out")
    with progress(common["number"]) as advance:
        found = compare(
            a, b, data, metrics=metrics or METRICS, extractor=extractor, progress=advance, **settings(**common)
        )
    say(f"A is {a}\nB is {b}\n")
    for row in found:
        say(f"{row.name}: {row.verdict}")
        say(f"    A {row.a:.4g}, B {row.b:.4g}, A - B within [{row.difference[0]:.4g}, {row.difference[1]:.4g}]")
        say(f"    {row.protocol}")
    if out is not None:
        from ..config import write_text

        write_text(out, json.dumps([row.to_json() for row in found], indent=1, ensure_ascii=False) + "\n")
        say(f"\nwrote {out}")
