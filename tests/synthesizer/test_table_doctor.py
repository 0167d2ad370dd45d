"""The doctor on tables: on by default, silent where all is well, and never told that equal rows are a mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import gansmith as gs
from gansmith.data.tables import TableSource
from gansmith.health.doctor import Doctor
from gansmith.pipelines.plan import Wishes

from .conftest import shop

SMALL: dict[str, Any] = {
    "batch": 250, "samples": 10_000, "quiet": True,
    "fields": {"width": 32, "latent": 16, "pac": 1, "dropout": 0.0, "lr": 1e-3},
}  # fmt: skip


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["event"] == kind]


def trained(data: Any, out: Path, doctor: str = "treat", recipe: str = "ctgan") -> gs.TableSynthesizer:
    made = gs.TableSynthesizer(recipe, **SMALL, out=out)
    made.train(data, Wishes(batch=250, samples=10_000, tick=1_000), doctor=doctor)
    return made


def test_a_run_on_a_table_is_watched_and_the_same_to_the_bit(tmp_path: Path) -> None:
    watched, alone = trained(shop(), tmp_path / "on"), trained(shop(), tmp_path / "off", "off")
    ours, theirs = (m.generator_.nets.state_dict() for m in (watched, alone))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert events(tmp_path / "on", "watched")[0]["held_out"] == 150
    seen = events(tmp_path / "on", "health")[-1]["values"]
    assert {"diversity", "coverage", "copying", "gradient/G", "update/D"} <= set(seen)
    assert "feed/unique" not in seen
    assert events(tmp_path / "off", "watched") == []


def test_equal_rows_are_no_mistake_in_a_table(tmp_path: Path) -> None:
    """Of 1,000 rows only six differ, and recipes draw rare ones again and again."""
    rng = np.random.default_rng(0)
    rare = rng.choice(["no", "yes"], 1_000, p=[0.98, 0.02])
    table = pd.DataFrame({"kind": rng.choice(["a", "b", "c"], 1_000), "rare": rare, "one": 1})
    trained(table, tmp_path / "run")
    assert [e for e in events(tmp_path / "run", "finding") if e["finding"]["failure"]["severity"] == "bug"] == []
    assert events(tmp_path / "run", "warning") == []


def test_a_collapse_of_rows_is_found() -> None:
    source = TableSource(shop(2_000).drop(columns=["order", "mail"]))
    x = source.batch(torch.arange(2_000), torch.device("cpu"))["x"]
    made = {"same": False}

    def generate(n: int, seed: int) -> torch.Tensor:
        return x[1_500:1_501].repeat(n, 1) if made["same"] else x[1_000 : 1_000 + n]

    doctor = Doctor(real=x[:1_000], held_out=x[1_500:], generate=generate, repeats=True, batch=50, samples=100_000)
    for i in range(30):
        made["same"] = i >= 15
        doctor.step, doctor.samples = 70 * (i + 1), 3_300 * (i + 1)
        doctor.poll()
        if i < 15:
            assert doctor.findings() == []
    assert doctor.findings()[0].name == "collapse"
    assert 15 * 3_300 < doctor.findings()[0].onset <= 17 * 3_300


def test_a_treatment_of_a_table_run_may_be_left_out_and_is_remembered(tmp_path: Path) -> None:
    data = tmp_path / "orders.csv"
    shop(600).to_csv(data, index=False)
    settings: dict[str, Any] = {"recipe": "ctgan", "batch": 100, "samples": 1_000, "tick": 500}
    run = gs.train(str(data), out=tmp_path / "run", doctor="off", **settings)
    assert events(run, "watched") == []
    model = gs.TableSynthesizer.load(run)
    model.resume(samples=2_000)
    assert events(run, "watched") == []
    model.resume(samples=3_000, doctor="watch")
    assert len(events(run, "watched")) == 1


def test_an_estimator_is_watched_unless_it_is_to_be_quiet(tmp_path: Path) -> None:
    for quiet in (True, False):
        settings = {**SMALL, "quiet": quiet, "samples": 1_000, "batch": 100}
        gs.TableSynthesizer("ctgan", **settings, out=tmp_path / str(quiet)).fit(shop(600))
    assert events(tmp_path / "True", "watched") == []
    assert len(events(tmp_path / "False", "watched")) == 1
