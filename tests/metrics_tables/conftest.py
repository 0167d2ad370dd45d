"""Small tables whose properties are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gansmith.tabular.schema import Column, Schema

np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")

SCHEMA = Schema(
    (
        Column(name="id", kind="identifier", dtype="int64", fill="sequence"),
        Column(name="x", kind="float"),
        Column(name="y", kind="float", nulls=True),
        Column(name="n", kind="integer", dtype="int64"),
        Column(name="level", kind="category", dtype="object", nulls=True),
        Column(name="day", kind="datetime", dtype="datetime64[ns]"),
        Column(name="flag", kind="boolean", dtype="bool"),
    )
)


def people(n: int, seed: int) -> Any:
    """n rows that hang together; `flag` follows x, `y` follows x with some values missing."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    level = np.where(x + rng.normal(0, 0.3, n) > 0.5, "high", np.where(x > -0.5, "middle", "low"))
    return pd.DataFrame(
        {
            "id": np.arange(n),
            "x": x,
            "y": np.where(rng.random(n) < 0.1, np.nan, 2 * x + rng.normal(0, 0.5, n)),
            "n": np.round(np.abs(x) * 3).astype(int),
            "level": pd.Series(level, dtype=object).where(rng.random(n) > 0.05, None),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round((x + 6) * 1000), unit="h"),
            "flag": x + rng.normal(0, 0.5, n) > 0,
        }
    )


@pytest.fixture(scope="session")
def schema() -> Schema:
    return SCHEMA


@pytest.fixture(scope="session")
def make() -> Callable[[int, int], Any]:
    return people
