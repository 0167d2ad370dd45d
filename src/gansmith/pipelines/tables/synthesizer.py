"""TableSynthesizer: a table GAN with the manners of a scikit-learn estimator.

synthesizer = TableSynthesizer("ctgan").fit(df)
synthesizer.sample(1_000, where={"sex": "F", "age": (30, 40)}, seed=0)
synthesizer.save("model")
TableSynthesizer.load("model").sample(10)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.tables_read import Table, open_table
from ...errors import GansmithError
from ...recipes.base import Recipe
from ..generate import load as load_generator
from ..paths import native
from ..plan import Wishes
from . import store
from .constraints import Predicate
from .imputing import impute
from .inner import canonical_chunks
from .learning import OFTEN, SCORES, SELDOM, Learner
from .making import Counter, Maker
from .real import Real
from .stopping import scores
from .where import Wish, distance

if TYPE_CHECKING:
    import pandas as pd


READ_IN_PASSING = 64 << 20  # bytes of training data


def _count(table: Table, wishes: tuple[Wish, ...]) -> tuple[int, int]:
    """How many rows meet some wishes, and how many there are."""
    met = sum(int((distance(wishes, canonical) <= 0).sum()) for _, canonical in canonical_chunks(table))
    return met, table.rows


class TableSynthesizer(Learner, Maker):
    """Learns a table and makes rows like it.

    Args:
        recipe: a name (`ctabgan`, `ctgan`, ...), a file (`my_gan.py:MyGAN`), a Recipe or a class of one.
        preset: of the recipe; `small` or `paper`.
        schema: what the columns are: a Schema, or a YAML file of one; found in the data when None.
        constraints: what every row keeps: constraints, mappings that say them, or a YAML or JSON file.
        samples, minutes: how long to train at most; one of them.
        batch: rows of a step.
        target: the column that rows are to be useful for predicting, where the recipe can make use of it.
        holdout: share of the rows held out to judge by, at most 5,000 of them; 0 trains on all rows to the end.
        seed: decides the training and the rows made.
        out: the run folder, which is kept; None trains in a temporary one, removed with the object.
        quiet: says and shows nothing.
        fields: of the recipe, such as `{"latent": 64}`.

    Attributes:
        spec_: how rows are encoded.
        schema_: the table's columns.
        rules_: the constraints, as fitted.
        run_: the run folder; None for what was loaded from a saved model.
        scores_: (samples, held-out score) of the run; the lower the better.
        n_features_in_, feature_names_in_: of the table.
    """

    def __init__(
        self,
        recipe: Any = "ctabgan",
        *,
        preset: str | None = None,
        schema: Any = None,
        constraints: Any = (),
        samples: int | None = None,
        minutes: float | None = None,
        batch: int | None = None,
        target: str | None = None,
        holdout: float = 0.1,
        seed: int = 0,
        out: Any = None,
        quiet: bool = False,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe = recipe
        self.preset = preset
        self.schema = schema
        self.constraints = constraints
        self.samples = samples
        self.minutes = minutes
        self.batch = batch
        self.target = target
        self.holdout = holdout
        self.seed = seed
        self.out = out
        self.quiet = quiet
        self.fields = fields

    # learning

    def fit(self, data: Any, y: Any = None) -> TableSynthesizer:
        """Learns a table. Whatever was learnt before is forgotten. A doctor watches and tells (docs/health.md), unless
        `quiet`; none changes anything, as one does on the command line.

        Args:
            data: a DataFrame, an Arrow table, a path (CSV, TSV, parquet), or several paths of one table.
            y: not looked at; scikit-learn's pipelines pass it.

        Raises:
            DataError: the data cannot be read, or break a constraint.
            UserError: what was asked for cannot work; nothing has been trained.
            TrainingFailed, CheckpointError: see `Trainer.fit`.
            Interrupted: a signal came; what was learnt so far is there, and `resume` goes on.
        """
        wishes = Wishes(
            preset=self.preset,
            batch=self.batch,
            samples=self.samples,
            minutes=self.minutes,
            tick=max(OFTEN, self.samples // SCORES) if self.samples else SELDOM,
            seed=self.seed,
        )
        self.train(data, wishes, doctor="off" if self.quiet else "watch")
        return self

    # making rows: `sample` and `sample_to` are those of Maker

    def impute(self, frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
        """A copy of `frame` with its missing values filled in, each so that it fits the rest of its row. Known values
        stay as they are; identifiers are not filled.

        Raises:
            NotFittedError: nothing was learnt yet.
            DataError: the frame does not fit the schema.
            UserError: rows whose known values alone break a constraint.
        """
        self._need_fitted("fill in what is missing")
        return impute(self._drawer(), frame, seed)

    def _shows(self, progress: bool | None) -> bool | None:
        return False if self.quiet else progress

    def _counter(self, *, fetch: bool = False) -> Counter | None:
        table = self._training_table() if fetch else self._table
        return None if table is None else lambda wishes: _count(table, wishes)

    def _training_table(self) -> Table | None:
        """The training data, where they are at hand: those of this object's fit, or the file of a run that was loaded,
        if it is there, small enough to be read in passing, and has as many rows as then."""
        if self._table is None and self.data_ is not None:
            path = Path(native(self.data_))
            try:
                small = path.is_file() and path.stat().st_size <= READ_IN_PASSING
                table = open_table(path, schema=self.schema_) if small else None
            except (GansmithError, OSError):  # it is another file by now
                return None
            self._table = table if table is not None and table.rows == self.rows_ else None
        return self._table

    def untrained(self, seed: int) -> TableSynthesizer:
        """One with the same settings and columns, of another seed, that learnt nothing yet.

        Raises:
            NotFittedError: nothing was learnt yet.
        """
        self._need_fitted("be trained anew")
        samples = self.samples if self.run_ is None else store.run_config(self.run_).samples
        settings = {"schema": self.schema_, "samples": samples, "seed": seed, "out": None, "quiet": True}
        return type(self)(**{**self.get_params(), **settings})

    # keeping

    def save(self, path: Path | str) -> Path:
        """Writes what was learnt to a folder: safetensors and JSON.

        Raises:
            NotFittedError: nothing was learnt yet.
            RunFolderError: the folder exists and is not empty.
            UserError: a constraint of the user's own that cannot be imported again.
        """
        self._need_fitted("be saved")
        document = store.table_document(self.rules_, self._plain_params(), self.rows_)
        return store.save(Path(path), self.generator_, document)

    @classmethod
    def load(
        cls, path: Path | str, *, recipe: str | type[Recipe] | None = None, custom: Sequence[Predicate] = ()
    ) -> TableSynthesizer:
        """What `save` wrote, or the run folder of a fit, whose training `resume` can go on with.

        Args:
            recipe: needed for a recipe of your own.
            custom: the functions of Custom constraints; loading runs no code that a model names.

        Raises:
            RunFolderError, CheckpointError: nothing there, or damaged.
        """
        path = Path(path)
        rules, document = store.read(path, custom)
        known = cls._parameters()
        params = {name: value for name, value in document["params"].items() if name in known}
        made = cls(**{**params, "recipe": recipe or params["recipe"], "constraints": rules.constraints})
        made._hold(load_generator(path, recipe), rules, int(document["rows"]))
        run: Path | None = path if store.is_run(path) else None
        made.run_, made._real = run, Real.load(run) if run else None
        made.scores_, made.data_ = scores(path), document.get("data")
        made.out = str(path) if run else None
        return made

    def __getstate__(self) -> dict[str, Any]:
        """Pickled without the training data and their identifiers, and without a run folder that is to be removed."""
        state = {k: v for k, v in vars(self).items() if k not in ("_source", "_held", "_table", "_temporary", "_real")}
        if self._temporary is not None and "run_" in state:
            state["run_"] = None
        return state
