"""Our side of a measured job, in a process of its own: `python -m benchmarks.judging_ours JOB.json`.

As the incumbents' worker: a job is {"do": "fid" | "shares" | "million", ...}, its result stands in JOB.result.json.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .judging_incumbent.worker import highest, resident

PART = 5000


def fid(job: dict[str, Any]) -> dict[str, Any]:
    """FID of two folders as `gansmith evaluate` gives it, floor and interval included; nothing is cached before."""
    import gansmith as gs

    started = time.perf_counter()
    found = gs.evaluate(job["fake"], job["real"], metrics=["fid"], n=job["n"], extractor="inception")
    return {"fid": found["fid"], "seconds": time.perf_counter() - started, "said": str(found)}


def shares(job: dict[str, Any]) -> dict[str, Any]:
    """Precision and recall; with `all`, density and coverage too."""
    from gansmith.metrics.base import Seen
    from gansmith.metrics.registry import make

    names = ("precision_recall", "density_coverage") if job["all"] else ("precision_recall",)
    sides = {side: torch.from_numpy(np.load(job[side])) for side in ("real", "fake")}

    def judged(n: int) -> dict[str, float]:
        found: dict[str, float] = {}
        for name in names:
            metric = make(name, {"k": job["k"]})
            metric.update(Seen(sides["real"][:n]), "real")
            metric.update(Seen(sides["fake"][:n]), "fake")
            found |= metric.compute()
        return found

    judged(100)
    before, started = resident(), time.perf_counter()
    found = judged(len(sides["real"]))
    seconds = time.perf_counter() - started
    return {**found, "seconds": seconds, "mib": highest() - before}


class Drawn:
    """An extractor whose features are drawn from a normal distribution: the first pixels are the seed."""

    name, resize, digest = "drawn", "none", "0" * 12

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def __call__(self, pixels: Tensor) -> Tensor:
        seed = int(pixels[0, 0, 0, 0]) * 256 + int(pixels[0, 0, 1, 0])
        return torch.randn(len(pixels), self.dim, generator=torch.Generator().manual_seed(seed))


def million(job: dict[str, Any]) -> dict[str, Any]:
    """The highest memory of a whole judgement of so many pictures, everything at its default."""
    from gansmith.metrics.judge import judge

    def parts(n: int, first: int) -> Iterator[Tensor]:
        for i in range(n // PART):
            part = torch.zeros(PART, 1, 2, 1, dtype=torch.uint8)
            part[0, 0, :, 0] = torch.tensor(divmod(first + i, 256))
            yield part

    started = time.perf_counter()
    found = judge(parts(job["real"], 0), parts(job["fake"], 10_000), Drawn(job["dim"]), job["metrics"])
    return {
        "mib": highest(),
        "seconds": time.perf_counter() - started,
        "n_fake": found[0].protocol.n_fake,
        "figures": {figure.name: figure.value for figure in found},
    }


if __name__ == "__main__":
    path = Path(sys.argv[1])
    job = json.loads(path.read_text())
    result = {"fid": fid, "shares": shares, "million": million}[job["do"]](job)
    path.with_suffix(".result.json").write_text(json.dumps(result))
