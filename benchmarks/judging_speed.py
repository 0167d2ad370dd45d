"""Speed and memory beside the incumbents', each job in a process of its own, alternating."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from . import judging_cifar as cifar
from .judging_jobs import Found, keep, ours, scratch, theirs, weights

PICTURES, POINTS, K, DIM = 10_000, 20_000, 3, 2048
FID_ROUNDS, SHARES_ROUNDS = 1, 2  # a round of FID is 40,000 pictures through Inception: most of an hour on two cores
INNER = 64  # dimensions that the points of precision and recall spread in, as features of pictures do in few


def folder(split: str, n: int) -> Path:
    """The first `n` pictures of CIFAR-10's split, as PNG files in one folder."""
    place = scratch("speed", f"{split}-{n}")
    if not place.exists():
        unfinished = place.with_suffix(".part")
        unfinished.mkdir(exist_ok=True)
        for i, pixels in enumerate(cifar.pictures(split)[:n]):
            Image.fromarray(pixels).save(unfinished / f"{i:05d}.png")
        unfinished.rename(place)
    return place


def run_fid(count: int | None = None) -> None:
    """FID of two folders of PNG files, from the files to the figure; alternating."""
    n = count or PICTURES
    job: Found = {"do": "fid", "real": str(folder("train", n)), "fake": str(folder("test", n)), "n": n}
    theirs({"do": "weights", "weights": str(weights())})
    rounds: list[Found] = []
    for number in range(FID_ROUNDS):
        sides = scratch("speed", f"fid-{n}-{number}.json")  # of a call that was cut short, what was measured stands
        rounds.append(json.loads(sides.read_text()) if sides.exists() else {})
        for side, measure in (("ours", ours), ("theirs", theirs)):
            if side not in rounds[-1]:
                rounds[-1][side] = measure(job)
                sides.write_text(json.dumps(rounds[-1]))
        print(json.dumps(rounds[-1]), flush=True)
    if count is None:
        keep("speed-fid", {"n": n, "rounds": rounds})


def run_shares(count: int | None = None) -> None:
    """Precision and recall of two sets of features, and all four shares; alternating."""
    n = count or POINTS
    random = np.random.RandomState(0)
    spread = random.standard_normal((INNER, DIM)).astype(np.float32) / INNER**0.5
    paths = {}
    for side, scale in (("real", 1.0), ("fake", 0.95)):
        near = scale * random.standard_normal((n, INNER)).astype(np.float32) @ spread
        paths[side] = str(scratch(f"{side}.npy"))
        np.save(paths[side], near + 0.1 * random.standard_normal((n, DIM)).astype(np.float32))
    rounds = []
    for _ in range(SHARES_ROUNDS):
        job: Found = {"do": "shares", **paths, "k": K}
        found = {"ours": ours({**job, "all": False}), "theirs": theirs(job), "all four": ours({**job, "all": True})}
        rounds.append(found)
        print(json.dumps(rounds[-1]), flush=True)
    if count is None:
        keep("speed-pr", {"n": n, "dim": DIM, "k": K, "rounds": rounds})
