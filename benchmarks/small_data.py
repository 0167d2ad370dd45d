"""A hundred pictures: what augmentation of D's inputs is worth where D would learn its pictures by heart.

The same net, the same hundred pictures, the same computing time: without augmentation, with DiffAugment, and with ADA
and its controller. All are judged against the whole set that the hundred were drawn from. `python -m
benchmarks.small_data train` goes on with runs that were cut short, `judge` with those that are not judged.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import gansmith as gs
from gansmith import checkpoint
from gansmith.data.images import ImageSource
from gansmith.errors import Interrupted
from gansmith.nn.features.inception import WEIGHTS
from gansmith.nn.features.weights import find_weights
from gansmith.training.monitors import SampleGrid

from . import machine
from .clock import CpuClock

DATA, RECIPE, SIZE, BATCH, PICTURES, DRAWN = "bundled:fashion-mnist", "dcgan", 32, 64, 100, 0
CPU_MINUTES, SEEDS, COUNT = 4, (0, 1, 2), 2_048
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "diffaugment": {"game.augment.kind": "diffaugment", "game.augment.p": "1.0"},
    "ada": {"game.augment.kind": "ada", "game.augment.target": "0.6", "game.augment.over": "50000"},
}
TITLES = {"plain": "without", "diffaugment": "DiffAugment, p = 1", "ada": "ADA, E[sign D(x)] held at 0.6"}
FOLDER, GRIDS = machine.ROOT / "runs" / "small_data", machine.ROOT / "docs" / "pictures" / "small_data"


def hundred() -> Path:
    """The file of the pictures that every run learns from."""
    path = FOLDER / "hundred.npz"
    if not path.exists():
        source = ImageSource(DATA, size=SIZE)
        rows = np.sort(np.random.default_rng(DRAWN).permutation(len(source))[:PICTURES])
        FOLDER.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".part.npz")
        np.savez(half, x=source.pixels[rows])
        half.replace(path)
    return path


def place_of(way: str, seed: int) -> Path:
    return FOLDER / f"{way}-{seed}"


def told(way: str, seed: int) -> dict[str, Any]:
    """What a run's clock says; empty where there is none."""
    path = place_of(way, seed).with_suffix(".json")
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def is_done(way: str, seed: int) -> bool:
    return bool(told(way, seed).get("cpu", 0.0) >= 60 * CPU_MINUTES)


def train(way: str, seed: int) -> None:
    """One run, or what is left of it, in this process."""
    torch.set_num_threads(1)
    out = place_of(way, seed)
    monitors = [CpuClock(60 * CPU_MINUTES, out.with_suffix(".json")), SampleGrid()]
    try:
        if out.exists() and checkpoint.steps(out):
            gs.resume(out, monitors=monitors)
            return
        shutil.rmtree(out, ignore_errors=True)
        gs.train(
            hundred(), out=out, recipe=RECIPE, preset="small", size=SIZE, batch=BATCH, seed=seed, minutes=600,
            tick=4_000, save_every=20_000, monitors=monitors, doctor="off", tell=lambda _: None, changes=WAYS[way],
        )  # fmt: skip
    except Interrupted as stopped:
        sys.exit(str(stopped))


def train_all(seeds: tuple[int, ...]) -> None:
    """Each in a process of its own."""
    hundred()
    for seed in seeds:
        for way in WAYS:
            if not is_done(way, seed):
                print(f"training {way}, seed {seed}", flush=True)
                command = [sys.executable, "-m", "benchmarks.small_data", "one", way, str(seed)]
                if subprocess.run(command, cwd=machine.ROOT, check=False).returncode:
                    sys.exit("stopped; the same command goes on")


def judge_all() -> None:
    """Judges every run that is done, by Inception where its weights are at hand, else by the bundled classifier."""
    extractor = "inception" if find_weights(WEIGHTS) is not None else "fashion"
    result: dict[str, Any] = machine.kept("small_data") or {"rows": []}
    known = {(row["way"], row["seed"]) for row in result["rows"]}
    for seed in SEEDS:
        for way in WAYS:
            if is_done(way, seed) and (way, seed) not in known:
                print(f"judging {way}, seed {seed}", flush=True)
                result["rows"].append(judged(way, seed, extractor))
                about = {"rows": result["rows"], "minutes": CPU_MINUTES, "count": COUNT, "recipe": RECIPE}
                machine.keep("small_data", about)


def judged(way: str, seed: int, extractor: str) -> dict[str, Any]:
    """One row of the table; its grid goes beside it."""
    run, clock = place_of(way, seed), told(way, seed)
    metrics = ["fid", "precision_recall"]
    found = gs.evaluate(run, DATA, metrics=metrics, n=COUNT, extractor=extractor, seed=seed + 1, size=SIZE)
    GRIDS.mkdir(parents=True, exist_ok=True)
    if seed == SEEDS[0]:
        shutil.copy(max((run / "samples").glob("*.png")), GRIDS / f"{way}.png")
    figures = {f.name.lower(): f.value for f in found.figures}
    return {
        "way": way,
        "seed": seed,
        "fid": figures.get("fid", figures.get("fd")),
        "precision": figures["precision"],
        "recall": figures["recall"],
        "protocol": str(found.figures[0].protocol),
        "samples": clock["samples"],
    }


def run() -> None:
    train_all(SEEDS)
    judge_all()


def render(result: dict[str, Any]) -> list[str]:
    rows = result["rows"]
    lines = [
        f"{PICTURES} pictures of Fashion-MNIST, drawn at random, the same for all; `{result['recipe']}` at its `small` "
        f"preset, {SIZE} pixels, batch {BATCH}, {result['minutes']} CPU-minutes of one core each. {result['count']:,} "
        "pictures of G's average against as many of the whole set. Bar: an FID lower by 25 % than without.",
        "",
        "| augmentation | seed | FID | against without | precision | recall | samples seen | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(rows, key=lambda r: (r["seed"], list(WAYS).index(r["way"]))):
        plain = next((r["fid"] for r in rows if (r["way"], r["seed"]) == ("plain", row["seed"])), None)
        less = "" if row["way"] == "plain" or plain is None else f"{row['fid'] / plain - 1:+.0%}"
        grid = f"[grid](pictures/small_data/{row['way']}.png)" if row["seed"] == SEEDS[0] else ""
        lines.append(
            f"| {TITLES[row['way']]} | {row['seed']} | {row['fid']:.1f} | {less} | {row['precision']:.3f} "
            f"| {row['recall']:.3f} | {row['samples']:,} | {grid} |"
        )
    return [*lines, "", f"Protocol of the FID: `{rows[0]['protocol']}`."]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_data", description=__doc__)
    parser.add_argument("what", choices=["train", "judge", "one", "list"])
    parser.add_argument("way", nargs="?", choices=list(WAYS))
    parser.add_argument("seed", nargs="?", type=int, help="only this one", choices=SEEDS)
    given = parser.parse_args()
    seeds = SEEDS if given.seed is None else (given.seed,)
    if given.what == "one":
        train(given.way, seeds[0])
    elif given.what == "train":
        train_all(seeds)
    elif given.what == "judge":
        judge_all()
    else:
        for seed in seeds:
            for way in WAYS:
                print(way, seed, told(way, seed))


if __name__ == "__main__":
    main()
