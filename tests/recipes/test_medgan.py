"""medGAN: how rows become records and back, the contract, and learning on records with planted pairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_tables import MemoryTable, ranked, yes_no

import gansmith as gs
from gansmith.errors import ConfigError, SpecError
from gansmith.recipes.base import Context, sample
from gansmith.recipes.medgan import MedGAN, paper, small
from gansmith.spec import ImageSpec
from gansmith.tabular.fit import fit_spec
from gansmith.tabular.records import Records
from gansmith.tabular.schema import Canonical, Column, Schema
from gansmith.tabular.spec import TableSpec
from gansmith.testing import check_recipe
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.start import check_length
from gansmith.training.trainer import Trainer

PAIRS = [(i, i + 1) for i in range(0, 12, 2)]


def icd(n: int, columns: int = 40, seed: int = 0) -> np.ndarray:
    """Diagnoses of `n` patients, (n, columns) of 0 and 1: some rare, some frequent; in PAIRS the first brings on the
    second in three of four patients."""
    rng = np.random.default_rng(seed)
    shares = np.exp(rng.uniform(np.log(0.02), np.log(0.35), columns))
    found = (rng.random((n, columns)) < shares).astype(np.int64)
    for a, b in PAIRS:
        found[:, b] = rng.random(n) < np.where(found[:, a] == 1, 0.75, shares[b] / 2)
    return found


def multi_hot(found: np.ndarray) -> MemoryTable:
    columns = [yes_no(f"icd{i}", found[:, i]) for i in range(found.shape[1])]
    canonical = {c.name: ranked(found[:, i]) for i, c in enumerate(columns)}
    return MemoryTable(fit_spec(canonical, Schema(tuple(columns)), len(found)), canonical)


def mixed(n: int = 200) -> MemoryTable:
    """A yes-or-no column, a count, a count whose zeros are special, a constant and a rate."""
    rng = np.random.default_rng(1)
    canonical: Canonical = {
        "ill": (rng.random(n) < 0.3).astype(np.int64),
        "visits": rng.poisson(1.5, n).astype(np.float64),
        "days": np.where(rng.random(n) < 0.6, 0.0, rng.poisson(6, n) + 1.0),
        "country": np.zeros(n, dtype=np.int64),
        "rate": rng.random(n),
    }
    columns = (
        Column(name="ill", kind="boolean", dtype="bool", categories=(False, True), counts=(140, 60)),
        Column(name="visits", kind="integer", dtype="int64"),
        Column(name="days", kind="integer", dtype="int64", special=(0.0,)),
        Column(name="country", kind="category", dtype="str", categories=("FR",), counts=(n,)),
        Column(name="rate", kind="float"),
    )
    return MemoryTable(fit_spec(canonical, Schema(columns), n), canonical)


def test_records_hold_one_number_for_each_column_that_varies() -> None:
    source = multi_hot(icd(300, 14))
    v = Records(source.spec)(source.x)
    assert v.shape == (300, 14)
    wanted = np.stack([ranked(icd(300, 14)[:, i]) for i in range(14)], 1)
    assert (v.numpy() == wanted).all(), "a record's number is 1 where the row has the rarer answer"


@pytest.mark.parametrize("source", [multi_hot(icd(100, 12)), mixed()], ids=["multi-hot", "mixed"])
def test_rows_come_back_from_records(source: MemoryTable) -> None:
    records = Records(source.spec)
    back = source.canonical(records.rows(records(source.x)))
    for name, values in source.canonical().items():
        assert np.allclose(back[name], values, atol=1e-6), f"{name} came back as something else"


def test_equal_counts_are_equal_numbers() -> None:
    source = mixed()
    visits = source.canonical()["visits"].round().astype(int)
    v = Records(source.spec)(source.x)[:, 1]
    assert len(torch.unique(source.x[:, 2])) > 100, "the encoder spreads a shared value over its interval"
    assert len(torch.unique(v)) == len(np.unique(visits))
    order = torch.from_numpy(visits).argsort()
    assert (v[order].diff() >= 0).all(), "more visits are larger numbers"


def test_rounding_makes_records_like_real_ones_and_passes_gradients_on() -> None:
    source = mixed()
    records = Records(source.spec)
    v = torch.rand(50, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    rounded = records.rounded(v)
    assert torch.allclose(rounded, records(records.rows(v.detach())), atol=1e-6)
    assert len(torch.unique(rounded[:, 1].detach())) < 12, "counts are whole"
    rounded.sum().backward()
    assert torch.equal(v.grad, torch.ones(50, 5))


def test_generated_rows_are_whole() -> None:
    """One code of each choice, constants in place, scalars within bounds, the same for the same seed."""
    source = mixed()
    recipe = MedGAN(latent=8, judges=(16,))
    torch.manual_seed(0)
    nets = recipe.networks(source.spec).eval()
    request = source.spec.request(50)
    x = recipe.generate(nets, request, Context(seed=3))["x"]
    for span in source.spec.spans:
        part = x[:, span.slice]
        if span.head == "choice":
            assert (part.sum(1) == 1).all(), span.column
            assert ((part == 0) | (part == 1)).all(), span.column
        else:
            assert part.abs().max() <= 1, span.column
    assert torch.equal(x, recipe.generate(nets, request, Context(seed=3))["x"])
    assert not torch.equal(x, recipe.generate(nets, request, Context(seed=4))["x"])


def test_d_sees_the_mean_of_the_batch() -> None:
    """The same record is judged otherwise among others."""
    source = multi_hot(icd(64, 12))
    torch.manual_seed(0)
    nets = MedGAN(latent=8, judges=(16,)).networks(source.spec)
    v = Records(source.spec)(source.x)
    among_all, among_some = nets.D(v)[:10], nets.D(v[:10])
    assert (among_all - among_some).abs().min() > 1e-6


def test_the_autoencoder_comes_first_and_alone() -> None:
    phases = MedGAN(pretrain=1000).phases()
    due = [[name for name, phase in phases.items() if phase.due(0, samples)] for samples in (0, 999, 1000)]
    assert due == [["A"], ["A"], ["D", "G"]]
    assert phases["G"].trains == ("G", "Dec")


def test_a_run_that_ends_before_the_players_start_is_refused(tmp_path: Path) -> None:
    recipe = MedGAN(latent=8, judges=(16,), pretrain=1000)
    for samples in (320, 960, 1000):
        config = TrainConfig(batch=32 if samples < 1000 else 10, samples=samples)
        with pytest.raises(ConfigError, match=rf"ends at {samples:,} .* trains D and G at 1,000 \(recipe.pretrain\)"):
            check_length(recipe, config)
    check_length(recipe, TrainConfig(batch=32, samples=1056))
    check_length(recipe, TrainConfig(batch=32, minutes=1.0))
    records = pd.DataFrame(icd(300, 12), columns=[f"icd{i}" for i in range(12)]).astype(bool)
    with pytest.raises(ConfigError, match=r"the run ends at 5,000 samples, and MedGAN first trains D and G at 50,000"):
        gs.TableSynthesizer("medgan", samples=5_000, batch=50, out=tmp_path / "run", quiet=True).fit(records)
    assert not (tmp_path / "run").exists(), "it is told before anything is written"


def test_presets_follow_the_table() -> None:
    spec = multi_hot(icd(300, 12)).spec
    assert paper(spec).pretrain == 100 * 300
    assert not paper(spec).rounded
    assert small(spec).rounded


def test_other_tables_are_refused_with_what_can_be_made() -> None:
    colour = Column(name="colour", kind="category", dtype="str", categories=("r", "g", "b"), counts=(1, 1, 1))
    values = {"colour": np.arange(30) % 3}
    with pytest.raises(SpecError, match=r"yes-or-no columns and counts.*'colour'(.|\n)*ctgan"):
        small(fit_spec(values, Schema((colour,)), 30))
    with pytest.raises(SpecError, match="the data are of the kind: image"):
        paper(ImageSpec(size=16))
    same = Column(name="country", kind="category", dtype="str", categories=("FR",), counts=(30,))
    with pytest.raises(SpecError, match="all 1 columns are constant"):
        MedGAN().networks(fit_spec({"country": np.zeros(30, dtype=np.int64)}, Schema((same,)), 30))


@pytest.mark.parametrize("source", [multi_hot(icd(64, 12)), mixed(64)], ids=["multi-hot", "mixed"])
def test_medgan_keeps_the_contract(source: MemoryTable) -> None:
    recipe = replace(small(source.spec), latent=8, judges=(16,), pretrain=80)
    check_recipe(recipe, source, processes=False)


def train(source: MemoryTable, out: Path, **changes: object) -> dict[str, np.ndarray]:
    """Canonical columns of as many generated rows as there are real ones."""
    recipe = replace(small(source.spec), **changes)
    config = TrainConfig(batch=250, samples=375_000, tick=100_000, save_every=10**9)
    trainer = Trainer(recipe, source, config, out=out, recipe_name="medgan", runtime=Runtime(1, "cpu"))
    trainer.fit()
    spec: TableSpec = source.spec
    made = sample(recipe, trainer.averages.over(trainer.nets), spec.request(len(source)), seed=1, chunk=1000)
    return source.canonical(made["x"])


@pytest.mark.slow
def test_medgan_recovers_how_frequent_codes_are_and_which_go_together(tmp_path: Path) -> None:
    source = multi_hot(icd(6000))
    made = train(source, tmp_path / "run")
    real, fake = (np.stack(list(t.values()), 1) for t in (source.canonical(), made))
    dimension_wise = np.corrcoef(real.mean(0), fake.mean(0))[0, 1]
    assert dimension_wise > 0.95, f"dimension-wise probabilities correlate by {dimension_wise:.3f} only"
    assert (fake.mean(0) > 0).all(), "a rare code vanished"
    wanted, found = np.corrcoef(real.T), np.corrcoef(fake.T)
    for a, b in PAIRS:
        assert found[a, b] == pytest.approx(wanted[a, b], abs=0.15), f"the pair {a}, {b}"
    apart = [found[i, j] for i in range(12, 40) for j in range(i)]
    assert np.abs(apart).mean() < 0.05, "columns that have nothing to do with one another go together"
    assert len(np.unique(fake, axis=0)) > 0.8 * len(np.unique(real, axis=0)), "records repeat"


@pytest.mark.slow
def test_medgan_makes_counts(tmp_path: Path) -> None:
    """Visits follow from illness; their means given it, and their whole distribution, are found."""
    rng = np.random.default_rng(0)
    n = 4000
    ill = (rng.random(n) < 0.3).astype(np.int64)
    visits = rng.poisson(np.where(ill == 1, 5.0, 1.0)).astype(np.float64)
    columns = (
        Column(name="ill", kind="boolean", dtype="bool", categories=(False, True), counts=(2800, 1200)),
        Column(name="visits", kind="integer", dtype="int64"),
    )
    values: Canonical = {"ill": ill, "visits": visits}
    source = MemoryTable(fit_spec(values, Schema(columns), n), values)
    made = train(source, tmp_path / "run", latent=32)
    counts = made["visits"].round()
    assert made["ill"].mean() == pytest.approx(ill.mean(), abs=0.08)
    for answer, wanted in ((0, 1.0), (1, 5.0)):
        assert counts[made["ill"] == answer].mean() == pytest.approx(wanted, abs=0.6)
    steps = np.arange(12)
    apart = max(abs((counts <= k).mean() - (visits <= k).mean()) for k in steps)
    assert apart < 0.12, f"the distribution of counts is {apart:.2f} away"
