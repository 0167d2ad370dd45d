"""Judging synthetic rows against real ones: of a run, of a saved model, or of a file made by anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.tables_read import is_table, open_table
from ...errors import DataError, RunFolderError, UserError
from ...metrics.tables import TableJudgement, judge_table
from ...metrics.tables.shadow import FEWEST as FEWEST_SHADOWS
from ...metrics.tables.shadow import TrainAndSample
from ...privacy.ledger import Ledger
from ...privacy.prepare import bare
from ...report.tables import write_table_report
from ...tabular.schema import Schema
from ...training.folder import QUALITY
from ..paths import readable
from .models import is_table_model, load_table_model
from .private import PrivateTableSynthesizer
from .private_store import is_private

if TYPE_CHECKING:
    import pandas as pd

    from .synthesizer import TableSynthesizer

    Trained = TableSynthesizer | PrivateTableSynthesizer

MOST = 100_000  # rows of each side


@dataclass(frozen=True)
class TableEvaluation:
    """What a judgement of a table found.

    Attributes:
        judgement: the figures.
        report: the HTML file; its figures lie beside it as JSON.
        ledger: of a private model, whose promise the report holds; None of others.
    """

    judgement: TableJudgement
    report: Path
    ledger: Ledger | None = None


@dataclass(frozen=True)
class _Sides:
    """The rows to compare, and what is known of them."""

    real: pd.DataFrame
    fake: pd.DataFrame
    test: pd.DataFrame | None
    schema: Schema
    target: str | None
    about: dict[str, Any]
    ledger: Ledger | None = None
    again: TrainAndSample | None = None  # trains as the judged model was


def evaluate_table(
    made: Path | str,
    data: Any = None,
    *,
    test: Any = None,
    target: str | None = None,
    n: int | None = None,
    seed: int = 0,
    out: Path | str | None = None,
    baselines: bool = True,
    shadows: int = 0,
    recipe: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> TableEvaluation:
    """Judges synthetic rows and writes the report.

    Args:
        made: a run folder or a saved model, from which rows are drawn; or a file of synthetic rows.
        data: the real rows that the generator was trained on; those of the run when left out.
        test: real rows that it never saw; those that the run held out when left out.
        target: the column that models learn to predict; the run's when left out.
        n: synthetic rows to judge; as many as there are real ones, MOST at most.
        seed: of the rows made, and of every draw, such as that of MOST rows of a larger table.
        out: the report; `quality.html` in the run's folder when left out, or beside a file of synthetic rows or a
            private model.
        baselines: whether simple generators are judged too.
        shadows: models trained as this one was, on halves of 4,000 rows at most, for the membership attack that learns
            from them; none, or at least 4. Each takes a training's time.
        recipe: needed for a run with a recipe of your own.

    Raises:
        UserError: nothing there, no real rows named, columns that differ, shadow models asked for of a mere file.
    """
    made = Path(made)
    if shadows and not is_table_model(made):
        raise UserError(
            f"shadow models are trained as a run was, and {made} is no run and no saved model: leave --shadows out"
        )
    if 0 < shadows < FEWEST_SHADOWS:
        raise UserError(f"the attack learns from at least {FEWEST_SHADOWS} shadow models; asked for: {shadows}")
    sides = _of_model(made, data, n, seed, recipe) if is_table_model(made) else _of_file(made, data, n, seed)
    test = sides.test if test is None else open_table(test, schema=sides.schema).frame()
    judgement = judge_table(
        sides.real,
        sides.fake,
        sides.schema,
        test=test,
        target=target or sides.target,
        baselines=baselines,
        shadow=sides.again if shadows else None,
        shadows=shadows,
        seed=seed,
        progress=progress,
    )
    path = Path(out) if out else _place(made)
    ledger = sides.ledger.to_json() if sides.ledger else None
    report = write_table_report(path, judgement, sides.real, sides.fake, sides.schema, ledger=ledger, about=sides.about)
    return TableEvaluation(judgement, report, sides.ledger)


def _place(made: Path) -> Path:
    """Where the report goes: into a run, and beside a file of rows; beside a private model, too, as whoever gets that
    must not get the report, which looks at the real rows."""
    if is_private(made):
        made = made.resolve() if made.name in ("", "..") else made
        return made.with_name(f"{made.name}.{QUALITY}")
    return made / QUALITY if made.is_dir() else made.with_suffix(f".{QUALITY}")


def _of_model(path: Path, data: Any, n: int | None, seed: int, recipe: str | None) -> _Sides:
    """Rows drawn from a model; what it held out is told from what it learnt."""
    model = load_table_model(path, recipe)
    given = data if data is not None else model.data_
    if given is None:
        raise DataError(f"say which rows are the real ones: gansmith evaluate {path} --data REAL.csv")
    if isinstance(model, PrivateTableSynthesizer):
        return _of_private(model, given, n, seed)
    real, held = model.split(given)
    fake = model.sample(min(n or len(real), MOST), seed=seed)
    about = _about(model.generator_.name, given)
    return _Sides(_some(real, MOST, seed), fake, held, model.schema_, model.target, about, again=_retraining(model))


def _of_private(model: PrivateTableSynthesizer, data: Any, n: int | None, seed: int) -> _Sides:
    """Rows drawn from a private model, which learnt all rows and held out none. What it knows of the columns is noisy,
    so they are read anew from the real rows, in its kinds."""
    table = open_table(data, schema=Schema(tuple(map(bare, model.schema_))))
    fake = model.sample(min(n or table.rows, MOST), seed=seed)
    about = _about(model.generator_.name, data)
    again = _retraining(model)
    return _Sides(_some(table.frame(), MOST, seed), fake, None, table.schema, model.target, about, model.ledger_, again)


def _retraining(model: Trained) -> TrainAndSample:
    """Trains on other rows as the model was trained, and makes as many."""

    def train_and_sample(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
        return model.untrained(seed).fit(frame).sample(len(frame), seed=seed)

    return train_and_sample


def _some(frame: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """So many rows at most, drawn by seed: files are sorted by date or class as often as not."""
    return frame if len(frame) <= most else frame.sample(most, random_state=seed).reset_index(drop=True)


def _about(recipe: str, data: Any) -> dict[str, Any]:
    return {"recipe": recipe, "data": readable(Path(data)) if isinstance(data, str | Path) else ""}


def _of_file(path: Path, data: Any, n: int | None, seed: int) -> _Sides:
    """Rows made by anything."""
    if not path.exists():
        raise RunFolderError(f"no such run, model, or file of synthetic rows: {path}")
    if data is None:
        raise DataError(f"say which rows are the real ones: gansmith evaluate {path} --data REAL.csv")
    if not is_table(path):
        raise DataError(f"wanted a run, or a table of synthetic rows (.csv, .tsv, .parquet), not: {path}")
    table = open_table(data)
    fake = open_table(path, schema=table.schema).frame()
    about = _about(f"rows of {path.name}", data)
    return _Sides(_some(table.frame(), MOST, seed), _some(fake, n or MOST, seed), None, table.schema, None, about)
