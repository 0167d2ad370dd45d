"""`gansmith compare A B`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .judging import EXTRACTORS, progress, settings, sides
from .options import debug, from_file
from .show import say, warn

METRICS = ("fid", "kid", "precision_recall")


@click.command("compare", short_help="Say which of two runs, or folders of pictures, is better.")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option("--data", help="The real pictures.  [default: those that A was trained on]")
@click.option("--metric", "metrics", multiple=True, help=f"May be repeated.  [default: {', '.join(METRICS)}]")
@click.option("--extractor", help=f"{EXTRACTORS}  [default: the best at hand]")
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
    larger than noise, the answer is "too few samples to tell". A Fréchet distance is compared without its bias; of so
    few pictures that this bias is not known, it tells nothing.

    \b
    gansmith compare runs/a runs/b
    gansmith compare fakes-old/ fakes-new/ --data photos/
    """
    from ..errors import UserError
    from ..pipelines.evaluate import compare

    if out is not None and out.exists():
        raise UserError(f"{out} is there already, and nothing is overwritten; choose another name for --out")
    with progress(common["number"]) as bars:
        found = compare(
            a, b, data, metrics=metrics or METRICS, extractor=extractor, progress=bars.side, **settings(**common)
        )
    for remark in found.remarks:
        warn(remark)
    say(f"A is {a}\nB is {b}\n{found.extractor}\n")
    for row in found:
        say(f"{row.name}: {row.verdict}\n    {row.told()}\n    {row.protocol}")
    if out is not None:
        from ..config import write_text

        figures = [row.to_json() for row in found]
        told = {"a": str(a), "b": str(b), "figures": figures, "remarks": list(found.remarks)}
        write_text(out, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        say(f"\nwrote {out}")
