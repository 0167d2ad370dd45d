"""Numbers and dates that are text are judged as what they are, and columns without a value break no classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gansmith.metrics.tables import judge_table
from gansmith.metrics.tables.columns import numbers
from gansmith.metrics.tables.encode import none_void
from gansmith.tabular.infer import infer


def clinic(n: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    pay, day = rng.lognormal(6, 1, n), pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D")
    return pd.DataFrame(
        {
            "pay": [f"{x:,.2f} €".translate(str.maketrans(",.", ".,")) for x in pay],
            "seen": [f"{d.day}.{d.month}.{d.year}" for d in day],
            "code": day.year * 10_000 + day.month * 100 + day.day,
            "rare": pd.Series([1.5, 2.5] + [np.nan] * (n - 2)),
            "ill": rng.choice(["no", "yes"], n),
        }
    )


def test_written_amounts_and_dates_are_read() -> None:
    frame = clinic()
    schema = infer(frame)
    assert [c.kind for c in schema][:3] == ["float", "datetime", "datetime"]
    pay = numbers(frame["pay"], schema["pay"], "real")
    assert pay[0] == pytest.approx(float(frame["pay"][0][:-2].replace(".", "").replace(",", ".")))
    seen = numbers(frame["seen"], schema["seen"], "real")
    assert (seen == numbers(frame["code"], schema["code"], "real")).all()
    holes = frame["code"].astype(float).where(frame.index > 5)
    assert np.isnan(numbers(holes, schema["code"], "real")).sum() == 6
    assert np.isnan(numbers(pd.Series(["-", None, "7 EUR"]), schema["pay"], "real")).all()


def test_a_table_of_them_is_judged() -> None:
    real = clinic()
    found = judge_table(real, clinic(seed=1), infer(real), test=clinic(200, 2), target="ill", baselines=False)
    figures = {figure.name: figure.value for figure in found.figures}
    assert 0.4 < figures["real-or-fake-auc"] < 0.6
    assert figures["sdmetrics-column-shapes"] > 0.9


def test_void_columns_become_zero_on_both_sides() -> None:
    nan = np.nan
    train, other = np.array([[1, nan], [2, nan]], np.float32), np.array([[nan, 5]], np.float32)
    one, two = none_void(train, other)
    assert one.tolist() == [[1, 0], [2, 0]]
    assert np.isnan(two[0, 0])
    assert two[0, 1] == 0
