"""What a judgement of a run leaves in its folder: evaluation.json, lines of its log, its report and what that shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import checkpoint
from ..config import write_text
from ..errors import DataError, UserError
from ..metrics.base import Extractor, Figure, Metric, Seen
from ..report import write_report
from ..report.classes import Modes
from ..report.evaluations import with_earlier
from ..report.exhibits import exhibit
from ..training import folder
from ..training.journal import Journal
from .case import Case
from .paths import readable


@dataclass
class Closely:
    """What the report shows besides figures, by the extractor that was used first."""

    case: Case
    extractor: Extractor
    known: Seen | None = None
    modes: Modes | None = None

    def hear(self, metrics: Mapping[str, Metric], kept: Mapping[str, Seen]) -> None:
        """Remembers what judging saw."""
        self.known = kept["real"]
        names = getattr(self.extractor, "classes", ())
        for counted in (metric for metric in metrics.values() if hasattr(metric, "counts")):  # of modes, for bars
            self.modes = Modes(counted.counts("fake").tolist(), counted.counts("real").tolist(), names)

    def show(self, run: Path, checkpoint: str) -> None:
        """Writes it into the run's folder; too few pictures to show anything are no failure of the judgement."""
        real = self.case.real
        if self.known is None or len(self.known.features) != len(real.rows):
            return  # more pictures than are kept: rows and features no longer belong together
        try:
            exhibit(
                run,
                self.extractor,
                self.case.fakes(),
                real.source,
                self.known.features,
                rows=real.rows,
                modes=self.modes,
                split=self.case.split,
                checkpoint=checkpoint,
                seed=self.case.seed,
            )
        except DataError as error:
            self.case.remarks.append(f"the report shows no pictures beside the figures: {error}")


def keep(case: Case, figures: Sequence[Figure], remarks: Sequence[str], closely: Closely) -> Path:
    """Adds the figures to evaluation.json, and writes them to the log and into the report."""
    assert case.run is not None
    step_folder, _ = checkpoint.newest(case.run)
    state = checkpoint.read_document(step_folder, "state")
    document = {
        "checkpoint": step_folder.name,
        "data": readable(case.name),
        "fingerprint": case.real.source.fingerprint[:12],
        "figures": [f.to_json() for f in figures],
        "remarks": list(remarks),
    }
    path = case.run / folder.EVALUATION
    try:
        write_text(path, json.dumps(with_earlier(document, path), indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    where = {"step": int(state["step"]), "samples": int(state["step"]) * int(case.settings["train"]["batch"])}
    journal = Journal(case.run / folder.LOG)
    for figure in figures:
        journal.write("metric", **where, seconds=round(float(state["seconds"]), 3), **figure.to_json())
    closely.show(case.run, step_folder.name)
    write_report(case.run)
    return path
