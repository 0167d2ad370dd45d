"""`python -m benchmarks health run|score|page|figures|list`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .. import machine
from . import figures, page
from .play import play_all
from .scenarios import ALL, chosen
from .score import METHODS, score

TUNING = range(100)  # seeds below are for tuning, seeds from here on for scores


def seeds_of(text: str) -> list[int]:
    """`0-9`, `0,3,5` or `100-104,107`."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        try:
            found += range(int(first), int(last or first) + 1)
        except ValueError:
            raise argparse.ArgumentTypeError(f"seeds are numbers and ranges such as 0-9 or 0,3; not: {text}") from None
    return found


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks health", description="Planted failures of GANs.")
    does = parser.add_subparsers(dest="does", required=True)
    for name, what in (("run", "play what was not played yet"), ("score", "score what was kept")):
        sub = does.add_parser(name, help=what)
        sub.add_argument("--seeds", type=seeds_of, default=seeds_of("0-9"))
        sub.add_argument("--only", nargs="*", default=[], metavar="NAME", help="of scenarios, or tuned, unseen")
        if name == "run":
            sub.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
        else:
            sub.add_argument("--quiet", action="store_true", help="no table of scenarios")
    does.add_parser("list", help="name all scenarios")
    does.add_parser("page", help="write docs/benchmarks-health.md")
    drawn = does.add_parser("figures", help="draw docs/health/NAME.png of runs whose samples were kept")
    drawn.add_argument("--seed", type=int, default=0)
    drawn.add_argument("--only", nargs="*", default=["plants"], metavar="NAME")
    given = parser.parse_args(argv)
    if given.does == "run":
        play_all(chosen(tuple(given.only)), given.seeds, given.seconds)
    elif given.does == "score":
        score_and_keep(given.seeds, tuple(given.only), quiet=given.quiet)
    elif given.does == "list":
        for scenario in ALL.values():
            print(f"{scenario.name}: {scenario.title}")
    elif given.does == "figures":
        for scenario in chosen(tuple(given.only)):
            print(figures.draw(scenario, given.seed) or f"{scenario.name}: not played with seed {given.seed}")
    else:
        page.write()


def score_and_keep(seeds: Sequence[int], only: tuple[str, ...], *, quiet: bool = False) -> None:
    """Scores what is tuned on and what is not apart. Only a score of all runs is kept for the page."""
    kind = "tuned" if all(seed in TUNING for seed in seeds) else "fresh"
    for group in (only,) if only else (("tuned",), ("unseen",)):
        if group == ("unseen",) and kind == "tuned":
            continue  # nobody looks at these while tuning
        scenarios = chosen(group)
        result = score(scenarios, seeds)
        print(told(result, quiet=quiet), flush=True)
        played, wanted = sum(s["runs"] for s in result["scenarios"]), len(scenarios) * len(seeds)
        if only or played < wanted:
            print(f"not kept for the page: {played} of {wanted} runs were played, of {len(scenarios)} scenarios")
            continue
        name = f"health-{kind}" if group == ("tuned",) else "health-unseen"
        command = f"python -m benchmarks health score --seeds {seeds[0]}-{seeds[-1]}"
        machine.keep(name, {"command": command, **result})


def told(result: dict[str, Any], *, quiet: bool = False) -> str:
    """A score in lines for a terminal."""
    lines = [page.scenario_line(s) for s in result["scenarios"]] if not quiet else []
    lines += [page.method_line(name, result["methods"][name]) for name in METHODS]
    return "\n".join(lines)
