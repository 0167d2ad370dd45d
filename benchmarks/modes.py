"""Modes of Gaussians in the plane: which games cover all of them within a minute.

A game is losses and penalties, whatever the networks. The game of every recipe whose small preset has a penalty is
played here by the same two perceptrons, all by one rule:

- loss, kind of penalty, steps of D, and on which steps penalties run are the recipe's;
- weights of penalties are `WEIGHTS`: those of presets are for pictures of a thousand numbers and more, these are for
  two of unit variance. D can change by 1 over about sqrt(gamma / 2) at the price of 1: 0.22 in the beginning, a third
  of what lies between two modes, and 0.02 in the end, about the width of a mode. They fall along with the rates, as
  R3GAN's do (arXiv:2501.05441);
- augmentation, dropout, spectral normalisation and layers across the batch are left out, as they are of pictures;
- rates, betas, batch, average and data are the same for all; each run has 60 seconds of one core's computing time.

`python -m benchmarks.modes all` goes on with what is missing; `ring` or `grid` alone does that set; with a game's name
it only tries that game.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gansmith.errors import Interrupted
from gansmith.game import Augment, Game, Solver
from gansmith.game.gamma import game_of
from gansmith.pipelines import catalogue
from gansmith.recipes.base import sample
from gansmith.schedule import Cosine
from gansmith.spec import ImageSpec
from gansmith.training.config import TrainConfig
from gansmith.training.trainer import Trainer

from . import machine
from .clock import CpuClock, write
from .plane import Modes, Perceptrons

SETS = ("ring", "grid")
FOLDER = machine.ROOT / "runs" / "modes"
SECONDS, BATCH, SEEDS, SAMPLES = 60, 128, (0, 1, 2), 10_000
OVER = 1_000_000  # samples over which rates and weights fall
WEIGHTS = {"r1": Cosine(0.1, 0.001, OVER), "r2": Cosine(0.1, 0.001, OVER), "gp": 0.1}
SOLVER = Solver(lr=Cosine(2e-3, 1e-4, OVER), beta1=0.0, beta2=0.99)
HALF_LIFE = 10_000.0
BARE = {"gan, no penalty": Game(), "wgan, no penalty": Game(loss="wasserstein")}  # for comparison
GOOD = 0.95  # share of samples near a mode that is asked for


def games() -> dict[str, Game]:
    """Every game with a penalty, as it is played on points, by the names of the recipes that have it."""
    found: list[tuple[list[str], Game]] = []
    for name in catalogue.names():
        cls = catalogue.find(name)
        if getattr(cls, "makes", "image") != "image":
            continue
        classes = ("a", "b") if name in ("cgan", "acgan") else ()
        game = game_of(catalogue.build(cls, ImageSpec(size=32, channels=1, classes=classes), "small"))
        if game is not None and game.penalises:
            same = next((names for names, known in found if known == on_points(game)), None)
            if same is None:
                found.append(([name], on_points(game)))
            else:
                same.append(name)
    return {", ".join(names): game for names, game in found}


def on_points(game: Game) -> Game:
    """Losses, penalties and rhythm alone, penalties as heavy as `WEIGHTS` says."""
    plain = {"augment": Augment(), "spectral": "none", "minibatch": "none", "dropout": 0.0, "together": False}
    weights = {name: weight for name, weight in WEIGHTS.items() if getattr(game, name)}
    return replace(game, **plain, **weights)  # type: ignore[arg-type]


def play(data: str, game: Game, seed: int, seconds: float) -> dict[str, Any]:
    """Trains for so many seconds of computing, and scores 10,000 samples of G's average."""
    torch.set_num_threads(1)
    source = Modes(data)
    recipe = Perceptrons(game=game, solver=SOLVER, half_life=HALF_LIFE)
    with tempfile.TemporaryDirectory() as place:
        clock = CpuClock(seconds, Path(place) / "clock.json")
        config = TrainConfig(batch=BATCH, minutes=10_000, seed=seed, tick=50_000, save_every=10**9)
        trainer = Trainer(recipe, source, config, out=Path(place) / "run", recipe_name="perceptrons", monitors=[clock])
        trainer.fit()
        x = sample(recipe, trainer.averages.over(trainer.nets), source.spec.request(SAMPLES), seed=seed)["x"]
        return {**source.score(x), "samples": trainer.samples, "of": len(source.centres)}


def everything() -> dict[str, Game]:
    return {**BARE, **games()}


def place_of(data: str, name: str, seed: int) -> Path:
    return FOLDER / f"{data}-{name.replace(', ', '-').replace(' ', '-')}-{seed}.json"


def played(data: str, name: str, seed: int) -> dict[str, Any]:
    """What is known of a run under today's settings; empty where there is none."""
    place = place_of(data, name, seed)
    row = json.loads(place.read_text(encoding="utf-8")) if place.exists() else {}
    return row if row.get("settings") == settings() else {}


def left(sets: tuple[str, ...]) -> Iterator[tuple[str, str, Game, int]]:
    """What is still to be played: every game once, then once more with the next seed."""
    for seed in SEEDS:
        for data in sets:
            for name, game in everything().items():
                if not played(data, name, seed):
                    yield data, name, game, seed


def measure(sets: tuple[str, ...]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for data, name, game, seed in left(sets):
        about = {"data": data, "game": name, "seed": seed, "played": told(game), "settings": settings()}
        row = {**about, **play(data, game, seed, SECONDS)}
        write(place_of(data, name, seed), row)
        print(row, flush=True)
        keep()


def keep() -> None:
    """Gathers the rows that there are into the results."""
    every = [played(data, name, seed) for name in everything() for data in SETS for seed in SEEDS]
    machine.keep("modes", {"rows": [row for row in every if row], "seconds": SECONDS, "settings": settings()})


def settings() -> str:
    """The rule's numbers, for the page."""
    weights = ", ".join(f"{name} {_weight(weight)}" for name, weight in WEIGHTS.items())
    return (
        f"weights of penalties: {weights}; Adam (0, 0.99), rates {_weight(SOLVER.lr)}; these fall over {OVER:,} "
        f"samples; batch {BATCH}; G's average has a half-life of {HALF_LIFE:,.0f} samples"
    )


def told(game: Game) -> str:
    """Loss and penalties, in words."""
    penalties = ", ".join(name for name in WEIGHTS if getattr(game, name))
    often = f", every {game.penalty_every} steps" if penalties and game.penalty_every > 1 else ""
    more = f", drift {game.drift:g}" if game.drift else ""
    return f"{game.loss.replace('_', '-')}{', ' if penalties else ''}{penalties}{often}{more}"


def _weight(weight: Any) -> str:
    return f"{weight:g}" if isinstance(weight, int | float) else f"{weight.start:g} to {weight.end:g}"


def run() -> None:
    measure(SETS)


def render(result: dict[str, Any]) -> list[str]:
    rows = result["rows"]
    lines = [
        f"Every game with a penalty, played for {result['seconds']} seconds of one core's computing time by the same "
        f"two perceptrons (3 x 128), all by one rule: {result['settings']}. {SAMPLES:,} samples of G's average. A mode "
        "counts as covered by a fifth of its fair share of samples within 3 standard deviations; good samples are "
        f"within these of some mode. Bar: all modes, {GOOD:.0%} good. One figure for each seed.",
        "",
        "| game | loss and penalties | ring: modes of 8 | good | grid: modes of 25 | good |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["game"] for row in rows):
        own = [row for row in rows if row["game"] == name]
        figures = " | ".join(_figures([row for row in own if row["data"] == data]) for data in SETS)
        lines.append(f"| {name} | {own[0]['played']} | {figures} |")
    asked = [row for row in rows if row["game"] not in BARE]
    reached = [row for row in asked if row["modes"] == row["of"] and row["good"] >= GOOD]
    return [*lines, "", f"Of {len(asked)} runs with a penalty, {len(reached)} reach the bar."]


def _figures(rows: list[dict[str, Any]]) -> str:
    modes, good = ", ".join(f"{r['modes']:.0f}" for r in rows), ", ".join(f"{r['good']:.1%}" for r in rows)
    return f"{modes or '-'} | {good or '-'}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.modes", description=__doc__)
    parser.add_argument("data", choices=(*SETS, "all"))
    parser.add_argument("game", nargs="?", help="try this one, and keep nothing")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sets = SETS if given.data == "all" else (given.data,)
    try:
        if given.game is None:
            measure(sets)
            return
        known = next((g for names, g in everything().items() if given.game in (names, *names.split(", "))), None)
        if known is None:
            sys.exit(f"no such game: {given.game}; there are: {'; '.join(everything())}")
        for data in sets:
            print(data, play(data, known, given.seed, given.seconds), flush=True)
    except Interrupted:
        sys.exit("stopped; the run under way is to be played again")


if __name__ == "__main__":
    main()
