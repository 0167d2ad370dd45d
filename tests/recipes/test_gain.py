"""GAIN: what counts as missing, what stays, hint and losses, the contract, and imputation better than the mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_tables import MemoryTable

from gansmith.batch import Batch
from gansmith.errors import ConfigError, DataError, SpecError
from gansmith.recipes.base import Context, Networks, sample
from gansmith.recipes.ctgan import CTGAN
from gansmith.recipes.gain import GAIN, impute_batch, missing_codes, paper, small
from gansmith.spec import ImageSpec
from gansmith.tabular.fit import fit_spec
from gansmith.tabular.schema import Canonical, Column, Schema
from gansmith.tabular.spec import TableSpec
from gansmith.testing import check_recipe
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

CITIES = ("Paris", "Rome", "Oslo")
NAMES = ("income", "rent", "city", "rooms")


def households(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Rent follows from income and city, rooms from rent; the city is all but told by rent over income."""
    rng = np.random.default_rng(seed)
    city = rng.choice(3, n, p=(0.5, 0.3, 0.2))
    income = rng.gamma(4.0, 500.0, n)
    rent = income * np.array([0.5, 0.3, 0.15])[city] * np.exp(rng.normal(0, 0.05, n))
    return {"income": income, "rent": rent, "city": city, "rooms": np.ceil(rent / 300)}


def table(values: Canonical, nulls: bool = True, style: str = "linear") -> MemoryTable:
    n = len(values["city"])
    counts = tuple(int((values["city"] == i).sum()) for i in range(3)) + (n,) * nulls
    columns = (
        Column(name="income", kind="float", nulls=nulls),
        Column(name="rent", kind="float", nulls=nulls),
        Column(name="city", kind="category", dtype="str", categories=CITIES, counts=counts, nulls=nulls),
        Column(name="rooms", kind="integer", dtype="int64"),
    )
    return MemoryTable(fit_spec(values, Schema(columns), n, style=style), values)


def holed(values: Canonical, share: float, seed: int = 1) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The same columns with values missing at random, but for `rooms`; and where, (n, columns)."""
    rng = np.random.default_rng(seed)
    gone = rng.random((len(values["city"]), 4)) < share
    gone[:, 3] = False
    found = {}
    for i, name in enumerate(NAMES):
        void = -1 if name == "city" else np.nan
        found[name] = np.where(gone[:, i], void, values[name])
    return found, gone


def built(source: MemoryTable, **changes: float) -> tuple[GAIN, Networks]:
    torch.manual_seed(0)
    recipe = GAIN(width=16, **changes)
    return recipe, recipe.networks(source.spec)


def test_missing_values_are_told_by_their_codes() -> None:
    values, gone = holed(households(200), 0.3)
    source = table(values)
    _, nets = built(source)
    assert torch.equal(nets.G.known(source.x), torch.from_numpy(1.0 - gone).float())
    assert len(missing_codes(source.spec)) == 3, "rooms are never missing"


def test_a_complete_table_has_no_code_for_missing_values() -> None:
    source = table(households(50), nulls=False)
    _, nets = built(source)
    assert not missing_codes(source.spec)
    assert (nets.G.known(source.x) == 1).all()


@pytest.mark.parametrize("style", ["linear", "quantile", "modes"])
def test_known_values_stay_and_missing_ones_are_filled(style: str) -> None:
    values, gone = holed(households(80), 0.3)
    source = table(values, style=style)
    recipe, nets = built(source)
    x = impute_batch(recipe, nets, source.spec, source.x, seed=2)
    filled = source.canonical(x)
    for i, name in enumerate(NAMES):
        known = ~gone[:, i]
        assert np.array_equal(filled[name][known], source.canonical()[name][known]), f"known {name} changed"
        assert not np.isnan(filled[name]).any()
        assert (filled["city"] >= 0).all()
    for span in source.spec.spans:
        if span.head == "choice":
            part = x[:, span.slice]
            assert ((part == 0) | (part == 1)).all(), f"{span.column} is no whole code"
            assert (part.sum(1) == 1).all()


def test_columns_are_filled_on_demand_and_what_they_hold_does_not_count() -> None:
    source = table(households(64), nulls=False)
    recipe, nets = built(source)
    missing = torch.zeros(64, 4)
    missing[:, 2] = 1
    other = source.x.clone()
    other[:, 2:5] = other[:, [4, 2, 3]]  # other cities
    x = impute_batch(recipe, nets, source.spec, source.x, missing, seed=3)
    assert torch.equal(x, impute_batch(recipe, nets, source.spec, other, missing.bool(), seed=3))
    kept = [i for i in range(source.spec.width) if i not in (2, 3, 4)]
    assert torch.equal(x[:, kept], source.x[:, kept])
    assert torch.equal(x[:5], impute_batch(recipe, nets, source.spec, source.x[:5], missing[:5], seed=3))


def test_without_rows_nothing_is_known() -> None:
    source = table(households(64))
    recipe, nets = built(source)
    x = sample(recipe, nets, source.spec.request(20), seed=0)["x"]
    assert x.shape == (20, source.spec.width)
    assert not (x[:, sorted(missing_codes(source.spec))] > 0).any(), "a missing value was made"


def test_d_is_told_the_truth_but_for_what_the_hint_leaves_open() -> None:
    source = table(holed(households(400), 0.3)[0])
    recipe, nets = built(source, hint=0.75)
    seen: list[torch.Tensor] = []
    nets.D.register_forward_hook(lambda _module, given, _made: seen.append(given[1]))
    m = nets.G.known(source.x)
    _, asked = recipe.judge(nets, source.x, m, Batch(x=source.x), Context(seed=1))
    assert asked.mean() == pytest.approx(0.25, abs=0.04)
    assert torch.equal(seen[0], torch.where(asked > 0, 0.5, m))


def test_only_open_columns_count_in_the_players_losses() -> None:
    """Where D is told everything but one column, the loss is that column's cross-entropy, as the paper has it."""
    source = table(holed(households(100), 0.3)[0])
    recipe, nets = built(source, hint=0.5)
    batch, ctx = source.batch(torch.arange(100), torch.device("cpu")), Context(seed=5)
    m = recipe.shown(nets, batch, ctx)
    filled = nets.G.fill(
        batch["x"], m, nets.G.heads(nets.G(recipe.veiled(nets, batch["x"], m, batch, ctx), m))
    ).detach()
    logits, asked = recipe.judge(nets, filled, m, batch, ctx)
    p = logits.sigmoid()
    wanted = -(asked * (m * p.log() + (1 - m) * (1 - p).log())).sum(1) / 4 / 0.5
    assert torch.allclose(recipe.d_loss(nets, batch, Context(seed=5))["adv"], wanted, atol=1e-5)
    wanted = -(asked * (1 - m) * p.log()).sum(1) / 4 / 0.5
    assert torch.allclose(recipe.g_loss(nets, batch, Context(seed=5))["adv"], wanted, atol=1e-5)


def test_the_reconstruction_counts_known_values_only() -> None:
    source = table(holed(households(100), 0.4)[0])
    _, nets = built(source)
    raw = torch.randn(100, source.spec.width, generator=torch.Generator().manual_seed(0)).masked_fill(nets.G.void, -1e4)
    known = nets.G.known(source.x)
    total = torch.zeros(100)
    for span in source.spec.spans:
        at = known[:, NAMES.index(span.column)]
        part, x = raw[:, span.slice], source.x[:, span.slice]
        if span.head == "scalar":
            total += 20.0 * at * ((part.tanh() - x) / 2).square().squeeze(1)
        else:
            total -= at * (part.log_softmax(1) * x).sum(1)
    assert torch.allclose(nets.G.error(raw, source.x, 20.0), total / known.sum(1).clamp_min(1), atol=1e-5)


def test_numbers_are_read_between_the_lowest_and_the_highest() -> None:
    """So that a squared error is the one that is measured, on the scale of the range."""
    assert GAIN.reads == {"style": "linear"}
    values = households(200)
    source = table(values)
    rent = values["rent"]
    wanted = 2 * (rent - rent.min()) / (rent.max() - rent.min()) - 1
    assert np.allclose(source.x[:, 3].numpy(), wanted, atol=1e-6)
    assert np.allclose(source.canonical()["rent"], rent, rtol=1e-4)


def test_presets_hide_values_where_none_are_missing() -> None:
    complete, holes = table(households(50), nulls=False).spec, table(households(50)).spec
    assert paper(complete).hide == 0.2
    assert paper(holes).hide == 0
    source = table(households(2000), nulls=False)
    recipe, nets = built(source, hide=0.2)
    shown = recipe.shown(nets, Batch(x=source.x), Context())
    assert shown.mean() == pytest.approx(0.8, abs=0.02)


def test_what_cannot_work_is_refused() -> None:
    source = table(households(50))
    recipe, nets = built(source)
    with pytest.raises(SpecError, match="the data are of the kind: image"):
        paper(ImageSpec(size=16))
    with pytest.raises(ConfigError, match=r"hint is a share .* it is: 1"):
        GAIN(hint=1.0).networks(source.spec)
    with pytest.raises(DataError, match="wanted encoded rows of 11 numbers, came: "):
        impute_batch(recipe, nets, source.spec, torch.zeros(3, 5))
    with pytest.raises(DataError, match=r"wanted a flag for each row and learnt column, \(50, 4\); came: \(50, 11\)"):
        impute_batch(recipe, nets, source.spec, source.x, torch.zeros(50, 11))
    with pytest.raises(SpecError, match="CTGAN makes rows and fills none in; a recipe that does: gain"):
        impute_batch(CTGAN(), nets, source.spec, source.x)
    assert impute_batch(recipe, nets, source.spec, source.x[:0]).shape == (0, 11)


@pytest.mark.parametrize("holes", [True, False], ids=["holes", "complete"])
def test_gain_keeps_the_contract(holes: bool) -> None:
    values = households(64)
    source = table(holed(values, 0.3)[0]) if holes else table(values, nulls=False)
    check_recipe(replace(small(source.spec), width=16), source)


def trained(source: MemoryTable, recipe: GAIN, out: Path, samples: int) -> Networks:
    config = TrainConfig(batch=128, samples=samples, tick=100_000, save_every=10**9)
    trainer = Trainer(recipe, source, config, out=out, recipe_name="gain", runtime=Runtime(1, "cpu"))
    trainer.fit()
    return trainer.averages.over(trainer.nets)


def errors(truth: Canonical, filled: Canonical, gone: np.ndarray) -> tuple[float, float]:
    """RMSE of the missing rents over their spread, and the share of missing cities that were found."""
    rent, city = gone[:, 1], gone[:, 2]
    apart = filled["rent"][rent] - truth["rent"][rent]
    return float(np.sqrt((apart**2).mean()) / truth["rent"].std()), float(
        (filled["city"][city] == truth["city"][city]).mean()
    )


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "cities"), [(paper, 0.53), (small, 0.7)])
def test_gain_fills_in_what_the_rest_of_the_row_tells(preset: object, cities: float, tmp_path: Path) -> None:
    """The mean has an error of 1, the most frequent city is right in half of the rows. The paper's networks are as
    narrow as the row, and nothing tells them the truth about what is missing."""
    truth = households(3000)
    values, gone = holed(truth, 0.2)
    source = table(values)
    recipe: GAIN = preset(source.spec)  # type: ignore[operator]
    nets = trained(source, recipe, tmp_path / "run", 256_000)
    spec: TableSpec = source.spec
    error, right = errors(truth, source.canonical(impute_batch(recipe, nets, spec, source.x)), gone)
    assert error < 0.5, f"missing rents are {error:.2f} of their spread away"
    assert right > cities, f"{right:.2f} of the missing cities are right"
