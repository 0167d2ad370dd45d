"""The table GAN behind GANOverSampler: rows of some classes in, rows of an asked class out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from .features import Frame

CLASS = "class"
PACK = 10  # batches are multiples of it: recipes judge up to ten rows at once
FEWEST, LARGEST = 2 * PACK, 500  # rows to learn from, rows of a batch
STEPS, MOST, PASSES = 1_500, 600_000, 100  # steps at least, rows seen at most, and how often each


def batch_for(rows: int) -> int:
    """A batch of at most half of the rows, a multiple of 10, from 10 to 500."""
    return min(LARGEST, max(PACK, rows // 2 // PACK * PACK))


def samples_for(rows: int, batch: int) -> int:
    """How many rows to see in training: each so often, and enough for so many steps."""
    return max(STEPS * batch, min(MOST, PASSES * rows))


class Learner:
    """Trains on rows and their classes, and draws rows of a class. Columns get neutral names in between, so that any
    name is welcome, the target's included.

    Args:
        recipe: of a table GAN: its name, or a Recipe.
        fields: of the recipe.
        samples: rows to see in training; by the table's size when None.
        batch: rows of a batch; by the table's size when None.
        seed: of training.
    """

    def __init__(
        self, recipe: Any, fields: Mapping[str, Any] | None, samples: int | None, batch: int | None, seed: int
    ) -> None:
        self.recipe, self.fields = recipe, fields
        self.samples, self.batch, self.seed = samples, batch, seed

    def fit(self, frame: Frame, y: npt.NDArray[np.int64], categorical: Sequence[bool], folder: str) -> Learner:
        """
        Args:
            frame: (n rows) of a pandas DataFrame.
            y: (n,) class numbers.
            categorical: for each column whether it holds categories.
            folder: an empty folder for the run.
        """
        from ..pipelines.tables.synthesizer import TableSynthesizer

        self.frame, self.y = frame.reset_index(drop=True), y
        self.passages = [_passage(frame.iloc[:, i], told) for i, told in enumerate(categorical)]
        neutral = self._neutral()
        batch = self.batch or batch_for(len(neutral))
        self.model = TableSynthesizer(
            recipe=self.recipe,
            fields=self.fields,
            samples=self.samples or samples_for(len(neutral), batch),
            batch=batch,
            seed=self.seed,
            target=CLASS if self.several and _uses_target(self.recipe) else None,
            holdout=0.0,  # rare rows are too few to spare any
            out=f"{folder}/run",
            quiet=True,
        ).fit(neutral)
        return self

    @property
    def several(self) -> bool:
        """Whether there is more than one class to learn."""
        return len(np.unique(self.y)) > 1

    def draw(self, n: int, number: int, seed: int) -> Frame:
        """`n` rows of a class, with the names and dtypes of the training rows. What names a row (a column with another
        value in every row) is not learnt but taken from a real row of the class."""
        import pandas as pd

        where = {CLASS: f"class {number}"} if self.several else None
        made = self.model.sample(n, where=where, seed=seed)
        names = {c.name for c in self.model.schema_ if c.kind == "identifier"}
        real = self.frame.iloc[np.random.default_rng(seed).choice(np.flatnonzero(self.y == number), n)]
        columns = [
            real.iloc[:, i].reset_index(drop=True) if f"x{i}" in names else passage.back(made[f"x{i}"])
            for i, passage in enumerate(self.passages)
        ]
        frame = pd.concat([column.reset_index(drop=True) for column in columns], axis=1)
        frame.columns = self.frame.columns
        return frame

    def _neutral(self) -> Frame:
        """The rows under neutral names; each of them several times where there are fewer than a batch needs, which
        changes no distribution."""
        import pandas as pd

        found = {f"x{i}": p.there(self.frame.iloc[:, i]) for i, p in enumerate(self.passages)}
        if self.several:
            found[CLASS] = [f"class {number}" for number in self.y]
        frame = pd.DataFrame(found)
        least = max(FEWEST, self.batch or 0)
        return pd.concat([frame] * -(-least // len(frame)), ignore_index=True)


def _uses_target(recipe: Any) -> bool:
    """Whether a recipe that is named can be told which column the rows are to help predict."""
    from ..pipelines import catalogue

    return isinstance(recipe, str) and "target" in {f.name for f in fields(catalogue.find(recipe))}


class Categories:
    """Values of any kind as text that no type inference can take for something else, and back."""

    def __init__(self, column: Any) -> None:
        self.dtype, self.values = column.dtype, list(dict.fromkeys(column.dropna()))
        self.places = {value: f"v{i}" for i, value in enumerate(self.values)}

    def there(self, column: Any) -> Any:
        import pandas as pd

        return pd.Series([None if pd.isna(v) else self.places[v] for v in column], dtype=object)

    def back(self, column: Any) -> Any:
        import pandas as pd

        values = {f"v{i}": value for i, value in enumerate(self.values)}
        missing = float("nan") if self.dtype == object else None
        return pd.Series([missing if pd.isna(v) else values[v] for v in column], dtype=self.dtype)


class Numbers:
    """Numbers and dates as dense columns, and back to their dtype."""

    def __init__(self, column: Any) -> None:
        self.dtype = column.dtype

    def there(self, column: Any) -> Any:
        import pandas as pd

        return column.sparse.to_dense() if isinstance(self.dtype, pd.SparseDtype) else column

    def back(self, column: Any) -> Any:
        import pandas as pd

        dense = self.dtype.subtype if isinstance(self.dtype, pd.SparseDtype) else self.dtype
        if pd.api.types.is_integer_dtype(dense):
            column = column.astype("Float64").round()
        return column.astype(dense).astype(self.dtype)


def _passage(column: Any, categorical: bool) -> Categories | Numbers:
    return Categories(column) if categorical else Numbers(column)
