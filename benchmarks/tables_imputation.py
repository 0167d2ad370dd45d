"""Filling in missing values: GAIN against the mean, nearest neighbours and chained regressions.

`python -m benchmarks.tables_imputation [SET ...]` measures these sets (all by default) and keeps the others' figures.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

import gansmith as gs
from gansmith.tabular.infer import infer
from gansmith.tabular.schema import DISCRETE, Schema

from . import machine

NAME = "imputation"
SHARE, SEEDS, SAMPLES, BATCH, MOST_ROWS = 0.2, 3, 320_000, 128, 3_000
# RMSE at 20 % missing, Yoon et al. 2018, table 2; from memory, so to be checked against the paper
PUBLISHED = {"breast": 0.0546, "spam": 0.0513, "letter": 0.1198, "credit": 0.1858}
Figures: TypeAlias = dict[str, float | None]
Filler: TypeAlias = Callable[[pd.DataFrame, Schema, int], pd.DataFrame]


def data_folder() -> Path:
    """Where the tables are: GANSMITH_SHARED_DATA, else `shared/data` beside the repository."""
    return Path(os.environ.get("GANSMITH_SHARED_DATA", machine.ROOT.parent / "shared" / "data")) / "tabular"


def _small(member: str) -> pd.DataFrame:
    with zipfile.ZipFile(data_folder() / "small_uci.zip") as opened:
        frame = pd.read_csv(io.BytesIO(opened.read(member)), header=None)
    return frame.rename(columns=lambda i: f"x{i}")


def _breast() -> pd.DataFrame:
    from sklearn.datasets import load_breast_cancer

    return pd.DataFrame(load_breast_cancer()["data"]).rename(columns=lambda i: f"x{i}")


def _adult() -> pd.DataFrame:
    return pd.read_csv(data_folder() / "adult.csv.gz")


SETS: dict[str, Callable[[], pd.DataFrame]] = {
    "breast": _breast,
    "wine": lambda: _small("winequality-white.csv"),
    "abalone": lambda: _small("abalone.csv"),
    "german": lambda: _small("german.csv"),
    "adult": _adult,
}


def holed(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The frame with values missing completely at random, and where they are."""
    gone = pd.DataFrame(np.random.default_rng(seed).random(frame.shape) < SHARE, frame.index, frame.columns)
    return frame.mask(gone), gone


class Matrix:
    """A frame as a matrix: numbers on the scale of their range, categories as one-hot; NaN where missing."""

    def __init__(self, frame: pd.DataFrame, schema: Schema) -> None:
        self.frame, self.schema = frame, schema
        self.levels = {c.name: sorted(frame[c.name].dropna().unique()) for c in schema if c.kind in DISCRETE}
        self.x = np.concatenate([self._encoded(c.name) for c in schema], 1)

    def _encoded(self, name: str) -> np.ndarray:
        column = self.frame[name]
        if name not in self.levels:
            low, high = column.min(), column.max()
            return ((column.to_numpy(float) - low) / ((high - low) or 1.0))[:, None]
        hot = (column.to_numpy(object)[:, None] == np.array(self.levels[name], dtype=object)).astype(float)
        hot[column.isna()] = np.nan
        return hot

    def back(self, x: np.ndarray) -> pd.DataFrame:
        """The frame of a filled matrix; of a one-hot the largest entry counts."""
        found, first = {}, 0
        for column in self.schema:
            width = len(self.levels.get(column.name, "1"))
            part, first = x[:, first : first + width], first + width
            if column.name in self.levels:
                found[column.name] = np.array(self.levels[column.name], dtype=object)[part.argmax(1)]
            else:
                low, high = self.frame[column.name].min(), self.frame[column.name].max()
                found[column.name] = part[:, 0] * ((high - low) or 1.0) + low
        return pd.DataFrame(found, self.frame.index)


def _by_sklearn(make: Callable[[int], Any]) -> Filler:
    def fill(frame: pd.DataFrame, schema: Schema, seed: int) -> pd.DataFrame:
        matrix = Matrix(frame, schema)
        with warnings.catch_warnings(action="ignore"):  # chains that have not converged
            return matrix.back(make(seed).fit_transform(matrix.x))

    return fill


def _mean(_seed: int) -> Any:
    from sklearn.impute import SimpleImputer

    return SimpleImputer()


def _neighbours(_seed: int) -> Any:
    from sklearn.impute import KNNImputer

    return KNNImputer(n_neighbors=5)


def _chained(seed: int) -> Any:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    return IterativeImputer(max_iter=10, random_state=seed)


def _by_gain(preset: str) -> Filler:
    def fill(frame: pd.DataFrame, schema: Schema, seed: int) -> pd.DataFrame:
        with tempfile.TemporaryDirectory() as out:
            synth = gs.TableSynthesizer(
                "gain", preset=preset, schema=schema, samples=SAMPLES, batch=BATCH, holdout=0, seed=seed,
                out=f"{out}/run", quiet=True,
            )  # fmt: skip
            return synth.fit(frame).impute(frame)

    return fill


METHODS: dict[str, Filler] = {
    "mean / mode": _by_sklearn(_mean),
    "5 nearest neighbours": _by_sklearn(_neighbours),
    "chained regressions": _by_sklearn(_chained),
    "gain, paper": _by_gain("paper"),
    "gain, small": _by_gain("small"),
}


def errors(truth: pd.DataFrame, filled: pd.DataFrame, gone: pd.DataFrame, schema: Schema) -> Figures:
    """RMSE over all missing numbers, on the scale of each column's range; the share of missing categories found."""
    squares, hits = [], []
    for column in schema.learnt:
        name, at = column.name, gone[column.name]
        wanted, found = truth.loc[at, name], filled.loc[at, name]
        if column.kind in DISCRETE:
            hits.append(wanted.astype(str).to_numpy() == found.astype(str).to_numpy())
        else:
            span = (truth[name].max() - truth[name].min()) or 1.0
            squares.append(((wanted.to_numpy(float) - found.to_numpy(float)) / span) ** 2)
    return {
        "rmse": float(np.sqrt(np.concatenate(squares).mean())) if squares else None,
        "found": float(np.concatenate(hits).mean()) if hits else None,
    }


def measure(name: str) -> dict[str, Any]:
    """Figures of every method on one set, one entry for each seed."""
    truth = SETS[name]().dropna().reset_index(drop=True)
    truth = truth.sample(min(MOST_ROWS, len(truth)), random_state=0).reset_index(drop=True)
    kinds = infer(truth, name_hints=False)
    truth = truth[[c.name for c in kinds.learnt]]
    found: dict[str, list[Figures]] = {method: [] for method in METHODS}
    for seed in range(SEEDS):
        holes, gone = holed(truth, seed)
        schema = infer(holes, name_hints=False, wanted=Schema(tuple(_described(c) for c in kinds.learnt)))
        for method, fill in METHODS.items():
            started = time.process_time()
            figures = errors(truth, fill(holes, schema, seed), gone, kinds)
            found[method].append(figures | {"seconds": time.process_time() - started})
            print(f"{name:8} {seed} {method:22} {found[method][-1]}", flush=True)
    return {"rows": len(truth), "columns": len(kinds.learnt), "figures": found}


def _described(column: Any) -> Any:
    """What is said of a column of which some values are missing: its kind alone."""
    return type(column)(name=column.name, kind=column.kind)


def run(names: tuple[str, ...] = ()) -> None:
    sets: dict[str, Any] = (machine.kept(NAME) or {}).get("sets", {})
    for name in names or tuple(SETS):
        sets[name] = measure(name)
        about = {"share": SHARE, "samples": SAMPLES, "batch": BATCH, "seeds": SEEDS}
        machine.keep(NAME, {**about, "command": "python -m benchmarks.tables_imputation", "sets": sets})


def _mean_of(entries: list[Figures], key: str, digits: int) -> str:
    values = [e[key] for e in entries if e[key] is not None]
    if not values:
        return "none"
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"


def _row(method: str, sets: Mapping[str, Any], key: str, digits: int) -> str:
    cells = [_mean_of(found["figures"][method], key, digits) for found in sets.values()]
    return f"| {method} | {' | '.join(cells)} |"


def _table(title: str, result: Mapping[str, Any], key: str, digits: int) -> list[str]:
    sets = {n: s for n, s in result["sets"].items() if any(e[0][key] is not None for e in s["figures"].values())}
    heads = [f"{name} ({found['rows']} x {found['columns']})" for name, found in sets.items()]
    lines = ["", f"| {title} | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    return lines + [_row(method, sets, key, digits) for method in METHODS]


def render(result: Mapping[str, Any]) -> list[str]:
    published = ", ".join(f"{name} {value:.4f}" for name, value in PUBLISHED.items())
    return [
        f"{result['share']:.0%} of the values are missing completely at random; every method sees the table with holes "
        f"alone and fills these very holes. GAIN trains for {result['samples']:,} samples. Means of {result['seeds']} "
        "seeds, and standard deviations.",
        *_table("RMSE of numbers, range 1", result, "rmse", 4),
        *_table("share of categories found", result, "found", 3),
        *_table("CPU seconds", result, "seconds", 1),
        "",
        f"Published for GAIN (Yoon et al. 2018; quoted from memory, another protocol): RMSE {published}.",
    ]


if __name__ == "__main__":
    chosen = tuple(sys.argv[1:])
    if unknown := set(chosen) - SETS.keys():
        sys.exit(f"no such set: {', '.join(sorted(unknown))}; there are: {', '.join(SETS)}")
    run(chosen)
    kept = machine.kept(NAME)
    print("\n".join(render(kept)) if kept else "nothing was measured")
