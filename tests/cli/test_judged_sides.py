"""What is said of the sides of a judgement: their origin, their fit, their classes; and what Python may hand over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gansmith as gs
from gansmith.errors import ConfigError, DataError, UserError
from gansmith.pipelines.asked import named, whole
from gansmith.pipelines.evaluate import compare, evaluate
from gansmith.report import read

from .conftest import Cli
from .test_judging import fashion, folder

LABELS = np.arange(200) % 4
NAMES = np.array(["coat", "bag", "shirt", "boot"])
QUICK: dict[str, Any] = {"extractor": "random", "n": 64, "metrics": ["fid"]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conditional run on 200 garments in four named classes; not to be written to."""
    place = tmp_path_factory.mktemp("sides")
    length: dict[str, Any] = {"samples": 320, "batch": 32, "size": 16, "tell": lambda _: None}
    run: Path = gs.train((fashion(200), NAMES[LABELS]), out=place / "run", recipe="cgan", **length)
    return run


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "run"))


def said(found: Any, text: str) -> bool:
    return any(text in remark for remark in found.remarks)


def test_only_what_it_was_trained_on_is_called_train(run: Path, tmp_path: Path) -> None:
    own = evaluate(run, (fashion(200), NAMES[LABELS]), **QUICK)
    assert "split=train" in str(own)
    assert said(own, "pictures that it was trained on, where copying scores well")
    other = evaluate(run, fashion(200, 300), **QUICK)
    assert "split=all" in str(other)
    assert not said(other, "trained on")
    real, test = folder(tmp_path / "d" / "train", fashion(70)), folder(tmp_path / "d" / "test", fashion(70, 100))
    assert real.parent == test.parent
    assert "split=train" in str(evaluate(run, tmp_path / "d", **QUICK)), "the part of that name"
    assert "split=test" in str(evaluate(run, tmp_path / "d", split="testing", **QUICK))
    plain = evaluate(fashion(70), tmp_path / "d" / "test", **QUICK)
    assert "split=all" in str(plain)


def test_pictures_read_in_another_way_are_still_known(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", fashion(80), 2)
    length: dict[str, Any] = {"samples": 64, "batch": 32, "size": 16, "tell": lambda _: None}
    run = gs.train(data, out=tmp_path / "run", recipe="gan", mirror=True, labels=False, **length)
    own = evaluate(run, **QUICK)
    assert said(own, "trained on, where copying")
    assert not said(own, "have changed since")
    Image.fromarray(fashion(1, 900)[0, :, :, 0]).save(data / "class0" / "new.png")
    changed = evaluate(run, **QUICK)
    assert said(changed, "have changed since")
    assert "split=train" in str(changed)
    assert "pictures=16x16x1" in str(changed)


def test_other_pictures_are_not_bent_in_silence(run: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    wide = folder(tmp_path / "wide", random.integers(0, 256, (70, 20, 30, 3), dtype=np.uint8))
    (wide / "broken.png").write_bytes(b"no picture")
    found = evaluate(run, wide, **QUICK)
    assert said(found, "the real pictures were brought to 16 x 16 pixels, grey, which moves figures: ")
    assert said(found, "70 in colour made grey")
    assert said(found, "70 not square: the centre was kept")
    assert said(found, "1 of 71 real pictures cannot be used: broken.png: ")
    assert sum("were brought to" in remark for remark in found.remarks) == 1
    folders = evaluate(wide, wide, size=16, channels=1, **QUICK)
    assert said(folders, "the generated pictures were brought to 16 x 16 pixels, grey")
    assert said(folders, "1 of 71 generated pictures cannot be used")
    grey = evaluate(fashion(70), fashion(70, 100), channels=3, **QUICK)
    assert said(grey, "they are grey, and were taken as colour")


def test_classes_are_matched_by_name(run: Path, tmp_path: Path) -> None:
    order = np.array([2, 0, 3, 1])
    turned = tmp_path / "turned"
    for name in NAMES:  # alphabetical in a folder, as they are in the run; numbered in another way in the archive
        folder(turned / name, fashion(200)[NAMES[LABELS] == name])
    classes = NAMES[order]
    numbers = np.array([list(classes).index(name) for name in NAMES[LABELS]])
    np.savez(tmp_path / "other.npz", x=fashion(200), y=numbers, classes=classes)
    asked: dict[str, Any] = {"extractor": "random", "n": 200, "metrics": ["class_fid"]}
    first, second = ({f.name: f.value for f in evaluate(run, data, **asked).figures} for data in (
        turned, tmp_path / "other.npz"))  # fmt: skip
    assert set(first) == set(second) >= {f"class-FD/{name}" for name in NAMES}
    for name in NAMES:
        assert first[f"class-FD/{name}"] == pytest.approx(second[f"class-FD/{name}"], rel=1e-4), name
    strange = (fashion(200), np.array(["a", "b", "c", "d"])[LABELS])
    with pytest.raises(ConfigError, match=r"class_fid: .* only the generated pictures have: bag, boot, coat, shirt"):
        evaluate(run, strange, **asked)
    assert evaluate(run, strange, **QUICK)["FD"] > 0, "a metric without classes goes on"
    more = (fashion(200), np.array([*NAMES, "hat"])[np.arange(200) % 5])
    with pytest.raises(DataError, match=r"class_fid needs .*; class hat has 40 real and 0 generated"):
        evaluate(run, more, **asked)


def test_copies_are_looked_for_among_what_it_was_trained_on(run: Path) -> None:
    asked: dict[str, Any] = {**QUICK, "metrics": ["memorisation"], "held": fashion(64, 600)}
    assert said(evaluate(run, fashion(64, 300), **asked), "memorisation looks for copies of the real pictures, and")
    own = evaluate(run, (fashion(200), NAMES[LABELS]), **asked)
    assert not said(own, "looks for copies of the real pictures")
    assert {f.better for f in own.figures} == {None}


def test_class_figures_reach_the_report_and_stay(run: Path) -> None:
    data = (fashion(200), NAMES[LABELS])
    evaluate(run, data, extractor="fashion", n=200, metrics=["class_fid", "modes"])
    evaluate(run, data, extractor="fashion", n=200, metrics=["fid"])
    text = (run / "report.html").read_text(encoding="utf-8")
    assert text.count("<td>bag</td>") == 1
    assert "<th>class-FD</th><th>precision</th>" in text
    kept = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))
    assert [f["name"] for f in kept["figures"]] == ["FD", "FD-floor"]
    assert "class-FD/bag" in [f["name"] for f in kept["earlier"][0]["figures"]]
    assert {"class-FD", "modes", "FD"} <= {f["name"] for f in read(run).evaluation}


def test_modes_are_named_where_the_classifier_names_them(run: Path) -> None:
    evaluate(run, (fashion(200), NAMES[LABELS]), extractor="fashion", n=100, metrics=["modes"])
    told = json.loads((run / "evaluation" / "exhibits.json").read_text(encoding="utf-8"))
    assert told["modes"]["names"][0] == "T-shirt/top"
    assert len(told["modes"]["names"]) == 10
    assert "pictures=16x16x1" in told["protocol"]
    evaluate(run, (fashion(200), NAMES[LABELS]), extractor="fashion", n=100, metrics=["fid"])
    again = json.loads((run / "evaluation" / "exhibits.json").read_text(encoding="utf-8"))
    assert again["modes"] == told["modes"], "what was counted is kept while the checkpoint is the same"


def test_what_no_extractor_takes_part_in_is_measured_once(tmp_path: Path) -> None:
    real, fake = folder(tmp_path / "r", fashion(60), 2), folder(tmp_path / "f", fashion(60, 100), 2)
    found = evaluate(fake, real, extractor=["random", "fashion"], metrics=["ms_ssim", "kid"], n=60)
    names = [f.name for f in found.figures if not f.name.endswith("-floor")]
    assert names == ["ms_ssim", "ms_ssim_real", "KD", "KD"]
    by = {f.name: f.protocol for f in found.figures}
    assert "30 pairs within classes" in str(by["ms_ssim"])
    assert "pairs within classes" in str(by["ms_ssim-floor"])
    assert "pairs within classes" in str(by["ms_ssim_real"])


def test_all_says_what_it_leaves_out_and_why(tmp_path: Path) -> None:
    real, fake = folder(tmp_path / "r", fashion(60)), folder(tmp_path / "f", fashion(60, 100))
    settings = {"ms_ssim": {"pairs": 10}, "lpips": {"pairs": 4}, "kid": {"subsets": 5}}
    found = evaluate(fake, real, extractor="random", metrics="all", n=60, settings=settings)
    (left,) = [remark for remark in found.remarks if "leaves out" in remark]
    for text in (
        "class_fid (classes on both sides)",
        "memorisation (pictures that training never saw (--held))",
        "accuracy_score (pictures that training never saw (--held) and classes on both sides)",
        "inception_score, modes (an extractor with class scores)",
        "sfid (an extractor with spatial features (inception))",
        "equivariance, path_length (the generator itself)",
    ):
        assert text in left, (text, left)


def test_a_probe_tells_its_own_protocol(run: Path) -> None:
    def apart(x: Any, y: Any) -> Any:
        return (x - y).square().mean((1, 2, 3))

    settings = {"path_length": {"samples": 100, "distance": apart}}
    told: list[tuple[str, int, int]] = []
    found = evaluate(
        run, (fashion(200), NAMES[LABELS]), metrics=["path_length"], extractor="random", settings=settings,
        working=lambda *how: told.append(how),
    )  # fmt: skip
    assert "generator(pictures=16x16x1, 100 paths" in str(found)
    assert "n_real" not in str(found)
    assert told[-1] == ("paths", 100, 100)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"n": -1}, "n is a whole number, 1 or more; not: -1"),
        ({"n": 0}, "not: 0"),
        ({"size": -8}, "size is a whole number, 1 or more; not: -8"),
        ({"metrics": "fod"}, "no metric 'fod'; known: .*fid"),
        ({"metrics": []}, "no metric was asked for; known: accuracy_score"),
    ],
)
def test_numbers_and_names_that_cannot_be_are_refused(wrong: dict[str, Any], text: str) -> None:
    for judge, sides in ((evaluate, 1), (compare, 2)):
        with pytest.raises(ConfigError, match=text):
            judge(*[fashion(20)] * sides, data=fashion(20, 60), **(QUICK | wrong))


def test_values_of_another_type_are_refused() -> None:
    assert whole(np.int64(7), "n") == 7
    for wrong in (1.5, True, "x", None):
        with pytest.raises(ConfigError, match=f"n is a whole number, 1 or more; not: {wrong!r}"):
            whole(wrong, "n")
    with pytest.raises(ConfigError, match="seed is a whole number; not: 'x'"):
        whole("x", "seed", None)
    assert named(np.array(["kid", "fid", "kid"])) == ["kid", "fid"]
    with pytest.raises(ConfigError, match=r"metrics are names, such as .*, not: 3"):
        named(3)


def test_arrays_are_pictures(tmp_path: Path) -> None:
    real = folder(tmp_path / "real", fashion(60))
    by_folder = evaluate(folder(tmp_path / "fake", fashion(60, 100)), real, extractor="random", metrics="kid", n=60)
    by_array = evaluate(fashion(60, 100), fashion(60), extractor="random", metrics="kid", n=60)
    assert by_array["KD"] == pytest.approx(by_folder["KD"], rel=1e-4)
    labelled = evaluate((fashion(60), LABELS[:60]), (fashion(60, 100), LABELS[:60]), extractor="random", n=60,
                        metrics=["class_fid"])  # fmt: skip
    assert "class-FD/3" in {f.name for f in labelled.figures}
    with pytest.raises(DataError, match="say which pictures are the real ones"):
        evaluate(fashion(60))
    with pytest.raises(UserError, match="data is a float; wanted"):
        evaluate(3.5, fashion(60), **QUICK)


def test_a_comparison_says_what_its_sides_are(run: Path, cli: Cli) -> None:
    data = (fashion(200), NAMES[LABELS])
    found = compare(run, fashion(64, 300), data, size=16, **(QUICK | {"metrics": ["kid"]}))
    assert said(found, "A was trained on these real pictures and B was not, which favours A")
    assert said(found, "A: compared with the pictures that it was trained on")
    assert said(found, "B: the generated pictures were brought to 16 x 16")
    again = compare(run, run, data, **(QUICK | {"metrics": ["kid"]}))
    assert said(again, "A and B are the same pictures")
    assert again.remarks.count("A and B are the same pictures, one by one: there is no difference to find") == 1
    with pytest.raises(DataError, match="A 16 x 16 pixels, grey, B 32 x 32 pixels, grey"):
        compare(run, fashion(64, 300), data, **QUICK)
    with pytest.raises(ConfigError, match="cannot be compared by path_length"):
        compare(run, run, data, metrics="path_length")


def test_help_names_every_kind_of_extractor(cli: Cli) -> None:
    for command in ("evaluate", "compare"):
        told = " ".join(cli(command, "--help").out.split())
        for kind in ("inception:clean", "stacked:NAME", "FILE.py:NAME", "dinov2:NAME", "timm:NAME"):
            assert kind in told, (command, kind)
    assert "kind" in cli("report", "--help").out


def test_what_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"path_length needs the generator itself.*; give a run, a checkpoint or a packed"
    ):
        evaluate(fashion(70), fashion(70, 100), **{**QUICK, "metrics": ["path_length"]})
    with pytest.raises(ConfigError, match=r"equivariance needs .* a packed model of .*stylegan3"):
        evaluate(fashion(70), fashion(70, 100), **{**QUICK, "metrics": ["equivariance"]})
    labelled = (fashion(80), np.arange(80) % 2)
    with pytest.raises(DataError, match=r"^accuracy_score needs real pictures that training never saw: --held"):
        evaluate(labelled, labelled, **{**QUICK, "metrics": ["accuracy_score"]})
    with pytest.raises(ConfigError, match="settings are given for a metric 'fidd', which there is none of"):
        evaluate(fashion(70), fashion(70, 100), settings={"fidd": {}}, **QUICK)


def test_folders_of_mixed_sizes_are_told_so(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for side in (24, 40, 56):
        folder(tmp_path / "mixed" / str(side), random.integers(0, 256, (30, side, side), dtype=np.uint8))
    with pytest.raises(
        DataError, match=r"are 40 pixels a side .the middle one: they differ among themselves, from 24 to 56"
    ):
        evaluate(tmp_path / "mixed", fashion(70), **QUICK)
