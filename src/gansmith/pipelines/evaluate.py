"""Judging a run, or a folder of pictures made by anything, against real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .. import checkpoint
from ..config import write_text
from ..data.images import ImageSource
from ..errors import DataError, RunFolderError, SpecError, UserError
from ..metrics.base import Extractor, Figure
from ..metrics.extractors import choose_extractor, load_extractor
from ..metrics.judge import judge, lines
from ..recipes.base import Recipe
from ..report import write_report
from ..spec import ImageSpec, Spec
from ..training import folder
from ..training.journal import Journal
from .generate import Generator, load
from .paths import native, readable
from .resume import run_settings

PART = 256
METRICS = ("fid", "kid", "precision_recall")


@dataclass(frozen=True)
class Evaluation:
    """What a judgement found. `print(evaluation)` shows each figure with its protocol.

    Attributes:
        figures: each with its protocol.
        extractor: which extractor took the features and why, in a sentence.
        remarks: biased figures, damaged checkpoints.
        written: the file that keeps the figures; None for a plain folder of pictures.
    """

    figures: tuple[Figure, ...]
    extractor: str
    remarks: tuple[str, ...] = field(default=())
    written: Path | None = None

    def __getitem__(self, name: str) -> float:
        """The value of the figure called `name`, upper or lower case: `evaluation["fid"]`."""
        found = {f.name.lower(): f.value for f in self.figures}
        if name.lower() not in found:
            raise KeyError(f"no figure {name!r}; there are: {', '.join(f.name for f in self.figures)}")
        return found[name.lower()]

    def __str__(self) -> str:
        return "\n".join(lines(self.figures))


def evaluate(
    run: Path | str,
    data: Any = None,
    *,
    metrics: Sequence[str] = METRICS,
    n: int = 10_000,
    extractor: str | Extractor | None = None,
    seed: int = 0,
    recipe: str | type[Recipe] | None = None,
    split: str | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> Evaluation:
    """Judges a run against real pictures. Figures of a run go to evaluation.json, its log and its report.

    Args:
        run: a run folder, a checkpoint, a packed model; or a plain folder (or zip) of generated pictures.
        data: the real pictures; those that the run was trained on when left out.
        metrics: of `fid`, `kid`, `precision_recall`.
        n: how many pictures of each side, at most.
        extractor: `inception`, `fashion`, `random`, or one of your own; the best at hand when left out.
        seed: of the generated pictures, and of the choice among more than `n` real ones.
        recipe: needed for a run with a recipe of your own.
        split: which part of the data is the real side.
        progress: called with the side and the number of pictures done.

    Raises:
        UserError: nothing there, no data named, too few pictures, an unknown metric or extractor.
    """
    run = Path(run)
    settings = run_settings(run) if (run / folder.CONFIG).is_file() else {}
    name = _data_name(run, data, settings)
    make = load(run, recipe) if settings or (run / checkpoint.MANIFEST).is_file() else None
    spec, fakes = _generated(make, n, seed) if make else _pictures(run, n, seed)
    real = ImageSource(
        name if data is None else data, size=spec.size, channels=spec.channels, labels=False, split=split
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if isinstance(extractor, str | None):
        chosen, why = choose_extractor(spec, name, extractor, device=device)
    else:
        chosen, why = load_extractor(extractor), "features by an extractor of your own"
    remarks = [f"{problem}; used the checkpoint before it" for problem in (make.problems if make else [])]
    rows = _some(len(real), n, seed)
    figures = judge(
        _pixels(real, rows),
        fakes,
        chosen,
        list(metrics),
        split=split or "train",
        real_key=f"{real.fingerprint}/{len(rows)}/{seed if len(rows) < len(real) else 0}",
        progress=progress,
        warn=remarks.append,
    )
    written = _keep(run, figures, name, settings) if settings else None
    return Evaluation(tuple(figures), why, tuple(remarks), written)


def _data_name(run: Path, data: Any, settings: dict[str, Any]) -> str:
    """What the real data are called; for data handed over as objects, an empty name."""
    if data is not None:
        return str(data) if isinstance(data, str | Path) else ""
    name = (settings.get("about") or {}).get("data")
    if not run.exists():
        raise RunFolderError(f"no such run folder, nor folder of pictures: {run}")
    if not name:
        raise DataError(f"say which pictures are the real ones: gansmith evaluate {run} --data PICTURES")
    return native(str(name))


def _generated(make: Generator, n: int, seed: int) -> tuple[ImageSpec, Iterator[Tensor]]:
    spec = _image(make.spec)
    return spec, (spec.pixels(part) for part in make.parts(n, seed=seed))


def _pictures(path: Path, n: int, seed: int) -> tuple[ImageSpec, Iterator[Tensor]]:
    """Pictures made by anything, from a folder or a zip."""
    if path.is_dir() and not any(path.iterdir()):
        raise UserError(f"this folder is empty; wanted a run or generated pictures: {path}")
    source = ImageSource(path, labels=False, cache=False)
    return _image(source.spec), _pixels(source, _some(len(source), n, seed))


def _pixels(source: ImageSource, rows: Tensor) -> Iterator[Tensor]:
    """uint8 pictures (b h w c) of these rows, in parts."""
    spec = _image(source.spec)
    return (spec.pixels(source.batch(part, torch.device("cpu"))) for part in rows.split(PART))


def _image(spec: Spec) -> ImageSpec:
    if not isinstance(spec, ImageSpec):
        raise SpecError(f"only pictures can be judged so far; these are: {spec.kind}")
    return spec


def _some(count: int, n: int, seed: int) -> Tensor:
    """At most `n` of `count` rows, drawn without replacement, in order."""
    if count <= n:
        return torch.arange(count)
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:n].sort().values


def _keep(run: Path, figures: Sequence[Figure], data: str, settings: dict[str, Any]) -> Path:
    """Writes the figures to evaluation.json, to the log, and into the report."""
    step_folder, _ = checkpoint.newest(run)
    state = checkpoint.read_document(step_folder, "state")
    document = {"checkpoint": step_folder.name, "data": readable(data), "figures": [f.to_json() for f in figures]}
    path = run / folder.EVALUATION
    try:
        write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error
    where = {"step": int(state["step"]), "samples": int(state["step"]) * int(settings["train"]["batch"])}
    journal = Journal(run / folder.LOG)
    for figure in figures:
        journal.write("metric", **where, seconds=round(float(state["seconds"]), 3), **figure.to_json())
    write_report(run)
    return path
