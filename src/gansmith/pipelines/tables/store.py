"""A fitted synthesizer on disk: safetensors and JSON, written whole or not at all, checked on reading, never code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ... import checkpoint
from ...config import build, read_yaml
from ...errors import CheckpointError, RunFolderError, UserError
from ...tabular.schema import Schema
from ...training.config import TrainConfig
from ...training.folder import CONFIG
from ...training.state import recipe_document
from ..generate import Generator
from .constraint_files import handed_over
from .constraints import Predicate
from .rules import Rules

TABLE = "table"  # table.json of a saved model; `about.table` in a run's config.yaml


def table_document(rules: Rules, params: Mapping[str, Any], rows: int, data: str | None = None) -> dict[str, Any]:
    """What a model says of its table."""
    return {"rules": rules.to_json(), "params": dict(params), "rows": rows, "data": data}


def save(folder: Path, generator: Generator, table: Mapping[str, Any]) -> Path:
    """Writes a model: `recipe.json`, `table.json`, weights, and a README.

    Raises:
        RunFolderError: the folder exists and is not empty.
        CheckpointError: it could not be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunFolderError(f"choose a folder that does not exist or is empty, not: {folder}")
    nets = {name: net.state_dict() for name, net in generator.nets.items()}
    recipe = recipe_document(generator.name, generator.recipe, generator.spec, list(nets), licence=generator.licence)
    checkpoint.write(folder, {k: v for k, v in nets.items() if v}, {"recipe": recipe, TABLE: table})
    (folder / "README.md").write_text(_card(generator, table), encoding="utf-8")
    return folder


def _card(generator: Generator, table: Mapping[str, Any]) -> str:
    names = ", ".join(column["name"] for column in table["rules"]["schema"])
    return (
        "# A synthesizer of table rows, made with gansmith\n\n"
        f"Recipe `{generator.name}`, trained on {table['rows']:,} rows with the columns: {names}.\n\n"
        "```python\nimport gansmith as gs\n\n"
        'gs.TableSynthesizer.load(".").sample(1_000, seed=0)\n```\n\n'
        "Loading it runs no code from this folder: it holds numbers and JSON. It holds the names of categories and the "
        "ranges of numbers of the training data; whoever gets the folder can read those.\n\n"
        f"Licence: {generator.licence or 'not stated'}.\n"
    )


def read(path: Path, custom: Sequence[Predicate]) -> tuple[Rules, dict[str, Any]]:
    """The constraints and the rest of `table.json`, of a saved model or of a run.

    Raises:
        RunFolderError: nothing there, or not a table's.
        CheckpointError: damaged.
    """
    if not path.exists():
        raise RunFolderError(f"no such model or run folder: {path}")
    saved = (path / f"{TABLE}.json").is_file()
    document = checkpoint.read_document(path, TABLE) if saved else _of_run(path)
    try:
        return Rules.from_json(document["rules"], handed_over(custom)), document
    except KeyError as error:
        raise CheckpointError(f"{path} says nothing of: {error}") from None


def _of_run(path: Path) -> dict[str, Any]:
    settings = read_yaml(path / CONFIG) if (path / CONFIG).is_file() else {}
    found = (settings.get("about") or {}).get(TABLE)
    if not isinstance(found, dict):
        raise RunFolderError(
            f"{path} holds no synthesizer of tables; wanted what TableSynthesizer.save wrote, or its run folder"
        )
    return found


def is_run(path: Path) -> bool:
    """Whether this is a run folder, with which training can go on."""
    return (path / CONFIG).is_file()


def run_config(run: Path) -> TrainConfig:
    """The settings of a run."""
    return build(TrainConfig, read_yaml(run / CONFIG)["train"], where="train")


def is_table_run(path: Path) -> bool:
    """Whether this is a run, or a saved model, of a table."""
    if (path / f"{TABLE}.json").is_file():
        return True
    return is_run(path) and isinstance((read_yaml(path / CONFIG).get("about") or {}).get(TABLE), dict)


def schema_of(about: Mapping[str, Any]) -> Schema:
    """The columns of the table that a prepared run is about.

    Raises:
        UserError: it is about no table.
    """
    if TABLE not in about:
        raise UserError("only a table has a schema, and these data are none: leave out --save-schema")
    return Rules.from_json(about[TABLE]["rules"]).schema
