"""Scores of SDMetrics itself, for the test that ours are equal to them.

SDMetrics is no dependency of this project (what it needs is not open source), so its numbers are stored. To make them
again, in an environment of its own:

    python3.11 -m venv /tmp/sdm && /tmp/sdm/bin/pip install 'sdmetrics==0.32.0' 'pandas<3'
    /tmp/sdm/bin/python tools/sdmetrics_reference.py PATH/TO/adult.csv.gz tests/metrics_tables

It writes small pairs of tables (`NAME.real.csv`, `NAME.fake.csv`), their schemas and SDMetrics' numbers
(`sdmetrics.json`); the two halves of Adult are not stored, only how to cut them.
"""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

VERSION = "0.32.0"
SDTYPE = {"integer": "numerical", "float": "numerical", "category": "categorical", "boolean": "boolean"}
Pair = tuple[pd.DataFrame, pd.DataFrame]
NUMERIC = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]


def mixed(n: int, seed: int, shift: float = 0.0, missing: float = 0.0) -> pd.DataFrame:
    """Numbers, categories, booleans and dates that hang together; `missing` of the values of some are lost."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, n)
    y = 2 * x + rng.normal(0, 0.5, n)
    level = np.where(x + rng.normal(0, 0.3, n) > 0.5, "high", np.where(x > -0.5, "middle", "low"))
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round((x + 6) * 100), unit="D")
    made = pd.DataFrame(
        {
            "x": x.round(4),
            "y": y.round(4),
            "count": np.round(np.abs(x) * 3).astype(int),
            "level": level,
            "flag": y > 0,
            "day": day.strftime("%Y-%m-%d"),
            "noise": rng.integers(0, 5, n),
            "colour": rng.choice(["red", "green", "blue"], n, p=[0.5, 0.3, 0.2]),
        }
    )
    for name in ("x", "level", "day", "flag") if missing else ():
        made[name] = made[name].astype(object).where(rng.random(n) >= missing, None)
    return made


def odd(n: int, seed: int, *, fake: bool) -> pd.DataFrame:
    """Constant columns, columns without any value, values and categories that only the synthetic table has."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n).round(3)
    made = pd.DataFrame({"x": x, "y": (x + rng.normal(size=n) * 0.2).round(3), "k": np.where(x > 0, "a", "b")})
    made["constant"] = rng.normal(size=n).round(3) if fake else 1.5
    made["single"] = rng.choice(["z", "new"], n) if fake else "z"
    made["empty"] = np.nan
    if fake:
        made.loc[:9, "x"] = 99.0
        made.loc[10:29, "y"] = np.nan
        made.loc[10:29, "k"] = None
    return made


def keyed(n: int, seed: int, *, fake: bool) -> pd.DataFrame:
    made = mixed(n, seed)[["x", "level", "flag"]]
    made.insert(0, "key", np.arange(n))
    if fake:
        made.loc[:9, "key"] = 5
    return made


def adult(path: str) -> pd.DataFrame:
    table = pd.read_csv(path, keep_default_na=False)
    return table[table.split == "train"].drop(columns="split").reset_index(drop=True)


def noisy(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """A copy whose numbers are jittered and a third of whose education and occupation are shuffled."""
    rng = np.random.default_rng(seed)
    made = table.copy()
    for name in NUMERIC:
        made[name] = (made[name] + np.round(rng.normal(0, 0.3 * made[name].std(), len(made)))).astype(int)
    for name in ("education", "occupation"):
        moved = np.flatnonzero(rng.random(len(made)) < 1 / 3)
        made.loc[moved, name] = made[name].to_numpy()[rng.permutation(moved)]
    return made


def kinds(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The schema of a made table, as gansmith writes it."""
    found: list[dict[str, Any]] = []
    for name in table.columns:
        kind = {"day": "datetime", "flag": "boolean", "key": "identifier"}.get(name)
        kind = kind or ("float" if pd.api.types.is_numeric_dtype(table[name]) else "category")
        found.append({"name": name, "kind": kind, "dtype": str(table[name].dtype)})
        if kind == "datetime":
            found[-1]["format"] = "%Y-%m-%d"
    return found


def metadata(schema: list[dict[str, Any]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for column in schema:
        if column["kind"] == "datetime":
            columns[column["name"]] = {"sdtype": "datetime", "datetime_format": column["format"]}
        else:
            columns[column["name"]] = {"sdtype": SDTYPE.get(column["kind"], "id")}
    keys = [c["name"] for c in schema if c["kind"] == "identifier"]
    return {"columns": columns} | ({"primary_key": keys[0]} if keys else {})


def measure(real: pd.DataFrame, fake: pd.DataFrame, schema: list[dict[str, Any]]) -> dict[str, Any]:
    """SDMetrics' scores of a pair, with every column and pair of columns."""
    from sdmetrics.reports.single_table import DiagnosticReport, QualityReport

    quality, diagnosis, told = QualityReport(), DiagnosticReport(), metadata(schema)
    quality.generate(real.copy(), fake.copy(), told, verbose=False)
    diagnosis.generate(real.copy(), fake.copy(), told, verbose=False)
    shape, trend = quality.get_details("Column Shapes"), quality.get_details("Column Pair Trends")
    valid = diagnosis.get_details("Data Validity")
    return {
        "quality": quality.get_score(),
        "shapes": quality.get_properties().Score[0],
        "trends": quality.get_properties().Score[1],
        "diagnostic": diagnosis.get_score(),
        "validity": diagnosis.get_properties().Score[0],
        "structure": diagnosis.get_properties().Score[1],
        "columns": shape[["Column", "Metric", "Score"]].to_numpy().tolist(),
        "pairs": trend[["Column 1", "Column 2", "Metric", "Score", "Real Correlation", "Real Association"]]
        .to_numpy()
        .tolist(),
        "valid": valid[["Column", "Metric", "Score"]].to_numpy().tolist(),
    }


def plain(value: Any) -> Any:
    """JSON without NaN."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value


SMALL: dict[str, Callable[[], Pair]] = {
    "mixed": lambda: (mixed(400, 1), mixed(300, 2, shift=0.3)),
    "missing": lambda: (mixed(400, 3, missing=0.1), mixed(300, 4, shift=0.4, missing=0.2)),
    "nulls_only_in_fake": lambda: (mixed(300, 5), mixed(300, 6, missing=0.15)),
    "odd": lambda: (odd(200, 7, fake=False), odd(200, 8, fake=True)),
    "odd_reversed": lambda: (odd(200, 8, fake=True), odd(200, 7, fake=False)),
    "keyed": lambda: (keyed(200, 9, fake=False), keyed(200, 10, fake=True)),
    "no_trend": lambda: (mixed(200, 11)[["x", "noise", "colour"]], mixed(200, 12)[["x", "noise", "colour"]]),
    "one_column": lambda: (mixed(100, 13)[["x"]], mixed(100, 14)[["x"]]),
}


def main(source: str, folder: str) -> None:
    """Writes the pairs and the numbers into `folder`."""
    import sdmetrics

    if sdmetrics.__version__ != VERSION:
        raise SystemExit(f"this needs sdmetrics {VERSION}, and found {sdmetrics.__version__}")
    warnings.simplefilter("ignore")
    out, found = Path(folder), {}
    for name, make in SMALL.items():
        for side, table in zip(("real", "fake"), make(), strict=True):
            table.to_csv(out / f"{name}.{side}.csv", index=False)
        real, fake = (pd.read_csv(out / f"{name}.{side}.csv") for side in ("real", "fake"))
        schema = kinds(real)
        found[name] = {"schema": schema, **measure(real, fake, schema)}
    whole = adult(source)
    schema = [{"name": n, "kind": "integer" if n in NUMERIC else "category", "dtype": "str"} for n in whole.columns]
    real, fake = whole[::2].reset_index(drop=True), whole[1::2].reset_index(drop=True)
    found["adult_halves"] = {"schema": schema, **measure(real, fake, schema)}
    found["adult_noisy"] = {"schema": schema, **measure(real, noisy(real, 0), schema)}
    (out / "sdmetrics.json").write_text(json.dumps(plain(found), indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
