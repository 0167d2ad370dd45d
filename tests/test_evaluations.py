"""Judgements of a run pile up: none is lost, and the report shows the newest figure of each protocol."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gansmith.report import read, write_comparison, write_report
from gansmith.report.build import judged
from gansmith.report.compare import compared
from gansmith.report.evaluations import judgements, with_earlier
from gansmith.report.exhibited import class_table

FEW, MANY, RANDOM = "fashion(n_real=9)", "fashion(n_real=99)", "random(n_real=9)"


def figure(name: str, value: float, protocol: str = FEW, **more: Any) -> dict[str, Any]:
    return {"name": name, "value": value, "protocol": protocol, "better": "low"} | more


def judge(
    run: Path, *figures: dict[str, Any], checkpoint: str = "step-1", pictures: str = "abc", remarks: Sequence[str] = ()
) -> None:
    path = run / "evaluation.json"
    told = {"checkpoint": checkpoint, "data": f"{pictures}/", "fingerprint": pictures, "figures": list(figures)}
    told["remarks"] = list(remarks)
    path.write_text(json.dumps(with_earlier(told, path)), encoding="utf-8")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    start, quick = {"event": "start"}, figure("FD-quick", 9.0) | {"event": "metric", "samples": 64}
    lines = [json.dumps(line) for line in (start, quick)]
    (tmp_path / "run" / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "run"


def test_no_judgement_is_lost(run: Path) -> None:
    judge(run, figure("FD", 1.0))
    judge(run, figure("FD", 2.0, MANY))
    judge(run, figure("FD", 3.0))
    kept = judgements(run / "evaluation.json")
    assert [one["figures"][0]["value"] for one in kept] == [1.0, 2.0, 3.0]
    assert json.loads((run / "evaluation.json").read_text())["figures"][0]["value"] == 3.0, "the newest stands first"
    record = read(run)
    assert [(f["value"], f["protocol"]) for f in record.evaluation] == [(2.0, MANY), (3.0, FEW)]
    assert [f["value"] for f in record.earlier] == [1.0]


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"figures": 3}', '{"figures": [3, {"name": "FD"}]}'])
def test_damaged_files_hold_none(run: Path, content: str) -> None:
    (run / "evaluation.json").write_text(content)
    assert read(run).evaluation == []
    judge(run, figure("FD", 1.0))
    assert [f["value"] for f in read(run).evaluation] == [1.0]


def test_the_report_shows_each_protocol_and_says_what_is_of_another_checkpoint(run: Path) -> None:
    judge(run, figure("precision", 0.1), figure("precision", 0.2, RANDOM), checkpoint="step-1")
    judge(run, figure("FD", 1.5, floor=1.0, floor_of="two halves"), figure("FD-floor", 1.0), checkpoint="step-2")
    judge(run, figure("FD", 7.5), checkpoint="step-2", pictures="xyz")
    shown = {(f["name"], f["protocol"]): f["value"] for f in judged(read(run))}
    assert shown == {
        ("precision", f"{FEW} of step-1 against abc/"): "0.1",
        ("precision", f"{RANDOM} of step-1 against abc/"): "0.2",
        ("FD", f"{FEW} against abc/"): "1.5",
        ("FD", FEW): "7.5",
    }
    text = write_report(run).read_text(encoding="utf-8")
    assert "real pictures: 1 (two halves)" in text
    assert "FD-quick" not in text.split("How it learned")[0]


def test_the_report_says_what_must_be_said_of_its_figures(run: Path) -> None:
    judge(run, figure("FD", 1.0), remarks=["the best of 9 scores", "biased upwards by few pictures"])
    judge(run, figure("FD", 2.0), remarks=["the best of 3 scores"])
    assert read(run).remarks == ["the best of 3 scores"], "what was said of figures that are shown no more"
    judge(run, figure("FD", 2.0, MANY), remarks=["looks better than it is", "the best of 3 scores"])
    assert read(run).remarks == ["looks better than it is", "the best of 3 scores"]
    text = write_report(run).read_text(encoding="utf-8")
    assert '<p class="remark">looks better than it is</p>' in text


def test_other_real_pictures_do_not_compare(run: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "log.jsonl").write_text('{"event": "start"}\n')
    judge(run, figure("FD", 1.0), figure("KD", 1.0))
    judge(tmp_path / "other", figure("FD", 2.0), pictures="xyz")
    judge(tmp_path / "other", figure("KD", 2.0))
    found, alone = compared([read(run), read(tmp_path / "other")])
    assert [row["name"] for row in found] == ["KD"]
    assert alone == ["FD"]


def exhibits(run: Path) -> None:
    cells = {"precision": {"value": 0.5, "interval": None, "floor": 0.9}}
    rows = [{"name": name, "samples": 20, "cells": cells} for name in ("T-shirt/top", "Bag")]
    told = {
        "samples": 40,
        "neighbours": {"rows": [], "median": None, "copies": 0},
        "realism": {"k": 3, "median": None, "inside": 0.0, "worst": [], "best": [], "real": None},
        "classes": {"rows": rows},
        "modes": None,
        "sheets": {name: {"file": f"{name}.png", "columns": 1, "width": 1, "height": 1, "count": 0, "sha256": ""}
                   for name in ("neighbours", "worst", "best")},
    }  # fmt: skip
    (run / "evaluation").mkdir()
    (run / "evaluation" / "exhibits.json").write_text(json.dumps(told), encoding="utf-8")


def test_a_class_has_one_row_with_all_that_is_known_of_it(run: Path) -> None:
    told = {"rows": [{"name": n, "samples": 5, "cells": {"precision": {"value": 0.5}}} for n in ("Bag", "T-shirt/top")]}
    figures = [figure("class-FD/T-shirt/top", 2.0), figure("class-FD/Bag", 1.0), figure("class-FD/Bag-floor", 0.1)]
    table = class_table(told, [*figures, figure("FD", 3.0)])
    assert table is not None
    assert table["columns"] == ["class-FD", "precision"]
    assert {row["name"]: [c["value"] for c in row["cells"]] for row in table["rows"]} == {
        "Bag": ["1", "0.5"],
        "T-shirt/top": ["2", "0.5"],
    }
    two = class_table(told, [*figures, figure("class-FD/Bag", 8.0, RANDOM)])
    assert two is not None
    assert two["columns"] == ["class-FD-fashion", "class-FD-random", "precision"]
    assert class_table({"rows": "damaged"}, []) is None
    alone = class_table(None, figures)
    assert alone is not None
    assert [row["name"] for row in alone["rows"]] == ["T-shirt/top", "Bag"]


def test_the_report_has_a_table_of_classes_without_pictures_too(run: Path) -> None:
    judge(run, figure("class-FD", 1.5), figure("class-FD/Bag", 1.25), figure("class-FD/Shirt", 1.75))
    judge(run, figure("FD", 1.0))
    text = write_report(run).read_text(encoding="utf-8")
    assert "Class by class" in text
    assert "<td>Bag</td><td>1.25</td>" in text
    assert "<dt>class-FD/Bag</dt>" not in text


def test_csv_and_json_hold_all_there_is(run: Path, tmp_path: Path) -> None:
    judge(run, figure("FD", 1.0, interval=[0.5, 1.5]))
    judge(run, figure("FD", 2.0), figure("class-FD/Bag", 3.0), checkpoint="step-2")
    exhibits(run)
    rows = list(csv.DictReader(write_comparison([run], tmp_path / "c.csv").read_text(encoding="utf-8").splitlines()))
    told = [(row["kind"], row["figure"], row["value"], row["checkpoint"]) for row in rows]
    assert told == [
        ("evaluation", "FD", "2.0", "step-2"),
        ("evaluation", "class-FD/Bag", "3.0", "step-2"),
        ("earlier", "FD", "1.0", "step-1"),
        ("logged", "FD-quick", "9.0", ""),
        *(("class", f"precision/{name}", "0.5", "") for name in ("T-shirt/top", "Bag")),
    ]
    assert (rows[2]["low"], rows[2]["high"], rows[2]["data"], rows[3]["samples"]) == ("0.5", "1.5", "abc/", "64")
    (one,) = json.loads(write_comparison([run], tmp_path / "c.json").read_text(encoding="utf-8"))["runs"]
    assert [f["value"] for f in one["earlier"]] == [1.0]
    assert [f["name"] for f in one["classes"]] == ["precision/T-shirt/top", "precision/Bag"]
    assert [f["name"] for f in one["logged"]] == ["FD-quick"]
