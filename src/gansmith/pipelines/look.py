"""A look at the data before anything is decoded, so that the plan can be made for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..data.build import choose_size
from ..data.find import list_pictures
from ..data.source import Source
from ..spec import ImageSpec, Spec


@dataclass(frozen=True)
class Seen:
    """What a look at the data told.

    Attributes:
        kind: of data, as `Spec.kind` has it.
        count: number of examples.
        side: the size that suits the pictures; None where that was not asked.
        why: the reason for that size.
        classes, attributes: names of those that training will use.
        spec: of a source that was made already; nothing is left to choose then.
    """

    kind: str
    count: int
    side: int | None
    why: str = ""
    classes: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    spec: Spec | None = None


def look_at(data: Any, *, labels: bool | None = None, size: int | None = None) -> Seen:
    """Counts the examples and measures some of them. Decodes no picture.

    Args:
        labels: of pictures; False leaves them out.
        size: the side that was asked for; measuring is left out then.

    Raises:
        DataError: the data cannot be read.
    """
    if isinstance(data, Source):
        spec = data.spec
        return Seen(spec.kind, len(data), None, classes=spec.classes if isinstance(spec, ImageSpec) else (), spec=spec)
    listing = list_pictures(data, None)
    side, why = (None, "") if size else choose_size(listing)
    if labels is False:
        return Seen("image", len(listing), side, why)
    classes = listing.classes if listing.labels is not None else ()
    return Seen("image", len(listing), side, why, classes, listing.attributes)
