"""Private preparation: nothing of the data but what the ledger says was bought."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gansmith.errors import ConfigError, DataError
from gansmith.privacy.ledger import Ledger
from gansmith.privacy.noise import Noise
from gansmith.privacy.prepare import Stated, conform, prepare
from gansmith.privacy.stated import read_stated
from gansmith.spec import spec_from_json
from gansmith.tabular.encoders import Quantile
from gansmith.tabular.schema import Column, Schema

N = 20_000


def table() -> tuple[dict[str, np.ndarray], Schema]:
    rng = np.random.default_rng(0)
    canonical: dict[str, np.ndarray] = {
        "age": rng.normal(40, 12, N).round().clip(17, 90),
        "holes": np.where(rng.random(N) < 0.2, np.nan, rng.normal(0, 1, N)),
        "sex": rng.integers(0, 2, N),
        "job": np.where(np.arange(N) < 8, 3, rng.integers(0, 3, N)),
    }
    columns = (
        Column(name="age", kind="integer", dtype="int64", low=17, high=90),
        Column(name="holes", kind="float", nulls=True, low=-4, high=4),
        Column(name="sex", kind="boolean", dtype="bool", categories=(True, False), counts=(10_000, 10_000)),
        Column(name="job", kind="category", categories=("a", "b", "c", "rare"), counts=(7_000, 6_500, 6_492, 8)),
        Column(name="id", kind="identifier", fill="uuid4"),
    )
    return canonical, Schema(columns)


def made(seed: int = 0, epsilon: float = 0.3, **options: Any) -> tuple[Any, Ledger]:
    canonical, schema = table()
    ledger = Ledger(1.0, 1e-5)
    return prepare(canonical, schema, ledger, epsilon=epsilon, noise=Noise(seed), **options), ledger


def test_the_cost_is_what_was_asked_for() -> None:
    spec, ledger = made()
    assert 0.28 < ledger.spent() <= 0.3 * 1.02, "a list of categories takes a little of delta on top"
    bought = {entry.what for entry in ledger.entries if entry.mechanism != "given"}
    assert bought == {
        *(f"{what} of {name}" for what in ("magnitude", "bulk", "histogram") for name in ("age", "holes")),
        "counts of sex",
        "categories of job and their counts",
    }
    assert spec_from_json(spec.to_json()) == spec


def test_nothing_of_the_schema_but_its_structure_matters() -> None:
    """The same rows under a schema with other counts, bounds and order of categories give the same spec."""
    canonical, schema = table()
    told = [replace(c, counts=(), low=None, high=None, nulls=False) for c in schema]
    told[2] = replace(told[2], categories=(False, True))
    other = {**canonical, "sex": 1 - canonical["sex"]}
    specs = [
        prepare(rows, s, Ledger(1.0, 1e-5), epsilon=0.3, noise=Noise(3))
        for rows, s in ((canonical, schema), (other, Schema(tuple(told))))
    ]
    assert specs[0] == specs[1]


def test_what_comes_out_is_noisy_and_near() -> None:
    spec, _ = made()
    canonical, _ = table()
    age, holes, sex, job, identifier = spec.schema
    assert 8 <= age.low <= 32
    assert 64 <= age.high <= 128
    assert (age.nulls, holes.nulls, sex.nulls) == (False, True, False)
    assert set(job.categories) == {"a", "b", "c"}, "8 rows do not stand out"
    assert abs(sex.counts[0] - N / 2) < 500
    assert identifier.fill == "uuid4"
    encoder = spec.encoders[0]
    assert isinstance(encoder, Quantile)
    middle = np.interp(0.5, encoder.left, encoder.values)
    assert abs(middle - np.median(canonical["age"])) < 2
    counts = [made(seed)[0].schema["sex"].counts for seed in range(3)]
    assert len(set(counts)) == 3, "another seed, other noise"


def test_encoded_rows_come_back_within_the_bins() -> None:
    spec, _ = made()
    canonical, schema = table()
    rows = conform(canonical, schema, spec.schema)
    scalars, codes = spec.encode(rows, np.random.default_rng(0))
    assert np.abs(scalars).max() <= 1
    x = spec.expand(torch.from_numpy(scalars), torch.from_numpy(codes))
    back = spec.canonical(x, np.random.default_rng(0))
    inside = (canonical["age"] > 20) & (canonical["age"] < 60)
    assert np.abs(back["age"] - canonical["age"])[inside].max() < 1e-3
    assert (np.isnan(back["holes"]) == np.isnan(canonical["holes"])).all()
    sexes = np.array(spec.schema["sex"].categories)[back["sex"]]
    assert (sexes == np.array([True, False])[canonical["sex"]]).all()
    rare = canonical["job"] == 3
    expected = None if spec.schema["job"].nulls else spec.schema["job"].categories[0]
    assert {None if c < 0 else spec.schema["job"].categories[c] for c in rows["job"][rare]} == {expected}


def test_what_is_stated_costs_nothing_and_is_taken_as_it_is() -> None:
    stated = Stated(
        bounds={"age": (0, 120), "holes": (-5, 5)},
        bulk={"age": (30, 50), "holes": (-1, 1)},
        categories={"job": ("c", "b", "a")},
    )
    spec, ledger = made(stated=stated)
    assert {entry.what for entry in ledger.entries if entry.mechanism != "given"} == {
        "histogram of age",
        "histogram of holes",
        "counts of sex",
        "counts of job",
    }
    assert ledger.failure == 0
    assert set(spec.schema["job"].categories) == {"a", "b", "c"}


def test_a_category_of_one_row_is_shown_but_with_the_chance_charged() -> None:
    """400,000 draws of the noisy count of a single row, at a failure that so many can see."""
    from gansmith.privacy.prepare import limit

    noisy = np.round(1 + 10.0 * Noise(0).normal(400_000))
    shown = (noisy > limit(1 / (2 * 10.0**2), 1e-4)).mean()
    assert shown <= 1e-4 + 6e-5
    assert (np.round(10.0 * Noise(1).normal(100_000) + 60) > limit(1 / 200, 1e-4)).mean() > 0.9


def test_noise_is_what_it_says() -> None:
    for noise in (Noise(5), Noise()):
        normal = noise.normal(200_000)
        assert abs(normal.mean()) < 0.012
        assert abs(normal.std() - 1) < 0.01
        assert abs((np.abs(normal) < 1).mean() - 0.6827) < 0.006
        assert abs(np.abs(noise.laplace(200_000)).mean() - 1) < 0.012
        assert abs(noise.gumbel(200_000).mean() - np.euler_gamma) < 0.015
    assert np.array_equal(Noise(5).normal(3), Noise(5).normal(3))
    assert not np.array_equal(Noise().normal(3), Noise().normal(3))
    assert (Noise().secure, Noise(1).secure) == (True, False)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (Stated(bounds={"agge": (0, 1)}), "Did you mean 'age'"),
        (Stated(bounds={"sex": (0, 1)}), "is of the kind boolean; what can be stated of it: categories"),
        (Stated(categories={"age": (1, 2)}), "what can be stated of it: bounds"),
        (Stated(bounds={"age": (5, 5)}), "a lower and a higher number"),
    ],
)
def test_statements_that_do_not_fit_are_refused(stated: Stated, said: str) -> None:
    with pytest.raises(DataError, match=said):
        made(stated=stated)


def test_too_little_budget_is_said() -> None:
    canonical, schema = table()
    few = {name: values[:300] for name, values in canonical.items()}
    bounds = Stated(bounds={"age": (0, 99), "holes": (-5, 5)})
    with pytest.raises(DataError, match="300 rows are too few to find frequent categories of 'job' privately"):
        prepare(few, schema, Ledger(1.0, 1e-5), epsilon=0.1, noise=Noise(0), stated=bounds)
    with pytest.raises(ConfigError, match="the privacy budget does not allow"):
        prepare(canonical, schema, Ledger(0.1, 1e-5), epsilon=0.3, noise=Noise(0))
    with pytest.raises(ConfigError, match="a histogram needs 2 bins"):
        prepare(canonical, schema, Ledger(1.0, 1e-5), epsilon=0.3, bins=1)


def test_all_that_was_not_found_is_named_at_once_to_be_filled_in(tmp_path: Path) -> None:
    canonical, schema = table()
    few, ledger = {name: values[:300] for name, values in canonical.items()}, Ledger(1.0, 1e-5)
    with pytest.raises(DataError) as caught:
        prepare(few, schema, ledger, epsilon=0.02, noise=Noise(1))
    first, _, pasted = str(caught.value).split("\n")
    assert "bounds of 'age', 'holes' and frequent categories of 'job'" in first
    assert f"asking has spent epsilon {ledger.spent():.2g}" in first
    assert pasted == "{bounds: {age: [lowest, highest], holes: [lowest, highest]}, categories: {job: []}}"
    path = tmp_path / "stated.yaml"
    path.write_text(pasted)
    with pytest.raises(DataError, match="wanted numbers, this was: 'lowest'"):
        read_stated(path, schema)
    path.write_text(pasted.replace("lowest", "0").replace("highest", "99").replace("[]", "[a, b]"))
    assert read_stated(path, schema).bounds == {"age": (0, 99), "holes": (0, 99)}


def test_levels_of_a_pandas_category_are_of_the_data_too() -> None:
    codes = np.where(np.arange(N) < 2, 2, np.arange(N) % 2)
    levels = {"categories": ("a", "b", "only two rows"), "levels": ("a", "b", "only two rows"), "dtype": "category"}
    schema = Schema((Column(name="job", kind="category", counts=(9_999, 9_999, 2), **levels),))
    spec = prepare({"job": codes}, schema, Ledger(1.0, 1e-5), epsilon=0.3, noise=Noise(0))
    assert spec.schema["job"].levels == ("a", "b")
    stated = Stated(categories={"job": ("b", "a", "new")})
    spec = prepare({"job": codes}, schema, Ledger(1.0, 1e-5), epsilon=0.3, noise=Noise(0), stated=stated)
    assert spec.schema["job"].levels == ("a", "b", "new")


def test_of_a_boolean_both_values_are_known() -> None:
    schema = Schema((Column(name="ill", kind="boolean", dtype="bool", categories=(False,), counts=(N,)),))
    spec = prepare({"ill": np.zeros(N, dtype=np.int64)}, schema, Ledger(1.0, 1e-5), epsilon=0.3, noise=Noise(0))
    assert set(spec.schema["ill"].categories) == {False, True}, "that nobody is ill is not told for free"
