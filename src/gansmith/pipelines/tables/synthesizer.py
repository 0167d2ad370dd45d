"""TableSynthesizer: a table GAN with the manners of a scikit-learn estimator.

synthesizer = TableSynthesizer("ctgan").fit(df)
synthesizer.sample(1_000, where={"sex": "F", "age": (30, 40)}, seed=0)
synthesizer.save("model")
TableSynthesizer.load("model").sample(10)
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import to_dict
from ...data.tables import TableSource
from ...data.tables_read import Table, open_table
from ...errors import ConfigError, Interrupted, RunFolderError, UserError
from ...recipes.base import Recipe, fold
from ...tabular.spec import TableSpec
from ...training.monitors import Monitor, Progress
from .. import catalogue
from ..generate import Generator
from ..generate import load as load_generator
from ..plan import Wishes
from ..prepare import Prepared, prepare
from ..prepare import where as place_of
from ..resume import resume as resume_run
from ..train import trainer as trainer_of
from ..transfer import Transfer
from . import constraint_files, store
from .bar import rows_bar
from .constraints import Predicate
from .drawing import Drawer
from .estimator import Estimator
from .finish import finish
from .holdout import Rest, hold_out
from .imputing import impute
from .inner import canonical_chunks, transformed
from .private import refuse_private
from .rules import Rules, fit_rules
from .stopping import HeldOut, scores
from .stream import ending_of, refuse_taken, write_blocks
from .where import Wish, distance, read_where

if TYPE_CHECKING:
    import pandas as pd

SCORES, OFTEN, SELDOM = 60, 5_000, 25_000  # held-out scores in a run; samples between two at least, and by the clock
PATIENCE = 12  # scores without a better one end the run


class TableSynthesizer(Estimator):
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
        """Learns a table. Whatever was learnt before is forgotten.

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
        self.train(data, wishes)
        return self

    def train(
        self,
        data: Any,
        wishes: Wishes,
        *,
        tell: Callable[[Prepared], None] | None = None,
        dry_run: bool = False,
        overwrite: bool = False,
        shard: Sequence[str] = (),
        initial: Transfer | None = None,
        monitors: Sequence[Monitor] = (),
    ) -> None:
        """`fit` with all the settings of a run, as the command line has them.

        Args:
            wishes: length, batch, devices and so on; in the place of the constructor's.
            tell: hears what was chosen, before anything is trained.
            dry_run: choose, tell, and stop.
            overwrite: replace a run that is in `out`.
            shard: networks to shard over the processes.
            initial: begin with the weights of another run.
            monitors: more of them.
        """
        refuse_private(self._class())
        asked = constraint_files.read(self.constraints)
        table = open_table(data, schema=self.schema)
        rules = fit_rules(canonical_chunks(table), table.schema, asked)
        source = TableSource(transformed(table, rules), seed=self.seed, **dict(self._class().reads))
        training, held = hold_out(source, self.holdout, self.seed)
        prepared = self._prepared(training, rules, table, data, wishes, shard)
        if tell is not None:
            tell(prepared)
        if dry_run:
            return
        run = self._folder()
        watching = [*self._monitors(prepared.recipe_name, prepared.config.tick, source.spec, held), *monitors]
        trainer = trainer_of(prepared, run, watching, initial=initial, overwrite=overwrite)
        self._forget()
        try:
            trainer.fit()
        except Interrupted:
            self._take_over(run, rules, table.rows)
            raise
        finally:
            self._source, self._held, self._table = training, held, table
        trainer.runtime.close()
        self._finish(run, trainer.runtime.rank == 0)
        self._take_over(run, rules, table.rows)
        self.data_ = place_of(data)
        self._say_how_it_ended()

    def _finish(self, run: Path, first: bool = True) -> None:
        """Calibrates what is kept of a run that has ended."""
        if first and self._source is not None:
            finish(run, self._source, self._own_recipe(), seed=self.seed)

    def resume(
        self, data: Any = None, *, samples: int | None = None, minutes: float | None = None, accept: bool = False
    ) -> TableSynthesizer:
        """Goes on with the run, to the bit where it was left.

        Args:
            data: the training data again, where they are not at hand (a loaded run that was fitted on a DataFrame).
            samples, minutes: a new length of the whole run.
            accept: go on although the data have changed.

        Raises:
            NotFittedError: nothing was learnt yet.
            RunFolderError: there is no run to go on with, it is done, or its data are gone.
        """
        self._need_fitted("go on")
        if self.run_ is None:
            raise RunFolderError("a saved model keeps no optimizers to go on with; load the run folder instead")
        if self._source is None:
            self._open_again(data)
        config = store.run_config(self.run_)
        watching = self._monitors(self.generator_.name, config.tick, self.spec_, self._held)
        resume_run(
            self.run_,
            data=self._source,
            recipe=self._own_recipe(),
            samples=samples,
            minutes=minutes,
            monitors=watching,
            accept_data_change=accept,
        )
        self._finish(self.run_)
        self._take_over(self.run_, self.rules_, self.rows_)
        self._say_how_it_ended()
        return self

    def _open_again(self, data: Any) -> None:
        """The training rows, encoded as before."""
        given = data if data is not None else self.data_
        if given is None:
            raise RunFolderError("the run was fitted on data that were no file; hand them over again: resume(data)")
        table = open_table(given, schema=self.schema)
        source = TableSource(transformed(table, self.rules_), spec=self.spec_, seed=self.seed)
        self._source, self._held = hold_out(source, self.holdout, self.seed)
        self._table = table

    def split(self, data: Any) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """The rows that were learnt, and those that were held out (None where none were), of the training data.

        Raises:
            NotFittedError: nothing was learnt yet.
        """
        self._need_fitted("tell what it learnt from what it held out")
        if self._source is None:
            self._open_again(data)
        assert self._table is not None
        frame = self._table.frame()
        if not isinstance(self._source, Rest):
            return frame, None
        kept = self._source.kept.numpy()
        rest = np.setdiff1d(np.arange(len(frame)), kept)
        return frame.iloc[kept].reset_index(drop=True), frame.iloc[rest].reset_index(drop=True)

    def _class(self) -> type[Recipe]:
        if isinstance(self.recipe, str):
            return catalogue.find(self.recipe)
        return self.recipe if isinstance(self.recipe, type) else type(self.recipe)

    def _own_recipe(self) -> type[Recipe] | None:
        """The class of a recipe that does not come with gansmith; None for one that does."""
        cls = self._class()
        return None if catalogue.ships(cls) else cls

    def _changes(self, rules: Rules) -> dict[str, Any]:
        changes = dict(self.fields or {})
        if self.target is None:
            return changes
        if self.target not in rules.inner.names:
            rules.schema[self.target]
            raise ConfigError(f"the target {self.target!r} cannot take part in a constraint that combines columns")
        if "target" not in {f.name for f in fields_of(self._class())}:
            raise ConfigError(f"the recipe {self.recipe!r} makes no use of a target; leave it out, or take ctabgan")
        return {**changes, "target": self.target}

    def _prepared(
        self, source: Any, rules: Rules, table: Table, data: Any, wishes: Wishes, shard: Sequence[str]
    ) -> Prepared:
        wishes = replace(wishes, recipe=self.recipe if isinstance(self.recipe, str) else None)
        prepared = prepare(source, wishes, recipe=self.recipe, shard=shard, changes=self._changes(rules))
        document = store.table_document(rules, self._plain_params(), table.rows, place_of(data))
        return replace(prepared, about=prepared.about | {"data": place_of(data), store.TABLE: document})

    def _plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values; schema and constraints are kept with the rules."""
        params = {k: v for k, v in self.get_params().items() if k not in ("schema", "constraints", "out", "quiet")}
        if not isinstance(self.recipe, str):
            own = self.recipe if isinstance(self.recipe, Recipe) else None
            params |= {"recipe": catalogue.name_of(self._class()), "fields": to_dict(own) if own else self.fields}
        return params

    def _folder(self) -> Path:
        if self._temporary is not None:
            self._temporary()  # the folder of an earlier fit
            self._temporary = None
        if self.out is not None:
            return Path(self.out)
        folder = tempfile.mkdtemp(prefix="gansmith-table-")
        self._temporary = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _monitors(self, recipe_name: str, every: int, spec: TableSpec, held: Any) -> list[Monitor]:
        found: list[Monitor] = [] if self.quiet else [Progress()]
        if held is not None:
            found.insert(0, HeldOut(spec, held, recipe_name, every=every, patience=PATIENCE * every))
        return found

    def _forget(self) -> None:
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)

    def _take_over(self, run: Path, rules: Rules, rows: int) -> None:
        """What the run has learnt, the best of it where it was judged."""
        self.run_, self.scores_ = run, scores(run)
        self._hold(load_generator(run, self._own_recipe()), rules, rows)

    def _hold(self, generator: Generator, rules: Rules, rows: int) -> None:
        spec = generator.spec
        assert isinstance(spec, TableSpec)
        self.generator_, self.spec_, self.rules_, self.rows_ = generator, spec, rules, rows
        self.schema_ = rules.schema
        self.n_features_in_, self.feature_names_in_ = len(rules.schema), np.array(rules.schema.names, dtype=object)
        self.calls_ = 0

    def _say_how_it_ended(self) -> None:
        if not self.quiet and self.scores_:
            at, best = min(self.scores_, key=lambda pair: (pair[1], pair[0]))
            last = self.scores_[-1][0]
            print(f"kept the weights of {at:,} of {last:,} samples: held-out score {best:.4f}", file=sys.stderr)

    # making rows

    def sample(self, n: int = 1, where: Mapping[str, Any] | None = None, seed: int | None = None) -> pd.DataFrame:
        """`n` rows, in the training data's form.

        Args:
            where: what is asked of them: `{"sex": "F", "age": (30, 40), "city": ["a", "b"]}`; see `where.py`.
            seed: the same seed gives the same rows on one kind of machine; None gives rows that were not given before.

        Raises:
            NotFittedError: nothing was learnt yet.
            UserError: an impossible number or condition.
            ConditionFailed: too few rows were found that meet the condition and keep the constraints.
        """
        import pandas as pd

        drawer, wishes, seed = self._ready(n, where, seed)
        with rows_bar(n, self._shows(None) if wishes else False) as tell:
            blocks = list(drawer.blocks(n, wishes, seed, tell))
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
            return write_blocks(path, blocks, self.schema_, for_spreadsheets=for_spreadsheets, overwrite=overwrite)

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

    def _ready(self, n: int, where: Mapping[str, Any] | None, seed: int | None) -> tuple[Drawer, tuple[Wish, ...], int]:
        self._need_fitted("make rows")
        if not isinstance(n, int | np.integer) or isinstance(n, bool) or n < 0:
            raise UserError(f"the number of rows is a whole number, 0 or more, not: {n!r}")
        wishes = read_where(where, self.schema_)
        if seed is None:
            seed = fold(self.seed, "sample", self.calls_)
            self.calls_ += 1
        return self._drawer(), wishes, int(seed)

    def _drawer(self) -> Drawer:
        make = self.generator_
        count = self._count_training if self._table is not None else None
        return Drawer(make.nets, make.recipe, self.spec_, self.rules_, count)

    def _count_training(self, wishes: tuple[Wish, ...]) -> tuple[int, int]:
        """How many training rows meet some wishes, and how many there are."""
        assert self._table is not None
        met = sum(int((distance(wishes, canonical) <= 0).sum()) for _, canonical in canonical_chunks(self._table))
        return met, self._table.rows

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
        made.run_ = run
        made.scores_, made.data_ = scores(path), document.get("data")
        made.out = str(path) if run else None
        return made

    run_: Path | None
    _source: TableSource | Rest | None = None
    _held: Any = None
    _table: Table | None = None
    _temporary: Any = None
    data_: str | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Pickled without the training data, and without a run folder that will not outlive this object."""
        state = {k: v for k, v in vars(self).items() if k not in ("_source", "_held", "_table", "_temporary")}
        if self._temporary is not None and "run_" in state:
            state["run_"] = None
        return state
