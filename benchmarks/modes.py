"""Modes of Gaussians in the plane: which games cover all of them within a minute.

A game is losses and penalties, whatever the networks; here every recipe's game that has a penalty is played by the same
two perceptrons, its penalty's weight as the recipe's small preset has it unless the table says otherwise.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gansmith.game import Augment, Game, Played, Solver
from gansmith.pipelines import catalogue
from gansmith.recipes.base import sample
from gansmith.schedule import Cosine, Scheduled, at
from gansmith.spec import ImageSpec
from gansmith.training.config import TrainConfig
from gansmith.training.trainer import Trainer

from . import machine
from .plane import Modes, Perceptrons

SECONDS, BATCH, SEEDS, SAMPLES = 60, 256, (0, 1, 2), 10_000
BARE = {"gan": Game(), "wgan": Game(loss="wasserstein")}  # without a penalty, for comparison
OVER = 1_000_000  # samples over which rates fall


def games() -> dict[str, Game]:
    """The game of every recipe whose small preset has a penalty, as it can be played on points."""
    found = {}
    for name in catalogue.names():
        cls = catalogue.find(name)
        if not issubclass(cls, Played):
            continue
        spec = ImageSpec(size=32, channels=1, classes=("a", "b") if name in ("cgan", "acgan") else ())
        recipe = catalogue.build(cls, spec, "small")
        assert isinstance(recipe, Played)
        if recipe.game.penalises:
            found[name] = bare(recipe.game)
    return found


def bare(game: Game) -> Game:
    """Losses, penalties and steps alone: points are not augmented, and their D is no network of pictures."""
    plain = {"augment": Augment(), "spectral": "none", "minibatch": "none", "dropout": 0.0, "together": False}
    steady = {name: settled(getattr(game, name)) for name in ("r1", "r2", "gp")}
    return replace(game, **plain, **steady)  # type: ignore[arg-type]


def settled(weight: Scheduled) -> float:
    """A penalty's weight in the end: its schedule is made for another length of run."""
    return at(weight, 10**9)


def play(data: str, game: Game, seed: int, seconds: float) -> dict[str, Any]:
    """Trains for so long, and scores 10,000 samples."""
    source = Modes(data)
    rates = Cosine(1e-3, 1e-4, OVER)
    solver = Solver(lr=rates, beta1=0.0, beta2=0.99)
    recipe = Perceptrons(game=game, solver=solver, half_life=10_000.0)
    with tempfile.TemporaryDirectory() as place:
        config = TrainConfig(batch=BATCH, minutes=seconds / 60, seed=seed, tick=50_000, save_every=10**8)
        trainer = Trainer(recipe, source, config, out=Path(place) / "run", recipe_name="perceptrons")
        trainer.fit()
        x = sample(recipe, trainer.averages.over(trainer.nets), source.spec.request(SAMPLES), seed=seed)["x"]
        return {**source.score(x), "samples": trainer.samples, "of": len(source.centres)}


def run() -> None:
    result: dict[str, Any] = machine.kept("modes") or {"rows": []}
    done = {(row["data"], row["game"], row["seed"]) for row in result["rows"]}
    torch.set_num_threads(1)
    everything = {**{f"{name}, no penalty": game for name, game in BARE.items()}, **games()}
    for data in ("ring", "grid"):
        for name, game in everything.items():
            for seed in SEEDS:
                if (data, name, seed) not in done:
                    found = play(data, game, seed, SECONDS)
                    weights = {k: getattr(game, k) for k in ("loss", "r1", "r2", "gp", "penalty_every", "d_steps")}
                    result["rows"].append({"data": data, "game": name, "seed": seed, **found, "weights": weights})
                    print(result["rows"][-1], flush=True)
                    machine.keep("modes", {"rows": result["rows"], "seconds": SECONDS})


def render(result: dict[str, Any]) -> list[str]:
    lines = [
        f"Every game with a penalty, played for {result['seconds']} seconds by the same two perceptrons (3 x 128, one "
        f"thread, batch {BATCH}); {SAMPLES:,} samples of G's average. A mode counts as covered by a fifth of its fair "
        "share of samples within 3 standard deviations; good samples are within these of some mode. Bar: all modes, "
        "95 % good. Seeds in brackets.",
        "",
        "| game | loss and penalties | ring: modes of 8 | good | grid: modes of 25 | good |",
        "|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["game"] for row in result["rows"]):
        rows = {
            data: [r for r in result["rows"] if (r["game"], r["data"]) == (name, data)] for data in ("ring", "grid")
        }
        told = " | ".join(f"{_all(rows[d], 'modes', '{:.0f}')} | {_all(rows[d], 'good', '{:.1%}')}" for d in rows)
        lines.append(f"| {name} | {_weights(next(iter(rows['ring'] + rows['grid']))['weights'])} | {told} |")
    return lines


def _all(rows: list[dict[str, Any]], key: str, form: str) -> str:
    return ", ".join(form.format(row[key]) for row in rows) or "-"


def _weights(weights: dict[str, Any]) -> str:
    penalties = ", ".join(f"{k} {weights[k]:g}" for k in ("r1", "r2", "gp") if weights[k])
    often = f", every {weights['penalty_every']}" if penalties and weights["penalty_every"] > 1 else ""
    return f"{weights['loss'].replace('_', '-')}{', ' if penalties else ''}{penalties}{often}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.modes", description="One game, to try it.")
    parser.add_argument("data", choices=("ring", "grid"))
    parser.add_argument("game")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    everything = {**BARE, **games()} if given.game not in BARE else BARE
    print(play(given.data, everything[given.game], 0, given.seconds))


if __name__ == "__main__":
    main()
