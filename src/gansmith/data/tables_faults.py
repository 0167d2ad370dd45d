"""What breaks delimited text in silence, found by line: quotes that are not closed, and zero bytes."""

from __future__ import annotations

import csv
from collections.abc import Iterable

from ..errors import DataError

TAIL = 1 << 16  # bytes at the end of a file in which its last line is looked for


def open_quote(lines: Iterable[str], delimiter: str, *, complete: bool = True) -> int | None:
    """The line, from 1, that begins a row in which a quoted cell takes in further lines and then does not end as it
    should: it is never closed, or other text follows the closing quote.

    Args:
        complete: whether the lines go to the end of the file.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num
        try:
            next(reader)
        except StopIteration:
            return None
        except csv.Error as error:  # of the row's first line alone, it is a quote within a cell: harmless
            at_end = "unexpected end of data" in str(error)
            if complete if at_end else reader.line_num > line + 1:
                return line + 1


def on_quote(place: str, line: int) -> DataError:
    """The error for a quote that is not closed."""
    return DataError(
        f"{place}: the double quote that line {line:,} opens is not closed where its cell ends, so it swallows the "
        'lines after it; close it, or write "" for a quote within a cell'
    )


def on_zero(place: str, lines: Iterable[str]) -> DataError:
    """The error for text with a zero byte; the first line that holds one is named."""
    line = next((number for number, text in enumerate(lines, 1) if "\0" in text), 1)
    return DataError(
        f"{place}: line {line:,} holds a zero byte, which is no text; is the file damaged? Take such bytes out, or "
        "save the table as CSV (UTF-8) anew"
    )
