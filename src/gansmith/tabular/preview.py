"""The first rows of a table as a picture of text, for logs and model cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import pandas as pd

ROWS, COLUMNS, CELL, FONT, PAD = 24, 12, 16, 13, 6


def picture_of(frame: pd.DataFrame) -> Image.Image:
    """At most 24 rows and 12 columns, cells cut to 16 characters."""
    shown = frame.iloc[:ROWS, :COLUMNS]
    columns = [[_cell(name), *(_cell(value) for value in shown[name])] for name in shown.columns]
    font = ImageFont.load_default(FONT)
    widths = [max(int(font.getlength(text)) for text in column) + 2 * PAD for column in columns]
    height = FONT + PAD
    picture = Image.new("RGB", (sum(widths) or 1, height * (len(shown) + 1)), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, picture.width, height), fill="#e8ecf2")
    left = 0
    for column, width in zip(columns, widths, strict=True):
        for row, text in enumerate(column):
            draw.text((left + PAD, row * height + PAD // 2), text, fill="#1c2430", font=font)
        left += width
    return picture


def _cell(value: Any) -> str:
    text = "" if value is None or value != value else str(value)
    return text if len(text) <= CELL else text[: CELL - 1] + "…"
