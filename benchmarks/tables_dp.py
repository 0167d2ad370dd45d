"""Differentially private tables: what classifiers learn from synthetic credit-card rows, at an audited epsilon.

Every run spends one budget on everything that looks at the training rows (histograms, counts of the classes,
training); what is stated of the columns is general knowledge of such data. Classifiers are trained on synthetic rows
and judged on real ones that were held out: the mean area under the ROC curve over the panel.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from gansmith.privacy.accounting import default_delta
from gansmith.privacy.ledger import Ledger
from gansmith.privacy.noise import Noise
from gansmith.privacy.prepare import Stated, conform, prepare
from gansmith.recipes import dpgan, pategan
from gansmith.recipes.base import sample
from gansmith.tabular.frames import canonicalise
from gansmith.tabular.rows import EncodedRows
from gansmith.tabular.schema import Column, Schema
from gansmith.training.config import TrainConfig
from gansmith.training.trainer import Trainer

from . import machine

DATA = Path(os.environ.get("GANSMITH_SHARED_DATA", machine.ROOT.parent / "shared" / "data"))
TARGET, EPSILONS, SEEDS, BAR = "Class", (1.0,), (0, 1, 2), 0.70
PREPARATION = 0.2  # of epsilon
COMPONENTS = [f"V{i}" for i in range(1, 29)]
STATED = Stated(
    bounds={"Time": (0, 172_800), "Amount": (0, 30_000), **dict.fromkeys(COMPONENTS, (-60.0, 60.0))},
    bulk={"Time": (43_200, 129_600), "Amount": (5, 100), **dict.fromkeys(COMPONENTS, (-0.7, 0.7))},
    categories={TARGET: (0, 1)},
)


def split(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Four fifths for training and one to judge by, each with its share of either class."""
    from sklearn.model_selection import train_test_split

    frame = pd.read_parquet(DATA / "tabular" / "creditcard_15k.parquet")
    train, test = train_test_split(frame, test_size=0.2, stratify=frame[TARGET], random_state=seed)
    return train.reset_index(drop=True), test.reset_index(drop=True)


def schema_of(frame: pd.DataFrame) -> Schema:
    """Numbers, and the class."""
    numbers = [Column(name=str(c), kind="float", dtype="float32") for c in frame.columns if c != TARGET]
    return Schema((*numbers, Column(name=TARGET, kind="category", dtype="int64", categories=(0, 1), counts=(1, 1))))


class Rows(EncodedRows):
    """The training rows under a privately prepared spec."""

    def __init__(self, frame: pd.DataFrame, ledger: Ledger, epsilon: float, seed: int) -> None:
        schema = schema_of(frame)
        canonical = canonicalise(frame, schema)
        spec = prepare(canonical, schema, ledger, epsilon=epsilon, stated=STATED, noise=Noise(seed))
        scalars, codes = spec.encode(conform(canonical, schema, spec.schema), np.random.default_rng(seed))
        super().__init__(spec, torch.from_numpy(scalars).float(), torch.from_numpy(codes))
        self.fingerprint = f"creditcard-{seed}-{epsilon}"

    def notes(self) -> list[str]:
        return []


def synthetic(recipe_name: str, train: pd.DataFrame, epsilon: float, seed: int) -> tuple[pd.DataFrame, Ledger]:
    """As many rows as there are in training, and the ledger of what they cost."""
    ledger = Ledger(epsilon, default_delta(len(train)))
    rows = Rows(train, ledger, PREPARATION * epsilon, seed)
    recipe, batch, steps = (private_dpgan if recipe_name == "dpgan" else private_pategan)(rows, ledger)
    with tempfile.TemporaryDirectory(prefix="gansmith-dp-") as folder:
        length = {"samples": batch * steps, "tick": batch * max(1, steps // 4), "save_every": batch * steps * 2}
        config = TrainConfig(batch=batch, seed=seed, accelerator="cpu", **length)
        trainer = Trainer(recipe, rows, config, out=Path(folder) / "run", recipe_name=recipe_name)
        trainer.fit()
    recipe.charge(ledger, trainer.nets)
    made = sample(recipe, trainer.nets, rows.spec.request(len(train)), seed=seed)
    values = rows.spec.canonical(made["x"], np.random.default_rng(seed))
    values[TARGET] = np.array(rows.spec.schema[TARGET].categories)[values[TARGET]]
    return pd.DataFrame(values), ledger


def private_dpgan(rows: Rows, ledger: Ledger) -> tuple[Any, int, int]:
    recipe = replace(dpgan.small(rows.spec), target=TARGET, batch=768)
    return replace(recipe, noise=recipe.plan(len(rows)).noise_within(ledger)), recipe.batch, recipe.steps


def private_pategan(rows: Rows, ledger: Ledger) -> tuple[Any, int, int]:
    recipe = replace(pategan.small(rows.spec), target=TARGET)
    return replace(recipe, queries=recipe.within(ledger)), 128, recipe.steps


def panel() -> dict[str, Any]:
    """Eleven classifiers of different kinds, from strong to weak."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import (
        AdaBoostClassifier,
        BaggingClassifier,
        GradientBoostingClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import BernoulliNB, GaussianNB
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import LinearSVC
    from sklearn.tree import DecisionTreeClassifier

    return {
        "logistic regression": LogisticRegression(max_iter=500),
        "linear SVM": LinearSVC(random_state=0),
        "linear discriminant": LinearDiscriminantAnalysis(),
        "Gaussian naive Bayes": GaussianNB(),
        "Bernoulli naive Bayes": BernoulliNB(),
        "decision tree": DecisionTreeClassifier(random_state=0),
        "bagging": BaggingClassifier(random_state=0),
        "random forest": RandomForestClassifier(random_state=0),
        "AdaBoost": AdaBoostClassifier(random_state=0),
        "gradient boosting": GradientBoostingClassifier(n_estimators=50, random_state=0),
        "perceptron": MLPClassifier((50,), max_iter=60, random_state=0),
    }


def areas(train: pd.DataFrame, test: pd.DataFrame) -> dict[str, float]:
    """The area under the ROC curve of each classifier of the panel, and their mean."""
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler

    wanted = [c for c in test.columns if c != TARGET]
    scaler = StandardScaler().fit(train[wanted].to_numpy())
    x, known = scaler.transform(train[wanted].to_numpy()), scaler.transform(test[wanted].to_numpy())
    found = {}
    for name, model in panel().items():
        with warnings.catch_warnings(action="ignore"):
            model.fit(x, train[TARGET].to_numpy())
        score = (
            model.decision_function(known) if hasattr(model, "decision_function") else model.predict_proba(known)[:, 1]
        )
        found[name] = float(roc_auc_score(test[TARGET].to_numpy(), score))
    return {**found, "mean": float(np.mean(list(found.values())))}


def run(recipes: tuple[str, ...] = ("dpgan", "pategan")) -> None:
    """Every recipe at every epsilon and seed, and the real rows."""
    import time

    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        train, test = split(seed)
        rows.append({"recipe": "real rows", "epsilon": None, "seed": seed, **areas(train, test)})
        for epsilon in EPSILONS:
            for name in recipes:
                start = time.perf_counter()
                made, ledger = synthetic(name, train, epsilon, seed)
                took = time.perf_counter() - start
                spent = {"spent": ledger.spent(), "delta": ledger.delta, "seconds": took}
                rows.append({"recipe": name, "epsilon": epsilon, "seed": seed, **spent, **areas(made, test)})
                print(rows[-1], flush=True)
    machine.keep("tables-dp", {"rows": rows, "bar": BAR})


def render(result: Mapping[str, Any]) -> list[str]:
    """The section's page."""
    kinds = list(dict.fromkeys((r["recipe"], r["epsilon"]) for r in result["rows"]))
    lines = [
        "Credit-card fraud, 12,000 rows to train on of which 394 are frauds; histograms and training are paid from one "
        f"epsilon (delta = 1 / n^1.1). Mean of {len(panel())} classifiers; bar at epsilon 1: {result['bar']:.2f}.",
        "",
        "| rows from | epsilon | spent | mean area, each seed | mean | worst classifier | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in kinds:
        own = [r for r in result["rows"] if (r["recipe"], r["epsilon"]) == kind]
        means = [r["mean"] for r in own]
        worst = min(r[name] for r in own for name in panel())
        spent = f"{max(r['spent'] for r in own):.3f}" if kind[1] else "-"
        seconds = f"{np.mean([r['seconds'] for r in own]):.0f}" if kind[1] else "-"
        each = ", ".join(f"{m:.3f}" for m in means)
        lines.append(
            f"| {kind[0]} | {kind[1] or '-'} | {spent} | {each} | {np.mean(means):.3f} | {worst:.3f} | {seconds} |"
        )
    return lines


if __name__ == "__main__":
    import sys

    torch.set_num_threads(1)
    run(tuple(sys.argv[1:]) or ("dpgan", "pategan"))
