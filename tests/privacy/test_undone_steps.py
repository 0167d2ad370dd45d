"""Steps that a return to a checkpoint undoes have asked the rows all the same: they are charged, the run is shorter."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import gansmith as gs
from gansmith.errors import Interrupted, TrainingFailed
from gansmith.pipelines.tables.private_training import CHECKPOINTS, Budget
from gansmith.privacy.ledger import Ledger
from gansmith.recipes.dpgan import DPGAN
from gansmith.recipes.pategan import PATEGAN
from gansmith.training.journal import Journal
from gansmith.training.monitors import View

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"age": RNG.integers(18, 90, 600), "ill": RNG.choice(["no", "yes"], 600)})
STATED = {"bounds": {"age": (18, 90)}, "categories": {"ill": ["no", "yes"]}}
STEPS, BROKEN = 60, 31
KEPT = BROKEN - BROKEN % (STEPS // CHECKPOINTS)  # the step of the newest checkpoint when things break
QUICK: dict[str, Any] = {"steps": STEPS, "width": 8, "latent": 4, "past": 4}


def breaking(monkeypatch: pytest.MonkeyPatch, recipe: type, network: str, times: int = 1, at: int = BROKEN) -> None:
    """Has a network's weights destroyed at a step, as a bit that flips in memory may do, so many times."""
    sound, left = recipe.g_loss, [times]

    def g_loss(self: Any, nets: Any, batch: Any, ctx: Any) -> Any:
        if ctx.step == at and left[0]:
            left[0] -= 1
            with torch.no_grad():
                next(nets[network].parameters()).fill_(torch.nan)
        return sound(self, nets, batch, ctx)

    monkeypatch.setattr(recipe, "g_loss", g_loss)


def fitted(recipe: str, **fields: Any) -> gs.PrivateTableSynthesizer:
    model = gs.PrivateTableSynthesizer(
        recipe, epsilon=3.0, target="ill", stated=STATED, seed=0, fields={**QUICK, **fields}
    )
    return model.fit(FRAME)


def test_undone_steps_of_dp_sgd_are_charged_and_the_budget_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, DPGAN, "D")
    model = fitted("dpgan", batch=64, fakes=64)
    entry = model.ledger_.entries[-1]
    assert entry.mechanism == "dp-sgd"
    assert entry.parameters["steps"] == STEPS, "as many as were planned, no more"
    reached = int(model.generator_.nets.Account.spent)
    assert KEPT < reached < STEPS, "so the weights have gone through fewer"
    assert f"; {STEPS - reached} steps were undone" in entry.note
    assert model.ledger_.spent() <= 3.0 * (1 + 1e-9)
    assert len(model.sample(50, seed=0)) == 50


def test_a_run_that_did_not_go_back_pays_for_its_steps_alone() -> None:
    entry = fitted("dpgan", batch=64, fakes=64).ledger_.entries[-1]
    assert entry.parameters["steps"] == STEPS
    assert "undone" not in entry.note


def test_undone_queries_of_teachers_are_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, PATEGAN, "S")
    model = fitted("pategan", teachers=12, noise=60.0, ask=2)
    entry, asked = model.ledger_.entries[-1], int(model.generator_.nets.Account.spent)
    assert asked == 2 * STEPS, "the budget allows these, so the run is not cut short"
    undone = (entry.parameters["queries"] - asked) // 2
    assert BROKEN - KEPT <= undone <= STEPS // CHECKPOINTS + 1
    assert f"{undone:.0f} steps were undone" in entry.note


def test_steps_beyond_those_paid_for_are_free_whichever_way_they_are_played() -> None:
    recipe, nets = DPGAN(batch=64, noise=2.0, steps=10, d_steps=2, delta=1e-3), _account(10)
    entry = recipe.charge(Ledger(None, 1e-3), nets, [range(8), range(5, 12), range(11, 20)])
    assert entry.parameters["steps"] == 2 * (8 + 5)
    votes, nets = PATEGAN(ask=2, noise=30.0), _account(10)
    nets.Archive = torch.nn.Module()
    nets.Archive.rows = torch.zeros(20, 3)
    entry = votes.charge(Ledger(None, 1e-3), nets, [range(8), range(5, 12), range(11, 20)])
    assert entry.parameters["queries"] == 16 + 10


def _account(spent: int) -> Any:
    from gansmith.privacy.parts import Account
    from gansmith.recipes.base import Networks

    nets = Networks({"Account": Account(600)})
    nets.Account.spent.fill_(spent)
    return nets


class Seen(View):
    """A view of a run that stands somewhere."""

    step, journal = 0, Journal(None)

    def __init__(self) -> None: ...

    def generator(self) -> Any:
        return _account(self.step)


def test_the_run_goes_on_as_far_as_the_ledger_allows() -> None:
    recipe = DPGAN(batch=64, steps=100, delta=1e-3)
    ledger = Ledger(1.0, 1e-3)
    recipe = recipe.within_budget(ledger, 600)
    budget, view = Budget(recipe, ledger), Seen()
    budget.start(view)
    assert not budget.enough
    for step, to, last in ((45, 40, 95), (95, 80, 80)):
        view.step = to
        view.journal.write("rollback", step=step, to=f"step-{to:09d}", attempt=1, reason="", phase="D")
        assert budget.last == last, "the second time nothing is left, and the weights of that checkpoint are kept"
    assert budget.enough
    assert budget.played(80) == [range(45), range(40, 95), range(80, 80)]
    assert not ledger.entries


def test_what_never_recovers_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, DPGAN, "D", times=100)
    with pytest.raises(TrainingFailed, match=r"does not recover .*; nothing was kept$"):
        fitted("dpgan", batch=64, fakes=64)


def test_a_run_that_is_stopped_leaves_nothing_to_go_on_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    sound = DPGAN.g_loss

    def g_loss(self: Any, nets: Any, batch: Any, ctx: Any) -> Any:
        if ctx.step == 5:
            os.kill(os.getpid(), signal.SIGTERM)
        return sound(self, nets, batch, ctx)

    monkeypatch.setattr(DPGAN, "g_loss", g_loss)
    with pytest.raises(Interrupted, match="nothing was kept: start it anew") as stopped:
        fitted("dpgan", batch=64, fakes=64)
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    assert not list(tmp_path.glob("gansmith-private-*"))
