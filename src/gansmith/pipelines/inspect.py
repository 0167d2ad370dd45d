"""Inspecting pictures before anything is trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.build import Progress
from ..data.find import list_pictures
from ..data.inspect.findings import Finding, findings
from ..data.inspect.look import Look, look
from ..data.inspect.survey import Part
from ..data.listing import NoSuchSplit, shown
from ..errors import DataError
from ..report.inspect import write_inspection
from ..report.inspect.build import document

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Inspection:
    """What an inspection found. `print(inspection)` tells the findings.

    Attributes:
        title: what the data are called.
        seen: every measure, and which pictures are copies, blank, outliers or leaked.
        findings: problems first, then warnings, then notes.
        written: the page; None where none was asked for.
    """

    title: str
    seen: Look
    findings: tuple[Finding, ...]
    written: Path | None = None

    @property
    def clean(self) -> bool:
        """Whether there is neither a problem nor a warning."""
        return all(f.level == "note" for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        """All that was found, every picture named."""
        return document(self.seen, self.findings, title=self.title)

    def __str__(self) -> str:
        return "\n".join(f"{f.level}: {f.text} {f.advice}".rstrip() for f in self.findings)


def inspect(
    data: Any,
    *,
    test: Any = None,
    split: str | None = None,
    out: Path | str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Inspection:
    """Looks at pictures: copies, blanks, outliers, balance, sizes, channels, values, and leaks into test pictures.

    Args:
        data: pictures, as `ImageSource` takes them.
        test: pictures that must not be among them; when left out, the other splits of the data, if there are any.
        split: which part of the data to look at; None takes train where there is one, `"all"` everything.
        out: where to write the page; its data go beside it as JSON. None writes nothing.
        workers: decoding processes; None is one for each core, 0 decodes here.
        progress: called with (done, total) while pictures are read.
        command: to be shown on the page.

    Raises:
        DataError: the data cannot be read, hold no pictures, or none that can be used.
        MissingExtra: a package for this kind of data is absent.
    """
    parts = _with_test(data, test, split) if test is not None else _with_splits(data, split)
    seen = look(parts, workers=workers, progress=progress)
    found = tuple(findings(seen))
    title = title_of(data)
    written = write_inspection(out, seen, found, title=title, command=command) if out else None
    return Inspection(title, seen, found, written)


def title_of(data: Any) -> str:
    """`photos` for `some/photos/`; `data` for an array."""
    if isinstance(data, str | Path):
        return shown(str(data) if str(data).startswith("bundled:") else Path(data).expanduser().resolve().name)
    return "data"


def _with_splits(data: Any, split: str | None) -> list[Part]:
    """The wanted part, and the other splits that there are."""
    if split == "all":
        return [Part("data", list_pictures(data, split))]
    wanted = split or "train"
    try:
        parts = [Part(wanted, list_pictures(data, wanted))]
    except NoSuchSplit:
        if split is not None:
            raise
        return [Part("data", list_pictures(data, None))]
    for other in SPLITS:
        try:
            listing = list_pictures(data, other)
        except NoSuchSplit:
            continue
        if listing.stamp != parts[0].listing.stamp:
            parts.append(Part(other, listing))
    return parts


def _with_test(data: Any, test: Any, split: str | None) -> list[Part]:
    paths = [Path(d).expanduser().resolve() if isinstance(d, str | Path) else None for d in (data, test)]
    if paths[0] is not None and paths[0] == paths[1]:
        raise DataError(f"the test pictures are the data themselves; give pictures that were kept apart: {test}")
    try:
        theirs = list_pictures(test, "test")
    except NoSuchSplit:
        theirs = list_pictures(test, None)
    return [Part("data", list_pictures(data, split)), Part(title_of(test) if paths[1] else "test", theirs)]
