"""Private tables on the command line: train a model and save it. Thin over `PrivateTableSynthesizer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ...data.tables_read import is_table
from ...errors import ConfigError, DataError
from .. import catalogue
from . import private_store
from .private import PrivateTableSynthesizer
from .private_plan import PrivatePlan

DEFAULT = "dpgan"


def train_private(
    data: Any,
    *,
    recipe: str | None = None,
    preset: str | None = None,
    epsilon: float = 1.0,
    delta: float | None = None,
    stated: Any = None,
    preparation: float = 0.2,
    target: str | None = None,
    schema: Any = None,
    seed: int | None = None,
    changes: Mapping[str, Any] | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    tell: Callable[[PrivatePlan], None] | None = None,
) -> tuple[Path, PrivateTableSynthesizer] | None:
    """Trains a private model and saves it; the arguments are those of `PrivateTableSynthesizer`.

    Args:
        changes: fields of the recipe.
        out: the folder; `models/NAME-OF-DATA` when left out.
        overwrite: replace a private model that is there.
        dry_run: tell what would be asked, and stop.

    Returns:
        Where it was saved, and the model; None for a dry run.

    Raises:
        ConfigError: the data are no table; and see `PrivateTableSynthesizer.fit`.
    """
    if not is_table(data):
        if isinstance(data, str | Path) and ":" not in str(data) and not Path(data).expanduser().exists():
            raise DataError(f"no such file or folder: {data}")
        raise ConfigError(f"--epsilon is for tables (CSV, TSV, parquet), and this is none: {data}")
    if recipe is not None:
        catalogue.find(recipe)
    path = Path(out) if out else _default_out(data)
    if not dry_run:
        private_store.refuse_taken(path, overwrite=overwrite)
    model = PrivateTableSynthesizer(
        recipe or DEFAULT,
        epsilon=epsilon,
        delta=delta,
        target=target,
        stated=stated,
        preparation=preparation,
        schema=schema,
        seed=seed,
        preset=preset,
        fields=dict(changes or {}),
    )
    model.train(data, tell=tell, dry_run=dry_run, quiet=False)
    return None if dry_run else (model.save(path, overwrite=overwrite), model)


def _default_out(data: Any) -> Path:
    name = Path(data).resolve().name.split(".")[0] if isinstance(data, str | Path) else ""
    return Path("models") / (name or "private")
