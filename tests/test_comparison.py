"""Runs side by side: what compares and what does not, as a page, as JSON and as CSV."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

import gansmith as gs
from gansmith.errors import RunFolderError, UserError
from gansmith.report import read
from gansmith.report.compare import compared, names_of, reading, write_comparison

BY = "fashion(n_real=64, n_fake=64)"


def figure(name: str, value: float, interval: tuple[float, float] | None = None, protocol: str = BY) -> dict[str, Any]:
    better = "high" if name in ("precision", "recall") else "low"
    return {
        "name": name,
        "value": value,
        "interval": interval and list(interval),
        "protocol": protocol,
        "better": better,
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two short runs with figures of their own, and a third that was never judged."""
    place = tmp_path_factory.mktemp("compare")
    length: dict[str, Any] = {"samples": 192, "batch": 32, "tick": 32, "size": 16, "tell": lambda _: None}
    made = [
        gs.train("bundled:fashion-mnist", out=place / name / "run", recipe=gs.GAN(latent=n), seed=n, **length)
        for n, name in enumerate(("<b>one", "two", "three"), 4)
    ]
    told = [
        [figure("FD", 10.0, (9.0, 11.0)), figure("precision", 0.5, (0.4, 0.6)), figure("recall", 0.1), figure("KD", 1)],
        [figure("FD", 20.0, (18.0, 22.0)), figure("precision", 0.55, (0.45, 0.65)), figure("recall", 0.2)],
    ]
    told[1].append(figure("KD", 2.0, protocol="another way"))
    for run, figures in zip(made, told, strict=False):
        (run / "evaluation.json").write_text(json.dumps({"figures": figures}))
    return made


def test_only_figures_of_one_protocol_compare(runs: list[Path]) -> None:
    found, alone = compared([read(run) for run in runs])
    assert [row["name"] for row in found] == ["FD", "precision", "recall"]
    assert [v and v["value"] for v in found[0]["values"]] == [10.0, 20.0, None]
    assert alone == ["KD"]


def test_a_difference_within_the_noise_is_none(runs: list[Path]) -> None:
    records = [read(run) for run in runs]
    names = names_of(records)
    assert len(set(names)) == 3
    fd, precision, recall = compared(records)[0]
    assert reading(fd, names) == f"{names[0]} is better"
    assert "too few samples to tell" in reading(precision, names)
    assert "without intervals" in reading(recall, names)


def test_a_biased_figure_ranks_nothing_that_its_bias_may_have_turned_round() -> None:
    """Fréchet distances of the benchmark's two models at n = 500: the worse one (5.02 against 4.00) comes out ahead."""
    worse = {**figure("FD", 37.36, (36.85, 37.85)), "biased": True, "floor": 37.0}
    good = {**figure("FD", 41.31, (40.52, 42.25)), "biased": True, "floor": 36.8}
    row = {"values": [good, worse]}
    assert reading(row, ["A", "B"]).startswith("too few samples to tell: its bias, about 37, is more than")
    assert "gansmith compare" in reading(row, ["A", "B"])
    far = {**worse, "value": 90.0, "interval": [89.0, 91.0]}
    assert reading({"values": [good, far]}, ["A", "B"]) == "A is better"
    unknown = [{k: v for k, v in one.items() if k != "floor"} for one in (good, worse)]
    assert "its bias is not known" in reading({"values": unknown}, ["A", "B"])


def test_what_has_no_direction_is_not_ranked() -> None:
    both = [figure("vendi", 5.0, (4.9, 5.1)) | {"better": None}, figure("vendi", 7.0, (6.9, 7.1)) | {"better": None}]
    assert "not to be ranked" in reading({"name": "vendi", "protocol": BY, "values": both}, ["a", "b"])


def test_the_page(runs: list[Path], tmp_path: Path) -> None:
    text = write_comparison(runs, tmp_path / "c.html").read_text()
    assert "<b>one" not in text
    assert "&lt;b&gt;one" in text
    assert text.count("<img ") == 3
    assert "too few samples to tell" in text
    assert "recipe.fields.latent" in text  # a setting that differs
    assert "http" not in text.replace("http-equiv", "")


def test_json_and_csv(runs: list[Path], tmp_path: Path) -> None:
    told = json.loads(write_comparison(runs, tmp_path / "c.json").read_text())
    assert [run["facts"]["seed"] for run in told["runs"]] == ["4", "5", "6"]
    assert told["not_comparable"] == ["KD"]
    rows = list(csv.DictReader(write_comparison(runs, tmp_path / "c.csv").read_text().splitlines()))
    assert sum(row["kind"] == "evaluation" for row in rows) == 8
    assert {row["figure"] for row in rows if row["kind"] == "logged"} == {"FD-fashion-quick"}
    assert (rows[0]["figure"], rows[0]["low"], rows[0]["high"]) == ("FD", "9.0", "11.0")


def test_one_run_alone(runs: list[Path], tmp_path: Path) -> None:
    rows = list(csv.DictReader(write_comparison(runs[:1], tmp_path / "c.csv").read_text().splitlines()))
    assert [row["figure"] for row in rows][:4] == ["FD", "precision", "recall", "KD"]
    assert {row["run"] for row in rows} == {"run"}
    told = [rows[0][name] for name in ("run", "figure", "value", "spread", "low", "high", "floor", "protocol", "kind")]
    assert told == ["run", "FD", "10.0", "", "9.0", "11.0", "", BY, "evaluation"]
    told = json.loads(write_comparison(runs[:1], tmp_path / "c.json").read_text())
    assert [f["name"] for f in told["runs"][0]["figures"]] == ["FD", "precision", "recall", "KD"]
    assert told["compared"] == told["not_comparable"] == [], "there is nothing to compare it with"


def test_what_cannot_be_written_or_read(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.html, \.json, \.csv"):
        write_comparison(runs, tmp_path / "c.pdf")
    with pytest.raises(RunFolderError):
        write_comparison([runs[0], tmp_path], tmp_path / "c.html")
