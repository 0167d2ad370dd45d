"""A small table, and synthesizers fitted on it: real in every respect but size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

SMALL: dict[str, Any] = {
    "batch": 250, "samples": 10_000, "quiet": True,
    "fields": {"width": 64, "latent": 16, "pac": 1, "dropout": 0.0, "lr": 1e-3},
}  # fmt: skip


def shop(n: int = 1_500, seed: int = 0) -> pd.DataFrame:
    """Orders: kinds of columns and dependences between them."""
    rng = np.random.default_rng(seed)
    city = rng.choice(["Rome", "Milan", "Paris", "Lyon"], n, p=[0.4, 0.3, 0.2, 0.1])
    vip = rng.random(n) < np.where(city == "Paris", 0.5, 0.1)
    start = rng.integers(0, 300, n)
    return pd.DataFrame(
        {
            "order": np.arange(n) + 5_000,
            "mail": [f"person{i}@mail.com" for i in range(n)],
            "city": city,
            "country": np.where(np.isin(city, ["Rome", "Milan"]), "Italy", "France"),
            "vip": vip,
            "price": np.round(np.where(vip, 80, 30) + 10 * rng.standard_normal(n), 2),
            "note": pd.Series(rng.choice(["=late", "ok"], n), dtype=object).where(rng.random(n) > 0.2, None),
            "start": start,
            "end": start + rng.integers(0, 30, n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D"),
        }
    )


def constraints() -> list[Any]:
    import gansmith as gs

    return [gs.Inequality("start", "end"), gs.FixedCombinations("city", "country"), gs.Unique("order")]


@pytest.fixture(scope="session")
def orders() -> pd.DataFrame:
    return shop()


@pytest.fixture(scope="session")
def plain(orders: pd.DataFrame) -> Any:
    import gansmith as gs

    return gs.TableSynthesizer("ctgan", **SMALL).fit(orders)


@pytest.fixture(scope="session")
def bound(orders: pd.DataFrame) -> Any:
    """With constraints."""
    import gansmith as gs

    return gs.TableSynthesizer("ctgan", constraints=constraints(), **SMALL).fit(orders)
