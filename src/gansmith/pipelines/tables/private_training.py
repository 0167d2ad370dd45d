"""Training within a privacy budget: a run that is thrown away, in which every step is paid for, undone ones too."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data.source import Source
from ...errors import ConfigError, Interrupted, TrainingFailed
from ...privacy.ledger import Ledger
from ...recipes.base import Networks
from ...training.config import TrainConfig
from ...training.monitors import Monitor, Progress, View
from ...training.trainer import Trainer

CHECKPOINTS = 20  # of a run: a return to one undoes so small a part of it
TICKS = 50


def train_within(recipe: Any, source: Source, ledger: Ledger, *, name: str, seed: int, quiet: bool = True) -> Networks:
    """Trains a private recipe, enters what that cost in the ledger, and returns the networks.

    A run that has to go back to a checkpoint has asked the rows for the steps that it undoes. It is cut short, so that
    all steps together stay within the budget.

    Args:
        recipe: with `steps`, `draws_of` and `charge`, fitted to the budget by `within_budget`.
        seed: of the run.
        quiet: without a progress bar.

    Raises:
        ConfigError: the budget does not allow it.
        TrainingFailed: nothing came of it, and nothing is kept.
        Interrupted: a signal came, and nothing is kept.
    """
    batch = min(recipe.draws_of(len(source)), len(source))
    config = TrainConfig(
        batch=batch,
        samples=batch * recipe.steps,
        seed=seed,
        tick=batch * max(recipe.steps // TICKS, 1),
        save_every=batch * max(recipe.steps // CHECKPOINTS, 1),
    )
    budget = Budget(recipe, ledger)
    watching = [budget, *([] if quiet else [Progress()])]
    with tempfile.TemporaryDirectory(prefix="gansmith-private-") as folder:
        trainer = Trainer(recipe, source, config, out=Path(folder) / "run", recipe_name=name, monitors=watching)
        _fit(trainer)
        trainer.runtime.close()
    if not trainer.progress.step:
        raise TrainingFailed("training went back to its start, and the budget allows no other; nothing was kept")
    nets: Networks = trainer.nets.to("cpu")
    recipe.charge(ledger, nets, budget.played(trainer.progress.step))
    return nets


def _fit(trainer: Trainer) -> None:
    """`trainer.fit`; its errors speak of a folder to go on with, and here there is none."""
    try:
        trainer.fit()
    except Interrupted as stop:
        raise Interrupted(
            "stopped; a private run cannot be gone on with, so nothing was kept: start it anew", stop.exit_code - 128
        ) from None
    except TrainingFailed as error:
        raise TrainingFailed(f"{str(error).splitlines()[0]}; nothing was kept") from None


class Budget(Monitor):
    """Hears of every return to a checkpoint, and ends the run when the ledger allows no further step."""

    def __init__(self, recipe: Any, ledger: Ledger) -> None:
        self.recipe, self.ledger = recipe, ledger
        self.last = int(recipe.steps)
        self._done: list[range] = []
        self._first = 0
        self._view: View | None = None

    def start(self, view: View) -> None:
        self._view = view
        view.journal.listen(self._hear)

    @property
    def enough(self) -> bool:  # type: ignore[override]
        return self._view is not None and self._view.step >= self.last

    def played(self, step: int) -> list[range]:
        """The steps that were played, now that the run stands at `step`."""
        return [*self._done, range(self._first, step)]

    def _hear(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "rollback":
            self._done.append(range(self._first, int(event["step"])))
            self._first = int(str(event["to"]).removeprefix("step-"))
            self.last = self._affordable()

    def _affordable(self) -> int:
        """The step up to which the run may go on from here."""
        low, high = self._first, int(self.recipe.steps) + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._fits(middle) else (low, middle)
        return low

    def _fits(self, last: int) -> bool:
        assert self._view is not None
        ledger = Ledger(self.ledger.epsilon, self.ledger.delta, self.ledger.entries)
        try:
            self.recipe.charge(ledger, self._view.generator(), self.played(last))
        except ConfigError:
            return False
        return True
