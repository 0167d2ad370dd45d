"""How a synthesizer makes rows: as a DataFrame, or streamed to a file."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UserError
from ...recipes.base import fold
from ...tabular.schema import Schema
from ...tabular.spec import TableSpec
from ..generate import Generator
from .bar import rows_bar
from .drawing import Drawer
from .estimator import Estimator
from .real import Real
from .rules import Rules
from .stream import ending_of, refuse_taken, write_blocks
from .where import OneOf, Wish, read_where, words

if TYPE_CHECKING:
    import pandas as pd

Counter = Callable[[tuple[Wish, ...]], tuple[int, int]]


class Unseen(UserWarning):
    """No training row meets all that is asked, so rows that do are the generator's guess."""


class Maker(Estimator):
    """The half of a synthesizer that makes rows, once something was learnt."""

    seed: Any
    generator_: Generator
    spec_: TableSpec
    rules_: Rules
    schema_: Schema
    calls_: int
    data_: str | None = None
    _real: Real | None = None

    def sample(self, n: int = 1, where: Mapping[str, Any] | None = None, seed: int | None = None) -> pd.DataFrame:
        """`n` rows, in the training data's form.

        Args:
            where: what is asked of them: `{"sex": "F", "age": (30, 40), "city": ["a", "b"]}`; see `where.py`.
            seed: the same seed gives the same rows on one kind of machine; None gives rows that were not given before.

        Raises:
            NotFittedError: nothing was learnt yet.
            UserError: an impossible number or condition.
            ConditionFailed: too few rows were found that meet the condition and keep the constraints.

        Warns:
            Unseen: no training row meets the condition (told where the training data are at hand).
        """
        import pandas as pd

        drawer, wishes, seed = self._ready(n, where, seed)
        with rows_bar(n, self._shows(None) if wishes else False) as tell:
            blocks = list(drawer.blocks(n, wishes, seed, tell))
        self._warn_of_unseen(wishes)
        return pd.concat(blocks, ignore_index=True) if blocks else drawer.empty()

    def sample_to(
        self,
        path: Path | str,
        n: int,
        *,
        where: Mapping[str, Any] | None = None,
        seed: int | None = 0,
        for_spreadsheets: bool = False,
        overwrite: bool = False,
        progress: bool | None = None,
    ) -> Path:
        """Writes `n` rows to a file, block by block: memory does not grow with n. Whole or not at all.

        Args:
            path: ends in .csv, .tsv, .csv.gz, .tsv.gz or .parquet.
            where, seed: see `sample`.
            for_spreadsheets: text that a spreadsheet would run as a formula gets an apostrophe before it.
            overwrite: replace a file that is there; never the training data.
            progress: a bar; None shows one where somebody sees it.

        Raises:
            UserError: the file is there, or cannot be written; and see `sample`.
        """
        path = Path(path)
        drawer, wishes, seed = self._ready(n, where, seed)
        ending_of(path)
        refuse_taken(path, overwrite=overwrite)
        if self.data_ is not None and path.exists() and path.resolve() == Path(self.data_).resolve():
            raise UserError(f"{path} is the training data, which are never overwritten; choose another name")
        with rows_bar(n, self._shows(progress)) as tell:
            blocks = drawer.blocks(n, wishes, seed, tell) if n else iter([drawer.empty()])
            write_blocks(path, blocks, self.schema_, for_spreadsheets=for_spreadsheets, overwrite=overwrite)
        self._warn_of_unseen(wishes)
        return path

    def _shows(self, progress: bool | None) -> bool | None:
        """Whether there is a bar, where `progress` is what the caller wants."""
        return progress

    def _ready(self, n: int, where: Mapping[str, Any] | None, seed: int | None) -> tuple[Drawer, tuple[Wish, ...], int]:
        self._need_fitted("make rows")
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 0:
            raise UserError(f"the number of rows is a whole number, 0 or more, not: {n!r}")
        wishes = read_where(where, self.schema_)
        if seed is None:
            seed = fold(self.seed or 0, "sample", self.calls_)
            self.calls_ += 1
        return self._drawer(), wishes, int(seed)

    def _warn_of_unseen(self, wishes: tuple[Wish, ...]) -> None:
        """Warns, once for the same conditions, where no training row meets them all; needs the training data."""
        told: set[str] = self.__dict__.setdefault("_told", set())
        said, alone = words(wishes), len(wishes) == 1 and isinstance(wishes[0], OneOf)
        if not wishes or alone or said in told or (count := self._counter(fetch=True)) is None:
            return
        told.add(said)
        met, rows = count(wishes)
        if not met:
            warnings.warn(
                f"none of the {rows:,} training rows has {said}: rows that do are the generator's guess, and no "
                "figure of its report speaks for them",
                Unseen,
                stacklevel=3,
            )

    def _drawer(self) -> Drawer:
        make = self.generator_
        return Drawer(make.nets, make.recipe, self.spec_, self.rules_, self._counter(), self._real)

    def _counter(self, *, fetch: bool = False) -> Counter | None:
        """What tells how many training rows meet some wishes, where they may be asked and are at hand.

        Args:
            fetch: read them again for it.
        """
        return None
