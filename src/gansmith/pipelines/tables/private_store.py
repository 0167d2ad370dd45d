"""A private synthesizer on disk: its weights, its private spec, its ledger, and nothing else of the rows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ... import checkpoint
from ...errors import RunFolderError
from ...privacy.ledger import Ledger
from ...training.state import recipe_document
from ..generate import Generator

LEDGER, PARAMS = "ledger", "private"


def is_private(path: Path) -> bool:
    """Whether a private synthesizer was saved there."""
    return (path / f"{LEDGER}.json").is_file() and (path / checkpoint.MANIFEST).is_file()


def refuse_taken(path: Path, *, overwrite: bool = False) -> None:
    """Refuses a folder that is not empty, unless it is a private synthesizer that may be replaced.

    Raises:
        RunFolderError: says what is there.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not is_private(path):
        raise RunFolderError(f"choose a folder that does not exist or is empty, not: {path}")
    if not overwrite:
        raise RunFolderError(f"{path} holds a private model; choose another folder, or replace it with --overwrite")


def save(
    path: Path, make: Generator, ledger: Ledger, params: Mapping[str, Any], rows: int, *, overwrite: bool = False
) -> Path:
    """Writes a model: safetensors, `recipe.json`, `ledger.json`, `private.json`, and a README.

    Args:
        params: the synthesizer's arguments that others may see.
        rows: of the table; public.

    Raises:
        RunFolderError: the folder is taken.
        CheckpointError: it could not be written.
    """
    refuse_taken(path, overwrite=overwrite)
    recipe = recipe_document(make.name, make.recipe, make.spec, list(make.nets.keys()))
    tensors = {name: state for name, net in make.nets.items() if (state := net.state_dict())}
    documents = {"recipe": recipe, LEDGER: ledger.to_json(), PARAMS: {"params": dict(params), "rows": rows}}
    if path.is_dir() and not any(path.iterdir()):
        shutil.rmtree(path)
    checkpoint.write(path, tensors, documents)
    (path / "README.md").write_text(_card(make, ledger, rows), encoding="utf-8")
    return path


def _card(make: Generator, ledger: Ledger, rows: int) -> str:
    names = ", ".join(column.name for column in getattr(make.spec, "schema", ()))
    return (
        "# A differentially private synthesizer of table rows, made with gansmith\n\n"
        f"Recipe `{make.name}`, trained on {rows:,} rows with the columns: {names}.\n\n"
        f"{ledger.promise()}\n\n"
        "```python\nimport gansmith as gs\n\n"
        'gs.PrivateTableSynthesizer.load(".").sample(1_000, seed=0)\n```\n\n'
        "Loading it runs no code from this folder: it holds numbers and JSON. What it holds of the data, ranges, lists "
        "of categories and how frequent they are, was stated by its maker or bought from the budget; `ledger.json` "
        "lists every purchase. Names, kinds and formats of the columns, and the number of rows, are shown as they "
        "were.\n"
    )
