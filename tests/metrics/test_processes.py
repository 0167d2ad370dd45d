"""Metrics whose states are joined over processes: two processes give the one-process figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from gansmith.metrics.base import Metric, Seen, reduce
from gansmith.metrics.registry import make

from .helpers import normal

METRICS = ("fid", "fid_infinity", "kid", "inception_score", "precision_recall", "density_coverage", "sfid", "vendi")
SETTINGS = {"kid": {"subsets": 5, "subset_size": 100}}


def shares() -> dict[str, Seen]:
    """Both sides, with every head and with classes."""
    found = {}
    for number, (side, n) in enumerate((("real", 420), ("fake", 361))):
        rows = normal(n, 16, number) + 0.3 * number
        heads = {"logits": rows[:, :8] * 2, "spatial": rows.roll(1, 1)[:, :12]}
        found[side] = Seen(rows, heads=heads, labels=torch.arange(n) % 3)
    return found


def part(seen: Seen, rows: slice) -> Seen:
    return Seen(seen.features[rows], heads={k: v[rows] for k, v in seen.heads.items()}, labels=seen.labels[rows])


def feed(metric: Metric, rank: int, world: int, batch: int) -> Metric:
    """Every `world`-th batch: processes see different numbers of pictures."""
    for side, seen in shares().items():
        starts = list(range(0, len(seen), batch))[rank::world]
        for start in starts:
            metric.update(part(seen, slice(start, start + batch)), side)
    return metric


def gather(tensor: torch.Tensor) -> list[torch.Tensor]:
    things: list[torch.Tensor | None] = [None] * dist.get_world_size()
    dist.all_gather_object(things, tensor)
    return [t for t in things if t is not None]


def work(rank: int, world: int, batch: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    found = {}
    for name in (*METRICS, "class_fid"):
        metric = reduce(feed(make(name, SETTINGS.get(name)), rank, world, batch), gather)
        found[name] = metric.compute()
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, float]]:
    return {name: feed(make(name, SETTINGS.get(name)), 0, 1, 50).compute() for name in (*METRICS, "class_fid")}


def test_two_processes_give_the_figures_of_one(alone, tmp_path: Path) -> None:
    mp.spawn(work, args=(2, 37, str(tmp_path)), nprocs=2)
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name, wanted in alone.items():
            assert found[name] == pytest.approx(wanted, rel=1e-6, abs=1e-9), (rank, name)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_any_batch_size_gives_the_same(alone, batch: int) -> None:
    for name, wanted in alone.items():
        found = feed(make(name, SETTINGS.get(name)), 0, 1, batch).compute()
        assert found == pytest.approx(wanted, rel=1e-6, abs=1e-9), name


def test_a_process_that_saw_nothing_adds_nothing(alone) -> None:
    join: Callable[[torch.Tensor], list[torch.Tensor]] = lambda mine: [mine, torch.empty(0)]  # noqa: E731
    for name, wanted in alone.items():
        metric = reduce(feed(make(name, SETTINGS.get(name)), 0, 1, 100), join)
        assert metric.compute() == pytest.approx(wanted, rel=1e-6, abs=1e-9), name
