"""PrivateTableSynthesizer: one budget for all that is asked of the rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gansmith as gs
from gansmith.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
AGE = RNG.integers(18, 90, 1_200)
FRAME = pd.DataFrame(
    {
        "age": AGE,
        "pay": np.exp(RNG.normal(7, 1, 1_200)).round(2),
        "job": RNG.choice(["a", "b", "c"], 1_200, p=[0.6, 0.3, 0.1]),
        "ill": np.where(RNG.random(1_200) < AGE / 120, "yes", "no"),
    }
)
STATED = {"bounds": {"age": (18, 90), "pay": (0, 50_000)}, "categories": {"ill": ["no", "yes"]}}
QUICK = {"dpgan": {"steps": 40}, "pategan": {"steps": 40, "teachers": 40}}


def fitted(recipe: str, seed: int | None = 0) -> gs.PrivateTableSynthesizer:
    model = gs.PrivateTableSynthesizer(
        recipe, epsilon=3.0, target="ill", stated=STATED, seed=seed, fields=QUICK[recipe]
    )
    return model.fit(FRAME)


@pytest.mark.parametrize("recipe", ["dpgan", "pategan"])
def test_the_ledger_holds_all_and_stays_within_the_budget(recipe: str, tmp_path: Path) -> None:
    model = fitted(recipe)
    assert 0 < model.ledger_.spent() <= 3.0 * 1.001
    assert len(model.ledger_.entries) >= 4  # what was given, what was found, what was trained
    made = model.sample(300, seed=1)
    assert list(made.columns) == list(FRAME.columns)
    assert made.dtypes.equals(FRAME.dtypes)
    assert made["age"].between(18, 90).all()
    assert set(made["ill"]) <= {"no", "yes"}
    pd.testing.assert_frame_equal(made, model.sample(300, seed=1))
    model.save(tmp_path / "model")
    assert not (tmp_path / "model" / "T.safetensors").exists()  # PATE's teachers know the rows
    again = gs.PrivateTableSynthesizer.load(tmp_path / "model")
    pd.testing.assert_frame_equal(made, again.sample(300, seed=1))
    assert again.ledger_.spent() == pytest.approx(model.ledger_.spent())


def test_noise_of_the_operating_system_does_not_repeat() -> None:
    one, two = fitted("dpgan", seed=None), fitted("dpgan", seed=None)
    assert not one.sample(100, seed=1).equals(two.sample(100, seed=1))


def test_what_cannot_be_private_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"use gs.PrivateTableSynthesizer"):
        gs.TableSynthesizer("dpgan", quiet=True).fit(FRAME)
    with pytest.raises(ConfigError, match="keeps no privacy budget; those that do: dpgan, pategan"):
        gs.PrivateTableSynthesizer("ctgan").fit(FRAME)
    with pytest.raises(DataError, match="nothing 'ranges' can be stated"):
        gs.PrivateTableSynthesizer(stated={"ranges": {}}).fit(FRAME)
