"""Differential privacy on the command line: from a CSV to a model with a ledger, synthetic rows and a report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import gansmith as gs
from gansmith.cli.main import app

from .conftest import Cli

QUICK = ["recipe.steps=20", "recipe.width=8", "recipe.latent=4", "recipe.past=2", "recipe.batch=128", "recipe.fakes=64"]
STATED = 'bounds:\n  age: [18, 90]\n  came: [2020-01-01, 2024-12-31]\ncategories:\n  ill: ["no", "yes"]\n'


def patients(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    return pd.DataFrame(
        {
            "mail": [f"person-{seed}-{i}@example.org" for i in range(n)],
            "age": age,
            "came": (np.datetime64("2020-01-01") + rng.integers(0, 1_800, n)).astype(str),
            "ill": np.where(rng.random(n) < age / 120, "yes", "no"),
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with patients.csv, stated.yaml and a private model. Its words are in `said`."""
    folder = tmp_path_factory.mktemp("private")
    patients(900, 0).to_csv(folder / "patients.csv", index=False)
    patients(300, 1).to_csv(folder / "others.csv", index=False)
    (folder / "stated.yaml").write_text(STATED)
    words = ["train", folder / "patients.csv", "--epsilon", 2, "--stated", folder / "stated.yaml", "--target", "ill"]
    done = CliRunner().invoke(app, [str(w) for w in [*words, "--out", folder / "model", *QUICK]])
    assert done.exit_code == 0, done.output
    (folder / "said").write_text(done.output)
    return folder


def test_it_says_what_is_asked_what_it_cost_and_what_is_promised(trained: Path) -> None:
    said = (trained / "said").read_text()
    for words in (
        "not learnt; filled with email",
        "stated: 18 to 90",
        "stated: no, yes",
        "histogram of age",
        "dp-sgd",
        "at most 7.39 times as likely",
        "gansmith generate",
    ):
        assert words in " ".join(said.split()), words
    assert "seed" not in said
    ledger = json.loads((trained / "model" / "ledger.json").read_text())
    assert (ledger["epsilon"], ledger["secure"]) == (2.0, True)
    assert 1.9 < ledger["spent"] <= 2.0 * (1 + 1e-9)
    assert "at most 7.39 times" in (trained / "model" / "README.md").read_text()


def test_nothing_that_was_not_bought_or_stated_is_in_the_model(trained: Path) -> None:
    files = [p for p in (trained / "model").iterdir() if p.suffix in (".json", ".md")]
    text = "".join(p.read_text() for p in files)
    assert "example.org" not in text
    assert str(trained) not in text
    assert {p.name for p in (trained / "model").glob("*.safetensors")} <= {
        f"{net}.safetensors" for net in ("G", "D", "Past", "Account")
    }


def test_rows_are_made_streamed_and_asked_for(trained: Path, cli: Cli, tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        assert "wrote 200 rows" in cli("generate", trained / "model", "-n", 200, "--seed", 3, "--out", name).out
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    made = pd.read_csv(tmp_path / "one.csv")
    assert list(made) == ["mail", "age", "came", "ill"]
    assert made["age"].between(18, 90).all()
    assert made["mail"].is_unique
    assert made["came"].between("2020-01-01", "2024-12-31").all()
    done = cli(
        "generate", trained / "model", "-n", 40, "--where", "ill=yes", "--where", "age=30..60", "--out", "w.parquet"
    )
    assert done.code == 0, done
    asked = pd.read_parquet(tmp_path / "w.parquet")
    assert (asked["ill"] == "yes").all()
    assert asked["age"].between(30, 60).all()


def test_the_model_can_be_packed_and_is_the_same(trained: Path, cli: Cli, tmp_path: Path) -> None:
    assert cli("generate", trained / "model", "--export", "packed").code == 0
    one, two = (gs.PrivateTableSynthesizer.load(p) for p in (trained / "model", tmp_path / "packed"))
    pd.testing.assert_frame_equal(one.sample(20, seed=1), two.sample(20, seed=1))
    assert two.target == "ill"
    assert two.ledger_.to_json() == one.ledger_.to_json()


def test_the_report_holds_ledger_and_claim_and_lies_beside_the_model(trained: Path, cli: Cli, tmp_path: Path) -> None:
    model = Path(shutil.copytree(trained / "model", tmp_path / "model"))
    real = ("--data", trained / "patients.csv", "--test", trained / "others.csv")
    done = cli("evaluate", model, *real, "--shadows", 4)
    assert done.code == 0, done
    assert "4 shadow models, each on half of 1200 rows" in done.out
    assert "at most 7.39 times as likely" in done.out
    assert "membership-distance-auc" in done.out
    assert not list(model.glob("quality*")), "whoever gets the model must not get what was seen of the real rows"
    found = json.loads((tmp_path / "model.quality.json").read_text())
    assert found["ledger"]["epsilon"] == 2.0
    assert "differential privacy with epsilon 2" in found["verdict"]["sentence"]
    promise = next(c for c in found["verdict"]["criteria"] if c["name"].startswith("The promise"))
    assert promise["outcome"] == "pass"
    page = (tmp_path / "model.quality.html").read_text()
    assert "dp-sgd: noise" in page
    assert "at most 7.39 times as likely" in page


def test_evaluating_needs_the_real_rows(trained: Path, cli: Cli) -> None:
    cli("evaluate", trained / "model").refused("--data REAL.csv")


def test_a_dry_run_asks_nothing_and_writes_a_schema(trained: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("train", trained / "patients.csv", "--epsilon", 1, "--dry-run", "--save-schema", "schema.yaml")
    assert done.code == 0, done
    assert "range to be found with noise" in done.out
    assert "state it (--stated)" in done.out
    assert "kind: datetime" in (tmp_path / "schema.yaml").read_text()
    assert [p.name for p in tmp_path.iterdir()] == ["schema.yaml"]


def test_a_seed_repeats_a_run_and_takes_the_promise_back(trained: Path, cli: Cli, tmp_path: Path) -> None:
    train = [
        "train",
        trained / "patients.csv",
        "--epsilon",
        2,
        "--stated",
        trained / "stated.yaml",
        "--seed",
        4,
        *QUICK,
    ]
    one = cli(*train)
    assert "leave out --seed" in one.err
    assert "not for release" in " ".join(one.out.split())
    assert (tmp_path / "models" / "patients").is_dir()
    cli(*train).refused("holds a private model", "--overwrite")
    cli(*train, "--out", "two")
    frames = [gs.PrivateTableSynthesizer.load(p).sample(50, seed=0) for p in ("models/patients", "two")]
    pd.testing.assert_frame_equal(*frames)
    assert cli(*train, "--overwrite").code == 0


def test_a_model_cannot_be_gone_on_with(trained: Path, cli: Cli) -> None:
    cli("resume", trained / "model", "--samples", 9_000).refused("training cannot go on", "train anew")


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--minutes", "1"], "--minutes does not go with --epsilon: a private run is as long as the recipe has steps"),
        (["--samples", "9k"], "set recipe.steps=NUMBER"),
        (["--batch", "64"], "set recipe.batch=NUMBER"),
        (["--holdout", "0.1"], "gansmith evaluate --test"),
        (["--constraints", "c.yaml"], "outside of the budget"),
        (["--devices", "2"], "one process draws all the noise"),
        (["--shard", "G"], "one process draws all the noise"),
        (["--precision", "bf16"], "fp32"),
        (["--tick", "100"], "nothing of a private run is kept but its result"),
        (["--save-every", "100"], "--save-every does not go with --epsilon"),
        (["--from", "runs/x"], "--from does not go with --epsilon: weights of another run may know rows"),
        (["--size", "32"], "it is for pictures"),
        (["--mirror"], "it is for pictures"),
        (["--no-labels"], "it is for pictures"),
        (["--recipe", "ctgan"], "keeps no privacy budget; those that do: dpgan, pategan"),
        (["--recipe", "dpgann"], "Did you mean 'dpgan'"),
        (["--target", "age"], "is of the kind integer, and rows are conditioned by a category"),
        (["--target", "il"], "Did you mean 'ill'"),
        (["--delta", "2"], "--delta"),
        (["--preparation", "1"], "--preparation"),
        (["--stated", "no.yaml"], "no.yaml, in which things are stated, cannot be read"),
        (["recipe.epsilon=3"], "recipe.epsilon follows from --epsilon here: leave it out"),
        (["recipe.noise=3", *QUICK], "recipe.noise follows from epsilon and the table"),
        (["recipe.stepz=3"], "Did you mean 'steps'"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_sentence(trained: Path, cli: Cli, words: list[str], wanted: str) -> None:
    stated = [] if "--stated" in words else ["--stated", trained / "stated.yaml"]
    cli("train", trained / "patients.csv", "--epsilon", 1, *stated, "--out", "no", *words).refused(wanted)
    assert not Path("no").exists()


def test_pictures_and_what_is_not_there_are_refused(trained: Path, cli: Cli, photos: Path) -> None:
    cli("train", photos, "--epsilon", 1).refused("--epsilon is for tables")
    cli("train", "bundled:fashion-mnist", "--epsilon", 1).refused("--epsilon is for tables")
    cli("train", "nowhere", "--epsilon", 1).refused("no such file or folder: nowhere")
    cli("train", "nowhere.csv", "--epsilon", 1).refused("no such file or folder")
    cli("train", trained / "patients.csv", "--epsilon", 0).refused("wanted a number above 0")
    cli("train", trained / "patients.csv", "--delta", "1e-6").refused(
        "--delta is of differential privacy: add --epsilon 1"
    )
    cli("train", trained / "patients.csv", "--recipe", "dpgan").refused("add --epsilon 1")
    cli("train", trained / "patients.csv", "--epsilon", 1, "--out", trained).refused("choose a folder")
