"""Conditions that no training row meets are sampled, and said once."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import gansmith as gs
from gansmith.cli.main import app
from gansmith.pipelines.tables.making import Unseen

QUICK: dict[str, Any] = {"batch": 100, "samples": 1_000, "quiet": True, "fields": {"width": 32, "latent": 8, "pac": 1}}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on 600 rows in which no woman is retired and nobody young is paid much; the file lies beside it."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("unseen")
    sex = rng.choice(["f", "m"], 600)
    age = rng.integers(18, 80, 600)
    frame = pd.DataFrame(
        {
            "sex": sex,
            "job": np.where((sex == "m") & (age > 50), "retired", rng.choice(["cook", "clerk"], 600)),
            "age": age,
            "pay": np.round(age * 50 + rng.normal(0, 10, 600), 2),
        }
    )
    frame.to_csv(folder / "people.csv", index=False)
    gs.TableSynthesizer("ctgan", out=folder / "run", **QUICK).fit(folder / "people.csv")
    return folder / "run"


def test_it_is_said_once_and_the_rows_are_made(run: Path) -> None:
    model, where = gs.TableSynthesizer.load(run), {"sex": "f", "job": "retired"}
    with pytest.warns(Unseen, match="none of the 600 training rows has sex = 'f' and job = 'retired'"):
        made = model.sample(20, where=where, seed=0)
    assert len(made) == 20
    assert (made["job"] == "retired").all()
    assert (made["sex"] == "f").all()
    model.sample(20, where=where, seed=1)  # warnings are errors here


def test_nothing_is_said_of_conditions_that_rows_meet(run: Path) -> None:
    model = gs.TableSynthesizer.load(run)
    assert len(model.sample(5, where={"sex": "m", "job": "retired"}, seed=0)) == 5
    assert len(model.sample(5, where={"sex": "f"}, seed=0)) == 5


def test_nothing_is_said_where_the_training_rows_are_not_at_hand(run: Path, tmp_path: Path) -> None:
    gs.TableSynthesizer.load(run).save(tmp_path / "model")
    saved = gs.TableSynthesizer.load(tmp_path / "model")
    assert len(saved.sample(5, where={"sex": "f", "job": "retired"}, seed=0)) == 5


def test_rows_of_another_file_in_their_place_are_not_asked(run: Path, tmp_path: Path) -> None:
    model = gs.TableSynthesizer.load(run)
    other = tmp_path / "people.csv"
    other.write_text("sex,job,age,pay\nf,cook,20,1.5\n")
    model.data_ = str(other)
    assert len(model.sample(5, where={"sex": "f", "job": "retired"}, seed=0)) == 5


def test_the_command_says_it(run: Path, tmp_path: Path) -> None:
    words = ["generate", str(run), "-n", "20", "--where", "sex=f", "--where", "job=retired", "--out"]
    done = CliRunner().invoke(app, [*words, str(tmp_path / "made.csv")], catch_exceptions=False)
    assert done.exit_code == 0
    assert done.output.count("warning: none of the 600 training rows has sex = 'f' and job = 'retired'") == 1
    assert len(pd.read_csv(tmp_path / "made.csv")) == 20


def test_warnings_of_the_library_are_told_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    from gansmith.cli.show import warned

    with warned():
        for _ in range(2):
            warnings.warn("so it is", UserWarning, stacklevel=1)
    assert capsys.readouterr().err == "warning: so it is\n"
