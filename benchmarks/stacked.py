"""Stacked-MNIST: three digits in three channels, 1,000 modes; how many of them a generator finds, and how evenly.

Also the ablation of R3GAN's paper (arXiv:2501.05441, table 1) on the same pictures: which of the four combinations of
loss and penalties converge. `python -m benchmarks.stacked train` goes on with runs that were cut short.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from gansmith import checkpoint
from gansmith.batch import Batch
from gansmith.errors import Interrupted, TrainingFailed
from gansmith.game import Game, Played
from gansmith.metrics.images.modes import kl
from gansmith.pipelines import catalogue
from gansmith.recipes.base import Networks, sample, settle
from gansmith.spec import ImageSpec
from gansmith.training.config import TrainConfig
from gansmith.training.monitors import SampleGrid
from gansmith.training.trainer import Trainer

from . import machine
from .clock import CpuClock, write

SHARED = Path(os.environ.get("GANSMITH_SHARED_DATA", machine.ROOT.parent / "shared" / "data"))
DIGITS = SHARED / "images" / "mnist_10k.npz"
FOLDER = machine.ROOT / "runs" / "stacked"
ROWS, COUNT, CPU_MINUTES, SEEDS, HELD = 100_000, 26_000, 30, (0, 1, 2), 2_000
PUBLISHED = "published with far larger nets (arXiv:2501.05441): R3GAN 1000 modes, KL 0.029; StyleGAN2 940, 0.42"
WHOLE = "RpGAN + R1 + R2"  # what r3gan is in the ablation
ABLATION = {  # the same table's outcome for each
    "GAN + R1": "diverges",
    "GAN + R1 + R2": "693 modes, KL 0.93",
    "RpGAN + R1": "diverges",
    WHOLE: "1000 modes, KL 0.078",
}


def digits() -> tuple[Tensor, Tensor]:
    """(20,000 28 28) uint8 and their classes."""
    with np.load(DIGITS) as found:
        x = np.concatenate([found["x_train"], found["x_test"]])
        y = np.concatenate([found["y_train"], found["y_test"]])
    return torch.from_numpy(x), torch.from_numpy(y).long()


class Stacked:
    """Row r is three digits that r decides; `x` (b 3 32 32) in [-1, 1]. A Source."""

    def __init__(self) -> None:
        self.x, self.y = digits()
        self.rows = torch.randint(len(self.x), (ROWS, 3), generator=torch.Generator().manual_seed(0))
        self.spec = ImageSpec(size=32, channels=3)
        self.fingerprint = "stacked-mnist-100000"

    def __len__(self) -> int:
        return ROWS

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        x = pad(self.x[self.rows[rows]].to(device).float() / 127.5 - 1, (2, 2, 2, 2), value=-1.0)
        return Batch(x=x, index=rows.to(device))

    def notes(self) -> list[str]:
        return ["three of 20,000 MNIST digits in three channels"]


def network() -> nn.Sequential:
    def block(i: int, o: int) -> list[nn.Module]:
        return [nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(
        *block(1, 32), *block(32, 64), *block(64, 96), nn.Flatten(), nn.Dropout(0.4), nn.Linear(864, 10)
    )


def classifier() -> tuple[nn.Module, float]:
    """Tells digits (n 1 28 28) in [-1, 1], and its share of right answers on 2,000 that it was not trained on."""
    x, y = digits()
    x = x[:, None].float() / 127.5 - 1
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    held, own = order[:HELD], order[HELD:]
    net, path = network(), FOLDER / "classifier.safetensors"
    if path.exists():
        net.load_state_dict(load_file(path))
    else:
        torch.manual_seed(0)
        _learn(net, x[own], y[own])
        FOLDER.mkdir(parents=True, exist_ok=True)
        save_file(net.state_dict(), path)
    net.eval()
    with torch.no_grad():
        right = torch.cat([net(part).argmax(1) for part in x[held].split(500)]) == y[held]
    return net, float(right.double().mean())


def _learn(net: nn.Module, x: Tensor, y: Tensor, epochs: int = 12, batch: int = 128) -> None:
    steps = epochs * (len(x) // batch)
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,))
        right, down = (int(v) for v in torch.randint(-2, 3, (2,)))
        loss = cross_entropy(net(x[rows].roll((down, right), (2, 3))), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def contenders() -> dict[str, Played]:
    """R3GAN and DCGAN as their small presets have them; R3GAN's networks under the other losses and penalties."""
    spec = ImageSpec(size=32, channels=3)
    made = {name: catalogue.build(catalogue.find(name), spec, "small") for name in ("r3gan", "dcgan")}
    r3gan, dcgan = made["r3gan"], made["dcgan"]
    assert isinstance(r3gan, Played)
    assert isinstance(dcgan, Played)
    one = {"loss": "non_saturating"}
    return {
        "r3gan": r3gan,
        "dcgan": dcgan,
        "GAN + R1": _changed(r3gan, **one, r2=0.0),
        "GAN + R1 + R2": _changed(r3gan, **one),
        "RpGAN + R1": _changed(r3gan, r2=0.0),
    }


def _changed(recipe: Played, **fields: Any) -> Played:
    game: Game = replace(recipe.game, **fields)
    return replace(recipe, game=game)


def runs() -> list[tuple[str, int]]:
    """Name and seed: each once, then the other seeds of the first two."""
    others = [(name, 0) for name in contenders() if "+" in name]
    return [("r3gan", 0), ("dcgan", 0), *others, *((name, s) for s in SEEDS[1:] for name in ("r3gan", "dcgan"))]


def place_of(name: str, seed: int) -> Path:
    return FOLDER / f"{name.replace(' ', '').replace('+', '-').lower()}-{seed}"


def clock_of(name: str, seed: int) -> Path:
    return place_of(name, seed).with_suffix(".json")


def told(name: str, seed: int) -> dict[str, Any]:
    """What is known of a run; empty where there is none."""
    path = clock_of(name, seed)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def train(name: str, seed: int) -> None:
    """One run, or what is left of it, in this process; then what it finds."""
    torch.set_num_threads(1)
    trainer = trainer_of(name, seed)
    try:
        trainer.fit()
    except Interrupted:
        sys.exit(f"stopped and saved at {trainer.samples:,} samples")
    except TrainingFailed as failed:
        end = {"failed": str(failed), "samples": trainer.samples, "done": True}
        write(clock_of(name, seed), {**told(name, seed), **end})
        return
    nets = trainer.averages.over(trainer.nets)
    write(clock_of(name, seed), {**told(name, seed), **found(trainer.recipe, nets, seed), "done": True})


def trainer_of(name: str, seed: int) -> Trainer:
    """A fresh run, or one that was cut short."""
    out, clock = place_of(name, seed), CpuClock(60 * CPU_MINUTES, clock_of(name, seed))
    resume = out.exists() and bool(checkpoint.steps(out))
    if not resume:
        shutil.rmtree(out, ignore_errors=True)
    config = TrainConfig(batch=64, minutes=10_000, seed=seed, tick=20_000, save_every=20_000)
    monitors = [clock, SampleGrid()]
    about = {"recipe_name": f"stacked:{name}", "monitors": monitors, "resume": resume}
    return Trainer(contenders()[name], Stacked(), config, out=out, **about)


def found(recipe: Any, nets: Networks, seed: int) -> dict[str, float]:
    """Modes among 26,000 samples, and KL(fake || real) of their shares."""
    net, _ = classifier()
    spec, source = ImageSpec(size=32, channels=3), Stacked()
    settle(recipe, nets, spec)
    counts = torch.zeros(1000, dtype=torch.int64)
    for part in spec.request(COUNT).split(500):
        x = sample(recipe, nets, part, seed=seed)["x"][:, :, 2:-2, 2:-2]
        with torch.no_grad():
            seen = net(x.reshape(-1, 1, 28, 28)).argmax(1).view(-1, 3)
        counts += (seen * torch.tensor([100, 10, 1])).sum(1).bincount(minlength=1000)
    real = (source.y[source.rows] * torch.tensor([100, 10, 1])).sum(1).bincount(minlength=1000)
    return {"modes": int((counts > 0).sum()), "kl": kl(counts, real)}


def train_all(only: list[tuple[str, int]]) -> None:
    """What is not done of these, each in a process of its own."""
    for name, seed in only:
        if told(name, seed).get("done"):
            continue
        print(f"training {name}, seed {seed}", flush=True)
        command = [sys.executable, "-m", "benchmarks.stacked", "one", name, str(seed)]
        if subprocess.run(command, cwd=machine.ROOT, check=False).returncode:
            sys.exit("stopped; the same command goes on")
        keep()


def keep() -> None:
    """Gathers the runs that are done into the results."""
    every = [{"name": name, "seed": seed, **told(name, seed)} for name, seed in runs()]
    rows = [row for row in every if row.get("done")]
    if rows:
        machine.keep("stacked", {"rows": rows, "minutes": CPU_MINUTES, "count": COUNT, "classifier": classifier()[1]})


def run() -> None:
    train_all(runs())


def render(result: dict[str, Any]) -> list[str]:
    rows = result["rows"]
    compared = sorted((r for r in rows if r["name"] not in ABLATION), key=lambda r: (r["name"] != "r3gan", r["seed"]))
    ablation = [{**r, "name": WHOLE if r["name"] == "r3gan" else r["name"]} for r in rows if r["seed"] == 0]
    ordered = [r for name in ABLATION for r in ablation if r["name"] == name]
    return [
        f"{result['minutes']} CPU-minutes of one core each, the recipes' `small` presets at batch 64, 32 pixels, no "
        f"classes; {result['count']:,} samples of G's average, told apart by a classifier that is right on "
        f"{result['classifier']:.2%} of digits it never saw; {PUBLISHED}. Bar: R3GAN finds 1000 modes with KL of at "
        "most 0.10.",
        "",
        "| recipe | seed | modes of 1000 | KL | samples seen |",
        "|---|---|---|---|---|",
        *(f"| {r['name']} | {r['seed']} | {_outcome(r)} | {r['samples']:,} |" for r in compared),
        "",
        "The ablation: R3GAN's small networks under each pair of loss and penalties, gamma and all else the same, "
        "seed 0; what its paper found for its own networks beside it.",
        "",
        "| game | modes of 1000 | KL | samples seen | published |",
        "|---|---|---|---|---|",
        *(f"| {r['name']} | {_outcome(r)} | {r['samples']:,} | {ABLATION[r['name']]} |" for r in ordered),
    ]


def _outcome(row: dict[str, Any]) -> str:
    return "diverged | -" if "failed" in row else f"{row['modes']:.0f} | {row['kl']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stacked", description=__doc__)
    parser.add_argument("what", choices=["train", "one", "classifier", "list"])
    parser.add_argument("name", nargs="?", choices=list(contenders()), help="only this")
    parser.add_argument("seed", nargs="?", type=int, choices=SEEDS)
    given = parser.parse_args()
    if not DIGITS.exists():
        sys.exit(f"no digits at {DIGITS}; GANSMITH_SHARED_DATA says where the shared data are")
    asked = [(name, seed) for name, seed in runs() if given.name in (None, name) and given.seed in (None, seed)]
    if given.what == "one":
        train(*asked[0])
    elif given.what == "classifier":
        print(f"right on {classifier()[1]:.2%}")
    elif given.what == "train":
        train_all(asked)
    else:
        for name, seed in asked:
            print(name, seed, told(name, seed))


if __name__ == "__main__":
    main()
