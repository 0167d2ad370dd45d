"""What users get wrong: one to three lines on stderr, exit code 2, and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Cli


def test_a_path_that_is_not_there(cli: Cli) -> None:
    cli("train", "photoz").refused("no such file or folder: photoz")


def test_an_empty_folder(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cli("train", "empty").refused("empty")


def test_an_unknown_recipe_is_answered_with_the_nearest(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--recipe", "dcgam").refused("no recipe 'dcgam'", "Did you mean 'dcgan'?")


def test_the_recipe_is_checked_before_the_data(cli: Cli) -> None:
    cli("train", "nowhere", "--recipe", "dcgam").refused("Did you mean 'dcgan'?")


def test_an_unknown_option_is_answered_with_the_nearest(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--sample", "100").refused("--sample", "--samples")


def test_an_unknown_command_is_answered_with_the_nearest(cli: Cli) -> None:
    cli("trian", "photos").refused("no command 'trian'", "Did you mean 'train'?")


def test_an_unknown_field_of_the_recipe(cli: Cli, photos: Path) -> None:
    told = cli("train", photos, "--recipe", "dcgan", "recipe.latnt=128")
    told.refused("no setting recipe.latnt", "Did you mean 'latent'?")


def test_a_field_of_the_wrong_type(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--recipe", "dcgan", "recipe.latent=many").refused("recipe.latent", "'many'")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("latent=128", "recipe.latent=128"),
        ("recpe.latent=128", "recipe"),
        ("batch=32", "--batch 32"),
        ("more-photos/", "recipe.NAME=VALUE"),
    ],
)
def test_an_override_that_is_none(cli: Cli, photos: Path, given: str, meant: str) -> None:
    cli("train", photos, given).refused(given, meant)


def test_a_size_that_the_recipe_cannot_make(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--recipe", "r3gan", "--size", "48").refused("48", "--size 32")


def test_a_batch_larger_than_the_data(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--batch", "64").refused("batch of 64", "12 examples", "--batch 8")


def test_labels_asked_for_and_absent(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--labels").refused("labels were asked for", "subfolder")


def test_a_network_that_cannot_be_sharded(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--shard", "Q").refused("no network 'Q' to shard", "G, D")
    cli("train", photos, "--shard", "D", "--recipe", "r3gan").refused("cannot shard D", "twice")


def test_classes_wanted_by_the_recipe(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--recipe", "cgan").refused("cgan needs classes", "subfolder")


def test_a_batch_that_cannot_be_shared(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--batch", "4", "--devices", "3").refused("3 devices", "4")


def test_both_lengths(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--samples", "100", "--minutes", "1").refused("--samples", "--minutes", "one of them")


@pytest.mark.parametrize("text", ["12.5", "0", "-3", "many", "2q"])
def test_a_number_that_is_none(cli: Cli, photos: Path, text: str) -> None:
    cli("train", photos, f"--batch={text}").refused("--batch", text)


def test_a_run_that_is_there_is_not_lost(cli: Cli, run: Path, photos: Path) -> None:
    before = sorted(p.name for p in run.iterdir())
    cli("train", photos, "--out", run).refused("holds a run", f"gansmith resume {run}", "--overwrite")
    assert sorted(p.name for p in run.iterdir()) == before


def test_overwrite_spares_a_folder_that_holds_no_run(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--out", photos, "--overwrite").refused("holds no run", "--out")
    assert len(list(photos.iterdir())) == 12


@pytest.mark.parametrize("command", ["resume", "generate", "report"])
def test_a_run_that_is_not_there(cli: Cli, command: str) -> None:
    cli(command, "runs/nothing").refused("no such run folder: runs/nothing")


def test_evaluating_what_is_not_there(cli: Cli) -> None:
    cli("evaluate", "runs/nothing", "--data", "bundled:fashion-mnist").refused("runs/nothing")


@pytest.mark.parametrize("command", ["resume", "generate", "report"])
def test_a_folder_that_is_no_run(cli: Cli, photos: Path, command: str) -> None:
    cli(command, photos).refused(str(photos))


def test_resuming_a_run_that_is_done(cli: Cli, run: Path) -> None:
    cli("resume", run).refused("this run is done: 384 of 384 samples", "--samples 768")


def test_resuming_on_other_data(cli: Cli, run: Path, photos: Path) -> None:
    told = cli("resume", run, "--samples", "500", "--data", photos)
    assert told.code == 2
    assert len(told.err.splitlines()) <= 3


def test_a_label_that_the_model_does_not_know(cli: Cli, run: Path) -> None:
    cli("generate", run, "--label", "Sneakers").refused("no class 'Sneakers'", "Did you mean 'Sneaker'?")


def test_truncation_where_the_recipe_has_none(cli: Cli, run: Path) -> None:
    cli("generate", run, "--truncation", "0.7").refused("gan has no truncation", "0.7")


def test_generating_into_a_place_that_is_a_file(cli: Cli, run: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    cli("generate", run, "--out", "taken").refused("taken")


@pytest.mark.parametrize(
    ("option", "value", "offered"), [("--metric", "fyd", "fid"), ("--extractor", "inceptoin", "inception")]
)
def test_an_unknown_metric_or_extractor(cli: Cli, run: Path, option: str, value: str, offered: str) -> None:
    cli("evaluate", run, "-n", "64", option, value).refused(value, offered)


def test_no_weights_to_begin_with(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--from", "runs/other").refused("no such run folder: runs/other")


def test_an_unknown_recipe_in_the_catalogue(cli: Cli) -> None:
    cli("recipes", "show", "r3gam").refused("no recipe 'r3gam'", "Did you mean 'r3gan'?")
    cli("recipes", "r3gan").refused("gansmith recipes show r3gan")


def test_a_recipe_file_with_a_mistake_names_the_line(cli: Cli, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import os\n\nos.no_such_thing\n")
    cli("train", photos, "--recipe", "broken.py:Mine").refused("broken.py", "line 3", "no_such_thing")
    (tmp_path / "bad.py").write_text("def f(:\n")
    cli("train", photos, "--recipe", "bad.py:Mine").refused("bad.py", "line 1", "SyntaxError")
    (tmp_path / "empty.py").write_text("")
    cli("train", photos, "--recipe", "empty.py:Mine").refused("no recipe 'Mine' in empty.py")
    cli("train", photos, "--recipe", "nowhere.py:Mine").refused("no such file", "nowhere.py")


def test_an_unexpected_error_is_one_line_without_a_traceback(cli: Cli, run: Path) -> None:
    shutil.rmtree(run / "samples")
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").mkdir()
    cli("report", run).refused("no log.jsonl")


def test_a_bug_is_told_in_two_lines(monkeypatch: pytest.MonkeyPatch, cli: Cli, run: Path) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("gansmith.report.write_report", fail)
    cli("report", run).refused("ZeroDivisionError", "this is a bug", "--debug", code=1)


def test_settings_that_cannot_be_are_the_users_mistake(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--recipe", "gan", "recipe.latent=-3").refused("GAN cannot be built with these settings")
    cli("train", photos, "--recipe", "dcgan", "recipe.solver.lr=.nan").refused("DCGAN cannot be built", "learning rate")


def test_a_mistake_in_a_recipe_of_ones_own_names_file_and_line(cli: Cli, photos: Path, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "own-recipe.md"
    code = page.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0].replace("self.width", "self.widht")
    (tmp_path / "my_gan.py").write_text(code, encoding="utf-8")
    line = next(i for i, text in enumerate(code.splitlines(), 1) if "self.widht" in text)
    cli("train", photos, "--recipe", "my_gan.py:MyGAN").refused(f"my_gan.py, line {line}", "widht", "--debug")


def test_examples_of_two_calls_are_not_mixed(cli: Cli, run: Path, tmp_path: Path) -> None:
    assert cli("generate", run, "-n", "3", "--out", "made").code == 0
    cli("generate", run, "-n", "2", "--out", "made").refused("3 generated examples already", "--overwrite")
    assert cli("generate", run, "-n", "2", "--out", "made", "--overwrite").code == 0
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == ["000000.png", "000001.png"]


def test_data_that_have_moved(cli: Cli, photos: Path, tmp_path: Path) -> None:
    arguments = ["--recipe", "gan", "--size", "16", "--batch", "8", "--tick", "64", "--samples", "64"]
    assert cli("train", photos, *arguments, "--out", "moved").code == 0
    photos.rename(photos.with_name("elsewhere"))
    cli("resume", "moved", "--samples", "128").refused("no longer at", "--data PATH")
    assert cli("resume", "moved", "--samples", "128", "--data", photos.with_name("elsewhere")).code == 0


def test_debug_keeps_the_exit_code(cli: Cli) -> None:
    told = cli("train", "nowhere", "--debug")
    assert told.code == 2
    assert "Traceback" in told.err


def test_the_catalogue_shows_a_recipe_that_needs_classes(cli: Cli) -> None:
    told = cli("recipes", "show", "cgan")
    assert told.code == 0
    assert "in 10 classes" in told.out
