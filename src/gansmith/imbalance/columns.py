"""Which columns of X hold categories, and whether its numbers can be learnt."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError, did_you_mean
from .features import Frame, looks_categorical


def find_categorical(frame: Frame, wanted: Any) -> list[bool]:
    """For each column whether it holds categories.

    Args:
        frame: (n rows, k columns).
        wanted: "auto", None, or names, indices, or a mask of k booleans.

    Raises:
        ConfigError: an unknown column (the nearest is offered) or a mask of another length.
        DataError: text in a column that is not named as one of categories.
    """
    auto = [looks_categorical(frame.iloc[:, i]) for i in range(frame.shape[1])]
    if isinstance(wanted, str):
        if wanted != "auto":
            raise ConfigError(f'categorical_features is "auto", None or a list of columns, this was: {wanted!r}')
        return auto
    told = _told(list(frame.columns), [] if wanted is None else list(wanted))
    missed = [str(name) for name, a, b in zip(frame.columns, auto, told, strict=True) if a and not b]
    if missed:
        raise DataError(
            f"columns without numbers that categorical_features does not name: {', '.join(missed[:10])}; "
            'name them there, or set it to "auto"'
        )
    return told


def _told(names: list[Any], wanted: list[Any]) -> list[bool]:
    if wanted and all(isinstance(value, bool | np.bool_) for value in wanted):
        if len(wanted) != len(names):
            raise ConfigError(f"categorical_features is a mask of {len(wanted)} columns; X has {len(names)}")
        return [bool(value) for value in wanted]
    places = set()
    for value in wanted:
        if value in names:
            places.add(names.index(value))
        elif isinstance(value, Integral) and -len(names) <= int(value) < len(names):
            places.add(int(value) % len(names))
        else:
            near = did_you_mean(str(value), [str(name) for name in names])
            raise ConfigError(f"categorical_features names a column that X has not: {value!r}.{near}")
    return [i in places for i in range(len(names))]


def check_finite(frame: Frame, categorical: list[bool]) -> None:
    """
    Raises:
        DataError: a column of numbers holds infinite ones.
    """
    import pandas as pd

    for place, told in enumerate(categorical):
        column = frame.iloc[:, place]
        if not told and pd.api.types.is_float_dtype(column.dtype):
            dense = column.sparse.to_dense() if isinstance(column.dtype, pd.SparseDtype) else column
            if np.isinf(dense.to_numpy(dtype=np.float64, na_value=np.nan)).any():
                raise DataError(f"column {frame.columns[place]!r} of X holds infinite values; make them NaN or finite")
