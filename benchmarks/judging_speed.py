"""Speed and memory beside the incumbents', each job in a process of its own, alternating."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
    rounds = alternating("fid", n, FID_ROUNDS, {"ours": lambda: ours(job), "theirs": lambda: theirs(job)})
    if count is None:
        keep("speed-fid", {"n": n, "rounds": rounds})


def alternating(name: str, n: int, rounds: int, sides: Mapping[str, Callable[[], Found]]) -> list[Found]:
    """What each side measures, one after another, round by round; of a call that was cut short, what was measured
    stands for the next one."""
    found: list[Found] = []
    for number in range(rounds):
        path = scratch("speed", f"{name}-{n}-{number}.json")
        found.append(json.loads(path.read_text()) if path.exists() else {})
        for side, measure in sides.items():
            if side not in found[-1]:
                found[-1][side] = measure()
                path.write_text(json.dumps(found[-1]))
        print(json.dumps(found[-1]), flush=True)
    return found


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
    job: Found = {"do": "shares", **paths, "k": K}
    sides: dict[str, Callable[[], Found]] = {
        "ours": lambda: ours({**job, "all": False}),
        "theirs": lambda: theirs(job),
        "all four": lambda: ours({**job, "all": True}),
    }
    rounds = alternating("pr", n, SHARES_ROUNDS, sides)
    if count is None:
        keep("speed-pr", {"n": n, "dim": DIM, "k": K, "rounds": rounds})
