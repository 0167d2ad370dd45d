"""Models of tables in folders: runs and saved models, private or not. The classes are imported when one is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import RunFolderError
from . import private_store
from .store import is_table_run

if TYPE_CHECKING:
    from .private import PrivateTableSynthesizer
    from .synthesizer import TableSynthesizer


def is_table_model(path: Path) -> bool:
    """Whether this is a run or a saved model of a table, private or not."""
    return private_store.is_private(path) or is_table_run(path)


def load_table_model(path: Path, recipe: str | None = None) -> TableSynthesizer | PrivateTableSynthesizer:
    """The synthesizer of a run, or of a saved model, private or not.

    Args:
        recipe: needed for a recipe of your own.

    Raises:
        RunFolderError, CheckpointError: nothing there, or damaged.
    """
    if private_store.is_private(path):
        from .private import PrivateTableSynthesizer

        return PrivateTableSynthesizer.load(path, recipe=recipe)
    from .synthesizer import TableSynthesizer

    return TableSynthesizer.load(path, recipe=recipe)


def refuse_resume(path: Path) -> None:
    """Refuses to go on with a private model.

    Raises:
        RunFolderError: says why.
    """
    if private_store.is_private(path):
        raise RunFolderError(
            f"{path} is a private model, and its training cannot go on: every further step asks the rows again, the "
            "budget was spread over the steps that were made, and nothing but the result was kept\n"
            "train anew, with more recipe.steps or a larger --epsilon; both budgets together are what the rows pay"
        )
