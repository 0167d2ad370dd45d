"""The recipes at equal time on the bundled pictures: which one is the default, and by how much.

Trainings run one after another, alone on the machine; the judging may share it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gansmith as gs
from gansmith import checkpoint
from gansmith.config import read_yaml
from gansmith.nn.features.inception import WEIGHTS
from gansmith.nn.features.weights import find_weights

from . import machine

DATA, MINUTES, SEED, COUNT = "bundled:fashion-mnist", 3, 0, 10_000
FOLDER = machine.ROOT / "runs" / "benchmarks"
CONTENDERS = {
    "dcgan small": ("dcgan", "small", None),
    "r3gan small": ("r3gan", "small", None),
    "dcgan paper": ("dcgan", "paper", 128),
    "cgan small": ("cgan", "small", 64),
    "gan small": ("gan", "small", 64),
}
DEFAULT, BASELINE = "dcgan small", "dcgan paper"
WITH_INCEPTION = ("dcgan small", "dcgan paper", "r3gan small")


def _run_folder(name: str) -> Path:
    return FOLDER / name.replace(",", "").replace(" ", "-")


def train(name: str) -> None:
    recipe, preset, batch = CONTENDERS[name]
    command = [sys.executable, "-m", "gansmith", "train", DATA, "--recipe", recipe, "--preset", preset]
    command += ["--minutes", str(MINUTES), "--seed", str(SEED), "--out", str(_run_folder(name)), "--overwrite"]
    command += ["--batch", str(batch)] if batch else []
    subprocess.run(command, check=True)


def score(name: str, extractor: str) -> dict[str, Any]:
    run = _run_folder(name)
    evaluation = gs.evaluate(run, DATA, n=COUNT, extractor=extractor, seed=SEED + 1)
    state = checkpoint.read_document(checkpoint.newest(run)[0], "state")
    batch = read_yaml(run / "config.yaml")["train"]["batch"]
    return {
        "name": name,
        "batch": batch,
        "samples": state["step"] * batch,
        "seconds": state["seconds"],
        **{f.name: [f.value, f.spread] for f in evaluation.figures},
        "protocol": str(evaluation.figures[0].protocol),
    }


def run() -> None:
    """Trains all, then judges; `GANSMITH_BENCHMARK_JUDGE_ONLY=1` judges what an earlier call trained and did not."""
    judge_only = bool(os.environ.get("GANSMITH_BENCHMARK_JUDGE_ONLY"))
    kept = (machine.kept("headline") or {}) if judge_only else {}
    if not judge_only:
        for name in CONTENDERS:
            train(name)
    result: dict[str, Any] = {"seed": SEED, "minutes": MINUTES, "inception": kept.get("inception", [])}
    result["fashion"] = kept.get("fashion") or [score(name, "fashion") for name in CONTENDERS]
    machine.keep("headline", result)
    judged = {row["name"] for row in result["inception"]}
    for name in WITH_INCEPTION if find_weights(WEIGHTS) is not None else ():
        if name not in judged:
            result["inception"].append(score(name, "inception"))
            machine.keep("headline", result)


def render(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['minutes']} minutes of training each, one after another, alone on the machine, "
        f"seed {result['seed']}, on the 10,000 bundled pictures at 32 px; {COUNT:,} generated pictures against them. "
        "Bars: FID at most 0.6 times that of `dcgan`'s paper preset, recall at least 1.5 times.",
    ]
    for key, title, distance in (("inception", "Inception features", "FID"), ("fashion", "bundled classifier", "FD")):
        if not result[key]:
            continue
        kid = "KID" if distance == "FID" else "KD"
        floor = result[key][0][f"{distance}-floor"][0]
        lines += [
            "",
            f"**{title}**: `{result[key][0]['protocol']}`; real against real, two halves of 5,000: {floor:.3g}",
            "",
            f"| recipe | samples seen | {distance} | 1000 {kid} | precision | recall |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {r['name']} (batch {r['batch']}) | {r['samples']:,} | {r[distance][0]:.1f} | {1000 * r[kid][0]:.1f} "
            f"| {r['precision'][0]:.3f} | {r['recall'][0]:.3f} |"
            for r in result[key]
        ]
        wanted = WITH_INCEPTION if key == "inception" else tuple(CONTENDERS)
        absent = [name for name in wanted if name not in {r["name"] for r in result[key]}]
        lines += ["", f"Not judged so yet: {', '.join(absent)}."] if absent else []
        lines += ["", *_verdict(result[key], distance)]
    return lines


def _verdict(rows: list[dict[str, Any]], distance: str) -> list[str]:
    by_name = {r["name"]: r for r in rows}
    if DEFAULT not in by_name or BASELINE not in by_name:
        return []
    ours, theirs = by_name[DEFAULT], by_name[BASELINE]
    recall = theirs["recall"][0]
    times = f"{ours['recall'][0] / recall:.2g} times" if recall else "which has none"
    return [
        f"The default without a GPU, {DEFAULT}, against {BASELINE}: {distance} {ours[distance][0]:.1f} against "
        f"{theirs[distance][0]:.1f}, {ours[distance][0] / theirs[distance][0]:.3f} times; recall "
        f"{ours['recall'][0]:.3f} against {recall:.4f}, {times}."
    ]
