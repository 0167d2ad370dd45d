"""A score every so many samples: its cost, the weights it keeps, the end it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gansmith as gs
from gansmith.checkpoint import read_document, read_tensors
from gansmith.errors import ConfigError
from gansmith.pipelines.resume import resume
from gansmith.pipelines.train import train
from gansmith.training.journal import read
from gansmith.training.monitors import Monitor
from gansmith.training.scored import Scored

PICTURES = np.random.default_rng(0).integers(0, 256, (96, 16, 16, 1), dtype=np.uint8)
LENGTH: dict[str, Any] = {"recipe": "gan", "batch": 16, "samples": 320, "tick": 16, "seed": 0}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansmith.pipelines.watch.EXAMPLES", 32)
    monkeypatch.setattr("gansmith.pipelines.watch.TICKS", 2)


def quick(run: Path) -> list[tuple[int, float]]:
    events = [e for e in read(run / "log.jsonl") if e["event"] == "metric"]
    return [(e["samples"], e["value"]) for e in events]


class Clock(Monitor):
    """A tick takes a second."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def tick(self, view: Any, figures: Any) -> None:
        self.seconds += 1


class Costly(Scored):
    """A score that takes so many seconds."""

    def __init__(self, clock: Clock, cost: float) -> None:
        super().__init__("told", "as told", 16, budget=0.05)
        self.clock, self.cost = clock, cost

    def draw(self, view: Any) -> Any:
        return view.generate(view.source.spec.request(1))

    def score(self, drawn: Any) -> float:
        self.clock.seconds += self.cost
        return 1.0


def test_the_best_weights_of_pictures_are_kept(tmp_path: Path) -> None:
    run = train(PICTURES, out=tmp_path / "run", keep_best=True, tell=print, **LENGTH)
    told = quick(run)
    assert [at for at, _ in told] == list(range(32, 321, 32))
    kept = read_document(run / "best", "score")
    assert (kept["value"], kept["samples"]) == min((value, at) for at, value in told)
    assert kept["searched"] == 1 + [at for at, _ in told].index(kept["samples"])
    weights, loaded = read_tensors(run / "best", "G"), gs.load(run).nets["G"].state_dict()
    assert all(torch.equal(weights[k], loaded[k]) for k in weights)


def test_the_same_seed_keeps_the_same_weights(tmp_path: Path) -> None:
    runs = [train(PICTURES, out=tmp_path / name, keep_best=True, tell=print, **LENGTH) for name in "ab"]
    assert quick(runs[0]) == quick(runs[1])
    a, b = (read_tensors(run / "best", "G") for run in runs)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_nothing_is_kept_unasked(tmp_path: Path) -> None:
    run = train(PICTURES, out=tmp_path / "run", tell=print, **LENGTH)
    assert not (run / "best").exists()


def test_patience_ends_a_run_and_outlives_a_resume(tmp_path: Path) -> None:
    patient = {**LENGTH, "samples": 32_000, "patience": 64}
    run = train(PICTURES, out=tmp_path / "run", tell=print, **patient)
    told = quick(run)
    best_at = read_document(run / "best", "score")["samples"]
    assert told[-1][0] < 32_000
    assert told[-1][0] - best_at >= 64
    with pytest.raises(gs.errors.RunFolderError):
        resume(run)
    again = train(PICTURES, out=tmp_path / "half", tell=print, **{**patient, "samples": 32})
    resume(again, data=PICTURES, samples=32_000)
    assert quick(again)[-1][0] == told[-1][0]


def test_tables_keep_their_best_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1.5,x\n2.5,y\n" * 50)
    with pytest.raises(ConfigError, match="--keep-best is for pictures"):
        train(str(path), out=tmp_path / "run", keep_best=True)


@pytest.mark.parametrize(("cost", "scores"), [(0.01, 20), (0.2, 5), (1.0, 2)])
def test_costly_scores_come_rarely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cost: float, scores: int) -> None:
    clock = Clock()
    monkeypatch.setattr("gansmith.training.scored.time", clock)
    judge = Costly(clock, cost)
    train(PICTURES, out=tmp_path / "run", monitors=[clock, judge], tell=print, **LENGTH)
    assert judge.searched == scores  # at most one at each of 20 ticks, the last one among them
    assert cost * (scores - 2) <= 0.05 * clock.seconds  # the first tells the cost, the last is due
