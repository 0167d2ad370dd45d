"""The Trainer against a bare hand-written loop over the same networks and losses, and against its naive form."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from itertools import permutations
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from gansmith.batch import Batch
from gansmith.data import open_source
from gansmith.data.source import Source
from gansmith.recipes import dcgan
from gansmith.recipes.base import Context, Networks, Phase
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

from . import machine

ROUNDS, BATCH, SEED = 90, 64, 0
BARE, NAIVE = 0.97, 1.2  # the bars


class Loop:
    """A GAN's training loop as written by hand: D, then G, one Adam each.

    Args:
        tuned: channels_last, fused Adam, D frozen while G trains, data decoded beforehand; or none of these.
    """

    def __init__(self, recipe: dcgan.DCGAN, source: Source, *, tuned: bool) -> None:
        torch.manual_seed(SEED)
        self.recipe, self.source, self.tuned, self.step = recipe, source, tuned, 0
        self.nets: Networks = recipe.networks(source.spec)
        if tuned:
            self.nets.to(memory_format=torch.channels_last)
        make = torch.optim.Adam
        settings: dict[str, Any] = {
            "lr": recipe.solver.lr,
            "betas": (recipe.solver.beta1, 0.999),
            **({"fused": True} if tuned else {}),
        }
        self.optimizers = {name: make(self.nets[name].parameters(), **settings) for name in ("D", "G")}
        self.order = torch.randperm(len(source), generator=torch.Generator().manual_seed(SEED))
        self.files = None if tuned else _encoded(source)

    def batch(self) -> Batch:
        start = self.step * BATCH % (len(self.source) - BATCH)
        rows = self.order[start : start + BATCH]
        if self.files is None:
            return self.source.batch(rows, torch.device("cpu"))
        return Batch(x=torch.stack([_decoded(self.files[int(row)]) for row in rows]))

    def advance(self) -> None:
        for name, phase in self.recipe.phases().items():
            batch = self.batch()
            self.optimizers[name].zero_grad()
            if self.tuned:
                with self.nets.only(phase.trains):
                    self._backward(phase, batch)
            else:
                self._backward(phase, batch)
            self.optimizers[name].step()
        self.step += 1

    def _backward(self, phase: Phase, batch: Batch) -> None:
        losses = phase.loss(self.nets, batch, Context(seed=self.step))
        torch.stack([value.mean() for value in losses.values()]).sum().backward()


def _encoded(source: Source) -> list[bytes]:
    """Every picture as a PNG file's bytes, as a folder would hold them."""
    files = []
    for first in range(0, len(source), 500):
        rows = torch.arange(first, min(first + 500, len(source)))
        for picture in source.spec.decode(source.batch(rows, torch.device("cpu"))):
            buffer = io.BytesIO()
            picture.save(buffer, "PNG")
            files.append(buffer.getvalue())
    return files


def _decoded(data: bytes) -> Tensor:
    import numpy

    pixels = torch.from_numpy(numpy.array(Image.open(io.BytesIO(data)), dtype=numpy.float32))
    return (pixels / 127.5 - 1)[None] if pixels.ndim == 2 else (pixels / 127.5 - 1).permute(2, 0, 1)


def _trainer(recipe: dcgan.DCGAN, source: Source, out: str) -> Callable[[], None]:
    config = TrainConfig(batch=BATCH, samples=10**9, seed=SEED)
    trainer = Trainer(recipe, source, config, out=out, runtime=Runtime(1, "cpu"))

    def advance() -> None:
        trainer.advance()
        trainer.hear_guard()

    return advance


def measure(size: int) -> dict[str, Any]:
    source = open_source("bundled:fashion-mnist", size=size)
    recipe = dcgan.DCGAN(width=64 if size == 32 else 32, widest=256, kernel=4)
    with tempfile.TemporaryDirectory() as out:
        ways = {
            "trainer": _trainer(recipe, source, f"{out}/run"),
            "bare": Loop(recipe, source, tuned=True).advance,
            "naive": Loop(recipe, source, tuned=False).advance,
        }
        for advance in ways.values():
            advance()
        times: dict[str, list[float]] = {name: [] for name in ways}
        worked: dict[str, list[float]] = {name: [] for name in ways}  # by the processor's clock, all threads
        orders = list(permutations(ways))
        for round_ in range(ROUNDS):  # one step each, in every order in turn: none always follows the same other
            for name in orders[round_ % len(orders)]:
                started, busy = time.perf_counter(), time.process_time()
                ways[name]()
                times[name].append(time.perf_counter() - started)
                worked[name].append(time.process_time() - busy)
    against = {name: [n / t for n, t in zip(times[name], times["trainer"], strict=True)] for name in ("bare", "naive")}
    return {
        "size": size,
        "batch": BATCH,
        "width": recipe.width,
        "samples_per_second": BATCH / machine.median(times["trainer"]),
        "against_bare": machine.median(against["bare"]),
        "against_bare_cpu": machine.median([n / t for n, t in zip(worked["bare"], worked["trainer"], strict=True)]),
        "against_bare_spread": machine.quartiles(against["bare"]),
        "against_naive": machine.median(against["naive"]),
        "against_naive_spread": machine.quartiles(against["naive"]),
        "rounds": ROUNDS,
    }


def run() -> None:
    machine.keep("overhead", {"seed": SEED, "rows": [measure(size) for size in (32, 64)]})


def render(result: dict[str, Any]) -> list[str]:
    lines = [
        "Samples/s of the Trainer (guard, figures and averages included) as a multiple of a bare loop over the same "
        "networks and losses in the same process (channels_last, fused Adam, D frozen in G's step), and of that loop "
        "in its naive form (none of these, PNG decoded per epoch). The three alternate step by step, in every order; "
        f"medians over {result['rows'][0]['rounds']} rounds, quartiles in brackets. Bars: {BARE} and {NAIVE}.",
        "",
        "| dcgan at | samples/s | against the bare loop | the same by CPU time | against the naive loop |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {r['size']} px, width {r['width']}, batch {r['batch']} | {r['samples_per_second']:.0f} "
        f"| {r['against_bare']:.3f} ({r['against_bare_spread']}) | {r['against_bare_cpu']:.3f} "
        f"| {r['against_naive']:.2f} ({r['against_naive_spread']}) |"
        for r in result["rows"]
    ]
    short = [f"{r['size']} px" for r in result["rows"] if r["against_bare"] < BARE or r["against_naive"] < NAIVE]
    return [*lines, "", f"Short of a bar: {', '.join(short)}." if short else "Both bars are reached."]
