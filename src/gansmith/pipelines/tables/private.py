"""PrivateTableSynthesizer: a table GAN under differential privacy, with a ledger of all that was asked of the rows.

Nothing is asked of the rows outside of the ledger: ranges, categories and distributions are stated by the user or found
with noise, training is private, and no held-out score is taken. What is stated costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ... import checkpoint
from ...config import to_dict
from ...data.tables_read import Table, open_table
from ...errors import CheckpointError, ConfigError, RunFolderError
from ...privacy.accounting import default_delta
from ...privacy.ledger import Ledger
from ...privacy.noise import Noise, secret_seed
from ...privacy.prepare import bare, conform, prepare
from ...privacy.stated import Stated, read_stated
from ...recipes.base import Recipe, fold
from ...tabular.rows import EncodedRows
from ...tabular.schema import DISCRETE, Schema
from ...tabular.spec import TableSpec
from .. import catalogue
from ..generate import Generator, load
from . import private_store
from .inner import canonical_chunks
from .making import Maker
from .private_plan import PrivatePlan
from .private_training import train_within
from .rules import Rules

ELSEWHERE = {
    "epsilon": "epsilon",
    "delta": "delta",
    "target": "target",
    "secure": "seed",
}  # fields with an own argument


class PrivateTableSynthesizer(Maker):
    """Learns a table within a privacy budget, and makes rows like it.

    Args:
        recipe: `dpgan`, `pategan`, or one of your own with `within_budget`, `draws_of`, `steps` and `charge`.
        epsilon: the whole budget, preparation included.
        delta: the chance with which the promise may fail; 1 / n^1.1 when None.
        target: the category by which rows are conditioned.
        stated: what you know and state, which costs nothing: a `gansmith.privacy.stated.Stated`, a mapping with
            `bounds`, `categories`, `bulk`, `special`, each by column, or a YAML file of such.
        preparation: share of epsilon for what is found of the columns.
        schema: names and kinds of the columns, a Schema or a YAML file. Without one the kinds are found in the data,
            which the ledger notes as given: read it before you publish anything.
        seed: None draws noise from the operating system, as a release needs it; a number makes the run repeatable,
            for tests.
        preset: of the recipe; `small` unless given.
        fields: of the recipe.

    Attributes:
        spec_: how rows are encoded, found privately.
        schema_: the columns, as far as they were bought or stated.
        ledger_: what was spent on what.
        n_features_in_, feature_names_in_: of the table.
    """

    def __init__(
        self,
        recipe: str = "dpgan",
        *,
        epsilon: float = 1.0,
        delta: float | None = None,
        target: str | None = None,
        stated: Any = None,
        preparation: float = 0.2,
        schema: Any = None,
        seed: int | None = None,
        preset: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self.recipe = recipe
        self.epsilon = epsilon
        self.delta = delta
        self.target = target
        self.stated = stated
        self.preparation = preparation
        self.schema = schema
        self.seed = seed
        self.preset = preset
        self.fields = fields

    def fit(self, data: Any, y: Any = None) -> PrivateTableSynthesizer:
        """Learns a table; see `TableSynthesizer.fit` for what `data` may be.

        Raises:
            ConfigError: the budget does not allow it, or the recipe is not a private one.
            DataError: the data cannot be read, or what was stated does not fit them.
            MissingExtra: opacus is absent.
            TrainingFailed, Interrupted: nothing was learnt, and nothing is kept.
        """
        self.train(data)
        return self

    def train(
        self,
        data: Any,
        *,
        tell: Callable[[PrivatePlan], None] | None = None,
        dry_run: bool = False,
        quiet: bool = True,
    ) -> None:
        """`fit`, as the command line has it.

        Args:
            tell: hears what will be asked, before anything is.
            dry_run: tell, and stop.
            quiet: without a progress bar.
        """
        plan = self._plan(data)
        if tell is not None:
            tell(plan)
        if dry_run:
            return
        secret = secret_seed() if self.seed is None else self.seed
        ledger = Ledger(self.epsilon, plan.delta, secure=self.seed is None)
        source = self._rows(plan.table, ledger, plan.stated, secret)
        recipe = self._recipe(source, ledger)
        nets = train_within(recipe, source, ledger, name=self.recipe, seed=secret, quiet=quiet)
        for name in getattr(recipe, "secret", ()):
            del nets[name]  # trained on rows without noise: it must not be kept
        self._hold(Generator(nets.eval().requires_grad_(False), recipe, source.spec, self.recipe), ledger)

    def _plan(self, data: Any) -> PrivatePlan:
        """What will be asked; whatever cannot work is refused before anything is."""
        cls = catalogue.find(self.recipe)
        if not hasattr(cls, "within_budget"):
            raise ConfigError(
                f"the recipe {self.recipe} keeps no privacy budget; those that do: {', '.join(private())}"
            )
        if not 0 < self.preparation < 1:
            raise ConfigError(f"preparation is a share of epsilon between 0 and 1, not: {self.preparation}")
        for name in self.fields or {}:
            if name in ELSEWHERE:
                raise ConfigError(f"recipe.{name} follows from --{ELSEWHERE[name]} here: leave it out")
        table = open_table(data, schema=self.schema)
        if self.target is not None and (kind := table.schema[self.target].kind) not in DISCRETE:
            raise ConfigError(
                f"the target {self.target!r} is of the kind {kind}, and rows are conditioned by a category or boolean: "
                "leave it out, or say in a schema that it is a category"
            )
        delta = default_delta(table.rows) if self.delta is None else self.delta
        Ledger(self.epsilon, delta)  # refuses a budget that cannot be
        return PrivatePlan(table, read_stated(self.stated, table.schema), self.recipe, self.epsilon, delta)

    def _rows(self, table: Table, ledger: Ledger, stated: Stated, seed: int) -> _Rows:
        """The rows under a privately found spec."""
        chunks = [canonical for _, canonical in canonical_chunks(table)]
        canonical = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
        noise = Noise() if self.seed is None else Noise(seed)
        spec = prepare(
            canonical, table.schema, ledger, epsilon=self.preparation * self.epsilon, stated=stated, noise=noise
        )
        rng = np.random.default_rng(fold(seed, "encode"))
        scalars, codes = spec.encode(conform(canonical, table.schema, spec.schema), rng)
        return _Rows(spec, torch.from_numpy(scalars).float(), torch.from_numpy(codes))

    def _recipe(self, source: _Rows, ledger: Ledger) -> Any:
        """The recipe, fitted to what is left of the budget.

        Raises:
            ConfigError: nothing is left, or a field was set that follows from the budget.
        """
        changes = {**(self.fields or {}), **({"target": self.target} if self.target else {})}
        cls, secure = catalogue.find(self.recipe), {"secure": self.seed is None}
        asked: Any = catalogue.build(cls, source.spec, self.preset or "small", {**changes, **secure})
        fitted = asked.within_budget(ledger, len(source))
        before, now = to_dict(asked), to_dict(fitted)
        for name in self.fields or {}:
            if before[name] != now[name]:
                raise ConfigError(
                    f"recipe.{name} follows from epsilon and the table, here it is {now[name]}: leave it out"
                )
        return fitted

    def _hold(self, generator: Generator, ledger: Ledger) -> None:
        spec = generator.spec
        assert isinstance(spec, TableSpec)
        self.generator_, self.ledger_, self.spec_, self.calls_ = generator, ledger, spec, 0
        self.schema_, self.rules_ = spec.schema, Rules(spec.schema)
        self.n_features_in_, self.feature_names_in_ = len(spec.schema), np.array(spec.schema.names, dtype=object)

    def untrained(self, seed: int) -> PrivateTableSynthesizer:
        """One with the same settings and kinds of columns, of another seed, that learnt nothing yet; bounds and
        categories are found anew.

        Raises:
            NotFittedError: nothing was learnt yet.
        """
        self._need_fitted("be trained anew")
        settings = {"schema": Schema(tuple(map(bare, self.schema_))), "seed": seed}
        return type(self)(**{**self.get_params(), **settings})

    def save(self, path: Path | str, *, overwrite: bool = False) -> Path:
        """Writes what was learnt, and the ledger, to a folder: safetensors and JSON.

        Args:
            overwrite: replace a private synthesizer that is there.

        Raises:
            NotFittedError: nothing was learnt yet.
            RunFolderError: the folder exists and is not empty.
        """
        self._need_fitted("be saved")
        params = {name: getattr(self, name) for name in ("target", "preset", "preparation", "fields")}
        rows = self.spec_.rows
        return private_store.save(Path(path), self.generator_, self.ledger_, params, rows, overwrite=overwrite)

    @classmethod
    def load(cls, path: Path | str, *, recipe: str | type[Recipe] | None = None) -> PrivateTableSynthesizer:
        """What `save` wrote.

        Args:
            recipe: needed for a recipe of your own.

        Raises:
            RunFolderError, CheckpointError: nothing there, or damaged.
        """
        path = Path(path)
        if path.exists() and not private_store.is_private(path):
            raise RunFolderError(f"{path} holds no private model; wanted what PrivateTableSynthesizer.save wrote")
        make = load(path, recipe, device="cpu")
        ledger = Ledger.from_json(checkpoint.read_document(path, private_store.LEDGER))
        params = checkpoint.read_document(path, private_store.PARAMS).get("params")
        if not isinstance(make.spec, TableSpec) or not isinstance(params, Mapping):
            raise CheckpointError(f"{path} holds no private model of a table")
        known = {name: params[name] for name in cls._parameters() if name in params}
        made = cls(make.name, epsilon=ledger.epsilon or float("inf"), delta=ledger.delta, **known)
        made._hold(make, ledger)
        return made

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "generator_")


class _Rows(EncodedRows):
    """Rows under a private spec; the run folder is thrown away, so nothing compares their fingerprint."""

    fingerprint = "private"

    def notes(self) -> list[str]:
        return []


def private() -> list[str]:
    """Names of the recipes that keep a privacy budget."""
    tables = [entry.name for entry in catalogue.entries() if entry.makes == "table"]
    return [name for name in tables if hasattr(catalogue.find(name), "within_budget")]


def refuse_private(cls: type[Recipe]) -> None:
    """Refuses a private recipe where preparation is not.

    Raises:
        ConfigError: says what to use instead.
    """
    if hasattr(cls, "within_budget"):
        raise ConfigError(
            f"{cls.__name__} spends a privacy budget, and here ranges, categories and held-out scores would be taken "
            "from the rows outside of it\nadd --epsilon 1; in Python, use gs.PrivateTableSynthesizer(epsilon=1)"
        )
