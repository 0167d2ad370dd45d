"""r3gan's CIFAR-10 networks (32 x 32, paper preset) on a CUDA card: bf16 and channels_last against plain fp32."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch

from gansmith.recipes import r3gan
from gansmith.spec import ImageSpec
from gansmith.testing import Noise
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

from . import machine

BATCH, STEPS, ROUNDS = 512, 6, 3
PUBLISHED = 90  # images/s per L40, from the authors' issue tracker: 8 cards, 4 days, 250 million images


def _advance(precision: str, channels_last: bool, out: str) -> Trainer:
    spec = ImageSpec(size=32, channels=3, classes=tuple("0123456789"), class_counts=(205,) * 10)
    config = TrainConfig(batch=BATCH, samples=10**9, precision=precision, accelerator="cuda")  # type: ignore[arg-type]
    trainer = Trainer(r3gan.paper(spec), Noise(spec, 2050), config, out=out, runtime=Runtime(1, "cuda"))
    if not channels_last:
        trainer.nets.to(memory_format=torch.contiguous_format)
    return trainer


def run() -> None:
    if not torch.cuda.is_available():
        print("gpu: no CUDA device here, nothing was measured")
        return
    rows = []
    with tempfile.TemporaryDirectory() as out:
        for precision, last in (("fp32", False), ("fp32", True), ("bf16", False), ("bf16", True)):
            trainer = _advance(precision, last, f"{out}/{precision}{last}")
            trainer.advance()
            speeds = []
            for _ in range(ROUNDS):
                torch.cuda.synchronize()
                started = time.perf_counter()
                for _ in range(STEPS):
                    trainer.advance()
                torch.cuda.synchronize()
                speeds.append(STEPS * BATCH / (time.perf_counter() - started))
            rows.append({"precision": precision, "channels_last": last, "speed": machine.median(speeds)})
            del trainer
            torch.cuda.empty_cache()
    machine.keep("gpu", {"seed": 0, "rows": rows, "batch": BATCH})


def render(result: dict[str, Any]) -> list[str]:
    base = result["rows"][0]["speed"]
    return [
        f"r3gan, paper preset for CIFAR-10 at batch {result['batch']} (published: {PUBLISHED} images/s on an L40).",
        "",
        "| precision | channels_last | images/s | against plain fp32 |",
        "|---|---|---|---|",
        *(
            f"| {r['precision']} | {'yes' if r['channels_last'] else 'no'} | {r['speed']:.0f} "
            f"| {r['speed'] / base:.2f} |"
            for r in result["rows"]
        ),
    ]
