"""What is to be judged, and against what: opened once, for figures and for comparisons."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import checkpoint
from ..data.bundled import PREFIX
from ..data.find import list_pictures
from ..data.images import ImageSource
from ..data.listing import SPLITS, NoSuchSplit
from ..data.part import whole
from ..errors import CheckpointError, DataError, RunFolderError
from ..recipes.base import Recipe
from ..spec import ImageSpec
from ..training import folder
from .generate import Generator, load
from .paths import native
from .prepare import where
from .resume import run_settings
from .sides import (
    Part,
    Pictures,
    agreeing,
    bent,
    folder_of_pictures,
    generated,
    heeds_classes,
    image_spec,
    rest,
    shared_classes,
    some,
)

COPYING = (
    "compared with the pictures that it was trained on, where copying scores well; `--split test`, where the data have "
    "one, compares with others, and the metric `memorisation` looks for copies"
)
CHANGED = "the pictures that it was trained on have changed since: they are judged against as they are now"
AMONG = "among the real pictures are those that it was trained on, where copying scores well"


@dataclass
class Case:
    """What is to be judged, against what.

    Attributes:
        run: the run, the model or the folder; None for pictures that came as an object.
        make: the generator; None for pictures.
        spec: of the pictures.
        fakes: opens a new pass over them.
        real: the real side.
        spare: further real pictures, for floors at the figures' own n; None where there are not enough.
        data: the real pictures as named.
        split: which part of the data they are; `train` too for whatever a run was trained on.
        trained: whether the run was trained on them, as far as fingerprints tell.
        unlike: why both sides have no classes in common, where both have some; empty otherwise.
        settings: of the run; empty for anything else.
    """

    run: Path | None
    make: Generator | None
    spec: ImageSpec
    fakes: Callable[[], Iterator[Part]]
    real: Pictures
    spare: Pictures | None
    data: Any
    name: str
    split: str
    trained: bool
    unlike: str
    n: int
    seed: int
    settings: dict[str, Any]
    remarks: list[str]


def open_case(
    run: Any,
    data: Any,
    recipe: str | type[Recipe] | None,
    split: str | None,
    n: int,
    seed: int,
    size: int | None,
    channels: int | None,
) -> Case:
    """Opens both sides; see `evaluate` for what they may be.

    Raises:
        UserError: nothing there, no data named, sides that differ.
    """
    place = Path(run) if isinstance(run, str | Path) and not str(run).startswith(PREFIX) else None
    settings = run_settings(place) if place and (place / folder.CONFIG).is_file() else {}
    name = _data_name(place, data, settings)
    given = name if data is None else data
    known = place is not None and (settings or (place / checkpoint.MANIFEST).is_file())
    make = load(place, recipe) if known and place else None
    pictures = folder_of_pictures(place or run, n, seed, size, channels) if make is None else None
    spec = image_spec(pictures.source.spec if pictures else make.spec)  # type: ignore[union-attr]  # there is either
    if make is None:
        agreeing(spec, place or run, given, split, size=size, channels=channels)
    source = ImageSource(given, size=spec.size, channels=spec.channels, split=split)
    part, trained, remarks = _part(place, settings, source, given, split)
    heeds = make is None or heeds_classes(make)
    classes, unlike = shared_classes(spec.classes if heeds else (), image_spec(source.spec).classes)
    spare = rest(len(source), n, seed)
    if pictures is not None:
        remarks += bent(pictures.source, "generated")
    return Case(
        run=place,
        make=make,
        spec=spec,
        fakes=_fakes(make, pictures, n, seed, classes),
        real=Pictures(source, some(len(source), n, seed), classes),
        spare=Pictures(source, spare, classes) if len(spare) >= n else None,
        data=given,
        name=name,
        split=part,
        trained=trained,
        unlike=unlike,
        n=n,
        seed=seed,
        settings=settings,
        remarks=[*_of_generator(place, make), *remarks, *([] if trained else bent(source, "real"))],
    )


def _fakes(
    make: Generator | None, pictures: Pictures | None, n: int, seed: int, classes: tuple[str, ...]
) -> Callable[[], Iterator[Part]]:
    """Opens passes over generated pictures, their classes numbered as those of the real ones."""
    if make is not None:
        return lambda: generated(make, n, seed, classes)
    assert pictures is not None
    return Pictures(pictures.source, pictures.rows, classes).parts


def _of_generator(run: Path | None, make: Generator | None) -> list[str]:
    """Damaged checkpoints, and how many scores the weights were picked by."""
    remarks = [f"{problem}; used the checkpoint before it" for problem in (make.problems if make else [])]
    if make is not None and run is not None and (run / folder.BEST / "score.json").is_file():
        score = checkpoint.read_document(run / folder.BEST, "score")
        if searched := score.get("searched"):
            remarks.append(
                f"these weights, of {score['samples']:,} samples, are the best of {searched} by {score['name']}: the "
                "best of many looks better than it is, in that score and in those akin to it"
            )
    return remarks


def _part(
    run: Path | None, settings: Mapping[str, Any], source: ImageSource, given: Any, split: str | None
) -> tuple[str, bool, list[str]]:
    """Which part of the data the real side is, whether the run was trained on it, and what to say of that."""
    part = split and SPLITS.get(split.lower(), split)
    about = settings.get("about") or {}
    own = about.get("data") is not None and where(given) == about["data"]
    if run is not None and settings and _trained_on(run, about, source, given, split):
        return part or "train", True, [COPYING]
    if own and part in (None, "train"):
        return "train", True, [CHANGED, COPYING]
    return part or _undecided(given), False, [AMONG] if own and part == "all" else []


def _undecided(data: Any) -> str:
    """The part that is used where none is named: `train` where there is one, else `all`."""
    try:
        list_pictures(data, "train")
    except NoSuchSplit:
        return "all"
    return "train"


def _trained_on(run: Path, about: Mapping[str, Any], source: ImageSource, given: Any, split: str | None) -> bool:
    """Whether these are the pictures that the newest checkpoint was trained on, read as they were for that."""
    try:
        wanted = whole(checkpoint.read_document(checkpoint.newest(run)[0], "state").get("fingerprint") or "")
    except (CheckpointError, RunFolderError):
        return False
    if not wanted or wanted == source.fingerprint:
        return bool(wanted)
    read_as = about.get("read_as") or {}
    mirror, labels = bool(read_as.get("mirror")), read_as.get("labels")
    if not mirror and labels is not False:
        return False
    spec = image_spec(source.spec)
    again = ImageSource(given, size=spec.size, channels=spec.channels, split=split, mirror=mirror, labels=labels)
    return bool(wanted == again.fingerprint)


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
    if held is not None:
        case.remarks += bent(source, "held-out")
    return Pictures(source, some(len(source), case.n, case.seed), case.real.classes)


def _data_name(run: Path | None, data: Any, settings: dict[str, Any]) -> str:
    """What the real data are called; for data handed over as objects, an empty name."""
    if data is not None:
        return str(data) if isinstance(data, str | Path) else ""
    if run is not None and not run.exists():
        raise RunFolderError(f"no such run folder, nor folder of pictures: {run}")
    if name := (settings.get("about") or {}).get("data"):
        return native(str(name))
    raise DataError(f"say which pictures are the real ones: gansmith evaluate {run or 'FAKES'} --data PICTURES")
