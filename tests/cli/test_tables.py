"""Tables on the command line, from a CSV to synthetic rows and a verdict."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from gansmith.cli.main import app
from gansmith.pipelines.tables.evaluate import evaluate_table

from .conftest import Cli

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with people.csv and a short run on it."""
    folder = tmp_path_factory.mktemp("tables")
    age = RNG.integers(18, 80, 900)
    frame = pd.DataFrame(
        {
            "name": [f"person-{i}@example.org" for i in range(900)],
            "age": age,
            "sex": RNG.choice(["f", "m"], 900),
            "pay": np.where(RNG.random(900) < 0.2, np.nan, age * 50.5),
        }
    )
    frame.to_csv(folder / "people.csv", index=False)
    said = run("train", folder / "people.csv", "--out", folder / "run", "--samples", "5000", "--batch", "100",
               "--target", "sex", "--save-schema", folder / "schema.yaml")  # fmt: skip
    assert "identifier" in said
    assert "not learnt; filled with email" in said
    assert "gansmith generate" in said
    return folder


def run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=code != 0)
    assert done.exit_code == code or done.exception, done.output
    return done.output + (str(done.exception) if done.exception else "")


def test_a_run_of_a_table_lies_in_its_folder(trained: Path) -> None:
    for name in ("config.yaml", "log.jsonl", "report.html", "best/G.safetensors", "samples"):
        assert (trained / "run" / name).exists(), name
    assert "kind: identifier" in (trained / "schema.yaml").read_text()


def test_rows_are_made_asked_for_and_the_same_again(trained: Path) -> None:
    for name in ("one.csv", "two.csv"):
        run("generate", trained / "run", "-n", 200, "--seed", 3, "--out", trained / name)
    assert (trained / "one.csv").read_bytes() == (trained / "two.csv").read_bytes()
    run("generate", trained / "run", "-n", 50, "--where", "sex=f", "--where", "age=30..40", "--out", trained / "w.csv")
    made = pd.read_csv(trained / "w.csv")
    assert len(made) == 50
    assert (made["sex"] == "f").all()
    assert made["age"].between(30, 40).all()
    assert made["name"].is_unique


def test_a_run_is_judged_and_the_verdict_written(trained: Path) -> None:
    said = run("evaluate", trained / "run")
    assert "sdmetrics-quality" in said
    assert "membership" in said
    assert "<svg" in (trained / "run" / "quality.html").read_text()
    assert json.loads((trained / "run" / "quality.json").read_text())


def test_shadow_models_are_trained_as_the_run_was(trained: Path, tmp_path: Path) -> None:
    said = run("evaluate", trained / "run", "--shadows", 4, "--out", tmp_path / "attacked.html")
    assert "membership-shadow-auc, isolated" in said
    assert "4 shadow models, each on half of" in said
    assert "at least 4 shadow models" in run("evaluate", trained / "run", "--shadows", 3, code=1)
    people = trained / "people.csv"
    assert "no run and no saved model" in run("evaluate", people, "--data", people, "--shadows", 4, code=1)


def test_rows_made_by_anything_are_judged(trained: Path) -> None:
    run("generate", trained / "run", "-n", 300, "--out", trained / "made.csv")
    assert "real-or-fake-auc" in run("evaluate", trained / "made.csv", "--data", trained / "people.csv")


def test_of_a_large_sorted_file_a_sample_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansmith.pipelines.tables.evaluate.MOST", 400)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": np.sort(rng.normal(size=2_000)), "kind": np.repeat(["a", "b", "c", "d"], 500)})
    frame.to_csv(tmp_path / "real.csv", index=False)
    frame.sample(400, random_state=1).to_csv(tmp_path / "made.csv", index=False)
    found = evaluate_table(tmp_path / "made.csv", tmp_path / "real.csv", baselines=False)
    assert found.judgement["sdmetrics-column-shapes"] > 0.9


def test_a_run_goes_on_to_a_new_length(trained: Path) -> None:
    assert "done" in run("resume", trained / "run", "--samples", "6000")
    assert "6000" in (trained / "run" / "log.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["train", "{0}/people.csv", "--size", "32", "--out", "{0}/no"], "--size is for pictures"),
        (["train", "{0}/people.csv", "--mirror", "--out", "{0}/no"], "--mirror is for pictures"),
        (["train", "{0}/people.csv", "--recipe", "dcgan", "--out", "{0}/no"], "choose one of: ctabgan, ctgan"),
        (["train", "{0}/people.csv", "--target", "sx", "--out", "{0}/no"], "Did you mean 'sex'"),
        (["train", "bundled:fashion-mnist", "--target", "x", "--out", "{0}/no"], "--target is for tables"),
        (["generate", "{0}/run", "--where", "sx=f", "--out", "{0}/x.csv"], "Did you mean 'sex'"),
        (["generate", "{0}/run", "--where", "sex", "--out", "{0}/x.csv"], "wanted --where COLUMN=VALUE"),
        (["generate", "{0}/run", "--out", "{0}/people.csv"], "people.csv"),
        (["evaluate", "{0}/people.csv"], "--data REAL.csv"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(trained: Path, words: list[str], wanted: str) -> None:
    before = (trained / "people.csv").read_bytes()
    assert wanted in run(*(word.format(trained) for word in words), code=2)
    assert (trained / "people.csv").read_bytes() == before


def test_small_whole_numbers_may_be_asked_for_by_range(tmp_path: Path) -> None:
    import pandas as pd

    from gansmith.cli.generate import asked
    from gansmith.tabular.infer import infer

    schema = infer(pd.DataFrame({"n": [0, 1, 2, 3] * 50, "c": ["a", "b"] * 100}))
    assert asked("n=1..2", schema) == ("n", (1.0, 2.0))
    assert asked("c=a", schema) == ("c", "a")


def test_a_table_of_a_few_rows_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("a,b\n1.5,x\n")
    cli("train", path, "--samples", 2_000).refused("this table has 1 row", "at least 10")


def test_a_file_of_no_known_kind_is_told_of_tables_too(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "notable.txt").write_text("a word\n")
    cli("train", "notable.txt").refused("notable.txt is of no kind that is known", "pictures (", "a table (.csv, .tsv")
