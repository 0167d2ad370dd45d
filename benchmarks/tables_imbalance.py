"""Over-sampling on imbalanced tables: the mean rank of PR-AUC of every method, by the leak-proof laboratory."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gansmith.imbalance import LabResult, oversample_lab
from gansmith.imbalance.methods import METHODS
from gansmith.imbalance.models import MODELS

from . import machine

TARGET, SEED, MOST_ROWS = "rare", 0, 6_000
OURS, THEIRS = "gan", "smote"
ENOUGH = 10  # tables


def data_folder() -> Path:
    """Where the tables are: GANSMITH_SHARED_DATA, else `shared/data` beside the repository."""
    return Path(os.environ.get("GANSMITH_SHARED_DATA", machine.ROOT.parent / "shared" / "data")) / "tabular"


def _inside(archive: str, member: str) -> io.BytesIO:
    with zipfile.ZipFile(data_folder() / archive) as opened:
        return io.BytesIO(opened.read(member))


def _outliers(member: str) -> Callable[[], pd.DataFrame]:
    """A set of ADBench's: numbers, and 1 where a row is rare."""

    def read() -> pd.DataFrame:
        with np.load(_inside("odds_adbench.zip", f"{member}.npz")) as found:
            x, y = found["X"].astype(np.float64), found["y"]
        return pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(**{TARGET: y.astype(int)})

    return read


def _small(member: str, rare: Callable[[pd.Series], pd.Series]) -> Callable[[], pd.DataFrame]:
    """A table without header, the target last."""

    def read() -> pd.DataFrame:
        frame = pd.read_csv(_inside("small_uci.zip", member), header=None)
        last = frame.columns[-1]
        named = frame.drop(columns=last).rename(columns=lambda i: f"x{i}")
        return named.assign(**{TARGET: rare(frame[last]).astype(int)})

    return read


def _cards() -> pd.DataFrame:
    return pd.read_parquet(data_folder() / "creditcard_15k.parquet").rename(columns={"Class": TARGET})


def _intrusion() -> pd.DataFrame:
    """Normal traffic against break-ins (R2L and U2R), without the plain floods and scans."""
    frame = pd.read_csv(data_folder() / "nsl_kdd_train20.csv.gz")
    floods = ["neptune", "smurf", "back", "teardrop", "pod", "land", "satan", "ipsweep", "portsweep", "nmap"]
    frame = frame[~frame["label"].isin(floods)]
    rare = (frame["label"] != "normal").astype(int)
    return frame.drop(columns=["label", "difficulty"]).assign(**{TARGET: rare})


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "thyroid": _outliers("38_thyroid"),
    "annthyroid": _outliers("2_annthyroid"),
    "cardio": _outliers("6_cardio"),
    "mammography": _outliers("23_mammography"),
    "vowels": _outliers("40_vowels"),
    "optdigits": _outliers("26_optdigits"),
    "wdbc": _outliers("43_WDBC"),
    "pima": _outliers("29_Pima"),
    "german credit": _small("german.csv", lambda y: y == 2),
    "abalone, 17 rings or more": _small("abalone.csv", lambda y: y >= 17),
    "white wine, 4 or less": _small("winequality-white.csv", lambda y: y <= 4),
    "card fraud": _cards,
    "intrusion": _intrusion,
}


def table(name: str) -> pd.DataFrame:
    """A table with the column `rare`; of larger ones all rare rows and a sample of the others, 6,000 rows in all."""
    frame = TABLES[name]().reset_index(drop=True)
    if len(frame) <= MOST_ROWS:
        return frame
    rare = frame[frame[TARGET] == 1]
    others = frame[frame[TARGET] == 0].sample(MOST_ROWS - len(rare), random_state=SEED)
    return pd.concat([rare, others]).sort_index().reset_index(drop=True)


def measure(name: str, **settings: Any) -> dict[str, Any]:
    """One table's figures."""
    frame, started = table(name), time.perf_counter()
    found = oversample_lab(frame, TARGET, seed=SEED, **settings)
    return {"name": name, "rows": len(frame), "seconds": time.perf_counter() - started, **_figures(found)}


def _figures(found: LabResult) -> dict[str, Any]:
    return {
        "rare": min(found.classes.values()),
        "pr_auc": {m: {c: found.mean("pr_auc", m, c) for c in found.models} for m in found.methods},
        "balanced_accuracy": {m: found.mean("balanced_accuracy", m) for m in found.methods},
        "brier": {m: found.mean("brier", m) for m in found.methods},
        "method_seconds": dict(found.seconds),
        "verdict": found.verdict,
        "notes": list(found.notes),
    }


def run(names: Sequence[str] = ()) -> None:
    """Measures every table that has no figures yet, one after another, and keeps them as they come."""
    for name in names or TABLES:
        if name not in {found["name"] for found in _kept()}:
            print(f"-- {name}", flush=True)
            found = measure(name)  # minutes, in which another process may keep some
            machine.keep("imbalance", {"seed": SEED, "tables": [*_kept(), found]})


def _kept() -> list[dict[str, Any]]:
    return list((machine.kept("imbalance") or {"tables": []})["tables"])


def ranks(tables: Sequence[dict[str, Any]], model: str | None = None) -> dict[str, float]:
    """The mean rank of PR-AUC, 1 the best, over tables and classifiers (or over tables, with one classifier)."""
    methods = list(tables[0]["pr_auc"])
    models = [model] if model else list(tables[0]["pr_auc"][methods[0]])
    rows = [[t["pr_auc"][m][c] for m in methods] for t in tables for c in models]
    found = pd.DataFrame(rows, columns=methods).rank(axis=1, ascending=False).mean()
    return {str(name): float(rank) for name, rank in found.items()}


def render(result: dict[str, Any]) -> list[str]:
    tables = result["tables"]
    overall, models = ranks(tables), list(tables[0]["pr_auc"][OURS])
    by_model = {c: ranks(tables, c) for c in models}
    so_far = "" if len(tables) == len(TABLES) else f" (of {len(TABLES)}, so far)"
    lines = [
        f"{len(tables)}{so_far} imbalanced tables, 5x2 cross-validation, seed {result['seed']}, every method fitted on "
        "training rows alone (`gansmith oversample-lab`). Mean rank of PR-AUC over tables and classifiers, 1 the best "
        f"of {len(overall)}. Bar: `GANOverSampler` ranks above SMOTE.",
        "",
        f"| method | mean rank | {' | '.join(MODELS[c] for c in models)} | balanced accuracy | Brier |",
        "|---" * (len(models) + 4) + "|",
    ]
    for name in sorted(overall, key=lambda method: overall[method]):
        means = [np.mean([t[figure][name] for t in tables]) for figure in ("balanced_accuracy", "brier")]
        cells = [f"{overall[name]:.2f}", *(f"{by_model[c][name]:.2f}" for c in models), *(f"{m:.3f}" for m in means)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, "", _bar(tables, overall), "", *_each(tables)]


def _bar(tables: Sequence[dict[str, Any]], overall: dict[str, float]) -> str:
    pairs = [(t["pr_auc"][OURS][c], t["pr_auc"][THEIRS][c]) for t in tables for c in t["pr_auc"][OURS]]
    wins, losses = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    kept = "kept" if overall[OURS] < overall[THEIRS] else "missed"
    said = f"**Bar {kept}**" if len(tables) >= ENOUGH else f"No verdict on the bar yet, which asks for {ENOUGH} tables"
    best = min(overall, key=lambda method: overall[method])
    return (
        f"{said}: the GAN's mean rank is {overall[OURS]:.2f}, SMOTE's {overall[THEIRS]:.2f}; the GAN is "
        f"ahead in {wins} of {len(pairs)} pairs of table and classifier, behind in {losses}. Best of all: {best}, "
        f"{overall[best]:.2f}."
    )


def _each(tables: Sequence[dict[str, Any]]) -> list[str]:
    names = [name for name in METHODS if name in tables[0]["pr_auc"]]
    lines = [
        "PR-AUC, mean over the classifiers:",
        "",
        f"| table | rows | rare | {' | '.join(names)} |",
        "|---" * (len(names) + 3) + "|",
    ]
    for found in tables:
        means = [np.mean(list(found["pr_auc"][name].values())) for name in names]
        cells = " | ".join(f"**{m:.3f}**" if m == max(means) else f"{m:.3f}" for m in means)
        lines.append(f"| {found['name']} | {found['rows']:,} | {found['rare']:,} | {cells} |")
    lines += ["", "What the laboratory says of each:", ""]
    return lines + [f"- {found['name']}: {found['verdict']}" for found in tables]
