"""Pictures as text for a page that needs no other file."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

T = TypeVar("T")


def inline(path: Path, *, most: int) -> tuple[str, int, int] | None:
    """A picture file as a `data:` address with its width and height; None when it cannot be read.

    Larger than `most` pixels a side it is made smaller. Pictures of pixels stay PNG, large ones become WebP.
    """
    try:
        with Image.open(path) as opened:
            picture = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    return address(picture, most=most), *_within(picture.size, most)


def note(path: Path, key: str) -> Any:
    """What a PNG file keeps as JSON under `key`; None where it keeps nothing of that kind."""
    try:
        with Image.open(path) as opened:
            return json.loads(opened.info[key])
    except (OSError, ValueError, KeyError, TypeError, Image.DecompressionBombError):
        return None


def address(picture: Picture, *, most: int) -> str:
    """A picture as a `data:` address; see `inline`."""
    buffer, kind = io.BytesIO(), "png"
    if max(picture.size) > most:
        picture = picture.resize(_within(picture.size, most), Image.Resampling.LANCZOS)
        kind = "webp"
    if kind == "png":
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "WEBP", quality=88)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _within(size: tuple[int, int], most: int) -> tuple[int, int]:
    """The size of the same shape whose sides are at most `most`."""
    scale = min(1.0, most / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
