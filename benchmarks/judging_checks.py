"""Ranking two models, streaming over processes, and memory: what no incumbent is compared with."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from gansmith.metrics.base import MeasuredBy, Metric, Seen, Side, reduce
from gansmith.metrics.compare import compare_seen
from gansmith.metrics.functional import frechet_distance, moments
from gansmith.metrics.registry import make

from .judging_jobs import Found, keep, ours

D, REALS, A, B = 256, 20_000, 4.00, 5.02  # features, real pictures, true distances of two models
SIZES, SEEDS = (500, 20_000), 5
STREAMED = ("fid", "fid_infinity", "kid", "inception_score", "precision_recall", "density_coverage", "sfid", "vendi")
STREAMED += ("class_fid",)
BATCHES, PROCESSES = (1, 7, 50, 1000), 2
SETTINGS = {"kid": {"subsets": 5, "subset_size": 100}}
FAKES, WIDE = 1_000_000, 2048


def normal(n: int, d: int, seed: int) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def run_ranking(count: int | None = None) -> None:
    """A: N(0, 1) moved to a distance of 4.00; B: shrunk to one of 5.02. What FID says, and what the comparison."""
    by, rows = MeasuredBy("gauss", "none", "0" * 12, 0, 0, "train"), []
    for n in SIZES:
        for seed in range(SEEDS):
            real = normal(count or REALS, D, 10 * seed)
            a = normal(n, D, 10 * seed + 1) + (A / D) ** 0.5
            b = normal(n, D, 10 * seed + 2) * (1 - (B / D) ** 0.5)
            plain = [frechet_distance(*moments(real), *moments(x)) for x in (a, b)]
            (found,) = compare_seen("fid_infinity", Seen(real), Seen(a), Seen(b), by)
            row = {"n": n, "seed": seed, "fid": plain, "verdict": found.verdict, "corrected": [found.a, found.b]}
            rows.append({**row, "difference": list(found.difference)})
            print(json.dumps(rows[-1]), flush=True)
    if count is None:
        keep("ranking", {"d": D, "n_real": REALS, "rows": rows})


def shares() -> dict[Side, Seen]:
    """Both sides of a small case, with every head and with classes."""
    found: dict[Side, Seen] = {}
    sides: tuple[tuple[Side, int], ...] = (("real", 1420), ("fake", 1361))
    for number, (side, n) in enumerate(sides):
        rows = normal(n, 32, number) + 0.3 * number
        heads = {"logits": rows[:, :8] * 2, "spatial": rows.roll(1, 1)[:, :12]}
        found[side] = Seen(rows, heads=heads, labels=torch.arange(n) % 3)
    return found


def fed(name: str, batch: int, rank: int = 0, world: int = 1) -> Metric:
    """A metric that has seen every `world`-th batch of both sides."""
    metric = make(name, SETTINGS.get(name))
    for side, seen in shares().items():
        for i in range(rank * batch, len(seen), world * batch):
            cut = slice(i, i + batch)
            heads = {k: v[cut] for k, v in seen.heads.items()}
            labels = None if seen.labels is None else seen.labels[cut]
            metric.update(Seen(seen.features[cut], heads=heads, labels=labels), side)
    return metric


def gather(tensor: Tensor) -> list[Tensor]:
    things: list[Tensor | None] = [None] * dist.get_world_size()
    dist.all_gather_object(things, tensor)
    return [t for t in things if t is not None]


def work(rank: int, batch: int, place: str) -> None:
    """One of the processes."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{place}/meet-{batch}", rank=rank, world_size=PROCESSES)
    found = {name: reduce(fed(name, batch, rank, PROCESSES), gather).compute() for name in STREAMED}
    torch.save(found, Path(place) / f"{rank}.pt")
    dist.destroy_process_group()


def run_streaming(count: int | None = None) -> None:
    """Every metric of features: largest relative difference from one process that sees all at once."""
    del count  # small as it is
    torch.set_num_threads(1)
    whole = {name: fed(name, 10_000).compute() for name in STREAMED}
    apart = dict.fromkeys(STREAMED, 0.0)

    def hold(found: dict[str, dict[str, float]]) -> None:
        for name, values in found.items():
            worst = max(abs(values[k] - v) / max(abs(v), 1e-3) for k, v in whole[name].items())
            apart[name] = max(apart[name], worst)

    for batch in BATCHES:
        hold({name: fed(name, batch).compute() for name in STREAMED})
    with tempfile.TemporaryDirectory() as place:
        for batch in BATCHES[1:3]:
            mp.spawn(work, args=(batch, place), nprocs=PROCESSES)  # type: ignore[no-untyped-call]
            for rank in range(PROCESSES):
                hold(torch.load(Path(place) / f"{rank}.pt", weights_only=True))
    keep("streaming", {"batches": BATCHES, "processes": PROCESSES, "apart": apart})


def run_memory(count: int | None = None) -> None:
    """The highest memory of a judgement of a million pictures of 2048 features, everything at its default."""
    job: Found = {"do": "million", "dim": WIDE, "real": 100_000, "fake": count or FAKES, "metrics": ["fid", "kid"]}
    found = ours(job)
    print(json.dumps(found))
    if count is None:
        keep("memory", {**job, **found})
