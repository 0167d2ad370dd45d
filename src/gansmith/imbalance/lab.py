"""The laboratory: does over-sampling help on this table, measured without a leak?

The usual mistake is to over-sample first and to split afterwards: rows made from test rows are then trained on. Here
whatever is fitted (scaling, categories, samplers, classifiers) sees the training rows of a fold and nothing else, and
test rows are real rows, as they were.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MissingExtra, did_you_mean
from .examples import Examples, read_examples
from .features import Features
from .methods import Codes, Fold, Method, NothingToDoError, find_methods
from .models import MODELS, predict
from .result import LabResult
from .scores import METRICS, score

Progress = Callable[[int, int, str], None]


def oversample_lab(
    data: Any,
    target: str,
    *,
    methods: Sequence[str] | Mapping[str, Any] | None = None,
    models: Sequence[str] | None = None,
    folds: str = "5x2",
    seed: int = 0,
    gan: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> LabResult:
    """Compares ways to treat imbalance by repeated stratified cross-validation, without a leak.

    Args:
        data: a table: a CSV, TSV or parquet file, a DataFrame.
        target: the column with the classes; two classes or a few.
        methods: of none, weights, random, smote, borderline, adasyn, gan; or a mapping from names to such words or to
            samplers of imbalanced-learn's kind. All when left out.
        models: of logistic, knn, forest, boosting. All when left out.
        folds: `RxK`, R repeats of K folds. With `5x2` methods are compared by the combined 5x2cv F test (Alpaydin
            1999), otherwise by the corrected resampled t test (Nadeau and Bengio 2003); in both cases with Holm's
            correction for the number of methods.
        seed: of folds, samplers and classifiers; the same seed gives the same result.
        gan: settings of GANOverSampler, such as `{"samples": 50_000}`.
        progress: called before each piece of work with pieces done, pieces in all, and what comes.

    Raises:
        DataError: the target is absent (the nearest name is offered), has a single class, or a class has too few rows.
        ConfigError: an unknown method, model or plan of folds.
        MissingExtra: imbalanced-learn is not installed.
    """
    _check_installed()
    plan = _plan(folds)
    chosen, known = find_methods(methods, gan or {}), _models(models)
    examples = read_examples(data, target, fewest=2 * plan[1])
    run = _Run(examples, chosen, known, plan, seed, progress or (lambda done, total, what: None))
    run.play()
    return LabResult(
        target=target,
        classes=dict(zip(examples.classes, examples.counts, strict=True)),
        methods={name: method.title for name, method in chosen.items()},
        models={name: MODELS[name] for name in known},
        folds=plan,
        values=run.values,
        seconds=run.seconds,
        notes=[*examples.notes, *run.told()],
        seed=seed,
    )


def _check_installed() -> None:
    for module, package in (("pandas", "pandas"), ("sklearn", "scikit-learn"), ("imblearn", "imbalanced-learn")):
        try:
            __import__(module)
        except ImportError:
            raise MissingExtra(package, "imbalance") from None


def _plan(folds: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", folds)
    if not found or int(found[1]) < 1 or int(found[2]) < 2 or int(found[1]) * int(found[2]) < 3:
        raise ConfigError(f"folds are given as REPEATSxFOLDS, such as 5x2 or 3x5, three or more in all: {folds!r}")
    return int(found[1]), int(found[2])


def _models(wanted: Sequence[str] | None) -> tuple[str, ...]:
    chosen = tuple(MODELS) if wanted is None else tuple(wanted)
    for name in chosen:
        if name not in MODELS:
            raise ConfigError(f"no model {name!r}; known: {', '.join(MODELS)}.{did_you_mean(name, MODELS)}")
    if not chosen:
        raise ConfigError(f"no models were given; known: {', '.join(MODELS)}")
    return chosen


@dataclass
class _Run:
    """One run, fold by fold."""

    examples: Examples
    methods: Mapping[str, Method]
    models: Sequence[str]
    plan: tuple[int, int]
    seed: int
    progress: Progress
    values: dict[str, npt.NDArray[np.float64]] = field(init=False)
    seconds: dict[str, float] = field(init=False)
    idle: dict[str, dict[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        shape = (len(self.methods), len(self.models), *self.plan)
        self.values = {metric: np.full(shape, np.nan) for metric in METRICS}
        self.seconds = dict.fromkeys(self.methods, 0.0)
        self.idle = {name: {} for name in self.methods}

    def play(self) -> None:
        total, done = self.plan[0] * self.plan[1] * len(self.methods), 0
        for repeat, number, train, test in self._splits():
            fold, asked = self._fold(train, 100 * repeat + number), self.examples.frame.iloc[test]
            judged = fold.features(asked), self.examples.y[test]
            for place, (name, method) in enumerate(self.methods.items()):
                self.progress(done, total, f"{method.title}, fold {repeat * self.plan[1] + number + 1}")
                started = time.perf_counter()
                for metric, row in self._scores(name, method, fold, *judged).items():
                    self.values[metric][place, :, repeat, number] = row
                self.seconds[name] += time.perf_counter() - started
                done += 1
        self.progress(done, total, "done")

    def _splits(self) -> Iterator[tuple[int, int, Codes, Codes]]:
        from sklearn.model_selection import StratifiedKFold

        for repeat in range(self.plan[0]):
            split = StratifiedKFold(self.plan[1], shuffle=True, random_state=self.seed + repeat)
            for number, (train, test) in enumerate(split.split(self.examples.y, self.examples.y)):
                yield repeat, number, np.asarray(train, dtype=np.int64), np.asarray(test, dtype=np.int64)

    def _fold(self, train: Codes, number: int) -> Fold:
        frame = self.examples.frame.iloc[train].reset_index(drop=True)
        categorical = self.examples.categorical
        seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0] >> 1)
        return Fold(frame, self.examples.y[train], categorical, Features.fitted(frame, categorical), seed)

    def _scores(self, name: str, method: Method, fold: Fold, asked: Any, truth: Codes) -> dict[str, list[float]]:
        try:
            x, y = method.treat(fold)
        except NothingToDoError as reason:
            self.idle[name][str(reason)] = self.idle[name].get(str(reason), 0) + 1
            x, y = fold.spread, fold.y
        classes = len(self.examples.classes)
        found = [
            score(
                truth,
                predict(model, weighted=method.weighted, seed=fold.seed, x=x, y=y, asked=asked, classes=classes),
            )
            for model in self.models
        ]
        return {metric: [figures[metric] for figures in found] for metric in METRICS}

    def told(self) -> list[str]:
        """Where a method could do nothing."""
        total = self.plan[0] * self.plan[1]
        return [
            f"{self.methods[name].title} left the rows as they were in {count} of {total} folds: {reason}"
            for name, reasons in self.idle.items()
            for reason, count in reasons.items()
        ]
