"""What the laboratory compares: ways to treat the training rows of a fold, and nothing but those."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, did_you_mean
from .features import Features, Frame, Matrix

Codes = npt.NDArray[np.int64]


class NothingToDoError(Exception):
    """A method cannot treat these rows; the message says why."""


@dataclass(frozen=True)
class Fold:
    """The training rows of one fold.

    Args:
        frame: the rows as they were given, without the target.
        y: (n,) class numbers.
        categorical: names of the columns that hold categories.
        features: how rows become numbers, fitted on these rows.
        seed: for whatever draws.
    """

    frame: Frame
    y: Codes
    categorical: Sequence[Any]
    features: Features
    seed: int

    @cached_property
    def plain(self) -> Matrix:
        return self.features.plain(self.frame)

    @cached_property
    def spread(self) -> Matrix:
        return self.features.spread(self.plain)

    @property
    def fewest(self) -> int:
        """Rows of the rarest class."""
        return int(np.unique(self.y, return_counts=True)[1].min())

    def neighbours(self, wanted: int) -> int:
        """`wanted`, or as many as a row of the rarest class has among its own.

        Raises:
            NothingToDoError: a class has a single row.
        """
        if self.fewest < 2:
            raise NothingToDoError("a class has a single row, which has no neighbour of its class")
        return min(wanted, self.fewest - 1)


Treated = tuple[Matrix, Codes]


@dataclass(frozen=True)
class Method:
    """A way to treat training rows.

    Args:
        title: as printed.
        treat: training rows -> rows as numbers and their classes.
        weighted: whether the classifiers weigh the classes.
    """

    title: str
    treat: Callable[[Fold], Treated]
    weighted: bool = False


def _as_is(fold: Fold) -> Treated:
    return fold.spread, fold.y


def _resample(sampler: Any, x: Any, y: Codes) -> tuple[Any, Codes]:
    """What a sampler of imbalanced-learn makes of rows.

    Raises:
        NothingToDoError: it refuses them.
    """
    try:
        rows, classes = sampler.fit_resample(x, y)
    except ValueError as error:
        raise NothingToDoError(str(error).split("\n")[0].split(". ")[0]) from None
    return rows, np.asarray(classes, dtype=np.int64)


def _random(fold: Fold) -> Treated:
    from imblearn.over_sampling import RandomOverSampler

    return _resample(RandomOverSampler(random_state=fold.seed), fold.spread, fold.y)


def _smote(fold: Fold) -> Treated:
    """SMOTE (Chawla et al. 2002), or where there are categories its variant SMOTE-NC."""
    from imblearn.over_sampling import SMOTE, SMOTENC

    k, codes = fold.neighbours(5), fold.features.coded
    if not codes:
        return _resample(SMOTE(k_neighbors=k, random_state=fold.seed), fold.spread, fold.y)
    if len(codes) == fold.plain.shape[1]:
        raise NothingToDoError("SMOTE-NC needs at least one column of numbers")
    sampler = SMOTENC(categorical_features=codes, k_neighbors=k, random_state=fold.seed)
    rows, y = _resample(sampler, fold.plain, fold.y)
    return fold.features.spread(rows), y


def _borderline(fold: Fold) -> Treated:
    from imblearn.over_sampling import BorderlineSMOTE

    m = min(10, len(fold.y) - 1)
    sampler = BorderlineSMOTE(k_neighbors=fold.neighbours(5), m_neighbors=m, random_state=fold.seed)
    return _resample(sampler, fold.spread, fold.y)


def _adasyn(fold: Fold) -> Treated:
    from imblearn.over_sampling import ADASYN

    return _resample(ADASYN(n_neighbors=fold.neighbours(5), random_state=fold.seed), fold.spread, fold.y)


def _gan(settings: Mapping[str, Any]) -> Callable[[Fold], Treated]:
    def treat(fold: Fold) -> Treated:
        from .sampler import GANOverSampler

        sampler = GANOverSampler(
            **{"categorical_features": list(fold.categorical), "random_state": fold.seed, **settings}
        )
        rows, y = sampler.fit_resample(fold.frame, fold.y)
        return fold.features(rows), np.asarray(y, dtype=np.int64)

    return treat


def _own(sampler: Any) -> Callable[[Fold], Treated]:
    """A sampler of the user's: one that takes text gets the rows as they are, any other gets them as numbers."""

    def treat(fold: Fold) -> Treated:
        from sklearn.base import clone

        fresh = clone(sampler)
        if "random_state" in fresh.get_params():
            fresh.set_params(random_state=fold.seed)
        if fresh.__sklearn_tags__().input_tags.string:
            rows, y = _resample(fresh, fold.frame, fold.y)
            return fold.features(rows), y
        return _resample(fresh, fold.spread, fold.y)

    return treat


GAN = "gan"  # the one method with settings
BUILT_IN = {
    "none": Method("none", _as_is),
    "weights": Method("class weights", _as_is, weighted=True),
    "random": Method("random", _random),
    "smote": Method("SMOTE", _smote),
    "borderline": Method("Borderline-SMOTE", _borderline),
    "adasyn": Method("ADASYN", _adasyn),
}
METHODS = (*BUILT_IN, GAN)


def find_methods(wanted: Sequence[str] | Mapping[str, Any] | None, gan: Mapping[str, Any]) -> dict[str, Method]:
    """The methods by name.

    Args:
        wanted: names of METHODS; or a mapping whose values are names of METHODS or samplers of imbalanced-learn's
            kind; all of METHODS when left out.
        gan: settings of GANOverSampler.

    Raises:
        ConfigError: none, an unknown name (the nearest is offered), or a value that is no sampler.
    """
    names = METHODS if wanted is None else wanted
    asked = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    if not asked:
        raise ConfigError(f"no methods were given; known: {', '.join(METHODS)}")
    return {name: _method(name, value, gan) for name, value in asked.items()}


def _method(name: str, value: Any, gan: Mapping[str, Any]) -> Method:
    if isinstance(value, str):
        if value not in METHODS:
            raise ConfigError(
                f"no method {value!r}; known: {', '.join(METHODS)}, or pass {{name: sampler}}."
                f"{did_you_mean(value, METHODS)}"
            )
        made = BUILT_IN.get(value) or Method("GANOverSampler", _gan(gan))
        return made if name == value else replace(made, title=name)
    if not hasattr(value, "fit_resample"):
        raise ConfigError(f"method {name!r} has no fit_resample(X, y), as samplers of imbalanced-learn do: {value!r}")
    return Method(name, _own(value))
