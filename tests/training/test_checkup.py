"""The doctor watches the trainer's runs: the same to the bit where all is well, treated where it is not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toys import NormToy, Points, Toy, assert_same, events, everything, prepare, train

from gansmith.batch import Batch
from gansmith.errors import TrainingFailed
from gansmith.health.finding import Failure, Family, Finding, Severity
from gansmith.health.policy import Remedy
from gansmith.recipes.base import Context, Networks
from gansmith.spec import Spec
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


class Asks(Monitor):
    """Asks for a remedy at a certain step, and says until then that all is well."""

    def __init__(self, step: int, remedy: Remedy) -> None:
        self.step, self.asked, self.sound = step, remedy, True

    def tick(self, view: View, figures: Any) -> None:
        if view.step == self.step and self.asked is not None:
            self.remedy, self.asked, self.sound = self.asked, None, False  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class Excitable(Toy):
    """A toy with calmer settings."""

    def calmer(self, spec: Spec) -> Excitable | None:
        return replace(self, lr=1e-4) if self.lr > 1e-4 else None

    def augmented(self, spec: Spec) -> Excitable:
        return replace(self, lr=2e-4)


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


@dataclass(frozen=True, kw_only=True)
class Judged(Toy):
    """A toy whose D can be asked."""

    @property
    def adversarial(self) -> str:
        return "non_saturating"

    def verdict(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(batch["x"])
        return logits


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
