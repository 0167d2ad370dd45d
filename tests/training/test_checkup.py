"""The doctor watches the trainer's runs: the same to the bit where all is well, treated where it is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from toys import (
    Asks,
    Excitable,
    Judged,
    NormJudged,
    NormToy,
    Points,
    Toy,
    assert_same,
    events,
    everything,
    prepare,
    train,
)

from gansmith import checkpoint
from gansmith.batch import Batch
from gansmith.errors import TrainingFailed
from gansmith.health.finding import Failure, Family, Finding, Severity
from gansmith.health.policy import Remedy
from gansmith.recipes.base import Phase
from gansmith.training.checkup import Checkup
from gansmith.training.monitors import Monitor, View


def bad(name: str, family: Family, severity: Severity = "serious", onset: int = 0) -> Finding:
    return Finding(Failure(name, name.title(), severity, family, "meaning", "advice", "paper"), onset, onset + 1)


@pytest.mark.parametrize("recipe", [Toy(), NormToy()])
def test_a_healthy_run_is_the_same_to_the_bit(tmp_path: Path, recipe: Toy) -> None:
    alone = train(tmp_path / "alone", recipe=recipe)
    watched = train(tmp_path / "watched", recipe=recipe, monitors=[Checkup(every=10 * 32)])
    assert_same(everything(alone), everything(watched))
    assert len(events(tmp_path / "watched", "health")) == 4
    assert events(tmp_path / "watched", "treatment") == []


def test_what_it_sees_is_in_the_log(tmp_path: Path) -> None:
    train(tmp_path, monitors=[Checkup(every=10 * 32)])
    seen = events(tmp_path, "health")[-1]["values"]
    for name in (
        "diversity",
        "gradient/G",
        "update/D",
        "cosine/D",
        "loss/D/adv",
        "average_gap",
        "data/low",
        "feed/unique",
    ):
        assert isinstance(seen[name], float), name
    (about,) = events(tmp_path, "watched")
    assert about["facts"]["networks"] == ["G", "D", "E"]
    assert about["length"] == 40 * 32


def test_a_resumed_run_remembers(tmp_path: Path) -> None:
    trainer = prepare(tmp_path, monitors=[Checkup(every=10 * 32)], steps=20)
    trainer.fit()
    checkup = Checkup(every=10 * 32)
    prepare(tmp_path, monitors=[checkup], steps=40, resume=True).fit()
    assert checkup.doctor is not None
    assert [r.step for r in checkup.doctor.history.readings] == [10, 20, 30, 40]


def test_a_mistake_in_the_data_stops_the_run(tmp_path: Path) -> None:
    source = Points()
    source.x = source.x[:1].repeat(len(source.x), 1)
    with pytest.raises(TrainingFailed, match="All training examples are the same"):
        train(tmp_path, source=source, monitors=[Checkup(every=10 * 32)])
    assert events(tmp_path, "treatment")[0]["action"] == "stop"
    train(tmp_path / "on", source=source, monitors=[Checkup(every=10 * 32, treat=False)])
    assert events(tmp_path / "on", "finding")[0]["finding"]["failure"]["name"] == "constant_data"


def test_going_back_takes_the_newest_checkpoint_from_before_the_failure(tmp_path: Path) -> None:
    asks = Asks(40, Remedy("return", bad("collapse", "diversity", onset=25 * 32)))
    trainer = train(tmp_path, recipe=Excitable(), monitors=[asks], steps=60, save_every=10, keep=2)
    (done,) = events(tmp_path, "treatment")
    assert done["to"] == "step-000000020"
    assert done["changed"] == {"lr": 1e-4}
    assert trainer.progress.attempt == 1
    assert trainer.recipe.lr == 1e-4
    assert trainer.asked.lr == 1e-3
    assert trainer.progress.step == 60


def test_calmer_settings_come_with_fresh_optimizers_and_outlive_a_restart(tmp_path: Path) -> None:
    asks = Asks(20, Remedy("calm", bad("divergence", "divergence")))
    trainer = train(tmp_path, recipe=Excitable(), monitors=[asks], steps=30)
    state = next(iter(trainer.optimizers[("D",)].state.values()))
    assert float(state["step"]) < 30  # 2 + 1/4 of them in each of 10 steps, not of 30
    assert all(group["lr"] == 1e-4 for o in trainer.optimizers.values() for group in o.param_groups)
    again = prepare(tmp_path, recipe=Excitable(), steps=40, resume=True)
    again.fit()
    assert again.recipe.lr == 1e-4
    assert events(tmp_path, "treatment")[0]["changed"] == {"lr": 1e-4}


def test_a_treated_run_resumes_to_the_bit(tmp_path: Path) -> None:
    def remedy() -> Asks:
        return Asks(10, Remedy("augment", bad("overfitting_d", "overfit")))

    whole = train(tmp_path / "whole", recipe=Excitable(), monitors=[remedy()], steps=40)
    train(tmp_path / "parts", recipe=Excitable(), monitors=[remedy()], steps=20)
    parts = prepare(tmp_path / "parts", recipe=Excitable(), steps=40, resume=True)
    parts.fit()
    assert_same(everything(whole), everything(parts))


def test_checkpoints_of_what_was_gone_back_from_are_no_part_of_the_run(tmp_path: Path) -> None:
    """A restart would take the newest, which is the failed one."""
    asks = Asks(40, Remedy("return", bad("collapse", "diversity", onset=25 * 32)))
    stopped = Asks(30, Remedy("finish", bad("plateau", "stop", "note")), after=40)
    train(tmp_path, recipe=Excitable(), monitors=[asks, stopped], steps=60, save_every=10, keep=4)
    assert [checkpoint.step_of(p) for p in checkpoint.steps(tmp_path)] == [0, 10, 20, 30]
    again = prepare(tmp_path, recipe=Excitable(), steps=60, resume=True)
    again.fit()
    assert events(tmp_path, "start")[-1]["resumed_from"] == "step-000000030"
    assert again.recipe.lr == 1e-4


class Crashes(Monitor):
    """Once the run has gone back."""

    def __init__(self) -> None:
        self.reached = 0

    def stepped(self, view: View) -> None:
        if view.step < self.reached:
            raise RuntimeError("the power went off")
        self.reached = view.step


def test_a_run_that_dies_right_after_going_back_stays_treated(tmp_path: Path) -> None:
    asks = Asks(40, Remedy("return", bad("collapse", "diversity", onset=25 * 32)))
    with pytest.raises(RuntimeError, match="power"):
        train(tmp_path, recipe=Excitable(), monitors=[asks, Crashes()], steps=60, save_every=10, keep=2)
    again = prepare(tmp_path, recipe=Excitable(), steps=60, resume=True)
    again.fit()
    assert events(tmp_path, "start")[-1]["resumed_from"] == "step-000000020"
    assert (again.recipe.lr, again.progress.attempt) == (1e-4, 1)
    assert [(e["action"], e["at"]) for e in events(tmp_path, "treatment")] == [("return", 40 * 32)]


def test_what_did_not_help_is_undone(tmp_path: Path) -> None:
    """Weights, moments and settings are those from before it; then the next is done."""
    calm = Asks(20, Remedy("calm", bad("divergence", "divergence")))
    end = Asks(40, Remedy("finish", bad("divergence", "divergence"), 2, undoes="calm"))
    trainer = train(tmp_path / "run", recipe=Excitable(), monitors=[calm, end], steps=60, save_every=60)
    (undo,) = events(tmp_path / "run", "undone")
    assert (undo["at"], undo["to"], undo["action"]) == (40 * 32, "step-000000020", "calm")
    assert (trainer.progress.step, trainer.recipe.lr) == (20, 1e-3)
    twin = train(tmp_path / "twin", recipe=Excitable(), steps=20)
    assert_same(dict(trainer.nets.state_dict()), dict(twin.nets.state_dict()))
    assert_same(trainer.optimizers[("D",)].state_dict()["state"][0], twin.optimizers[("D",)].state_dict()["state"][0])


def test_what_did_not_help_is_undone_after_a_restart_too(tmp_path: Path) -> None:
    calm = Asks(10, Remedy("calm", bad("divergence", "divergence")))
    train(tmp_path, recipe=Excitable(), monitors=[calm], steps=40, save_every=10, keep=2)
    again = Remedy("return", bad("divergence", "divergence"), 2, undoes="calm")
    resumed = prepare(tmp_path, recipe=Excitable(), monitors=[Asks(50, again)], steps=60, resume=True, save_every=10)
    resumed.fit()
    assert events(tmp_path, "undone")[0]["to"] == "step-000000010"
    assert resumed.progress.step == 60


def test_an_undoing_that_cannot_be_is_told(tmp_path: Path) -> None:
    end = Asks(20, Remedy("finish", bad("divergence", "divergence"), 2, undoes="calm"))
    assert train(tmp_path, recipe=Excitable(), monitors=[end], steps=60).progress.step == 20
    assert "cannot be undone" in events(tmp_path, "warning")[0]["message"]


class Private(Toy):
    """Spends a privacy budget."""

    within_budget = True


class InTurns(Toy):
    """Trains its discriminator before its generator."""

    def phases(self) -> dict[str, Phase]:
        phases = super().phases()
        return phases | {"GE": replace(phases["GE"], start=20 * 32)}


@pytest.mark.parametrize(("recipe", "told"), [(Private(), "a private run"), (InTurns(), "begin one after the other")])
def test_some_runs_have_no_doctor(tmp_path: Path, recipe: Toy, told: str) -> None:
    checkup = Checkup(every=10 * 32)
    train(tmp_path, recipe=recipe, monitors=[checkup])
    assert checkup.doctor is None
    assert told in events(tmp_path, "warning")[0]["message"]
    assert events(tmp_path, "health") == []


def test_a_doctor_that_fails_costs_nobody_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gansmith.health.doctor.detect_all", lambda history: 1 / len(history.readings[1:2]))
    trainer = train(tmp_path, monitors=[Checkup(every=10 * 32)])
    assert trainer.progress.step == 40
    assert "ZeroDivisionError" in events(tmp_path, "warning")[0]["message"]


def test_a_run_may_be_ended(tmp_path: Path) -> None:
    asks = Asks(20, Remedy("finish", bad("plateau", "stop", "note")))
    assert train(tmp_path, monitors=[asks], steps=60).progress.step == 20


class Repeating(Points):
    """Always the same batch, as a loader with a bug would serve it."""

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        return super().batch(torch.arange(len(rows)) if len(rows) == 32 else rows, device)


def test_a_loader_that_repeats_itself_is_found(tmp_path: Path) -> None:
    checkup = Checkup(every=10 * 32, treat=False)
    train(tmp_path, source=Repeating(), monitors=[checkup], steps=120)
    assert checkup.doctor is not None
    assert checkup.doctor.history.last("feed/unique") == pytest.approx(0.25)
    assert "repeated_data" in {f.name for f in checkup.doctor.ever()}


def test_asking_d_leaves_its_statistics_as_they_were(tmp_path: Path) -> None:
    alone = train(tmp_path / "alone", recipe=NormJudged())
    watched = train(tmp_path / "watched", recipe=NormJudged(), monitors=[Checkup(every=10 * 32)])
    assert "separation" in events(tmp_path / "watched", "health")[-1]["values"]
    assert_same(everything(alone), everything(watched))


def test_d_is_asked_of_unseen_examples(tmp_path: Path) -> None:
    unseen = Points(256)
    unseen.x = unseen.x + 0.01
    train(tmp_path, recipe=Judged(), monitors=[Checkup(every=10 * 32, held_out=unseen)])
    seen = events(tmp_path, "health")[-1]["values"]
    assert {"separation", "overfit", "logit/held_out", "sign", "copying"} <= set(seen)


def test_a_recipe_that_knows_no_classes_is_not_asked_for_them(tmp_path: Path) -> None:
    import gansmith as gs

    for recipe, asked in (("gan", False), ("cgan", True)):
        gs.train("bundled:fashion-mnist", recipe=recipe, preset="small", batch=32, samples=320, out=tmp_path / recipe)
        assert ("condition" in events(tmp_path / recipe, "health")[-1]["values"]) is asked


def test_unseen_examples_that_tell_nothing_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    far = Points(256)
    far.x = far.x * 0.1
    train(tmp_path / "other", monitors=[Checkup(every=10 * 32, held_out=far)])
    assert "of another kind" in events(tmp_path / "other", "warning")[0]["message"]
    assert events(tmp_path / "other", "watched")[0]["held_out"] == 0
    train(tmp_path / "few", monitors=[Checkup(every=10 * 32, held_out=Points(40), remarks=["a remark"])])
    said = [e["message"] for e in events(tmp_path / "few", "warning")]
    assert "40 are too few" in said[0]
    assert said[1] == "a remark"
