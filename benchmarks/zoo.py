"""Every image recipe at its small preset, the same computing time for each, on two sets of pictures.

Each run gets 20 CPU-minutes of one core, which is ten minutes of two: two of them, and whatever else the machine does,
can then run side by side without one spoiling the other's figures. `python -m benchmarks.zoo train` goes on with runs
that were cut short, `judge` with those that are not judged; both can be called again until all is there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

import gansmith as gs
from gansmith import checkpoint
from gansmith.nn.features.inception import WEIGHTS
from gansmith.nn.features.weights import find_weights
from gansmith.pipelines import catalogue
from gansmith.training.monitors import SampleGrid

from . import machine
from .clock import CpuClock

CPU_MINUTES, SEED, COUNT, SIZE = 20, 0, 2_048, 32
SHARED = Path(os.environ.get("GANSMITH_SHARED_DATA", machine.ROOT.parent / "shared" / "data"))
DATA = {"fashion": "bundled:fashion-mnist", "clothing": str(SHARED / "images" / "clothing64.zip")}
TITLES = {"fashion": "Fashion-MNIST, 6,000 grey pictures", "clothing": "Clothing, 3,068 photographs in colour"}
FOLDER, GRIDS = machine.ROOT / "runs" / "zoo", machine.ROOT / "docs" / "pictures" / "zoo"
FIRST = ("dcgan", "r3gan", "wgan_gp", "lsgan", "gan", "wgan", "cgan", "acgan", "sngan")  # the quickest to tell


def names() -> list[str]:
    """Recipes of pictures, the quickest to tell first."""
    found = [n for n in catalogue.names() if getattr(catalogue.find(n), "makes", "image") == "image"]
    return [*(n for n in FIRST if n in found), *(n for n in found if n not in FIRST)]


def place_of(data: str, name: str) -> Path:
    return FOLDER / f"{data}-{name}"


def clock_of(data: str, name: str) -> Path:
    return FOLDER / f"{data}-{name}.json"


def told(data: str, name: str) -> dict[str, Any]:
    """What a run's clock says; empty where there is none."""
    path = clock_of(data, name)
    return json.loads(path.read_text()) if path.exists() else {}


def is_done(data: str, name: str) -> bool:
    return told(data, name).get("cpu", 0.0) >= 60 * CPU_MINUTES


def train(data: str, name: str) -> None:
    """One run, or what is left of it, in this process."""
    torch.set_num_threads(1)
    out = place_of(data, name)
    clock = CpuClock(60 * CPU_MINUTES, clock_of(data, name))
    if out.exists() and checkpoint.steps(out):
        gs.resume(out, monitors=[clock, SampleGrid()])
        return
    shutil.rmtree(out, ignore_errors=True)
    gs.train(
        DATA[data], out=out, recipe=name, preset="small", size=SIZE, seed=SEED, minutes=600, tick=20_000,
        save_every=20_000, monitors=[clock, SampleGrid()], doctor="off", tell=lambda _: None,
    )  # fmt: skip


def left(data: list[str], recipes: list[str]) -> Iterator[tuple[str, str]]:
    """Runs that are not done and that nobody else is at."""
    for d in data:
        for name in recipes:
            if not is_done(d, name):
                yield d, name


def train_all(data: list[str], recipes: list[str]) -> None:
    """Each in a process of its own, so that its memory is its own."""
    for d, name in left(data, recipes):
        mark = FOLDER / f"{d}-{name}.running"
        FOLDER.mkdir(parents=True, exist_ok=True)
        if mark.exists() and _is_alive(int(mark.read_text() or 0)):
            continue
        mark.write_text(str(os.getpid()))
        try:
            print(f"training {name} on {d}", flush=True)
            subprocess.run([sys.executable, "-m", "benchmarks.zoo", "one", d, name], cwd=machine.ROOT, check=False)
        finally:
            mark.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (OSError, OverflowError):
        return False
    return True


def judge_all() -> None:
    """Judges every run that is done; by Inception where its weights are at hand, else by what fits."""
    result: dict[str, Any] = machine.kept("zoo") or {"rows": []}
    known = {(row["data"], row["recipe"]) for row in result["rows"]}
    extractor = "inception" if find_weights(WEIGHTS) is not None else None
    for data in DATA:
        for name in names():
            if is_done(data, name) and (data, name) not in known:
                print(f"judging {name} on {data}", flush=True)
                result["rows"].append(judged(data, name, extractor))
                about = {"rows": result["rows"], "minutes": CPU_MINUTES, "seed": SEED, "count": COUNT}
                machine.keep("zoo", about)


def judged(data: str, name: str, extractor: str | None) -> dict[str, Any]:
    """One row of the table; its grid goes beside it."""
    run, clock = place_of(data, name), told(data, name)
    found = gs.evaluate(
        run, DATA[data], metrics=["fid", "precision_recall"], n=COUNT, extractor=extractor, seed=SEED + 1
    )
    GRIDS.mkdir(parents=True, exist_ok=True)
    newest = max((run / "samples").glob("*.png"))
    shutil.copy(newest, GRIDS / f"{data}-{name}.png")
    nets = gs.load(run)
    start = next(e for e in _events(run) if e.get("event") == "start")
    return {
        "data": data,
        "recipe": name,
        **{f.name: f.value for f in found.figures},
        "protocol": str(found.figures[0].protocol),
        "samples": clock["samples"],
        "per_second": clock["samples"] / clock["cpu"],
        "parameters": start["parameters"],
        "mib": clock["mib"],
        "kind": type(nets.recipe).__name__,
    }


def _events(run: Path) -> Iterator[Mapping[str, Any]]:
    for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def run() -> None:
    train_all(list(DATA), names())
    judge_all()


def render(result: dict[str, Any]) -> list[str]:
    lines = [
        f"Every recipe's `small` preset at {SIZE} pixels, {result['minutes']} CPU-minutes of one core each (as much as "
        f"ten minutes of two), seed {result['seed']}; {result['count']:,} pictures of each side, which biases "
        "distances upwards and all of them alike. G is the average where the preset has one. Recipes that know classes "
        "are told them.",
    ]
    for data, title in TITLES.items():
        rows = sorted((r for r in result["rows"] if r["data"] == data), key=lambda r: _distance(r))
        if rows:
            lines += ["", f"### {title}", "", *_table(rows)]
    return lines


def _distance(row: Mapping[str, Any]) -> float:
    return float(next(v for k, v in row.items() if k.lower() in ("fid", "fd")))


def _table(rows: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| recipe | FID | precision | recall | samples/s | samples seen | parameters | memory, MiB | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        parameters = ", ".join(f"{n} {count / 1e6:.2f}M" for n, count in r["parameters"].items())
        picture = f"[grid](pictures/zoo/{r['data']}-{r['recipe']}.png)"
        lines.append(
            f"| {r['recipe']} | {_distance(r):.1f} | {r['precision']:.3f} | {r['recall']:.3f} "
            f"| {r['per_second']:.0f} | {r['samples']:,} | {parameters} | {r['mib']:.0f} | {picture} |"
        )
    return [*lines, "", f"Protocol of the first: `{rows[0]['protocol']}`."]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    parser.add_argument("what", choices=["train", "judge", "one", "list"])
    parser.add_argument("data", nargs="?", choices=list(DATA), help="only this set of pictures")
    parser.add_argument("recipe", nargs="*", help="only these")
    given = parser.parse_args()
    data, recipes = [given.data] if given.data else list(DATA), given.recipe or names()
    if given.what == "one":
        train(given.data, recipes[0])
    elif given.what == "train":
        train_all(data, recipes)
    elif given.what == "judge":
        judge_all()
    else:
        for d in data:
            for name in recipes:
                print(d, name, told(d, name))


if __name__ == "__main__":
    main()
