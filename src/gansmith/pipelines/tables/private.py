"""PrivateTableSynthesizer: a table GAN under differential privacy, with a ledger of all that was asked of the rows.

Nothing is asked of the rows outside of the ledger: ranges, categories and distributions are stated by the user or found
with noise, training is private, and no held-out score is taken. What is stated costs nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ... import checkpoint
from ...data.tables_read import Table, open_table
from ...errors import ConfigError, DataError, RunFolderError
from ...privacy.accounting import default_delta
from ...privacy.ledger import Ledger
from ...privacy.noise import Noise, secret_seed
from ...privacy.prepare import Stated, conform, prepare
from ...recipes.base import Recipe, fold
from ...tabular.rows import EncodedRows
from ...tabular.spec import TableSpec
from ...training.config import TrainConfig
from ...training.state import recipe_document
from ...training.trainer import Trainer
from .. import catalogue
from ..generate import Generator, load
from .estimator import Estimator
from .inner import canonical_chunks

if TYPE_CHECKING:
    import pandas as pd

LEDGER = "ledger"
PART = 4_096


class PrivateTableSynthesizer(Estimator):
    """Learns a table within a privacy budget, and makes rows like it.

    Args:
        recipe: `dpgan`, `pategan`, or one of your own with `within_budget` and `charge`.
        epsilon: the whole budget, preparation included.
        delta: the chance with which the promise may fail; 1 / n^1.1 when None.
        target: the category by which rows are conditioned.
        stated: what you know and state, which costs nothing: a `gansmith.privacy.prepare.Stated`, or a mapping with
            `bounds`, `categories`, `bulk`, `special`, each by column.
        preparation: share of epsilon for what is found of the columns.
        schema: names and kinds of the columns, a Schema or a YAML file. Without one the kinds are found in the data,
            which the ledger notes as given: read it before you publish anything.
        seed: None draws noise from the operating system, as a release needs it; a number makes the run repeatable,
            for tests.
        fields: of the recipe.

    Attributes:
        spec_: how rows are encoded, found privately.
        ledger_: what was spent on what.
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
        self.fields = fields

    def fit(self, data: Any, y: Any = None) -> PrivateTableSynthesizer:
        """Learns a table; see `TableSynthesizer.fit` for what `data` may be.

        Raises:
            ConfigError: the budget does not allow it, or the recipe is not a private one.
            DataError: the data cannot be read, or what was stated does not fit them.
            MissingExtra: opacus is absent.
        """
        cls = catalogue.find(self.recipe)
        if not hasattr(cls, "within_budget"):
            raise ConfigError(
                f"the recipe {self.recipe} keeps no privacy budget; those that do: {', '.join(private())}"
            )
        if not 0 < self.preparation < 1:
            raise ConfigError(f"preparation is a share of epsilon between 0 and 1, not: {self.preparation}")
        table = open_table(data, schema=self.schema)
        ledger = Ledger(self.epsilon, default_delta(table.rows) if self.delta is None else self.delta)
        seed = secret_seed() if self.seed is None else self.seed
        source = self._rows(table, ledger, seed)
        changes = {**(self.fields or {}), **({"target": self.target} if self.target else {})}
        recipe: Any = catalogue.build(cls, source.spec, "small", {**changes, "secure": self.seed is None})
        recipe = recipe.within_budget(ledger, len(source))
        nets = self._trained(recipe, source, seed)
        recipe.charge(ledger, nets)
        for name in getattr(recipe, "secret", ()):
            del nets[name]  # trained on rows without noise: it must not be kept
        self.ledger_, self.spec_ = ledger, source.spec
        self.generator_ = Generator(nets.eval().requires_grad_(False), recipe, source.spec, self.recipe)
        return self

    def _rows(self, table: Table, ledger: Ledger, seed: int) -> _Rows:
        """The rows under a privately found spec."""
        chunks = [canonical for _, canonical in canonical_chunks(table)]
        canonical = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
        noise = Noise() if self.seed is None else Noise(seed)
        spec = prepare(
            canonical, table.schema, ledger, epsilon=self.preparation * self.epsilon, stated=self._stated(), noise=noise
        )
        rng = np.random.default_rng(fold(seed, "encode"))
        scalars, codes = spec.encode(conform(canonical, table.schema, spec.schema), rng)
        return _Rows(spec, torch.from_numpy(scalars).float(), torch.from_numpy(codes))

    def _stated(self) -> Stated:
        if self.stated is None or isinstance(self.stated, Stated):
            return self.stated or Stated()
        try:
            return Stated(**self.stated)
        except TypeError as error:
            raise DataError(f"what may be stated: bounds, categories, bulk, special; {error}") from None

    def _trained(self, recipe: Any, source: _Rows, seed: int) -> Any:
        batch = min(recipe.draws_of(len(source)), len(source))
        config = TrainConfig(
            batch=batch,
            samples=batch * recipe.steps,
            seed=seed,
            tick=batch * recipe.steps,
            save_every=batch * recipe.steps,
        )
        with tempfile.TemporaryDirectory(prefix="gansmith-private-") as folder:
            trainer = Trainer(recipe, source, config, out=Path(folder) / "run", recipe_name=self.recipe)
            trainer.fit()
            trainer.runtime.close()
        return trainer.nets.to("cpu")

    def sample(self, n: int = 1, seed: int = 0) -> pd.DataFrame:
        """`n` rows in the table's form; making them costs nothing.

        Raises:
            NotFittedError: nothing was learnt yet.
        """
        import pandas as pd

        self._need_fitted("make rows")
        spec = self.generator_.spec
        assert isinstance(spec, TableSpec)
        frames = [spec.frame(part, seed=seed) for part in self._parts(n, seed)]
        return pd.concat(frames, ignore_index=True)

    def _parts(self, n: int, seed: int) -> Any:
        from ...recipes.base import sample

        make = self.generator_
        for start in range(0, n, PART):
            request = make.spec.request(min(PART, n - start), start=start)
            made = sample(make.recipe, make.nets, request, seed=seed)
            made["index"] = request["index"]
            yield made

    def save(self, path: Path | str) -> Path:
        """Writes what was learnt, and the ledger, to a folder: safetensors and JSON.

        Raises:
            NotFittedError: nothing was learnt yet.
            RunFolderError: the folder exists and is not empty.
        """
        self._need_fitted("be saved")
        path, make = Path(path), self.generator_
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(f"choose a folder that does not exist or is empty, not: {path}")
        recipe = recipe_document(make.name, make.recipe, make.spec, list(make.nets.keys()))
        tensors = {name: state for name, net in make.nets.items() if (state := net.state_dict())}
        checkpoint.write(path, tensors, {"recipe": recipe, LEDGER: self.ledger_.to_json()})
        return path

    @classmethod
    def load(cls, path: Path | str) -> PrivateTableSynthesizer:
        """What `save` wrote.

        Raises:
            RunFolderError, CheckpointError: nothing there, or damaged.
        """
        path = Path(path)
        make, ledger = load(path), Ledger.from_json(checkpoint.read_document(path, LEDGER))
        made = cls(make.name, epsilon=ledger.epsilon or float("inf"), delta=ledger.delta)
        assert isinstance(make.spec, TableSpec)
        made.generator_, made.ledger_, made.spec_ = make, ledger, make.spec
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
            "from the rows outside of it; use gs.PrivateTableSynthesizer(epsilon=...) instead"
        )
