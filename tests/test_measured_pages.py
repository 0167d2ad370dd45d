"""Sections of docs/benchmarks.md on modes, Stacked-MNIST and small data, and what they count with."""

from __future__ import annotations

import json

import pytest
import torch

pytest.importorskip("benchmarks", reason="the benchmarks stand beside a checkout's tests, run from its root")

from benchmarks import clock, modes, small_data, stacked
from benchmarks.plane import Modes

from gansmith.game import Augment, Game
from gansmith.schedule import Cosine


@pytest.mark.parametrize(("name", "count"), [("ring", 8), ("grid", 25)])
def test_real_points_are_good_and_lie_on_every_mode(name, count):
    source = Modes(name)
    found = source.score(source.x[:10_000])
    assert found["modes"] == count
    assert found["good"] == pytest.approx(1 - 0.0111, abs=0.004)  # within 3 deviations in the plane: 1 - exp(-9 / 2)
    assert float(source.centres.std(correction=0)) == pytest.approx(1.0)


def test_points_of_half_the_modes_and_points_between_are_told():
    source = Modes("ring")
    some = source.centres[:4].repeat(100, 1)[..., None, None]
    assert source.score(some) == {"modes": 4.0, "good": 1.0}
    assert source.score(torch.zeros(10, 2, 1, 1)) == {"modes": 0.0, "good": 0.0}


def test_a_game_on_points_keeps_its_losses_and_rhythm_alone():
    game = Game(loss="hinge", r1=50.0, penalty_every=16, d_steps=3, augment=Augment(kind="ada", p=0.5), dropout=0.5)
    found = modes.on_points(game)
    assert (found.loss, found.penalty_every, found.d_steps) == ("hinge", 16, 3)
    assert found.r1 == modes.WEIGHTS["r1"]
    assert (found.r2, found.gp, found.augment.kind, found.dropout) == (0.0, 0.0, "none", 0.0)


def test_every_game_with_a_penalty_is_played_once():
    found = modes.games()
    names = [name for names in found for name in names.split(", ")]
    assert {"gan", "cgan", "lapgan", "progan", "r3gan", "stylegan2", "stylegan3", "wgan_gp"} <= set(names)
    assert len(names) == len(set(names))
    assert all(game.penalises for game in found.values())
    assert not any(a == b for i, a in enumerate(found.values()) for b in list(found.values())[:i])


def test_runs_under_other_settings_are_played_again(tmp_path, monkeypatch):
    monkeypatch.setattr(modes, "FOLDER", tmp_path)
    row = {"data": "ring", "game": "r3gan", "seed": 0, "modes": 8.0, "settings": modes.settings()}
    clock.write(modes.place_of("ring", "r3gan", 0), row)
    clock.write(modes.place_of("ring", "gan", 0), row | {"settings": "others"})
    assert modes.played("ring", "r3gan", 0) == row
    assert modes.played("ring", "gan", 0) == modes.played("grid", "gan", 0) == {}
    found = {(data, name, seed) for data, name, _, seed in modes.left(("ring",))}
    assert ("ring", "r3gan", 0) not in found
    assert {("ring", "gan", 0), ("ring", "r3gan", 1)} <= found


def test_the_page_of_modes_counts_who_reaches_the_bar():
    row = {"data": "ring", "game": "r3gan", "seed": 0, "modes": 8.0, "good": 0.97, "of": 8, "samples": 1, "played": "x"}
    worse = row | {"data": "grid", "modes": 24.0, "of": 25}
    bare = row | {"game": next(iter(modes.BARE)), "modes": 3.0}
    lines = modes.render({"rows": [row, worse, bare], "seconds": 60, "settings": modes.settings()})
    assert "| r3gan | x | 8 | 97.0% | 24 | 97.0% |" in lines
    assert lines[-1] == "Of 2 runs with a penalty, 1 reach the bar."


def test_stacked_digits_pages_tell_recipes_from_the_ablation():
    made = {"modes": 1000, "kl": 0.05, "samples": 9, "cpu": 1.0}
    rows = [{"name": "r3gan", "seed": 0, **made}, {"name": "dcgan", "seed": 1, **made, "modes": 99}]
    rows.append({"name": "GAN + R1", "seed": 0, "failed": "not finite", "samples": 7})
    text = "\n".join(stacked.render({"rows": rows, "minutes": 30, "count": 26_000, "classifier": 0.991}))
    assert "| dcgan | 1 | 99 | 0.050 | 9 |" in text
    assert "| GAN + R1 | diverged | - | 7 | diverges |" in text
    assert "| RpGAN + R1 + R2 | 1000 | 0.050 | 9 | 1000 modes, KL 0.078 |" in text
    assert {name for name, _ in stacked.runs()} >= stacked.ABLATION.keys() - {stacked.WHOLE}


def test_small_data_are_held_against_the_run_without_augmentation():
    row = {"seed": 0, "precision": 0.5, "recall": 0.1, "samples": 5, "protocol": "p"}
    rows = [{"way": "plain", "fid": 100.0, **row}, {"way": "ada", "fid": 60.0, **row}]
    lines = small_data.render({"rows": rows, "minutes": 8, "count": 2048, "recipe": "dcgan"})
    ada = next(line for line in lines if line.startswith("| ADA"))
    assert "| 60.0 | -40% |" in ada
    assert lines[-1] == "Protocol of the FID: `p`."


class View:
    """What the clock reads of a run."""

    samples = 64


def test_the_clock_goes_on_where_it_stopped(tmp_path):
    place = tmp_path / "clock.json"
    clock.write(place, {"cpu": 100.0})
    going = clock.CpuClock(100.5, place)
    going.start(View())
    assert 100.0 <= going.spent < 100.5
    going.saved(View(), tmp_path)
    told = json.loads(place.read_text())
    assert told["cpu"] >= 100.0
    assert told["samples"] == 64
    late = clock.CpuClock(99.0, place)
    late.start(View())
    late.stepped(View())
    assert late.enough


def test_the_rule_of_modes_is_written_out():
    assert all(isinstance(weight, float | Cosine) for weight in modes.WEIGHTS.values())
    assert f"batch {modes.BATCH}" in modes.settings()
