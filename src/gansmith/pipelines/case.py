"""What is to be judged, and against what: opened once, for figures and for comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import checkpoint
from ..data.images import ImageSource
from ..data.listing import NoSuchSplit
from ..errors import DataError, RunFolderError
from ..recipes.base import Recipe
from ..spec import ImageSpec
from ..training import folder
from .generate import Generator, load
from .paths import native
from .resume import run_settings
from .sides import Part, Pictures, agreeing, folder_of_pictures, generated, heeds_classes, image_spec, rest, some


@dataclass
class Case:
    """What is to be judged, against what.

    Attributes:
        make: the generator; None for a plain folder.
        spec: of the pictures.
        fakes: opens a new pass over them.
        real: the real side.
        spare: further real pictures, for floors at the figures' own n; None where there are not enough.
        data: the real pictures as named.
        settings: of the run; empty for anything else.
    """

    run: Path
    make: Generator | None
    spec: ImageSpec
    fakes: Callable[[], Iterator[Part]]
    real: Pictures
    spare: Pictures | None
    data: Any
    name: str
    split: str
    n: int
    seed: int
    settings: dict[str, Any]
    remarks: list[str]


def open_case(
    run: Path,
    data: Any,
    recipe: str | type[Recipe] | None,
    split: str | None,
    n: int,
    seed: int,
    size: int | None,
    channels: int | None,
) -> Case:
    settings = run_settings(run) if (run / folder.CONFIG).is_file() else {}
    name = _data_name(run, data, settings)
    given = name if data is None else data
    make = load(run, recipe) if settings or (run / checkpoint.MANIFEST).is_file() else None
    if make is not None:
        spec, fakes = image_spec(make.spec), lambda: generated(make, n, seed)[1]
    else:
        pictures = folder_of_pictures(run, n, seed, size, channels)
        spec, fakes = image_spec(pictures.source.spec), pictures.parts
        agreeing(spec, given, split, size=size, channels=channels)
    source = ImageSource(given, size=spec.size, channels=spec.channels, split=split)
    told = bool(spec.classes) if make is None else heeds_classes(make)
    classes = image_spec(source.spec).classes if told else ()
    if make is None and classes:
        fakes = Pictures(pictures.source, pictures.rows, classes).parts
    spare = rest(len(source), n, seed)
    return Case(
        run=run,
        make=make,
        spec=spec,
        fakes=fakes,
        real=Pictures(source, some(len(source), n, seed), classes),
        spare=Pictures(source, spare, classes) if len(spare) >= n else None,
        data=given,
        name=name,
        split=split or "train",
        n=n,
        seed=seed,
        settings=settings,
        remarks=[*_of_generator(run, make), *_of_split(settings, split)],
    )


def _of_generator(run: Path, make: Generator | None) -> list[str]:
    """Damaged checkpoints, and how many scores the weights were picked by."""
    remarks = [f"{problem}; used the checkpoint before it" for problem in (make.problems if make else [])]
    best = run / folder.BEST
    if make is not None and (best / "score.json").is_file():
        score = checkpoint.read_document(best, "score")
        if searched := score.get("searched"):
            remarks.append(
                f"these weights, of {score['samples']:,} samples, are the best of {searched} by {score['name']}: the "
                "best of many looks better than it is, in that score and in those akin to it"
            )
    return remarks


def _of_split(settings: Mapping[str, Any], split: str | None) -> list[str]:
    if settings and split in (None, "train"):
        return [
            "compared with the pictures that it was trained on, where copying scores well; `--split test`, where the "
            "data have one, compares with others, and the metric `memorisation` looks for copies"
        ]
    return []


def unseen(case: Case, held: Any) -> Pictures | None:
    """Pictures that training never saw: those given, or the data's test split where that is not the real side."""
    if held is None and (case.split != "train" or not isinstance(case.data, str | Path)):
        return None
    try:
        source = ImageSource(
            case.data if held is None else held,
            size=case.spec.size,
            channels=case.spec.channels,
            split="test" if held is None else None,
        )
    except NoSuchSplit:
        return None
    if held is None and source.fingerprint == case.real.source.fingerprint:  # the test split is what was trained on
        return None
    return Pictures(source, some(len(source), case.n, case.seed), case.real.classes)


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
