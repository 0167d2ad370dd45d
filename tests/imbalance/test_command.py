"""`gansmith oversample-lab`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gansmith.cli.main import main

from .tables import clinic

FAST = ("--methods", "none,weights,smote", "--models", "knn", "--folds", "2x2")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    clinic().to_csv(tmp_path / "clinic.csv", index=False)
    return tmp_path / "clinic.csv"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["oversample-lab", *map(str, arguments)])
    told = capsys.readouterr()
    assert isinstance(end.value.code, int)
    return end.value.code, told.out, told.err


def test_it_prints_a_table_and_a_verdict_and_writes_a_page(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = table.parent / "lab.html"
    code, told, _ = run(capsys, table, "--target", "died", *FAST, "--out", out)
    assert code == 0
    assert "SMOTE" in told
    assert "over class weights" in told
    assert f"wrote {out}" in told
    assert "over class weights" in out.read_text(encoding="utf-8")


def test_json_is_the_only_thing_printed(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _ = run(capsys, table, "--target", "died", *FAST, "--json")
    assert code == 0
    assert list(json.loads(told)["methods"]) == ["none", "weights", "smote"]


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (("--target", "dyed"), ("no column 'dyed'", "Did you mean 'died'")),
        (("--target", "died", "--out", "lab.pdf"), (".html or .json",)),
        (("--target", "died", "--models", "svm"), ("no model 'svm'",)),
        ((), ("--target",)),
    ],
)
def test_mistakes_are_answered_in_a_few_lines(
    table: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], texts: tuple[str, ...]
) -> None:
    code, _, told = run(capsys, table, *arguments)
    assert code == 2
    assert len(told.splitlines()) <= 3
    assert all(text in told for text in texts), told
