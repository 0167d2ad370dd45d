"""What a laboratory run found: every figure, the tests between methods, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..config import write_text
from ..errors import ConfigError
from .features import Frame
from .paired import holm, name_of_test, paired_test
from .scores import HIGHER_IS_BETTER, METRICS

LEVEL = 0.05
ALL = "all"  # the mean over the classifiers


@dataclass(frozen=True)
class Comparison:
    """One method against another.

    Args:
        metric, model: what was compared; the model `all` is the mean over all of them.
        method, against: names of the methods.
        value, other: their mean figures over the folds.
        gain: how much better the method is; positive is better, whatever the metric.
        p: of the paired test, corrected by Holm for all methods compared with `against` by this metric and model.
    """

    metric: str
    model: str
    method: str
    against: str
    value: float
    other: float
    gain: float
    p: float

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `alike`."""
        if self.p >= LEVEL:
            return "alike"
        return "better" if self.gain > 0 else "worse"


@dataclass(frozen=True)
class LabResult:
    """The outcome of `oversample_lab`.

    Args:
        target: the column with the classes.
        classes: rows of each class by its name, the rarest last.
        methods: titles by name, in the order of `values`.
        models: titles by name, in the order of `values`.
        folds: repeats and folds of the cross-validation.
        values: for each metric (methods, models, repeats, folds).
        seconds: for each method, what treating the rows and fitting all models took, all folds together.
        notes: what was left out, and where a method could do nothing.
        seed: of folds, samplers and models.
    """

    target: str
    classes: Mapping[str, int]
    methods: Mapping[str, str]
    models: Mapping[str, str]
    folds: tuple[int, int]
    values: Mapping[str, npt.NDArray[np.float64]]
    seconds: Mapping[str, float]
    notes: Sequence[str]
    seed: int

    @property
    def reference(self) -> str:
        """What gains are counted from: class weights, or without them the first method."""
        return "weights" if "weights" in self.methods else next(iter(self.methods))

    @property
    def test(self) -> str:
        return name_of_test(*self.folds)

    def of(self, metric: str, method: str, model: str = ALL) -> npt.NDArray[np.float64]:
        """(repeats, folds) figures of a method with a model, or with the mean over the models."""
        values = self.values[metric][list(self.methods).index(method)]
        found: npt.NDArray[np.float64] = values.mean(axis=0) if model == ALL else values[list(self.models).index(model)]
        return found

    def mean(self, metric: str, method: str, model: str = ALL) -> float:
        return float(self.of(metric, method, model).mean())

    def compare(self, against: str, metric: str = "pr_auc", model: str = ALL) -> list[Comparison]:
        """Every other method against one, best first."""
        rivals = [name for name in self.methods if name != against]
        sign = 1 if HIGHER_IS_BETTER[metric] else -1
        base = self.of(metric, against, model)
        gains = [sign * (self.of(metric, name, model) - base) for name in rivals]
        found = [
            Comparison(
                metric, model, name, against, self.mean(metric, name, model), float(base.mean()), float(gain.mean()), p
            )
            for name, gain, p in zip(rivals, gains, holm([paired_test(gain) for gain in gains]), strict=True)
        ]
        return sorted(found, key=lambda c: -c.gain)

    @property
    def comparisons(self) -> list[Comparison]:
        """Every method against the reference, by every metric, over all models and with each."""
        return [
            found
            for metric in METRICS
            for model in (ALL, *self.models)
            for found in self.compare(self.reference, metric, model)
        ]

    def ranks(self, metric: str = "pr_auc") -> dict[str, float]:
        """The mean rank of each method over the models, 1 the best; ties share theirs."""
        from scipy.stats import rankdata

        means = self.values[metric].mean(axis=(2, 3))
        ranks = rankdata(-means if HIGHER_IS_BETTER[metric] else means, axis=0).mean(axis=1)
        return {name: float(rank) for name, rank in zip(self.methods, ranks, strict=True)}

    @property
    def verdict(self) -> str:
        """What a reader should take away, in a few sentences; derived from the tests."""
        from .verdict import verdict

        return verdict(self)

    def frame(self) -> Frame:
        """Every figure of every fold: a DataFrame with metric, method, model, repeat, fold, value."""
        import pandas as pd

        rows = [
            (metric, method, model, r, f, float(self.of(metric, method, model)[r, f]))
            for metric in self.values
            for method in self.methods
            for model in self.models
            for r in range(self.folds[0])
            for f in range(self.folds[1])
        ]
        return pd.DataFrame(rows, columns=["metric", "method", "model", "repeat", "fold", "value"])

    def to_json(self) -> dict[str, Any]:
        plain = {k: v for k, v in asdict(self).items() if k != "values"}
        return {
            "verdict": self.verdict,
            **plain,
            "test": self.test,
            "reference": self.reference,
            "means": {
                m: {a: {b: self.mean(m, a, b) for b in (ALL, *self.models)} for a in self.methods} for m in METRICS
            },
            "comparisons": [{**asdict(c), "verdict": c.verdict} for c in self.comparisons],
            "values": {metric: values.tolist() for metric, values in self.values.items()},
        }

    def save(self, path: Path | str) -> Path:
        """Writes the report: a page for `.html`, every figure for `.json`.

        Raises:
            ConfigError: another ending.
        """
        path = Path(path)
        if path.suffix not in (".html", ".json"):
            raise ConfigError(
                f"the report is written as .html or .json, not as {path.suffix or 'a file without ending'}"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            write_text(path, json.dumps(self.to_json(), indent=1) + "\n")
        else:
            from .page import render

            write_text(path, render(self))
        return path

    def __str__(self) -> str:
        from .page import as_text

        return as_text(self)
