"""Judging synthetic rows against real ones: of a run, of a saved model, or of a file made by anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.tables_read import is_table, open_table
from ...errors import DataError, RunFolderError
from ...metrics.tables import TableJudgement, judge_table
from ...report.tables import write_table_report
from ...tabular.schema import Schema
from ...training.folder import QUALITY
from ..paths import readable
from .store import is_table_run
from .synthesizer import TableSynthesizer

if TYPE_CHECKING:
    import pandas as pd

MOST = 100_000  # rows of each side


@dataclass(frozen=True)
class TableEvaluation:
    """What a judgement of a table found.

    Attributes:
        judgement: the figures.
        report: the HTML file; its figures lie beside it as JSON.
    """

    judgement: TableJudgement
    report: Path


@dataclass(frozen=True)
class _Sides:
    """The rows to compare, and what is known of them."""

    real: pd.DataFrame
    fake: pd.DataFrame
    test: pd.DataFrame | None
    schema: Schema
    target: str | None
    about: dict[str, Any]


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
        seed: of the rows made, and of every draw.
        out: the report; `quality.html` in the run's folder when left out, or beside a file of synthetic rows.
        baselines: whether simple generators are judged too.
        recipe: needed for a run with a recipe of your own.

    Raises:
        UserError: nothing there, no real rows named, columns that differ.
    """
    made = Path(made)
    sides = _of_model(made, data, n, seed, recipe) if is_table_run(made) else _of_file(made, data, n)
    test = sides.test if test is None else open_table(test, schema=sides.schema).frame()
    judgement = judge_table(
        sides.real,
        sides.fake,
        sides.schema,
        test=test,
        target=target or sides.target,
        baselines=baselines,
        seed=seed,
        progress=progress,
    )
    path = Path(out) if out else made / QUALITY if made.is_dir() else made.with_suffix(".quality.html")
    return TableEvaluation(
        judgement, write_table_report(path, judgement, sides.real, sides.fake, sides.schema, about=sides.about)
    )


def _of_model(path: Path, data: Any, n: int | None, seed: int, recipe: str | None) -> _Sides:
    """Rows drawn from a model; what it held out is told from what it learnt."""
    model = TableSynthesizer.load(path, recipe=recipe)
    given = data if data is not None else model.data_
    if given is None:
        raise DataError(f"say which rows are the real ones: gansmith evaluate {path} --data REAL.csv")
    real, held = model.split(given)
    fake = model.sample(min(n or len(real), MOST), seed=seed)
    about = {"recipe": model.generator_.name, "data": readable(Path(given)) if isinstance(given, str | Path) else ""}
    return _Sides(real[:MOST], fake, held, model.schema_, model.target, about)


def _of_file(path: Path, data: Any, n: int | None) -> _Sides:
    """Rows made by anything."""
    if not path.exists():
        raise RunFolderError(f"no such run, model, or file of synthetic rows: {path}")
    if data is None:
        raise DataError(f"say which rows are the real ones: gansmith evaluate {path} --data REAL.csv")
    if not is_table(path):
        raise DataError(f"wanted a run, or a table of synthetic rows (.csv, .tsv, .parquet), not: {path}")
    table = open_table(data)
    fake = open_table(path, schema=table.schema).frame()
    about = {"recipe": f"rows of {path.name}", "data": readable(Path(data)) if isinstance(data, str | Path) else ""}
    return _Sides(table.frame()[:MOST], fake[: n or MOST], None, table.schema, None, about)
