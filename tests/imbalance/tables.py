"""Small imbalanced tables that the tests share."""

from __future__ import annotations

import numpy as np
import pandas as pd


def clinic(rows: int = 300, share: float = 0.15, seed: int = 0) -> pd.DataFrame:
    """Numbers, a category, missing values, and a rare outcome that they tell of."""
    rng = np.random.default_rng(seed)
    died = rng.random(rows) < share
    died[:12] = True
    age = np.round(rng.normal(50 + 15 * died, 12)).clip(18, 95)
    pressure = rng.normal(120 + 20 * died, 15)
    pressure[rng.random(rows) < 0.1] = np.nan
    ward = np.where(rng.random(rows) < 0.3 + 0.4 * died, "intensive", "general")
    return pd.DataFrame(
        {
            "age": age.astype(np.int64),
            "pressure": pressure,
            "ward": ward,
            "smoker": rng.random(rows) < 0.3,
            "died": np.where(died, "yes", "no"),
        }
    )


def noise(rows: int = 240, rare: int = 40, columns: int = 5, seed: int = 0) -> pd.DataFrame:
    """Numbers that tell nothing of the outcome."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(rows, columns)), columns=[f"x{i}" for i in range(columns)])
    return frame.assign(y=rng.permutation(np.arange(rows) < rare).astype(int))
