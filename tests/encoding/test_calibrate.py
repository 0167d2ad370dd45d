"""Calibration: each column alone is distributed as in the data, whatever G makes of them together."""

from __future__ import annotations

import numpy as np
import torch

from gansmith.pipelines.tables.calibrate import calibrate, marginals
from gansmith.recipes.base import sample
from gansmith.recipes.ctabgan import CTABGAN
from gansmith.tabular.fit import fit_spec
from gansmith.tabular.rows import EncodedRows
from gansmith.tabular.schema import Column, Schema


class Rows(EncodedRows):
    fingerprint = "rows"

    def notes(self) -> list[str]:
        return []


def rows() -> Rows:
    rng = np.random.default_rng(0)
    n = 6_000
    pay = np.where(rng.random(n) < 0.4, 0.0, np.exp(rng.normal(7, 1, n)))
    canonical = {"age": rng.normal(40, 9, n).round(), "pay": pay, "job": rng.choice(4, n, p=[0.6, 0.25, 0.1, 0.05])}
    columns = (
        Column(name="age", kind="integer", dtype="int64"),
        Column(name="pay", kind="float", special=(0.0,)),
        Column(name="job", kind="category", categories=tuple("abcd"), counts=(3600, 1500, 600, 300)),
    )
    spec = fit_spec(canonical, Schema(columns), n)
    scalars, codes = spec.encode(canonical, rng)
    return Rows(spec, torch.from_numpy(scalars).float(), torch.from_numpy(codes))


def test_an_untrained_generator_gets_the_columns_right() -> None:
    source, recipe = rows(), CTABGAN(width=32, latent=16)
    torch.manual_seed(0)
    nets = recipe.networks(source.spec).eval()
    wanted = marginals(source.batch(torch.arange(len(source)), torch.device("cpu"))["x"], source.spec)
    request = source.spec.request(6_000)

    def apart() -> tuple[float, float]:
        made = marginals(sample(recipe, nets, request, seed=5)["x"], source.spec)
        choices = nets.G.heads.places
        return (
            float((made.shares - wanted.shares)[choices].abs().max()),
            float((made.quantiles - wanted.quantiles).abs().mean()),
        )

    before = apart()
    assert calibrate(recipe, nets, source, seed=1)
    after = apart()
    assert before[0] > 0.1
    assert after[0] < 0.03
    assert after[1] < 0.03 < before[1]


def test_a_calibration_is_saved_with_the_weights_and_repeats() -> None:
    source, recipe = rows(), CTABGAN(width=16, latent=8)
    torch.manual_seed(0)
    nets, again = recipe.networks(source.spec).eval(), recipe.networks(source.spec).eval()
    again.load_state_dict(nets.state_dict())
    calibrate(recipe, nets, source, seed=1)
    calibrate(recipe, again, source, seed=1)
    calibrate(recipe, again, source, seed=1)  # a second time changes nothing
    for (name, one), two in zip(nets.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(one, two), name
    assert nets.G.heads.offset.abs().max() > 0
    assert "G.heads.bent" in nets.state_dict()


def test_networks_without_such_heads_are_left_alone() -> None:
    source, recipe = rows(), CTABGAN(width=16, latent=8)
    nets = recipe.networks(source.spec)
    nets["G"] = torch.nn.Linear(2, 2)
    assert not calibrate(recipe, nets, source)
