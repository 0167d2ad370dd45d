"""The held-out score, the weights that it keeps, and when it ends a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

import gansmith as gs
from gansmith.checkpoint import read_document, read_tensors
from gansmith.data.tables import TableSource
from gansmith.errors import ConfigError
from gansmith.pipelines.tables.holdout import hold_out
from gansmith.pipelines.tables.stopping import HeldOut, TwoSample, scores
from gansmith.training.scored import Keep

from .conftest import shop


def rows(frame: pd.DataFrame, source: TableSource) -> Tensor:
    return TableSource(frame, spec=source.spec).batch(torch.arange(len(frame)), torch.device("cpu"))["x"]


@pytest.fixture(scope="module")
def source() -> TableSource:
    return TableSource(shop(3_000).drop(columns=["order", "mail"]))


def test_the_score_falls_as_rows_get_better(source: TableSource) -> None:
    real = shop(3_000).drop(columns=["order", "mail"])
    test = TwoSample(source.spec, rows(real.iloc[:1_000].reset_index(drop=True), source))
    same = real.iloc[1_000:2_000].reset_index(drop=True)
    rng = np.random.default_rng(0)
    found = []
    for share in (0.0, 0.1, 0.3, 1.0):  # of rows in which columns have nothing to do with each other
        spoilt, at = same.copy(), np.flatnonzero(rng.random(len(same)) < share)
        for name in same:
            order = np.arange(len(same))
            order[at] = rng.permutation(at)
            spoilt[name] = same[name].take(order).array
        found.append(test.score(rows(spoilt, source)))
    assert found == sorted(found)
    assert found[-1] > 1.5 * found[0]
    collapsed = pd.concat([same.iloc[:1]] * 1_000, ignore_index=True)
    assert test.score(rows(collapsed, source)) > 2 * found[-1]


def test_the_energy_distance_is_the_textbooks(source: TableSource) -> None:
    x = rows(shop(60).drop(columns=["order", "mail"]), source)
    a, b = x[:30].double().numpy(), x[30:].double().numpy()
    mean = lambda p, q: np.mean([[np.linalg.norm(u - v) for v in q] for u in p])  # noqa: E731
    wanted = np.sqrt(2 * mean(a, b) - mean(a, a) - mean(b, b))
    assert TwoSample(source.spec, x[:30]).of_rows(x[30:]) == pytest.approx(wanted, rel=1e-4)


def test_held_out_rows_are_not_trained_on(source: TableSource) -> None:
    rest, held = hold_out(source, 0.2, seed=1)
    assert held is not None
    assert (len(rest), len(held)) == (2_400, 600)
    everything = rest.batch(torch.arange(2_400), torch.device("cpu"))["x"]
    both = torch.cat([everything, held])
    whole = source.batch(torch.arange(3_000), torch.device("cpu"))["x"]
    assert torch.equal(both.sum(0), whole.sum(0)) or torch.allclose(both.double().sum(0), whole.double().sum(0))
    drawn = rest.order("conditional", 100, 0).rows(0, 500)
    batch = rest.batch(drawn, torch.device("cpu"))
    assert batch["mask"].sum(1).eq(1).all()
    assert torch.equal(batch["x"], everything[drawn[:, 0]])
    padded = rest.batch(rest.order("poisson", 100, 0).rows(0, 300), torch.device("cpu"))
    assert (padded["index"] == -1).eq(padded["weight"] == 0).all()
    assert torch.equal(hold_out(source, 0.2, seed=1)[1], held)  # type: ignore[arg-type]
    assert not torch.equal(hold_out(source, 0.2, seed=2)[1], held)  # type: ignore[arg-type]


def test_small_tables_spare_no_rows(source: TableSource) -> None:
    small = TableSource(shop(100).drop(columns=["order", "mail"]))
    assert hold_out(small, 0.1, seed=0) == (small, None)
    with pytest.raises(ConfigError, match="at least 0 and less than 1"):
        hold_out(source, -0.1, seed=0)


def trained(out: Path, source: TableSource, patience: int | None, samples: int = 20_000, **options: Any) -> HeldOut:
    rest, held = hold_out(source, 0.2, 0)
    assert held is not None
    judge = HeldOut(held, Keep("ctgan", source.spec, patience=patience), every=1_000)
    recipe = gs.CTGAN(width=32, latent=8, pac=1, half_life=500.0, **options)
    config = gs.TrainConfig(batch=250, samples=samples, tick=1_000, save_every=5_000)
    gs.Trainer(recipe, rest, config, out=out, recipe_name="ctgan", monitors=[judge]).fit()
    return judge


def test_the_best_weights_are_kept_and_loaded(source: TableSource, tmp_path: Path) -> None:
    judge = trained(tmp_path / "run", source, None, samples=6_000)
    told = scores(tmp_path / "run")
    assert [at for at, _ in told] == [1_000, 2_000, 3_000, 4_000, 5_000, 6_000]
    assert (judge.best, judge.best_at) == min((value, at) for at, value in told)
    kept = read_document(tmp_path / "run" / "best", "score")
    assert (kept["value"], kept["samples"]) == (judge.best, judge.best_at)
    make = gs.load(tmp_path / "run")
    weights = read_tensors(tmp_path / "run" / "best", "G")
    assert list(make.nets) == ["G"]
    assert all(torch.equal(v, weights[k]) for k, v in make.nets.G.state_dict().items())
    x = make(judge.rows, seed=1).tensor
    assert judge.test.score(x) == pytest.approx(judge.best, rel=0.05)


def test_a_run_that_gets_no_better_is_ended(source: TableSource, tmp_path: Path) -> None:
    judge = trained(tmp_path / "run", source, 3_000, lr=0.0)
    assert judge.enough
    told = scores(tmp_path / "run")
    assert told[-1][0] < 20_000
    assert told[-1][0] - judge._better_at >= 3_000
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["event"] == "end"
    assert log[-1]["samples"] == told[-1][0]
    state = read_document(tmp_path / "run" / f"step-{told[-1][0] // 250:09d}", "state")
    assert state["step"] * 250 == told[-1][0]


@pytest.mark.slow
def test_a_resumed_run_knows_its_scores(source: TableSource, tmp_path: Path) -> None:
    from gansmith.pipelines.resume import resume

    whole = trained(tmp_path / "whole", source, None, samples=4_000)
    trained(tmp_path / "half", source, None, samples=2_000)
    rest, held = hold_out(source, 0.2, 0)
    assert held is not None
    judge = HeldOut(held, Keep("ctgan", source.spec), every=1_000)
    resume(tmp_path / "half", data=rest, samples=4_000, monitors=[judge])
    assert scores(tmp_path / "half") == scores(tmp_path / "whole")
    assert (judge.best, judge.best_at) == (whole.best, whole.best_at)
