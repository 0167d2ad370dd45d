"""How fast the cached source delivers against how fast recipes consume, and what memory does as the data grow."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy
import torch

from gansmith.data import images, open_source
from gansmith.data.source import Source
from gansmith.recipes import dcgan, gan, r3gan
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

from . import machine

ROUNDS, BATCH = 5, 128
COUNTS = (10_000, 100_000, 1_000_000)


def _deliver(source: Source, batches: int) -> float:
    """Samples/s of random batches."""
    rows = torch.randint(0, len(source), (batches, BATCH), generator=torch.Generator().manual_seed(0))
    started = time.perf_counter()
    for some in rows:
        source.batch(some, torch.device("cpu"))
    return batches * BATCH / (time.perf_counter() - started)


def _consume(module: Any, source: Source, steps: int) -> float:
    """Samples/s of a recipe's small preset; a step consumes as many batches as it has plays."""
    with tempfile.TemporaryDirectory() as out:
        config = TrainConfig(batch=BATCH, samples=10**9)
        trainer = Trainer(module.small(source.spec), source, config, out=f"{out}/run", runtime=Runtime(1, "cpu"))
        trainer.advance()
        started = time.perf_counter()
        for _ in range(steps):
            trainer.advance()
        plays = sum(phase.repeats for phase in trainer.phases.values())
        return steps * BATCH * plays / (time.perf_counter() - started)


def _own_memory() -> float:
    """MiB of this process that belong to no file."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return float("nan")


def _growth(count: int) -> dict[str, float]:
    """Delivery from a memory-mapped set of `count` grey pictures of 32 x 32, and the memory it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        pixels = numpy.lib.format.open_memmap(path, mode="w+", dtype=numpy.uint8, shape=(count, 32, 32))
        generator = numpy.random.default_rng(0)
        for start in range(0, count, 50_000):
            stop = min(start + 50_000, count)
            pixels[start:stop] = generator.integers(0, 256, (stop - start, 32, 32), dtype=numpy.uint8)
        pixels.flush()
        del pixels
        before = _own_memory()
        with mock.patch.object(images, "available_bytes", return_value=0):  # as if they did not fit into RAM
            source = open_source(path, size=32)
        speed = _deliver(source, 400)
        return {"count": count, "samples_per_second": speed, "memory": _own_memory() - before}


def run() -> None:
    source = open_source("bundled:fashion-mnist", size=32)
    ratios: dict[str, list[float]] = {}
    speeds = []
    for _ in range(ROUNDS):
        delivered = _deliver(source, 400)
        speeds.append(delivered)
        for module in (gan, dcgan, r3gan):
            name = module.__name__.rpartition(".")[2]
            ratios.setdefault(name, []).append(delivered / _consume(module, source, 6))
    machine.keep(
        "inputs",
        {
            "seed": 0,
            "threads": os.environ.get("OMP_NUM_THREADS", "default"),
            "samples_per_second": machine.median(speeds),
            "ratios": {n: [machine.median(v), machine.spread(v)] for n, v in ratios.items()},
            "growth": [_growth(count) for count in COUNTS],
        },
    )


def render(result: dict[str, Any]) -> list[str]:
    return [
        f"The cached source delivers {result['samples_per_second']:,.0f} samples/s (32 px grey, batches of {BATCH}). "
        "How many times what each recipe's small preset consumes (every play of a step counted; bar: 10 for the "
        "fastest), alternating, medians of "
        f"{ROUNDS} rounds:",
        "",
        "| recipe | delivered / consumed |",
        "|---|---|",
        *(f"| {name} | {m:.0f} ({s}) |" for name, (m, s) in result["ratios"].items()),
        "",
        "Memory as memory-mapped data grow (synthetic, 32 px grey, kept out of RAM as if they did not "
        "fit; memory of the process that belongs to no file):",
        "",
        "| pictures | samples/s | MiB more than before opening |",
        "|---|---|---|",
        *(f"| {int(g['count']):,} | {g['samples_per_second']:,.0f} | {g['memory']:.1f} |" for g in result["growth"]),
    ]
