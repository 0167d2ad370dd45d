"""The audits catch mechanisms that break their promise, and spare those that keep it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from gansmith.batch import Batch
from gansmith.errors import ConfigError
from gansmith.privacy import accounting as acc
from gansmith.privacy.audit import AuditResult, audit, audit_one_run, bound_of_guesses, bound_of_scores, closeness
from gansmith.recipes.base import Context, Networks, fold, sample
from gansmith.recipes.dpgan import DPGAN
from gansmith.tabular.encoders import Choice, Quantile
from gansmith.tabular.schema import Column, Schema
from gansmith.tabular.spec import TableSpec

DELTA = 1e-3


def gaussian_sum(noise: float) -> Any:
    """Publishes the noisy sum of the canaries, each in a place of its own: (1, m)."""

    def train_and_sample(included: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[Any]:
        return (included + noise * np.random.default_rng(seed).standard_normal(len(included)))[None]

    return train_and_sample


def along(synthetic: npt.NDArray[Any], canary: npt.NDArray[Any]) -> float:
    return float((synthetic * canary).sum())


@pytest.mark.parametrize("noise", [1.0, 2.0])
def test_many_runs_come_near_the_truth_from_below(noise: float) -> None:
    true = acc.gaussian_epsilon(1 / noise, DELTA)
    result = audit(gaussian_sum(noise), np.ones(1), claimed=true, delta=DELTA, runs=3_000, score=along)
    assert result.holds
    assert result.lower_bound > 0.2 * true


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_one_run_with_many_canaries_stays_below_the_truth(noise: float) -> None:
    true = acc.gaussian_epsilon(1 / noise, DELTA / 100)
    result = audit_one_run(
        gaussian_sum(noise), np.eye(2_000), claimed=true, delta=DELTA / 100, guesses=400, score=along
    )
    assert result.holds
    assert result.lower_bound > 0.3 * true / max(1.0, noise)


def test_a_mechanism_that_blurs_too_little_is_caught_by_both() -> None:
    cheat = gaussian_sum(0.3)
    many = audit(cheat, np.ones(1), claimed=1.0, delta=DELTA, runs=60, score=along)
    one = audit_one_run(cheat, np.eye(300), claimed=1.0, delta=1e-6, score=along)
    for result in (many, one):
        assert not result.holds
        assert result.lower_bound > 1.0
        assert "THE CLAIM IS WRONG" in str(result)
    assert one.to_json()["holds"] is False


def test_random_guesses_prove_nothing() -> None:
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(200):
        bound, _ = bound_of_scores(rng.standard_normal(60), rng.standard_normal(60), delta=0.0)
        wrong += bound > 0
    assert wrong <= 16, "95 % confidence: at most 5 % of bounds are above the truth, here 0"
    assert bound_of_guesses(100, 100, 50, delta=0.0) == 0.0


def test_the_bound_of_guesses_is_that_of_randomised_response() -> None:
    """With no delta: the epsilon at which right answers of a coin are as rare as 5 %."""
    from scipy.stats import binom

    epsilon = bound_of_guesses(1_000, 100, 90, delta=0.0)
    assert binom.sf(89, 100, 1 / (1 + math.exp(-epsilon))) == pytest.approx(0.05, rel=1e-2)
    assert bound_of_guesses(1_000, 100, 90, delta=1e-5) < epsilon


def a_spec() -> TableSpec:
    line = Quantile(values=(-1.0, 1.0), left=(0.0, 1.0), right=(0.0, 1.0))
    kinds = ("common", "canary")
    columns = (*(Column(name=n, kind="float") for n in "abc"), Column(name="k", kind="category", categories=kinds))
    choice = Choice(weights=(79.0, 1.0), top=2, nulls=False)
    return TableSpec(schema=Schema(columns), encoders=(line, line, line, choice), rows=80)


CANARY = np.array([0.9, 0.9, 0.9, 0.0, 1.0])


def dpgan(noise: float | None, epsilon: float, delta: float) -> Any:
    """Trains DPGAN on 79 rows of one category and a canary alone in another; hands back rows of the canary's category.

    The canary's is the worst place to be: D has a readout for its category which no other row touches.
    """
    spec = a_spec()
    recipe = DPGAN(
        epsilon=epsilon, delta=delta, noise=noise, batch=256, steps=18, clip=1.0, target="k", even=1.0, latent=2,
        width=8, depth=1, features=0, fakes=32, lr_d=0.1, decay=0.1, lr_g=0.05, past=0,
    )  # fmt: skip
    usual = np.concatenate([np.random.default_rng(0).uniform(-0.5, 0.0, (79, 3)), np.tile([1.0, 0.0], (79, 1))], 1)
    x = torch.from_numpy(np.concatenate([usual, CANARY[None]])).float()

    def train_and_sample(included: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[Any]:
        torch.manual_seed(0)  # where training starts is no secret
        nets = recipe.networks(spec)
        there = torch.tensor([1.0] * 79 + [float(included[0])])
        train(recipe, nets, Batch(x=x, weight=there, index=torch.arange(80)), seed)
        return sample(recipe, nets, spec.request(64, label="k=canary"), seed=seed)["x"].numpy()

    return train_and_sample


def train(recipe: DPGAN, nets: Networks, batch: Batch, seed: int) -> None:
    """The trainer's loop without its files; every row is in every batch, as the capacity is above their number."""
    assert recipe.plan(80).rate == 1.0
    phases = recipe.phases()
    optimizers = {name: recipe.optimizer(name, list(nets[name].parameters())) for name in phases}
    for step in range(recipe.steps):
        for name, phase in phases.items():
            optimizers[name].zero_grad()
            with nets.only(phase.trains):
                terms = phase.loss(nets, batch, Context(seed=fold(seed, step, name), step=step))
                torch.stack([v.mean() for v in terms.values()]).sum().backward()
            optimizers[name].step()


def along_the_diagonal(synthetic: npt.NDArray[Any], canary: npt.NDArray[Any]) -> float:
    """How far the rows moved towards the canary."""
    return float((synthetic[:, :3] @ canary[:3]).mean())


def test_dpgans_claim_stands_and_dpgan_without_noise_is_caught() -> None:
    """Black box, epsilon 1: the same attack on the mechanism as it is and with its noise left out."""
    with torch.random.fork_rng():
        honest, broken = (
            audit(
                dpgan(noise, 1.0, DELTA),
                CANARY,
                claimed=1.0,
                delta=DELTA,
                runs=24,
                score=along_the_diagonal,
            )
            for noise in (None, 1e-6)
        )
    assert honest.holds, honest
    assert not broken.holds, broken


def test_closeness_and_refusals() -> None:
    rows = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    assert closeness(rows, rows[7]) > closeness(rows, np.full(3, 5.0))
    assert closeness(rows[:3], rows[1]) < 0
    with pytest.raises(ConfigError, match="an audit needs 6 runs"):
        audit(gaussian_sum(1.0), np.ones(1), claimed=1.0, delta=0.0, runs=3)
    with pytest.raises(ConfigError, match="an audit wants claimed > 0"):
        audit(gaussian_sum(1.0), np.ones(1), claimed=0.0, delta=0.0)
    with pytest.raises(ConfigError, match="guesses are at least 2 and at most the 4 canaries"):
        audit_one_run(gaussian_sum(1.0), np.eye(4), claimed=1.0, delta=0.0, guesses=6)
    assert AuditResult(0.5, 1.0, 0.0, 0.95, 10, "x").holds
