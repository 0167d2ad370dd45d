"""`evaluate`, `compare` and `metrics` on pictures: of runs, and of plain folders of any origin."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gansmith as gs
from gansmith.pipelines.evaluate import compare, evaluate

from .conftest import Cli

RANDOM = np.random.default_rng(0)


def fashion(n: int, start: int = 0) -> np.ndarray:
    from gansmith.data import ImageSource

    return np.asarray(ImageSource("bundled:fashion-mnist", labels=False).pixels[start : start + n])


def folder(path: Path, pictures: np.ndarray, classes: int = 0) -> Path:
    """Pictures as files, in one folder a class where there are classes."""
    for i, picture in enumerate(pictures):
        place = path / f"class{i % classes}" if classes else path
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture).save(place / f"{i:05d}.png")
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An unconditional run and one that heeds classes, each on 600 garments."""
    place = tmp_path_factory.mktemp("judging")
    labels = np.arange(600) % 10
    length: dict[str, Any] = {"samples": 640, "batch": 64, "size": 16, "tell": lambda _: None}
    made = {}
    for recipe in ("gan", "cgan"):
        made[recipe] = gs.train((fashion(600), labels), out=place / recipe, recipe=recipe, **length)
    return made


@pytest.fixture
def sets(tmp_path: Path) -> dict[str, Path]:
    noise = RANDOM.integers(0, 256, (80, 32, 32, 1), dtype=np.uint8)
    return {
        "real": folder(tmp_path / "real", fashion(120)),
        "good": folder(tmp_path / "good", fashion(80, 500)),
        "bad": folder(tmp_path / "bad", noise),
    }


def test_figures_of_folders_of_any_origin(sets: dict[str, Path]) -> None:
    good = evaluate(sets["good"], sets["real"], extractor="fashion", n=80)
    bad = evaluate(sets["bad"], sets["real"], extractor="fashion", n=80)
    assert good["FD"] < bad["FD"]
    assert good["coverage"] > bad["coverage"]
    named = {f.name: f for f in good.figures}
    assert named["FD"].interval is not None
    assert named["FD"].interval[0] < named["FD"].value < named["FD"].interval[1]
    assert named["FD"].floor == named["FD-floor"].value
    assert {"precision", "recall", "density", "coverage"} <= set(named)


def test_which_of_two_folders_is_better(sets: dict[str, Path], tmp_path: Path) -> None:
    found = {c.name: c.verdict for c in compare(sets["good"], sets["bad"], sets["real"], extractor="fashion", n=80)}
    assert found["KD"] == "A is better"
    same = {c.name: c.verdict for c in compare(sets["good"], sets["good"], sets["real"], extractor="fashion", n=80)}
    assert set(same.values()) == {"too few samples to tell"}


def test_several_extractors_and_all_metrics(sets: dict[str, Path]) -> None:
    found = evaluate(sets["good"], sets["real"], extractor=["fashion", "random"], metrics=["all"], n=80)
    by = {f.protocol.extractor for f in found.figures}
    assert {"fashion", "random"} <= by
    names = {f.name for f in found.figures}
    assert {"vendi", "modes", "FD-infinity"} <= names
    assert not {n for n in names if n.startswith("class-")}  # no classes
    assert "path_length" not in names  # no generator


def test_precision_never_comes_without_coverage(sets: dict[str, Path]) -> None:
    found = evaluate(sets["good"], sets["real"], extractor="random", metrics="precision_recall", n=80)
    assert {"precision", "recall", "density", "coverage"} <= {f.name for f in found.figures}


def test_classes_by_folders(tmp_path: Path) -> None:
    real, fake = folder(tmp_path / "r", fashion(120), 2), folder(tmp_path / "f", fashion(80, 500), 2)
    found = evaluate(fake, real, extractor="fashion", metrics=["class_fid"], n=120)
    assert {"class-FD", "class-FD/class0", "class-FD/class1"} <= {f.name for f in found.figures}


def test_only_a_recipe_that_heeds_classes_is_judged_by_them(runs: dict[str, Path], cli: Cli) -> None:
    found = evaluate(
        runs["cgan"], (fashion(600), np.arange(600) % 10), metrics=["class_fid"], extractor="random", n=300
    )
    assert len([f for f in found.figures if f.name.startswith("class-FD/")]) >= 10
    result = cli("evaluate", runs["gan"], "--data", "bundled:fashion-mnist", "--metric", "class_fid", "-n", 64)
    result.refused("class_fid needs the class of every picture", "cgan", "without classes there are: density_coverage")


def test_what_a_run_is_told_about_its_split_and_its_best(runs: dict[str, Path]) -> None:
    data = (fashion(600), np.arange(600) % 10)
    found = evaluate(runs["gan"], data, extractor="random", n=64, metrics=["fid"])
    assert any("trained on" in remark for remark in found.remarks)
    assert "split=train" in str(found)
    (runs["gan"] / "best").mkdir()
    best = json.dumps({"name": "FD-random-quick", "value": 1.0, "samples": 640, "searched": 7})
    (runs["gan"] / "best" / "score.json").write_text(best)
    found = evaluate(runs["gan"], data, extractor="random", n=64, metrics=["fid"])
    assert any("best of 7 by FD-random-quick" in remark for remark in found.remarks)


def test_memorisation_needs_pictures_that_were_never_seen(sets: dict[str, Path], tmp_path: Path, cli: Cli) -> None:
    asked = ("evaluate", sets["good"], "--data", sets["real"], "--metric", "memorisation", "--extractor", "fashion")
    cli(*asked).refused("--held PICTURES")
    held = folder(tmp_path / "held", fashion(80, 1_000))
    healthy = evaluate(sets["good"], sets["real"], held=held, metrics=["memorisation"], extractor="fashion")
    copied = evaluate(sets["real"], sets["real"], held=held, metrics=["memorisation"], extractor="fashion")
    assert copied["nn_ratio"] < 0.05 < 0.6 < healthy["nn_ratio"]


def test_the_commands(sets: dict[str, Path], tmp_path: Path, cli: Cli) -> None:
    common = ("--data", sets["real"], "--extractor", "fashion", "-n", 80)
    told = cli("evaluate", sets["good"], *common, "--out", tmp_path / "f.csv")
    assert told.code == 0, told
    assert "real against real" in told.out
    rows = list(csv.DictReader((tmp_path / "f.csv").read_text().splitlines()))
    assert {"FD", "KD", "precision", "recall", "density", "coverage"} <= {row["figure"] for row in rows}
    cli("evaluate", sets["good"], *common, "--out", tmp_path / "f.csv").refused("is there already")
    cli("evaluate", sets["good"], *common, "--out", tmp_path / "f.pdf").refused(".json or .csv")
    told = cli("compare", sets["good"], sets["bad"], *common, "--out", tmp_path / "c.json")
    assert "KD: A is better" in told.out
    assert "A: FD-infinity-fashion of 80 pictures extrapolates" in told.err
    assert "features by fashion, as asked" in told.out
    kept = json.loads((tmp_path / "c.json").read_text())
    assert {row["verdict"] for row in kept["figures"]} == {"A is better", "too few samples to tell"}
    assert any("FD-infinity" in said for said in kept["remarks"])
    listed = cli("metrics").out
    assert all(name in listed for name in ("fid_infinity", "memorisation", "path_length"))


def test_sides_that_differ_are_not_bent_in_silence(sets: dict[str, Path], tmp_path: Path, cli: Cli) -> None:
    large = folder(tmp_path / "large", RANDOM.integers(0, 256, (40, 48, 48, 1), dtype=np.uint8))
    common = ("--data", sets["real"], "--extractor", "random", "-n", 40)
    cli("evaluate", large, *common).refused("48 pixels a side, the real ones 32", "--size 32")
    assert cli("evaluate", large, *common, "--size", 32).code == 0
    colour = folder(tmp_path / "colour", RANDOM.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8))
    cli("evaluate", colour, *common).refused("colour, the real ones grey", "--channels 1", "--channels 3")
    assert cli("evaluate", colour, *common, "--channels", 1).code == 0


def test_too_few_pictures_and_unknown_names(sets: dict[str, Path], tmp_path: Path, cli: Cli) -> None:
    few = folder(tmp_path / "few", fashion(3))
    cli("evaluate", few, "--data", sets["real"], "--extractor", "fashion", "--metric", "precision_recall").refused(
        "came: 3"
    )
    cli("evaluate", sets["good"], "--data", sets["real"], "--metric", "fod").refused("no metric 'fod'", "fid")
    cli("evaluate", sets["good"], "--data", sets["real"], "--metric", "path_length", "-n", 8).refused(
        "generator itself"
    )
    (tmp_path / "none").mkdir()
    cli("evaluate", tmp_path / "none", "--data", sets["real"]).refused("this folder is empty")


def test_train_keeps_the_best_when_asked(cli: Cli, tmp_path: Path) -> None:
    common = ("--recipe", "gan", "--batch", 32, "--samples", 320, "--tick", 32, "--size", 16, "--out", tmp_path / "run")
    told = cli("train", folder(tmp_path / "real", fashion(64)), *common, "--patience", 5_000)
    assert told.code == 0, told
    assert json.loads((tmp_path / "run" / "best" / "score.json").read_text())["searched"] >= 1
    table = tmp_path / "a.csv"
    table.write_text("a,b\n" + "1.5,x\n2.5,y\n" * 50)
    cli("train", table, "--keep-best").refused("--keep-best is for pictures")
