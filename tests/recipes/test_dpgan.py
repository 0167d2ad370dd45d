"""DPGAN: what one row can do, what is counted, what is refused, and that it learns under noise."""

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
from gansmith.privacy.accounting import dp_sgd, epsilon_of
from gansmith.privacy.ledger import Ledger
from gansmith.recipes.base import Context, Networks, sample
from gansmith.recipes.dpgan import DPGAN, paper, small
from gansmith.tabular.draws import expected_rows
from gansmith.tabular.encoders import Choice, Quantile
from gansmith.tabular.rows import EncodedRows
from gansmith.tabular.schema import Column, Schema
from gansmith.tabular.spec import TableSpec
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

ROWS = 3_000
LINE = Quantile(values=(-1.0, 1.0), left=(0.0, 1.0), right=(0.0, 1.0))


def a_spec(rows: int = ROWS) -> TableSpec:
    columns = (
        Column(name="a", kind="float"),
        Column(name="b", kind="float"),
        Column(name="colour", kind="category", categories=("red", "green", "blue"), counts=(2, 1, 1)),
        Column(name="ill", kind="category", categories=("no", "yes"), counts=(9, 1)),
    )
    choices = (Choice(weights=(2.0, 1.0, 1.0), top=3, nulls=False), Choice(weights=(9.0, 1.0), top=2, nulls=False))
    return TableSpec(schema=Schema(columns), encoders=(LINE, LINE, *choices), rows=rows)


class Rows(EncodedRows):
    """Of those who are ill, `a` is high and `b` low."""

    fingerprint = "ill"

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        ill = rng.random(ROWS) < 0.1
        a = np.where(ill, 0.6, -0.3) + 0.2 * rng.standard_normal(ROWS)
        b = np.where(ill, -0.5, 0.2) + 0.2 * rng.standard_normal(ROWS)
        codes = np.stack([rng.integers(0, 3, ROWS), ill], 1)
        scalars = np.stack([a, b], 1).clip(-1, 1).astype(np.float32)
        super().__init__(a_spec(), torch.from_numpy(scalars), torch.from_numpy(codes.astype(np.int16)))

    def notes(self) -> list[str]:
        return []


def a_batch(n: int = 12, real: int = 9) -> Batch:
    index = torch.arange(n)
    batch = Rows().batch(index, torch.device("cpu"))
    return Batch({**batch, "weight": (index < real).float()})


def gradient(recipe: DPGAN, nets: Networks, batch: Batch, ctx: Context | None = None) -> Tensor:
    nets.zero_grad()
    with nets.only(("D",)):
        loss = recipe.d_loss(nets, batch, ctx or Context(seed=1))["private"]
    assert loss.shape == (len(batch),)
    loss.mean().backward()
    return torch.cat([p.grad.flatten() for p in nets.D.parameters() if p.grad is not None])


@pytest.fixture(params=[(), (8,)])
def built(request: pytest.FixtureRequest) -> tuple[DPGAN, Networks]:
    torch.manual_seed(0)
    recipe = DPGAN(
        batch=12, width=8, latent=4, features=5, judges=request.param, noise=1.0, target="ill", fakes=64, delta=0.02
    )
    nets = recipe.networks(a_spec())
    for p in nets.D.parameters():
        torch.nn.init.normal_(p)
    return recipe, nets


def test_a_row_changes_the_gradient_by_at_most_the_clip(built: tuple[DPGAN, Networks]) -> None:
    recipe, nets = built
    batch = a_batch()
    whole = gradient(recipe, nets, batch)
    for row in (0, 8):
        blank = batch["weight"].clone()
        blank[row] = 0
        change = (whole - gradient(recipe, nets, Batch({**batch, "weight": blank}))).norm() * len(batch)
        assert 0 < change <= recipe.clip * (1 + 1e-4)


def test_padding_is_nothing(built: tuple[DPGAN, Networks]) -> None:
    recipe, nets = built
    batch, other = a_batch(), a_batch()
    other["x"][9:] = torch.nan
    assert torch.equal(gradient(recipe, nets, batch), gradient(recipe, nets, other))


def test_the_noise_is_what_is_accounted_for(built: tuple[DPGAN, Networks]) -> None:
    recipe, nets = built
    empty = a_batch(real=0)
    found = torch.cat([gradient(recipe, nets, empty, Context(seed=s)) for s in range(200)]) * len(empty)
    assert float(found.std()) == pytest.approx(recipe.clip * 1.0, rel=0.05)
    assert abs(float(found.mean())) < 0.02

    secret = replace(recipe, secure=True)
    assert not torch.equal(gradient(secret, nets, empty), gradient(secret, nets, empty))


def test_weighing_makes_rare_categories_count(built: tuple[DPGAN, Networks]) -> None:
    _, nets = built
    target = nets.G.target
    x = torch.zeros(2, 7)
    x[0, 5], x[1, 6] = 1, 1
    share = torch.tensor([0.9, 0.1]) * target.weight(x)
    assert torch.allclose(share / share.sum(), torch.tensor([0.54, 0.46]), atol=1e-4), "0.1 of the data's, 0.9 of even"


def test_batches_beyond_those_accounted_for_are_refused(built: tuple[DPGAN, Networks]) -> None:
    recipe, nets = built
    with pytest.raises(ConfigError, match=r"recipe.batch is 12, .* train with --batch 12, or set recipe.batch to 13"):
        gradient(recipe, nets, a_batch(13))
    with pytest.raises(ConfigError, match=r"recipe.batch is 12"):
        gradient(recipe, nets, a_batch(8), Context(seed=1, row=8))


def test_after_the_steps_paid_for_both_players_stand_still(built: tuple[DPGAN, Networks]) -> None:
    recipe, nets = built
    ctx = Context(seed=1, step=recipe.steps)
    assert not gradient(recipe, nets, a_batch(), ctx).any()
    assert int(nets.Account.spent) == 0
    with nets.only(("G",)):
        recipe.g_loss(nets, a_batch(), ctx)["adv"].mean().backward()
    assert not any(p.grad.any() for p in nets.G.parameters() if p.grad is not None)


def test_what_was_spent_is_what_the_accountant_says(built: tuple[DPGAN, Networks]) -> None:
    recipe, nets = built
    assert recipe.spent(nets) == 0.0
    gradient(recipe, nets, a_batch(), Context(seed=1, step=29))
    rate = expected_rows(12) / ROWS
    plan = recipe.plan(ROWS)
    assert recipe.spent(nets) == pytest.approx(epsilon_of(dp_sgd(1.0, rate, 30), plan.delta), rel=0.05)
    ledger = Ledger(None, plan.delta)
    entry = recipe.charge(ledger, nets)
    assert (entry.mechanism, entry.parameters["steps"]) == ("dp-sgd", 30)
    assert ledger.spent() >= recipe.spent(nets) * 0.99


def test_the_noise_keeps_the_budget_and_what_is_left_of_a_ledger() -> None:
    recipe = DPGAN(epsilon=1.0, batch=300, steps=200)
    plan = recipe.plan(ROWS)
    noise = recipe.noise_on(ROWS)
    assert 0.97 < plan.epsilon(noise) <= 1.0
    ledger = Ledger(1.0, plan.delta)
    ledger.charge("histograms", "gaussian", noise=20.0)
    within = plan.noise_within(ledger)
    assert within > noise
    plan.charge(ledger, within)
    assert 0.97 < ledger.spent() <= 1.0
    with pytest.raises(ConfigError, match="leaves nothing to spend"):
        plan.noise_within(ledger)
    with pytest.raises(ConfigError, match="outgrow that too often"):
        DPGAN(batch=4, steps=10**9, delta=1e-9).noise_on(ROWS)


def test_targets_and_specs_that_cannot_be() -> None:
    from gansmith.spec import ImageSpec

    with pytest.raises(SpecError, match="Did you mean 'ill'"):
        DPGAN(target="il").networks(a_spec())
    with pytest.raises(SpecError, match="makes rows of tables"):
        DPGAN().networks(ImageSpec(size=16, channels=3))
    assert (paper(a_spec()).epsilon, small(a_spec()).epsilon) == (10.0, 1.0)


def test_it_learns_under_noise(tmp_path: Path) -> None:
    recipe = DPGAN(epsilon=2.0, batch=256, steps=240, target="ill", width=32, latent=8, features=8, fakes=256, past=20)
    config = TrainConfig(batch=256, samples=256 * 240, save_every=10**9, tick=256 * 60)
    trainer = Trainer(recipe, Rows(), config, out=tmp_path / "run", recipe_name="dpgan", runtime=Runtime(1, "cpu"))
    trainer.fit()
    assert recipe.spent(trainer.nets) <= 2.0
    assert recipe.spent(trainer.nets) == pytest.approx(2.0, rel=0.03)
    spec = a_spec()
    x = sample(recipe, trainer.nets, spec.request(2_000), seed=0)["x"]
    ill = x[:, 6] == 1
    assert abs(float(ill.float().mean()) - 0.1) < 0.03, "the shares are the spec's, not the evened ones"
    assert float(x[ill, 0].mean() - x[~ill, 0].mean()) > 0.4
    assert float(x[ill, 1].mean() - x[~ill, 1].mean()) < -0.3
    asked = sample(recipe, trainer.nets, spec.request(50, label="ill=yes"), seed=0)["x"]
    assert (asked[:, 6] == 1).all()
    figures = (tmp_path / "run" / "log.jsonl").read_text()
    assert "real" not in figures, "nothing is reported of real rows"
    assert math.isfinite(float(x.sum()))
