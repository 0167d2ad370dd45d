"""GANOverSampler: over-sampling by a table GAN, with imbalanced-learn's contract."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, DataError, Interrupted, MissingExtra
from .columns import check_finite, find_categorical
from .features import Frame
from .filling import Filter, Made
from .learner import Learner
from .quality import JUDGES

try:  # the one file that needs it where it is read: the class derives from imbalanced-learn's
    from imblearn.over_sampling.base import BaseOverSampler
except ImportError:
    raise MissingExtra("imbalanced-learn", "imbalance") from None


class GANOverSampler(BaseOverSampler):  # type: ignore[misc]  # imbalanced-learn has no types
    """Over-samples rare classes with rows that a table GAN makes.

    The GAN learns all rows with their classes, is asked for rows of the rare ones, and the quality filter drops those
    that do not lie where the real rows of their class lie.

    Args:
        recipe: the GAN: a recipe's name or a Recipe.
        sampling_strategy: as for imbalanced-learn's over-samplers: a float (binary only), "auto", "minority",
            "not minority", "not majority", "all", a dict from class to rows wanted, or a callable.
        fields: of the recipe, such as `{"latent": 64}`.
        samples: rows that the GAN sees in training; by the number of rows when None.
        batch: rows of a batch; by the number of rows when None.
        learn_from: "all" rows, or the rows of the "rare" classes alone, which are those that get new rows.
        quality: "knn" drops rows that are far from their class's rows, or nearer to other classes than real rows are;
            "classifier" drops those that a random forest takes for another class; None keeps all.
        reject: the share of the real rows that the filter would drop, in [0, 1).
        categorical_features: "auto" (by dtype: text, objects, pandas categories, booleans), None, or which columns
            hold categories: names, indices, or a mask.
        random_state: an int, a RandomState or None, as in scikit-learn; the same int gives the same rows.

    Attributes:
        sampling_strategy_: rows to be added, by class.
        provenance_: a DataFrame with a row for each row returned: `origin` ("real" or "generated"), `index` (of the
            real row, as in X; missing for generated ones), `class`, and `quality` (of generated rows, in (0, 1]: the
            share of real rows of the class that are at least as strange; NaN without a filter).
        shortfall_: rows that the filter did not let through and that are therefore missing, by class.
        n_features_in_, feature_names_in_: as in scikit-learn.

    Raises:
        DataError: X is sparse or holds infinite values; a class that is to grow has no row.
        ConfigError: an unknown setting.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        **dict.fromkeys(
            ("recipe", "fields", "samples", "batch", "learn_from", "quality", "reject", "categorical_features"),
            "no_validation",
        ),
    }

    def __init__(
        self,
        recipe: Any = "ctabgan",
        *,
        sampling_strategy: Any = "auto",
        fields: Mapping[str, Any] | None = None,
        samples: int | None = None,
        batch: int | None = None,
        learn_from: str = "all",
        quality: str | None = "knn",
        reject: float = 0.05,
        categorical_features: Any = "auto",
        random_state: Any = None,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.recipe = recipe
        self.fields = fields
        self.samples = samples
        self.batch = batch
        self.learn_from = learn_from
        self.quality = quality
        self.reject = reject
        self.categorical_features = categorical_features
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        return tags

    def _check_X_y(self, X: Any, y: Any, accept_sparse: Any = None) -> tuple[Any, Any, bool]:
        """imbalanced-learn's hook: DataFrames stay as they are, all else becomes an array."""
        from imblearn.utils import check_target_type
        from scipy.sparse import issparse
        from sklearn.utils.validation import check_array, validate_data

        if issparse(X):
            raise DataError("X is a sparse matrix, a GAN learns dense rows; give X.toarray() if that fits into memory")
        self._check_settings()
        y, one_hot = check_target_type(y, indicate_one_vs_all=True)
        if hasattr(X, "iloc"):
            if not len(X) or not X.shape[1]:
                raise DataError(f"X has {len(X)} rows and {X.shape[1]} columns; at least one of each is needed")
            if not X.columns.is_unique:
                raise DataError(f"X has two columns called {X.columns[X.columns.duplicated()][0]!r}; rename one")
        else:
            X = check_array(X, dtype=None, ensure_all_finite=False)
        validate_data(self, X=X, y=y, reset=True, skip_check_array=True)
        if len(X) != len(y):
            raise DataError(f"X has {len(X)} rows and y has {len(y)}; they must be as many")
        return X, np.asarray(y), one_hot

    def _check_settings(self) -> None:
        if self.quality is not None and self.quality not in JUDGES:
            raise ConfigError(f"no quality filter {self.quality!r}; known: {', '.join(JUDGES)}, None")
        if self.learn_from not in ("all", "rare"):
            raise ConfigError(f"learn_from is 'all' or 'rare', this was: {self.learn_from!r}")
        if not 0 <= self.reject < 1:
            raise ConfigError(f"reject is a share, at least 0 and below 1, this was: {self.reject}")
        for name in ("samples", "batch"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Integral) or value < 1):
                raise ConfigError(f"{name} is a whole number above 0, or None, this was: {value!r}")

    def _fit_resample(self, X: Any, y: npt.NDArray[Any], **params: Any) -> tuple[Any, Any]:
        """imbalanced-learn's hook: the rows as they were, then those made."""
        import pandas as pd
        from sklearn.utils import check_random_state

        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        frame = X.reset_index(drop=True) if hasattr(X, "iloc") else pd.DataFrame(X).infer_objects()
        categorical = find_categorical(frame, self.categorical_features)
        check_finite(frame, categorical)
        wanted = {name: int(n) for name, n in self.sampling_strategy_.items() if n > 0}
        made = self._grow(frame, y, categorical, wanted, seed) if wanted else []
        self._remember(X, y, made)
        return _joined(X, frame, made), np.concatenate([y, *(np.full(len(m.rows), m.name, y.dtype) for m in made)])

    def _grow(
        self, frame: Frame, y: npt.NDArray[Any], categorical: list[bool], wanted: dict[Any, int], seed: int
    ) -> list[Made]:
        classes, codes = np.unique(y, return_inverse=True)
        numbers = {name: int(np.flatnonzero(classes == name)[0]) for name in wanted}
        used = np.ones(len(y), dtype=bool) if self.learn_from == "all" else np.isin(codes, list(numbers.values()))
        learner = Learner(self.recipe, self.fields, self.samples, self.batch, seed)
        names = [name for name, told in zip(frame.columns, categorical, strict=True) if told]
        filter_ = Filter(frame, codes.astype(np.int64), names, self.quality, self.reject, seed)
        with tempfile.TemporaryDirectory() as folder:
            try:
                learner.fit(frame[used], codes[used].astype(np.int64), categorical, folder)
            except Interrupted as stopped:  # its message speaks of a run that could be resumed; this one is gone
                raise (KeyboardInterrupt() if stopped.exit_code == 130 else SystemExit(stopped.exit_code)) from stopped
            return [filter_.fill(name, wanted[name], numbers[name], learner) for name in wanted]

    def _remember(self, X: Any, y: npt.NDArray[Any], made: list[Made]) -> None:
        import pandas as pd

        index = list(X.index) if hasattr(X, "iloc") else list(range(len(X)))
        new = sum(len(m.rows) for m in made)
        self.provenance_ = pd.DataFrame(
            {
                "origin": ["real"] * len(index) + ["generated"] * new,
                "index": pd.Series([*index, *[None] * new], dtype=object),
                "class": [*y, *(m.name for m in made for _ in range(len(m.rows)))],
                "quality": np.concatenate([np.full(len(index), np.nan), *(m.quality for m in made)]),
            }
        )
        self.shortfall_ = {m.name: m.short for m in made if m.short}


def _joined(X: Any, frame: Frame, made: list[Made]) -> Any:
    """Real rows and generated ones, as what X was."""
    import pandas as pd

    if hasattr(X, "iloc"):
        return pd.concat([frame, *(m.rows for m in made)], ignore_index=True)
    return np.concatenate([X, *(m.rows.to_numpy(dtype=X.dtype) for m in made)])
