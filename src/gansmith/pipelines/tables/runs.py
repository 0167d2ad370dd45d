"""Tables on the command line: train a run, go on with it, make rows of it. Thin over `TableSynthesizer`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...report import write_report
from ...training.monitors import Monitor, SampleGrid, TensorBoardLog
from .. import catalogue, plan
from ..prepare import Prepared
from ..processes import first_process
from ..transfer import Transfer
from ..watch import CARES
from .synthesizer import TableSynthesizer


def train_table(
    data: Any,
    wishes: plan.Wishes,
    *,
    recipe: Any,
    run: Path,
    schema: Any = None,
    constraints: Any = (),
    target: str | None = None,
    holdout: float = 0.1,
    changes: Mapping[str, Any] | None = None,
    tell: Callable[[Prepared], None] | None = None,
    dry_run: bool = False,
    overwrite: bool = False,
    shard: Sequence[str] = (),
    initial: Transfer | None = None,
    monitors: Sequence[Monitor] | None = None,
    doctor: str = CARES[0],
) -> Path:
    """Trains on a table and returns the run folder; the arguments are those of `train` and of `TableSynthesizer`. Where
    `monitors` are given, they alone watch: no doctor does."""
    if wishes.size:
        raise ConfigError(f"--size is for pictures, and these data are a table: leave it out, this was: {wishes.size}")
    if recipe is None:
        recipe = plan.default_recipe(plan.look(), wishes, "table")
    elif isinstance(recipe, str):
        catalogue.find(recipe)
    synthesizer = TableSynthesizer(
        recipe,
        schema=schema,
        constraints=constraints,
        target=target,
        holdout=holdout,
        seed=wishes.seed,
        out=run,
        quiet=not first_process(),
        fields=dict(changes or {}),
    )
    synthesizer.train(
        data,
        wishes,
        tell=tell if first_process() else None,
        dry_run=dry_run,
        overwrite=overwrite,
        shard=shard,
        initial=initial,
        monitors=[SampleGrid(), TensorBoardLog()] if monitors is None else monitors,
        doctor=doctor if monitors is None else "off",
    )
    if not dry_run and first_process():
        write_report(run)
    return run
