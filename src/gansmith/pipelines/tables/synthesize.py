"""From a table to synthetic rows and a report on them, in one call that can be interrupted and called again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import checkpoint
from ...data.tables_read import is_table, open_table
from ...errors import ConfigError, DataError, RunFolderError
from ...report import write_report
from ...report.tables.verdict import Verdict, decide
from ...training import folder, journal
from ..plan import Wishes
from ..prepare import Prepared
from ..train import default_out
from . import constraint_files, store
from .evaluate import evaluate_table
from .runs import train_table
from .stream import ending_of, refuse_taken
from .synthesizer import TableSynthesizer


@dataclass(frozen=True)
class Synthesis:
    """What came of a table.

    Attributes:
        rows: the file of synthetic rows.
        report: the HTML report on them, beside it; its figures lie in the run, as JSON.
        run: the run folder, for more rows.
        verdict: the report's.
    """

    rows: Path
    report: Path
    run: Path
    verdict: Verdict


def synthesize(
    data: Path | str,
    out: Path | str,
    n: int | None = None,
    *,
    run: Path | str | None = None,
    wishes: Wishes | None = None,
    schema: Path | str | None = None,
    constraints: Path | str | None = None,
    target: str | None = None,
    for_spreadsheets: bool = False,
    overwrite: bool = False,
    tell: Callable[[Prepared], None] | None = None,
    step: Callable[[str], None] | None = None,
) -> Synthesis:
    """Trains on a table, judges the rows that it makes against rows that were held out, and writes rows and report.

    Called again after an interruption, it goes on where it was: with the run in `run`, if that was begun on the same
    data with the same settings. The rows are written last and whole: where they are, everything is.

    Args:
        data: a file, folder or glob of a table.
        out: ends in .csv, .tsv, .csv.gz, .tsv.gz or .parquet; the report lies beside it.
        n: rows to make; as many as the table has when left out.
        run: the run folder; `runs/NAME-OF-DATA` when left out.
        wishes: recipe, length, seed and so on; see `train`.
        schema, constraints: YAML files; see `TableSynthesizer`, also for `target`.
        overwrite: replace rows and report that are there; never a run.
        tell, step: hear what was chosen for training, and what is being judged.

    Raises:
        UserError: what was asked for cannot work; says why, and what to do.
        TrainingFailed, Interrupted, CheckpointError: see `Trainer.fit`.
    """
    out, wishes, asked = Path(out), wishes or Wishes(), {"schema": schema, "constraints": constraints, "target": target}
    report = _places(out, Path(data), overwrite)
    if not is_table(data):
        raise DataError(f"rows are made like those of a table (CSV, TSV, parquet), and this is none: {data}")
    run = Path(run) if run else default_out(data)
    if checkpoint.steps(run):
        _go_on(run, data, wishes, asked)
    else:
        folder.refuse_taken(run)
        given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        train_table(data, wishes, recipe=wishes.recipe, run=run, tell=tell, **given)
    model = TableSynthesizer.load(run, recipe=_own(wishes))
    n = n or model.rows_
    found = evaluate_table(run, data, n=max(n, model.rows_), seed=wishes.seed, recipe=_own(wishes), progress=step)
    model.sample_to(out, n, seed=wishes.seed, for_spreadsheets=for_spreadsheets, overwrite=overwrite)
    shutil.copyfile(found.report, report)
    return Synthesis(out, report, run, decide(found.judgement))


def _places(out: Path, data: Path, overwrite: bool) -> Path:
    """Where the report goes; refuses places that are taken, before any work is done."""
    report = out.with_name(f"{out.name.removesuffix(ending_of(out))}.{folder.QUALITY}")
    for path in (out, report):
        if path.exists() and path.resolve() == data.expanduser().resolve():
            raise ConfigError(f"{path} is the training data, which are never overwritten; choose another --out")
        refuse_taken(path, overwrite=overwrite)
    return report


def _go_on(run: Path, data: Any, wishes: Wishes, asked: Mapping[str, Any]) -> None:
    """Brings a run to its end, if it is not there; first looks whether it is the one that was asked for."""
    if not store.is_table_run(run):
        raise RunFolderError(f"{run} holds a run of something else; choose another --run")
    model = TableSynthesizer.load(run, recipe=_own(wishes))
    if other := _differences(model, data, wishes, asked):
        raise RunFolderError(
            f"{run} holds a run with another {' and another '.join(other)}; choose another folder (--run), or repeat "
            "the command that began it"
        )
    events = [entry.get("event") for entry in journal.read(run / folder.LOG)]
    if "end" not in events[-2:]:  # a line may follow it
        model.resume(data)
    elif not (run / folder.REPORT).exists():
        model.conclude(data)
    write_report(run)


def _own(wishes: Wishes) -> str | None:
    """The recipe, if it is a file of the user's: a run keeps no code."""
    return wishes.recipe if wishes.recipe and ".py" in wishes.recipe else None


def _differences(model: TableSynthesizer, data: Any, wishes: Wishes, asked: Mapping[str, Any]) -> list[str]:
    """In what a run differs from what was asked for; what was left open agrees with anything."""
    run = Path(str(model.run_))
    config, state = store.run_config(run), checkpoint.read_document(checkpoint.newest(run)[0], "state")
    had = {"recipe": model.recipe, "target": model.target, "samples": config.samples, "minutes": config.minutes}
    wanted = {"recipe": wishes.recipe, "target": asked["target"], "samples": wishes.samples, "minutes": wishes.minutes}
    found = [name for name, value in wanted.items() if value is not None and value != had[name]]
    found += ["seed"] if wishes.seed != model.seed else []
    given = asked["constraints"]
    found += ["list of constraints"] if given and constraint_files.read(given) != model.constraints else []
    table = open_table(data, schema=asked["schema"])
    found += ["table"] if not str(state["fingerprint"]).startswith(table.fingerprint) else []
    kinds = {c.name: c.kind for c in model.schema_ if c.kind != "identifier"}  # a unique number has become one
    same = set(kinds.items()) <= {(c.name, c.kind) for c in table.schema}
    return found + (["schema"] if asked["schema"] and not same else [])
