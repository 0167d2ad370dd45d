"""`gansmith synthesize`: from a CSV to synthetic rows and a report, in one command that can be repeated."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from .conftest import Cli

LENGTH = ["--samples", 2_000]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rng, path = np.random.default_rng(0), tmp_path / "people.csv"
    age = rng.integers(18, 80, 700)
    frame = pd.DataFrame(
        {"age": age, "sex": rng.choice(["f", "m"], 700), "pay": np.round(age * 50.5 + rng.random(700))}
    )
    frame.to_csv(path, index=False)
    return path


def test_a_csv_becomes_rows_a_report_and_a_verdict(cli: Cli, people: Path, tmp_path: Path) -> None:
    before = people.read_bytes()
    done = cli("synthesize", people, "--out", "synthetic.csv", "--rows", 900, *LENGTH)
    assert done.code == 0, done.err
    assert "wrote synthetic.csv, and the report synthetic.quality.html" in done.out
    assert people.read_bytes() == before
    made = pd.read_csv(tmp_path / "synthetic.csv")
    assert made.shape == (900, 3)
    page = (tmp_path / "synthetic.quality.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "80 held out" in page or "70" in page
    assert " ".join(done.out.split("\n\n")[-2].split()) in " ".join(page.split())  # the verdict's sentence
    _takes_up_the_run(cli, people, tmp_path, done.out)


def _takes_up_the_run(cli: Cli, people: Path, folder: Path, said: str) -> None:
    """The same command again refuses what is there; without the files it makes the same again and trains nothing."""
    command = ["synthesize", people, "--out", "synthetic.csv", "--rows", 900, *LENGTH]
    cli(*command).refused("synthetic.csv exists", "--overwrite")
    first = (folder / "synthetic.csv").read_bytes()
    (folder / "synthetic.csv").unlink()
    cli(*command).refused("synthetic.quality.html exists")
    weights = (folder / "runs/people/best/G.safetensors").read_bytes()
    again = cli(*command, "--overwrite")
    assert again.code == 0, again.err
    assert (folder / "synthetic.csv").read_bytes() == first
    assert (folder / "runs/people/best/G.safetensors").read_bytes() == weights
    assert again.out.split("\n\n")[-2] == said.split("\n\n")[-2]
    other = ["synthesize", people, "--out", "other.csv"]
    cli(*other, "--samples", 3_000).refused("holds a run with another samples", "--run")
    cli(*other, "--target", "sex", "--seed", 3).refused("another target and another seed")
    people.write_text(people.read_text() + "20,f,1000\n")
    cli(*other, *LENGTH).refused("another table")


def test_an_interrupted_command_goes_on(cli: Cli, people: Path, tmp_path: Path) -> None:
    words = ["synthesize", str(people), "--out", "synthetic.csv", "--samples", "15000"]
    process = subprocess.Popen([sys.executable, "-m", "gansmith", *words], cwd=tmp_path, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)  # fmt: skip
    log, waited = tmp_path / "runs/people/log.jsonl", 0
    while process.poll() is None and waited < 1_200 and not (log.exists() and '"tick"' in log.read_text()):
        time.sleep(0.1)
        waited += 1
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 130
    assert not (tmp_path / "synthetic.csv").exists()
    done = cli(*words)
    assert done.code == 0, done.err
    assert log.read_text().count('"event": "start"') == 2
    assert len(pd.read_csv(tmp_path / "synthetic.csv")) == 700


def test_places_that_cannot_be_are_refused_before_any_work(cli: Cli, people: Path, tmp_path: Path) -> None:
    cli("synthesize", people, "--out", people, "--overwrite").refused(
        "is the training data, which are never overwritten"
    )
    cli("synthesize", people, "--out", "rows.xlsx").refused("rows are written as .csv")
    (tmp_path / "words.txt").write_text("x\n")
    cli("synthesize", "words.txt", "--out", "rows.csv").refused("this is none: words.txt")
    cli("synthesize", "nowhere.csv", "--out", "rows.csv").refused("no such file or folder")
    assert not (tmp_path / "runs").exists()
