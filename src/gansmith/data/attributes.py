"""Tables of attributes: which pictures have what, several things at once.

CSV or tab-separated, with a header, the first column naming files and each other column an attribute, 0 or 1 (or -1 or
1, or false or true); or CelebA's text (Liu 2015, arXiv:1411.7766): a line with the number of pictures, one with the
names of attributes, and lines of a file's name and -1 or 1 for each.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .listing import shown

TABLE = re.compile(r"(?:attributes|list_attr\w*)\.(?:csv|tsv|txt)", re.IGNORECASE)
MARKS = {"1": 1, "0": 0, "-1": 0, "true": 1, "false": 0}


@dataclass(frozen=True)
class Attributes:
    """What a table says.

    Attributes:
        names: of the attributes.
        of: 0 or 1 for each of them, by a picture's name as the table spells it.
        remarks: sentences on columns that were left alone.
    """

    names: tuple[str, ...]
    of: dict[str, tuple[int, ...]]
    remarks: tuple[str, ...] = ()


def is_table(name: str) -> bool:
    """Whether a file is called as such tables are: `attributes.csv`, `list_attr_celeba.txt`."""
    return TABLE.fullmatch(name.rpartition("/")[2]) is not None


def read_attributes(text: str, place: str) -> Attributes:
    """What a table says, of its whole text; `place` names it to the user.

    Raises:
        DataError: no attributes, a value that is none, a row of another length, a picture named twice with two answers.
    """
    header, rows = _cells(text, place)
    columns = [i for i in range(1, len(header)) if rows[0][i].strip().lower() in MARKS]
    if not columns:
        raise DataError(
            f"{place} needs columns of 0 and 1 (or -1 and 1) beside the files' names; first row: {', '.join(rows[0])}"
        )
    names = tuple(header[i].strip() for i in columns)
    if twice := sorted({name for name in names if names.count(name) > 1 or not name}):
        raise DataError(f"each attribute in {place} needs a name of its own, not: {twice[0]!r} twice")
    _check_signs(rows, columns, place)
    found: dict[str, tuple[int, ...]] = {}
    for number, row in enumerate(rows, 2):
        marks = tuple(_mark(row[i], header[i], number, place) for i in columns)
        if found.setdefault(row[0], marks) != marks:
            raise DataError(f"{place} names a picture twice, with other attributes: {shown(row[0])}")
    left = [header[i] for i in range(1, len(header)) if i not in columns]
    said = (f"Columns that hold no 0 or 1 were left alone: {', '.join(left)}.",) if left else ()
    return Attributes(names, found, said)


def _cells(text: str, place: str) -> tuple[list[str], list[list[str]]]:
    """Header (of the files' column, too) and rows, all of one length."""
    lines = text.splitlines()
    if lines and lines[0].strip().isdecimal():  # CelebA's text
        table = [["file", *lines[1].split()], *(line.split() for line in lines[2:])] if len(lines) > 1 else []
    else:
        tabs = bool(lines) and "\t" in lines[0]
        try:
            table = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if tabs else ","))
        except csv.Error as error:
            raise DataError(f"{place} cannot be read as a table: {error}") from error
    table = [row for row in table if row]
    if len(table) < 2:
        raise DataError(
            f"{place} needs a header and a row for each picture, file name first; it has {len(table)} lines"
        )
    header, *rows = table
    for row in rows:
        if len(row) != len(header):
            raise DataError(
                f"each row of {place} needs {len(header)} values, as its header has; "
                f"{len(row)} in the row of: {shown(row[0])}"
            )
    return header, rows


def _mark(cell: str, column: str, row: int, place: str) -> int:
    mark = MARKS.get(cell.strip().lower())
    if mark is None:
        raise DataError(f"{place} wants 0 or 1 (or -1 or 1) for {column} in row {row}, not: {cell!r}")
    return mark


def _check_signs(rows: Sequence[Sequence[str]], columns: Sequence[int], place: str) -> None:
    """Refuses 0 and -1 side by side: one of them would mean something else, such as unknown."""
    cells = {row[i].strip() for row in rows for i in columns}
    if {"0", "-1"} <= cells:
        raise DataError(f"{place} holds 0 and -1; write 1 where a picture has an attribute, and one of them where not")


def varied(names: Sequence[str], marks: NDArray[np.int64]) -> tuple[list[int], list[str]]:
    """Columns of `marks` (n, a) that differ between pictures, and what to say of the others."""
    keep = [i for i in range(len(names)) if 0 < marks[:, i].sum() < len(marks)]
    same = [names[i] for i in range(len(names)) if i not in keep]
    text = f"Attributes that every picture has, or none, were left out: {', '.join(same)}."
    return keep, [text] if same else []


def combined(marks: NDArray[np.int64], most: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Combinations of attributes, `"0110"` each, and how many pictures have them, the most frequent first.

    Args:
        marks: (n, a), 0 or 1.
        most: where there are more of them than this, those of so many pictures are counted, evenly drawn.
    """
    found, counts = np.unique(marks, axis=0, return_counts=True)
    if len(found) > most:
        rows = np.random.default_rng(0).choice(len(marks), most, replace=False)
        found, counts = np.unique(marks[rows], axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return tuple("".join(map(str, found[i].tolist())) for i in order), tuple(counts[order].tolist())
