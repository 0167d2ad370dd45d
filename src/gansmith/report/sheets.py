"""Sheets of small pictures: made, written whole or not at all, and cut up again."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from PIL.Image import Image as Picture
    from torch import Tensor


@dataclass(frozen=True)
class Sheet:
    """Pictures of one size in rows, as PNG.

    Args:
        png: the file's content.
        width, height: of one picture, in pixels.
        columns, count: of the sheet.
    """

    png: bytes
    width: int
    height: int
    columns: int
    count: int

    def to_json(self, file: str) -> dict[str, Any]:
        """What `cut` needs to know of it."""
        told = {"width": self.width, "height": self.height, "columns": self.columns, "count": self.count}
        return {"file": file, "sha256": hashlib.sha256(self.png).hexdigest(), **told}


def sheet(pixels: Tensor, *, columns: int) -> Sheet:
    """A sheet of uint8 pictures (n h w c) with 1, 3 or 4 channels; what is left of the last row is black or clear."""
    n, height, width, channels = pixels.shape
    rows = -(-n // columns)
    whole = pixels.new_zeros(rows * columns, height, width, channels)
    whole[:n] = pixels
    whole = whole.unflatten(0, (rows, columns)).transpose(1, 2).reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray((whole[..., 0] if channels == 1 else whole).numpy()).save(buffer, "PNG", optimize=True)
    return Sheet(buffer.getvalue(), width, height, columns, n)


def cut(folder: Path, told: Mapping[str, Any]) -> list[Picture]:
    """The pictures of a sheet; none where its file is absent, damaged, or another than `told` speaks of."""
    try:
        content = (folder / str(told["file"])).read_bytes()
        if hashlib.sha256(content).hexdigest() != told["sha256"]:
            return []
        with Image.open(io.BytesIO(content)) as opened:
            whole = opened.convert("RGBA" if "A" in opened.getbands() else "RGB")
        width, height, columns = int(told["width"]), int(told["height"]), int(told["columns"])
        places = [(i % columns * width, i // columns * height) for i in range(int(told["count"]))]
    except (OSError, ValueError, KeyError, TypeError, Image.DecompressionBombError):
        return []
    return [whole.crop((x, y, x + width, y + height)) for x, y in places]
