"""PATE-GAN: teachers are disjoint in truth, queries are counted and end, the student sees noisy votes only."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from gansmith.batch import Batch
from gansmith.errors import ConfigError, SpecError
from gansmith.privacy.accounting import gaussian_epsilon
from gansmith.privacy.ledger import Ledger
from gansmith.privacy.teachers import teacher_of
from gansmith.recipes.base import Context, sample
from gansmith.recipes.pategan import PATEGAN, paper, small
from gansmith.tabular.encoders import Choice, Quantile
from gansmith.tabular.rows import EncodedRows
from gansmith.tabular.schema import Column, Schema
from gansmith.tabular.spec import TableSpec
from gansmith.training.config import TrainConfig
from gansmith.training.guard import Guard
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

ROWS = 1_200
SMALL = {"teachers": 12, "noise": 30.0, "target": "ill", "width": 16, "latent": 4, "past": 8, "steps": 30}


def a_spec() -> TableSpec:
    line = Quantile(values=(-1.0, 1.0), left=(0.0, 1.0), right=(0.0, 1.0))
    kinds = Column(name="ill", kind="category", categories=("no", "yes"), counts=(3, 1))
    columns = (Column(name="a", kind="float"), Column(name="b", kind="float"), kinds)
    choice = Choice(weights=(3.0, 1.0), top=2, nulls=False)
    return TableSpec(schema=Schema(columns), encoders=(line, line, choice), rows=ROWS)


class Rows(EncodedRows):
    """Of those who are ill, `a` is high and `b` low."""

    def __init__(self, other: int | None = None) -> None:
        rng = np.random.default_rng(0)
        ill = rng.random(ROWS) < 0.25
        a = np.where(ill, 0.6, -0.3) + 0.2 * rng.standard_normal(ROWS)
        b = np.where(ill, -0.5, 0.2) + 0.2 * rng.standard_normal(ROWS)
        if other is not None:
            a[other], b[other], ill[other] = 1.0, 1.0, ~ill[other]
        scalars = np.stack([a, b], 1).clip(-1, 1).astype(np.float32)
        super().__init__(a_spec(), torch.from_numpy(scalars), torch.from_numpy(ill[:, None].astype(np.int16)))
        self.fingerprint = f"ill-{other}"

    def notes(self) -> list[str]:
        return []


def trained(out: Path, recipe: PATEGAN, steps: int, rows: Rows | None = None, **options: bool) -> Trainer:
    config = TrainConfig(batch=64, samples=64 * steps, save_every=64 * 1_000, tick=64 * 10)
    runtime = Runtime(1, "cpu")
    trainer = Trainer(recipe, rows or Rows(), config, out=out, recipe_name="pategan", runtime=runtime, **options)
    trainer.fit()
    return trainer


def weights(trainer: Trainer, teacher: int) -> Tensor:
    return torch.cat([p[teacher].flatten() for p in trainer.nets.T.parameters()]).detach()


def test_a_row_reaches_its_own_teacher_and_no_other(tmp_path: Path) -> None:
    """Two runs whose data differ in one row, to the bit, while no vote has come of it yet."""
    row = 17
    recipe = PATEGAN(**{**SMALL, "lr_s": 0.0, "lr_g": 0.0})  # G stands still, so that all teachers see the same fakes
    one, two = (trained(tmp_path / str(n), recipe, 25, rows) for n, rows in enumerate((Rows(), Rows(other=row))))
    own = int(teacher_of(torch.tensor([row]), recipe.teachers))
    for teacher in range(recipe.teachers):
        assert torch.equal(weights(one, teacher), weights(two, teacher)) == (teacher != own), teacher


def test_the_partition_depends_on_the_number_alone_and_is_even() -> None:
    own = teacher_of(torch.arange(100_000), 50)
    assert torch.equal(own[:10], teacher_of(torch.arange(10), 50))
    sizes = torch.bincount(own, minlength=50)
    assert sizes.min() > 1_700
    assert sizes.max() < 2_300
    assert torch.unique(teacher_of(torch.arange(100) * 50, 50)).numel() > 30, "no order of the table collects in one"


def test_votes_are_counted_and_a_teacher_changes_them_by_one() -> None:
    torch.manual_seed(0)
    nets = PATEGAN(**SMALL).networks(a_spec())
    for p in nets.T.parameters():
        torch.nn.init.normal_(p)
    nets.T.known.data.abs_().add_(0.1)
    x = Rows().batch(torch.arange(30), torch.device("cpu"))["x"]
    votes = nets.T.votes(x, 0)
    by_hand = torch.stack([nets.T(x, torch.full((30,), j)) > 0 for j in range(12)]).sum(0)
    assert torch.equal(votes, by_hand.double())
    nets.T.weight.data[5] = torch.randn_like(nets.T.weight[5]) * 100
    assert (votes - nets.T.votes(x, 0)).abs().max() == 1
    nets.T.known.data.zero_()
    assert (nets.T.votes(x, 3) == 6).all(), "who knows no such row votes by turns"


def test_queries_are_counted_end_with_the_budget_and_survive_a_resume(tmp_path: Path) -> None:
    recipe = PATEGAN(**{**SMALL, "queries": 37, "ask": 2})
    straight = trained(tmp_path / "straight", recipe, 30)
    trained(tmp_path / "parts", recipe, 11)
    parts = trained(tmp_path / "parts", recipe, 30, resume=True)
    for trainer in (straight, parts):
        assert int(trainer.nets.Account.spent) == 37
        assert recipe.spent(trainer.nets) == gaussian_epsilon(math.sqrt(37) / 30.0, ROWS**-1.1)
    assert torch.equal(straight.nets.Archive.rows, parts.nets.Archive.rows)
    assert torch.equal(straight.nets.Archive.answers, parts.nets.Archive.answers)
    assert 0 < int(straight.nets.Archive.answers.sum()) < 37
    ledger = Ledger(1.0, ROWS**-1.1)
    assert recipe.charge(ledger, straight.nets).parameters == {"noise": 30.0, "queries": 37}
    assert ledger.spent() == pytest.approx(recipe.spent(straight.nets))


def test_the_budget_decides_how_many_queries_there_are() -> None:
    spec = a_spec()
    recipe = PATEGAN(**SMALL)
    assert len(recipe.networks(spec).Archive.rows) == recipe.allowed(ROWS)
    assert gaussian_epsilon(math.sqrt(recipe.allowed(ROWS)) / 30.0, ROWS**-1.1) <= 1.0
    ledger = Ledger(1.0, ROWS**-1.1)
    ledger.charge("histograms", "gaussian", noise=20.0)
    left = recipe.within(ledger)
    assert 0 < left < recipe.allowed(ROWS)
    ledger.charge("votes", "votes", noise=30.0, queries=left)
    with pytest.raises(ConfigError, match=r"epsilon 1 allows \d+ queries with noise 30, 5000 were asked for"):
        replace(recipe, queries=5_000).networks(spec)
    with pytest.raises(ConfigError, match="allows 0 queries"):
        replace(recipe, noise=0.5).networks(spec)
    assert small(spec).allowed(ROWS) > 0
    assert paper(spec).teachers == 10


def test_the_student_is_told_noisy_answers_only() -> None:
    """Blown-up noise makes answers coins, whatever the teachers think."""
    torch.manual_seed(0)
    recipe = PATEGAN(**{**SMALL, "noise": 1e4, "ask": 400, "queries": 400})
    nets = recipe.networks(a_spec())
    torch.nn.init.constant_(nets.T.bias, 100.0)
    torch.nn.init.constant_(nets.T.known, 1.0)
    batch = Rows().batch(torch.arange(8), torch.device("cpu"))
    terms = recipe.ask_loss(nets, batch, Context(seed=3))
    assert terms["votes"].shape == (8,)
    assert abs(float(nets.Archive.answers.mean()) - 0.5) < 0.08
    before = nets.Archive.answers.clone()
    recipe.ask_loss(nets, batch, Context(seed=3))
    assert torch.equal(before, nets.Archive.answers), "parts of a batch ask the same and hear the same"
    secret = replace(recipe, secure=True)
    secret.ask_loss(nets, batch, Context(seed=3))
    assert not torch.equal(before, nets.Archive.answers)
    fresh = secret.networks(a_spec())
    with pytest.raises(ConfigError, match="secure needs one process"):
        secret.ask_loss(fresh, batch, Context(seed=3, row=8))


@pytest.mark.slow
def test_it_learns_from_votes(tmp_path: Path) -> None:
    recipe = PATEGAN(epsilon=60.0, teachers=24, noise=4.0, target="ill", width=32, latent=8, steps=300, past=20, ask=2)
    trainer = trained(tmp_path / "run", recipe, 300)
    assert recipe.spent(trainer.nets) <= 60.0
    x = sample(recipe, trainer.nets, a_spec().request(1_000), seed=0)["x"]
    ill = x[:, 3] == 1
    assert abs(float(ill.float().mean()) - 0.25) < 0.05
    assert float(x[ill, 0].mean() - x[~ill, 0].mean()) > 0.2
    asked = sample(recipe, trainer.nets, a_spec().request(40, label="ill=yes"), seed=0)["x"]
    assert (asked[:, 3] == 1).all()


def test_the_guard_leaves_teachers_alone() -> None:
    """A gradient far longer than usual is refused in one phase and not in one that says `outliers=False`."""
    verdicts = []
    for outliers in (True, False):
        guard = Guard({}, torch.device("cpu"))
        for step in range(80):
            norm = torch.tensor(1e6 if step == 79 else 1.0 + 0.01 * (step % 5))
            rows, fine = Batch(x=torch.zeros(2, 1)), torch.zeros(2, dtype=torch.bool)
            verdict = guard.judge("T", step, 0, rows, fine, {}, norm, torch.tensor(0.0), outliers)
        verdicts.append(bool(verdict))
    assert verdicts == [False, True]
    assert not PATEGAN().phases()["T"].outliers


def test_what_it_cannot_make_is_refused() -> None:
    from gansmith.spec import ImageSpec

    with pytest.raises(SpecError, match="makes rows of tables"):
        PATEGAN().networks(ImageSpec(size=16, channels=3))
