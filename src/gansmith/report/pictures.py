"""Pictures as text for a page that needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from PIL import Image

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
    kind = "png"
    if max(picture.size) > most:
        picture.thumbnail((most, most), Image.Resampling.LANCZOS)
        kind = "webp"
    buffer = io.BytesIO()
    if kind == "png":
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "WEBP", quality=88)
    text = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind};base64,{text}", *picture.size


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most `most` items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]
