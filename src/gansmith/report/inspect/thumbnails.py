"""Thumbnails: the few pictures that a page shows, read once more and made small."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...data.decode import open_picture
from ...data.inspect.look import Look
from ...data.listing import Unreadable
from ..pictures import address

SIDE = 128  # pixels; shown at 96, which looks sharp on fine screens
ENLARGED = 64  # a picture up to this side shows its pixels


class Thumbnails:
    """Makes thumbnails and remembers them: a picture may be shown in several places."""

    def __init__(self, seen: Look) -> None:
        self._seen = seen
        self._made: dict[int, dict[str, Any]] = {}

    def __call__(self, chosen: Iterable[int]) -> list[dict[str, Any]]:
        """For each picture: `src`, `name`, `label` (empty where there is none), `width`, `height`, `fine`."""
        return [self._thumbnail(i) for i in chosen]

    def _thumbnail(self, i: int) -> dict[str, Any]:
        if i not in self._made:
            self._made[i] = self._make(i)
        return self._made[i]

    def _make(self, i: int) -> dict[str, Any]:
        survey = self._seen.survey
        width, height = (int(survey.records[side][i]) for side in ("width", "height"))
        try:
            picture, _ = open_picture(survey.blob(i))
            source = address(picture, most=SIDE)
        except Unreadable:  # it was there when it was measured; the page says its name all the same
            source = ""
        told = {"src": source, "name": survey.name(i), "width": width, "height": height}
        return {**told, "label": self._label(i), "fine": max(width, height) > ENLARGED}

    def _label(self, i: int) -> str:
        survey = self._seen.survey
        listing = survey.parts[int(survey.part[i])].listing
        if listing.labels is None:
            return ""
        number = int(listing.labels[int(survey.row[i])])
        return listing.classes[number] if 0 <= number < len(listing.classes) else ""
