"""A look at the data before anything is decoded, so that the plan can be made for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..data.build import choose_size
from ..data.find import list_pictures
from ..data.source import Source
from ..data.tables_read import is_table, open_table
from ..spec import ImageSpec, Spec
from ..tabular.schemafile import load_schema


@dataclass(frozen=True)
class Seen:
    """What a look at the data told.

    Attributes:
        data: what to open: as it was given, or what looking at it has opened already.
        kind: of data, as `Spec.kind` has it.
        count: number of examples.
        side: the size that suits the pictures; None where that was not asked.
        why: the reason for that size.
        classes: names of the classes that training will use.
        spec: of a source that was made already; nothing is left to choose then.
    """

    data: Any
    kind: str
    count: int
    side: int | None
    why: str = ""
    classes: tuple[str, ...] = ()
    spec: Spec | None = None


def look_at(
    data: Any, *, labels: bool | None = None, size: int | None = None, schema: str | Path | None = None
) -> Seen:
    """Counts the examples and measures some of them. Decodes no picture.

    Args:
        labels: of pictures; False leaves them out.
        size: the side that was asked for; measuring is left out then.
        schema: of a table: the file that says what its columns are.

    Raises:
        DataError: the data cannot be read.
    """
    if isinstance(data, Source):
        spec = data.spec
        return Seen(data, spec.kind, len(data), None, "", spec.classes if isinstance(spec, ImageSpec) else (), spec)
    if is_table(data):
        table = open_table(data, schema=None if schema is None else load_schema(schema))
        return Seen(table, "table", table.rows, None)
    listing = list_pictures(data, None)
    side, why = (None, "") if size else choose_size(listing)
    labelled = labels is not False and listing.labels is not None
    return Seen(data, "image", len(listing), side, why, listing.classes if labelled else ())
