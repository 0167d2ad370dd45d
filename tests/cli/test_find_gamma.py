"""`--find-gamma` and `recipe.game.r1=auto`: what is tried, how it is judged, what is taken."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml

import gansmith as gs
from gansmith.errors import ConfigError, TrainingFailed
from gansmith.pipelines.gamma import LADDER, REPEATS, Found, Trial, choose, penalty_share

from .conftest import Cli

DATA = "bundled:fashion-mnist"


def trials(own: tuple[float, ...], others: dict[float, float]) -> list[Trial]:
    """Runs of the recipe's own gamma, 2, from several seeds, and one of each other."""
    made = [Trial(1.0, 2.0, seed, score, 0.1) for seed, score in enumerate(own)]
    return made + [Trial(times, 2 * times, 0, score, 0.1) for times, score in others.items()]


def test_a_gamma_that_is_better_beyond_noise_is_taken() -> None:
    taken, why = choose(trials((10.0, 10.5, 9.6), {0.2: 11.0, 5.0: 3.0}))
    assert (taken.times, taken.gamma) == (5.0, 10.0)
    assert "gamma 10: its score is 70% below that of the recipe's own" in why
    assert "runs of the same gamma differ by 4.6%" in why


def test_within_noise_the_recipes_own_stays() -> None:
    taken, why = choose(trials((10.0, 12.0, 9.0), {0.2: 8.0, 5.0: 30.0}))
    assert taken.times == 1
    assert "the recipe's own: none is better beyond noise" in why


def test_of_those_that_cannot_be_told_apart_the_nearest_is_taken() -> None:
    taken, _ = choose(trials((10.0, 10.2, 9.8), {5.0: 4.05, 25.0: 4.0}))
    assert taken.times == 5.0
    taken, _ = choose(trials((10.0, 10.2, 9.8), {5.0: 5.0, 25.0: 2.0}))
    assert taken.times == 25.0


def test_runs_that_fail_are_passed_over() -> None:
    failed = Trial(1.0, 2.0, 1, math.inf, math.nan, "failed: non-finite")
    own = trials((10.0,), {5.0: 12.0})
    taken, why = choose([*own, failed])
    assert taken.times == 1
    assert "with the recipe's own, 2, short runs failed" in why
    with pytest.raises(TrainingFailed, match="every short run failed"):
        choose([failed])
    assert failed.row() == ("2", "-", "-", "failed: non-finite")


def test_the_penaltys_share_counts_what_it_is_on_average() -> None:
    with_d = {"D/adv": -0.9, "D/r1": 0.4, "D/r2": 0.4, "G/adv": 5.0, "D/gradient_norm": 7.0}
    assert penalty_share(with_d, 8) == pytest.approx(0.1)
    assert penalty_share({"D/adv": 1.0, "penalty/r1": 16.0}, 16) == pytest.approx(0.5)
    assert math.isnan(penalty_share({}, 1))
    assert "outweighs" in Trial(1.0, 1.0, 0, 1.0, 0.7).remark()
    assert "hardly" in Trial(1.0, 1.0, 0, 1.0, 1e-5).remark()


def test_the_table_names_what_was_taken() -> None:
    made = trials((10.0, 11.0), {5.0: 3.0})
    lines = Found(tuple(made), made[2], "because", "FD-x", "x(n=3)", 0.25).lines()
    assert lines[0].split() == ["gamma", "FD-x", "share", "of", "D's", "loss"]
    assert [line.endswith("<- taken") for line in lines[1:4]] == [False, False, True]
    assert lines[4] == "measured by x(n=3); real pictures against others: 0.25"


def test_it_tries_tells_and_trains_with_what_it_took(cli: Cli, tmp_path: Path) -> None:
    words = ["--recipe", "gan", "--size", "16", "--batch", "16", "--samples", "32", "--tick", "16", "--out", "run"]
    told = cli("train", DATA, *words, "--find-gamma", "--gamma-samples", "48", "recipe.width=16", "recipe.units=16")
    assert told.code == 0, told.err
    settings = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    kept = settings["about"]["find_gamma"]
    assert len(kept["trials"]) == REPEATS + len(LADDER) - 1
    assert len({trial["score"] for trial in kept["trials"]}) > 3
    assert settings["recipe"]["fields"]["game"]["r1"] == pytest.approx(kept["gamma"])
    assert kept["gamma"] in [pytest.approx(10 * times) for times in LADDER]
    assert "FD-fashion-quick" in told.out
    assert "<- taken" in told.out
    assert "real pictures against others" in told.out
    assert f"gamma {kept['gamma']:.3g}" in told.out
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    assert settings["train"]["samples"] == 32


def test_recipes_without_a_penalty_are_told_of_those_with_one(cli: Cli) -> None:
    told = cli("train", DATA, "--recipe", "dcgan", "--find-gamma")
    told.refused(
        "looks for the weight of R1 and R2", "dcgan (small) has neither", "gan", "stylegan2", "recipe.game.r1=auto"
    )


def test_what_does_not_go_together(cli: Cli, tmp_path: Path) -> None:
    cli("train", DATA, "--recipe", "gan", "--gamma-samples", "2k").refused("add --find-gamma")
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 600)
    cli("train", "t.csv", "--find-gamma").refused("--find-gamma is for pictures")
    with pytest.raises(ConfigError, match="begin anew"):
        gs.train(DATA, recipe="gan", start_from=tmp_path, find_gamma=100, out=tmp_path / "run")


def test_auto_is_told_with_its_number(cli: Cli) -> None:
    words = ["--recipe", "dcgan", "--size", "32", "--batch", "64", "--dry-run", "recipe.game.r1=auto"]
    told = cli("train", DATA, *words)
    assert told.code == 0, told.err
    assert "game.r1" in told.out
    assert "0.0032" in told.out
    assert "batches of 64" in told.out
