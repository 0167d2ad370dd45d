"""How a TableSynthesizer learns: training with all the settings of a run, going on with it, and what it keeps of it."""

from __future__ import annotations

import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ... import checkpoint
from ...batch import Batch
from ...config import plain, to_dict
from ...data.tables import TableSource
from ...data.tables_read import Table, open_table
from ...errors import ConfigError, DataError, Interrupted, RunFolderError
from ...recipes.base import Recipe
from ...tabular.schema import Schema
from ...tabular.spec import TableSpec
from ...training.checkup import Checkup
from ...training.folder import BEST
from ...training.monitors import Monitor, Progress
from ...training.scored import Keep
from .. import catalogue
from ..generate import Generator
from ..generate import load as load_generator
from ..plan import Wishes
from ..prepare import Prepared, prepare
from ..prepare import where as place_of
from ..resume import resume as resume_run
from ..resume import run_settings
from ..train import trainer as trainer_of
from ..transfer import Transfer
from ..watch import CARES, DOCTOR
from . import constraint_files, store
from .estimator import Estimator
from .finish import finish
from .holdout import Rest, hold_out
from .inner import canonical_chunks, transformed
from .private import refuse_private
from .real import Real, collected
from .relations import suggestions
from .rules import Rules, fit_rules
from .stopping import HeldOut, scores

if TYPE_CHECKING:
    import pandas as pd

SCORES, OFTEN, SELDOM = 60, 5_000, 25_000  # held-out scores in a run; samples between two at least, and by the clock
FEWEST = 10  # rows
DEFAULT = "ctabgan"  # the recipe unless another is named; nobody asked for it
PATIENCE = 20  # scores without a better one end the run
Own = TypeVar("Own", bound="Learner")


class Learner(Estimator):
    """The half of TableSynthesizer that trains; its arguments and attributes are explained there."""

    recipe: Any
    preset: str | None
    schema: Any
    constraints: Any
    samples: int | None
    minutes: float | None
    batch: int | None
    target: str | None
    holdout: float
    seed: int
    out: Any
    quiet: bool
    fields: Mapping[str, Any] | None
    generator_: Generator
    spec_: TableSpec
    rules_: Rules
    schema_: Schema
    scores_: list[tuple[int, float]]
    rows_: int
    calls_: int
    n_features_in_: int
    feature_names_in_: Any
    run_: Path | None
    _source: TableSource | Rest | None = None
    _held: Any = None
    _table: Table | None = None
    _temporary: Any = None
    _real: Real | None = None
    data_: str | None = None

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
        doctor: str = CARES[0],
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
            doctor: `treat` what goes wrong (docs/health.md), only `watch` and tell, or `off`.
        """
        refuse_private(self._class())
        asked = constraint_files.read(self.constraints)
        table = open_table(data, schema=self.schema)
        if table.rows < FEWEST:
            raise DataError(
                f"this table has {table.rows} row{'s' * (table.rows != 1)}; wanted at least {FEWEST}: "
                "whatever came out would be those very rows"
            )
        rules = fit_rules(canonical_chunks(table), table.schema, asked)
        for suggestion in suggestions(table, asked):
            table.remark(suggestion)
        source = TableSource(transformed(table, rules), seed=self.seed, **dict(self._class().reads))
        training, held = hold_out(source, self.holdout, self.seed)
        prepared = self._prepared(training, rules, table, data, wishes, shard)
        prepared = replace(prepared, about=prepared.about | {DOCTOR: doctor})
        if tell is not None:
            tell(prepared)
        if dry_run:
            return
        run = self._folder()
        watching = [*self._monitors(prepared.recipe_name, prepared.config.tick, source.spec, held, doctor), *monitors]
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
        """Keeps the identifiers of a run that has ended, and calibrates its weights."""
        if first and self._source is not None:
            if self._table is not None:
                collected(self._table, self._table.schema).save(run)
            finish(run, self._source, self._own_recipe(), seed=self.seed)

    def conclude(self, data: Any = None) -> None:
        """Does what follows training, where an interruption left that undone.

        Args:
            data: the training data, where they are not at hand.
        """
        assert self.run_ is not None
        best = self.run_ / BEST
        if (best / "recipe.json").is_file() and checkpoint.read_document(best, "recipe").get("calibrated"):
            return
        self._open_again(data)
        self._finish(self.run_)
        self._take_over(self.run_, self.rules_, self.rows_)

    def resume(
        self: Own,
        data: Any = None,
        *,
        samples: int | None = None,
        minutes: float | None = None,
        accept: bool = False,
        doctor: str | None = None,
    ) -> Own:
        """Goes on with the run, to the bit where it was left.

        Args:
            data: the training data again, where they are not at hand (a loaded run that was fitted on a DataFrame).
            samples, minutes: a new length of the whole run.
            accept: go on although the data have changed.
            doctor: `treat`, `watch` or `off`; as before when left out.

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
        care = doctor or (run_settings(self.run_).get("about") or {}).get(DOCTOR, CARES[0])
        watching = self._monitors(self.generator_.name, config.tick, self.spec_, self._held, care)
        resume_run(
            self.run_,
            data=self._source,
            recipe=self._own_recipe(),
            samples=samples,
            minutes=minutes,
            monitors=watching,
            accept_data_change=accept,
            doctor=care,
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
        named = isinstance(self.recipe, str) and self.recipe != DEFAULT
        wishes = replace(wishes, recipe=self.recipe if named else None)
        prepared = prepare(source, wishes, recipe=self.recipe, shard=shard, changes=self._changes(rules))
        document = store.table_document(rules, self._plain_params(), table.rows, place_of(data))
        return replace(prepared, about=prepared.about | {"data": place_of(data), store.TABLE: document})

    def _plain_params(self) -> dict[str, Any]:
        """The constructor's arguments as JSON values; schema and constraints are kept with the rules."""
        params = {k: v for k, v in self.get_params().items() if k not in ("schema", "constraints", "out", "quiet")}
        params["fields"] = None if self.fields is None else {k: plain(v) for k, v in self.fields.items()}
        if not isinstance(self.recipe, str):
            own = self.recipe if isinstance(self.recipe, Recipe) else None
            params |= {"recipe": catalogue.name_of(self._class()), "fields": to_dict(own) if own else params["fields"]}
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

    def _monitors(self, recipe_name: str, every: int, spec: TableSpec, held: Any, care: str) -> list[Monitor]:
        found: list[Monitor] = [] if self.quiet else [Progress()]
        if getattr(self._class(), "imputes", False):  # what fills in is not judged by fresh rows
            return found
        if care != "off":
            unseen = Batch(x=held) if held is not None else None
            found.insert(0, Checkup(held_out=unseen, treat=care == "treat"))
        if held is not None:
            found.insert(0, HeldOut(held, Keep(recipe_name, spec, patience=PATIENCE * every), every=every))
        return found

    def _forget(self) -> None:
        for name in [name for name in vars(self) if name.endswith("_") and not name.startswith("_")]:
            delattr(self, name)

    def _take_over(self, run: Path, rules: Rules, rows: int) -> None:
        """What the run has learnt, the best of it where it was judged."""
        self.run_, self.scores_, self._real = run, scores(run), Real.load(run)
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
