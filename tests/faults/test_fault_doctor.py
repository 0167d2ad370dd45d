"""Rows 13 to 16 of the table of faults once more, with a doctor who may treat: it neither gets in the way nor errs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from toys import Judged, Points, assert_same, events, everything, train

from gansmith.batch import Batch
from gansmith.errors import TrainingFailed
from gansmith.training.checkup import Checkup
from gansmith.training.monitors import Monitor, View
from gansmith.training.trainer import Trainer

LOOK = 5 * 32  # samples between two looks


class Spoiled(Points):
    """Spoils what is served in chosen steps of training; its doctor sees the data as they are."""

    def __init__(self, how: Callable[[Tensor], None], when: Callable[[int], bool]) -> None:
        super().__init__()
        self.how, self.when, self.trainer = how, when, None

    def spoil(self, batch: Batch) -> Batch:
        if self.trainer is not None and self.when(self.trainer.progress.step):  # type: ignore[attr-defined]
            self.how(batch["x"])
        return batch

    def met(self, trainer: Any) -> None:
        self.trainer = trainer


def run(out: Path, source: Spoiled, *, watched: bool = True, **options: Any) -> Trainer:
    monitors = [*options.pop("monitors", []), *([Checkup(every=LOOK)] if watched else [])]
    trainer: Trainer = train(out, recipe=Judged(), source=source, monitors=monitors, before=source.met, **options)
    return trainer


def found(out: Path) -> set[tuple[str, str]]:
    """Names and severities of all that was found; every toy is poor at first."""
    failures = [e["finding"]["failure"] for e in events(out, "finding")]
    return {(f["name"], f["severity"]) for f in failures}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """What is found where nothing is wrong."""
    out = tmp_path_factory.mktemp("clean")
    run(out, Spoiled(all_nan, lambda step: False), steps=60)
    return found(out)


def all_nan(x: Tensor) -> None:
    x.fill_(torch.nan)


def one_inf(x: Tensor) -> None:
    x[5, 1] = torch.inf


def too_large(x: Tensor) -> None:
    x.mul_(7e4)


SPOILS = {"every value NaN": all_nan, "inf in one sample": one_inf, "times 7e4": too_large}


@pytest.mark.parametrize("at", [34, 37], ids=["just before a look", "between looks"])
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_row13_row16_a_bad_batch_is_skipped_and_told_of_in_a_note(
    spoil: Callable[[Tensor], None], at: int, clean: set[tuple[str, str]], tmp_path: Path
) -> None:
    """The same run to the bit as without a doctor; nothing is treated."""
    alone = run(tmp_path / "alone", Spoiled(spoil, lambda step: step == at), watched=False, steps=60)
    watched = run(tmp_path / "watched", Spoiled(spoil, lambda step: step == at), steps=60)
    assert_same(everything(alone), everything(watched))
    assert events(tmp_path / "watched", "skip") == events(tmp_path / "alone", "skip") != []
    assert events(tmp_path / "watched", "treatment") == []
    assert {severity for _, severity in found(tmp_path / "watched") - clean} <= {"note"}
    assert max(e["values"]["skipped"] for e in events(tmp_path / "watched", "health")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_row13_row16_nothing_is_treated_where_it_could_be(spoil: Callable[[Tensor], None], tmp_path: Path) -> None:
    """Beyond the steps in which nothing is treated in any case."""
    run(tmp_path, Spoiled(spoil, lambda step: step in (2_600, 2_700)), steps=3_000, tick=50, save_every=500)
    assert len({e["step"] for e in events(tmp_path, "skip")}) == 2
    assert events(tmp_path, "treatment") == []


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_row14_what_persists_ends_the_run_after_three_returns(spoil: Callable[[Tensor], None], tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="after 3 returns"):
        run(tmp_path, Spoiled(spoil, lambda step: step > 45), steps=100)
    assert [e["attempt"] for e in events(tmp_path, "rollback")] == [1, 2, 3]
    assert events(tmp_path, "failed")[0]["checkpoint"] == "step-000000040"
    assert events(tmp_path, "treatment") == []


class Damage(Monitor):
    """Makes one weight huge after a step."""

    def __init__(self, at: int, net: str) -> None:
        self.at, self.net, self.done = at, net, False

    @torch.no_grad()
    def stepped(self, view: View) -> None:
        if view.step >= self.at and not self.done:
            self.done = True
            next(view.networks[self.net].parameters()).data.view(-1)[3] = 1e30


@pytest.mark.parametrize("net", ["D", "G"])
@pytest.mark.parametrize("at", [34, 35], ids=["between looks", "right before a look"])
def test_row15_corruption_is_gone_back_from_once(
    net: str, at: int, clean: set[tuple[str, str]], tmp_path: Path
) -> None:
    """By the keeper, within a tick; the doctor forgets what it saw of weights that are no more."""
    sound = Spoiled(all_nan, lambda step: False)
    trainer = run(tmp_path, sound, steps=60, save_every=10, monitors=[Damage(at, net)])
    assert [e["to"] for e in events(tmp_path, "rollback")] == ["step-000000030"]
    assert trainer.progress.step == 60
    assert events(tmp_path, "treatment") == []
    assert max(float(v.abs().max()) for v in trainer.nets.state_dict().values()) < 1e6
    standing = {name for name, _ in found(tmp_path) - clean}
    assert standing <= {"corrupted_weights", "nonfinite", "bad_batch"}
    assert standing <= {e["name"] for e in events(tmp_path, "recovered")}
