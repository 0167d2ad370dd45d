"""Out of memory (row 21): real allocations beyond a real limit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from nursery import Nursery
from safetensors.torch import load_file
from toys import NormToy, Toy, assert_same, events, everything, train

from gansmith.batch import Batch
from gansmith.errors import TrainingFailed
from gansmith.recipes.base import Context, Networks
from gansmith.training import memory

WIDE = ("--width", 20_000, "--batch", 512, "--steps", 3, "--save_every", 100)  # 40 MB for each activation
ROOM = 300_000_000


def test_row21_memory_runs_out_and_the_micro_batch_is_halved(nursery: Nursery, tmp_path: Path) -> None:
    """Under a limit on the address space: smaller micro-batches, the same effective batch, the same result."""
    code, said = nursery.run(tmp_path / "tight", *WIDE, "--dump", tmp_path / "tight.st", memory=ROOM)
    assert code == 0, said
    halvings = events(tmp_path / "tight", "oom")
    assert [e["micro"] for e in halvings] == [256 >> i for i in range(len(halvings))]
    assert len(halvings) >= 1
    assert {e["batch"] for e in halvings} == {512}
    code, said = nursery.run(tmp_path / "roomy", *WIDE, "--dump", tmp_path / "roomy.st")
    assert code == 0, said
    assert not events(tmp_path / "roomy", "oom")
    tight, roomy = load_file(tmp_path / "tight.st"), load_file(tmp_path / "roomy.st")
    assert_same(tight, roomy, close=True)


def test_row21_not_even_one_example_fits(nursery: Nursery, tmp_path: Path) -> None:
    code, said = nursery.run(tmp_path, "--width", 3_000_000, "--batch", 4, memory=220_000_000)
    assert code == 1, said
    assert said.splitlines()[-1].startswith("memory ran out"), said
    assert "Traceback" not in said


@dataclass(frozen=True, kw_only=True)
class Hungry(Toy):
    """Allocates far more than any machine has when it sees more than `fits` examples at a time."""

    fits: int = 8

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, torch.Tensor]:
        terms = super().g_loss(nets, batch, ctx)
        if len(batch) > self.fits:
            torch.empty(1 << 50)
        return terms


class HungryNorm(Hungry, NormToy):
    """The same with batch normalisation."""


def test_row21_an_attempt_that_failed_leaves_no_trace(tmp_path: Path) -> None:
    """Buffers moved by the attempts that ran out of memory are put back before the next."""
    halved = train(tmp_path / "a", recipe=HungryNorm(fits=8), steps=1)
    assert [e["micro"] for e in events(tmp_path / "a", "oom")] == [16, 8]
    assert float(halved.nets.G[1].num_batches_tracked) == 2 + 4  # D twice; R1 sees no fakes; GE in four parts
    assert halved.progress.micro == 8


def test_row21_the_smaller_micro_batch_is_kept_and_resumed(tmp_path: Path) -> None:
    train(tmp_path, recipe=Hungry(fits=8), steps=20)
    again = train(tmp_path, recipe=Hungry(fits=8), steps=40, resume=True)
    assert again.progress.micro == 8
    assert len(events(tmp_path, "oom")) == 2


def test_row21_down_to_one_then_a_message(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="memory ran out with a single example at a time"):
        train(tmp_path, recipe=Hungry(fits=0), steps=5)
    assert [e["micro"] for e in events(tmp_path, "oom")] == [16, 8, 4, 2, 1]


def test_row21_batch_normalisation_needs_two(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="memory ran out with 2 examples at a time"):
        train(tmp_path, recipe=HungryNorm(fits=1), steps=5)


def test_row21_elsewhere_than_in_a_loss(tmp_path: Path) -> None:
    def starve(trainer: Any) -> None:
        def step() -> None:
            torch.empty(1 << 50)

        trainer.optimizers["D",].step = step

    with pytest.raises(TrainingFailed, match="memory ran out outside of the losses"):
        train(tmp_path, steps=5, before=starve)


def test_other_errors_are_not_taken_for_memory(tmp_path: Path) -> None:
    class Wrong(Toy):
        def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, torch.Tensor]:
            return {"adv": nets.D(batch["x"][:, :1])}

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        train(tmp_path, recipe=Wrong(), steps=5)
    assert not memory.is_exhausted(RuntimeError("shapes do not fit"))
    assert memory.is_exhausted(torch.OutOfMemoryError("CUDA out of memory"))


@pytest.mark.parametrize("micro", [5, 8, 32])
def test_micro_batches_are_the_whole_batch(micro: int, tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", steps=12)
    parts = train(tmp_path / "parts", steps=12, micro=micro)
    assert_same(everything(whole), everything(parts), close=True)
