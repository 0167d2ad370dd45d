"""Encoders: what goes in comes out, and what the networks see is what was promised."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gansmith.errors import SpecError
from gansmith.tabular.encoders import Choice, Encoder, Modes, Moment, Quantile, encoder_from_json
from gansmith.tabular.fit import fit_choice, fit_modes, fit_moment, fit_quantile
from gansmith.tabular.schema import Column

RNG = np.random.default_rng(0)
AGES = RNG.integers(17, 90, 5_000).astype(float)
GAINS = np.where(RNG.random(5_000) < 0.9, 0.0, np.exp(RNG.normal(8, 2, 5_000)).round())
DAY = 86_400e6
DATES = np.floor(RNG.uniform(10_000, 20_000, 2_000)) * DAY
MOMENTS = DATES + np.floor(RNG.uniform(0, 86_400, 2_000)) * 1e6


def there_and_back(encoder: Encoder, values: np.ndarray) -> np.ndarray:
    scalars, codes = encoder.encode(values, np.random.default_rng(1))
    assert scalars.shape == (len(values), encoder.scalars)
    assert codes.shape == (len(values), len(encoder.choices))
    assert (np.abs(scalars) <= 1).all()
    for column, size in enumerate(encoder.choices):
        assert 0 <= codes[:, column].min() <= codes[:, column].max() < size
    again = encoder_from_json(json.loads(json.dumps(encoder.to_json())))
    assert again == encoder
    back: np.ndarray = again.decode(scalars, codes, np.random.default_rng(2))
    return back


@pytest.mark.parametrize("values", [AGES, GAINS, RNG.normal(size=3_000), np.full(50, 7.0), np.array([1.0, 2.0])])
def test_a_quantile_gives_every_value_back(values: np.ndarray) -> None:
    back = there_and_back(fit_quantile(values), values)
    many = len(np.unique(values)) > 1_000  # between knots a value is on a line
    assert np.abs(back - values).max() <= (0.02 if many else 1e-6) * max(1.0, np.abs(values).max())


def test_a_quantile_is_uniform_even_where_many_rows_share_a_value() -> None:
    scalars, _ = fit_quantile(GAINS).encode(GAINS, np.random.default_rng(1))
    shares = np.histogram(scalars, bins=10, range=(-1, 1))[0] / len(GAINS)
    assert np.abs(shares - 0.1).max() < 0.015


def test_special_and_missing_values_have_codes_of_their_own() -> None:
    values = np.where(RNG.random(5_000) < 0.1, np.nan, GAINS)
    column = Column(name="gain", kind="float", special=(0.0,), nulls=True)
    for encoder in (fit_quantile(values, (0.0,), True), fit_modes(column, values, 0)):
        back = there_and_back(encoder, values)
        assert (np.isnan(back) == np.isnan(values)).all()
        assert ((back == 0) == (values == 0)).all()


def test_modes_are_places_within_a_mixture() -> None:
    values = np.concatenate([RNG.normal(-50, 1, 2_000), RNG.normal(50, 5, 2_000)])
    encoder = fit_modes(Column(name="x", kind="float"), values, 0)
    scalars, codes = encoder.encode(values, np.random.default_rng(1))
    assert np.abs(scalars).mean() < 0.35  # a normal within its mode: |z| / 4
    means = np.asarray(encoder.means)[codes[:, 0]]
    assert (np.sign(means) == np.sign(values)).all()
    assert np.abs(there_and_back(encoder, values) - values).max() < 5


def test_modes_take_logarithms_of_long_tails() -> None:
    tail = np.exp(RNG.normal(0, 3, 4_000))
    assert fit_modes(Column(name="x", kind="float"), tail, 0).log
    assert not fit_modes(Column(name="x", kind="float"), AGES, 0).log


def test_a_choice_has_a_code_for_the_rest() -> None:
    column = Column(name="city", kind="category", categories=tuple("abcdef"), counts=(50, 40, 30, 20, 7, 3), nulls=True)
    values = np.array([0, 1, 2, 3, 4, 5, -1])
    whole = fit_choice(column, 10)
    assert whole.choices == (7,)
    assert there_and_back(whole, values).tolist() == values.tolist()
    short = fit_choice(column, 4)  # three of their own, the rest, missing
    assert (short.top, short.choices) == (3, (5,))
    many = short.decode(np.zeros((2_000, 0)), np.full((2_000, 1), 3), np.random.default_rng(0))
    shares = np.bincount(many, minlength=6)[3:] / 2_000
    assert np.abs(shares - np.array([20, 7, 3]) / 30).max() < 0.04  # the rest comes back in its own shares


def test_a_time_of_day_is_an_angle() -> None:
    encoder = fit_moment(Column(name="t", kind="datetime"), MOMENTS)
    assert isinstance(encoder, Moment)
    assert np.abs(there_and_back(encoder, MOMENTS) - MOMENTS).max() < 1e5  # a tenth of a second
    midnight = np.array([12_000 * DAY, 12_000 * DAY + DAY - 1e6])
    scalars, _ = encoder.encode(midnight, np.random.default_rng(0))
    assert np.abs(scalars[0, 1:] - scalars[1, 1:]).max() < 1e-3  # 0:00:00 and 23:59:59 are neighbours


def test_dates_alone_are_places_in_time() -> None:
    encoder = fit_moment(Column(name="t", kind="datetime"), DATES)
    assert isinstance(encoder, Quantile)
    assert np.abs(there_and_back(encoder, DATES) - DATES).max() < 30 * DAY


def test_an_unknown_encoder_is_named() -> None:
    with pytest.raises(SpecError, match="no encoder 'magic'; known: choice, modes, quantile, moment"):
        encoder_from_json({"kind": "magic"})
    with pytest.raises(SpecError, match="has the fields weights, top, nulls"):
        encoder_from_json({"kind": "choice", "top": 3})
    assert Modes.kind == "modes"
    assert Choice.kind == "choice"
