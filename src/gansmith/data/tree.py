"""Named files, in a folder or in an archive: which are pictures, which split and class they belong to."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .attributes import is_table, read_attributes, varied
from .listing import SPLITS, Blob, Listing, Names, Unreadable, choose_split, digest, number_labels, refuse_split, shown

PICTURES = frozenset(
    ".png .jpg .jpeg .jpe .jfif .webp .gif .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .avif .jp2 .j2k .tga".split()  # noqa: SIM905
)
TABLES = ("metadata.csv", "metadata.jsonl")
LABEL_COLUMNS = ("label", "labels", "class")


class Entry(NamedTuple):
    """One file: its name with `/` between parts, its size, and a number that changes with its content."""

    name: str
    size: int
    stamp: int


@dataclass(frozen=True)
class Tree:
    """Named files and how to read one (raises OSError, or Unreadable, where it cannot be read)."""

    place: str
    entries: Sequence[Entry]
    read: Callable[[Entry], bytes]


def is_picture(name: str) -> bool:
    """Whether the name ends as a picture's does; hidden files and a Mac's archive leftovers are none."""
    base = name.rpartition("/")[2]  # called a million times, so without posixpath
    _, dot, ending = base.rpartition(".")
    return dot + ending.lower() in PICTURES and base[0] != "." and "__MACOSX/" not in name


def list_tree(tree: Tree, split: str | None) -> Listing:
    """The pictures among named files.

    Attributes come from a table called as `attributes.is_table` knows it. Else labels come from a metadata.csv or
    metadata.jsonl (columns file_name, label), else from the first folder level, where every picture is in one of at
    least two. Folders named train, validation, test are splits, not classes.

    Raises:
        DataError: no picture, a split that is absent, a metadata table that cannot be used.
    """
    pictures = [e for e in tree.entries if is_picture(e.name)]
    if not pictures:
        raise DataError(_no_pictures(tree))
    remarks: list[str] = []
    if others := len(tree.entries) - len(pictures):
        remarks.append(f"Left alone, not being pictures: {others:,} of {len(tree.entries):,} files.")
    pictures, prefix, level, said = _select(pictures, split, tree.place)
    if (marks := _nearest([e for e in tree.entries if is_table(e.name)], prefix)) is not None:
        return _with_attributes(tree, marks, pictures, prefix, remarks + said)
    table = _nearest([e for e in tree.entries if posixpath.basename(e.name) in TABLES], prefix)
    labels: list[str] | None
    absent: list[tuple[str, str]] = []
    if table is not None:
        pictures, labels, absent, told = _apply_table(tree, table, pictures)
        said += told
    else:
        labels = _folder_labels(pictures, prefix, level)
    listing = _listing(tree, pictures, remarks + said, absent)
    if labels is not None:
        listing.labels, listing.classes = number_labels(labels)
    return listing


def _listing(tree: Tree, kept: list[Entry], remarks: list[str], absent: list[tuple[str, str]]) -> Listing:
    return Listing(
        place=tree.place,
        names=Names(e.name for e in kept),
        stamp=digest(f"{e.name}\n{e.size}\n{e.stamp}" for e in kept),
        read=lambda rows: [_read(tree, kept[i]) for i in rows],
        remarks=remarks,
        absent=absent,
        hint="put the pictures of each class in a subfolder of its own, or add a metadata.csv with the columns "
        "file_name and label",
    )


def _with_attributes(tree: Tree, table: Entry, pictures: list[Entry], prefix: str, remarks: list[str]) -> Listing:
    """The pictures that a table of attributes names, by their path from the table or from their own folder.

    Raises:
        DataError: a table that cannot be used, or that names no picture.
    """
    what = f"{table.name} in {tree.place}"
    found = read_attributes(_text(tree, table, what), what)
    by_name = {e.name: e for e in pictures}
    within = posixpath.commonpath([posixpath.dirname(e.name) for e in pictures])
    homes = (table.name[: table.name.rfind("/") + 1], prefix, f"{within}/" if within else "")
    kept: dict[str, tuple[int, ...]] = {}
    absent: list[str] = []
    for name, marks_of_it in found.of.items():
        path = next((p for p in (posixpath.normpath(f"{home}{name}") for home in homes) if p in by_name), None)
        if path is None:
            absent.append(name)
        else:
            kept[path] = marks_of_it
    if not kept:
        raise DataError(f"{what} names no picture that is there; first name: {shown(absent[0])}")
    chosen = [e for e in pictures if e.name in kept]
    marks = np.array([kept[e.name] for e in chosen], dtype=np.int64)
    columns, said = varied(found.names, marks)
    if not columns:
        raise DataError(f"{what} tells no pictures apart; all of them have: {', '.join(found.names)}, or none has")
    said = [f"Attributes come from {table.name}; classes there may be are not used.", *found.remarks, *said]
    if left := len(pictures) - len(kept):
        said.append(f"{left:,} pictures that {table.name} does not name were left alone.")
    if absent:
        said.append(f"{table.name} names {len(absent):,} pictures that are not here, such as {shown(absent[0])}.")
    listing = _listing(tree, chosen, remarks + said, [])
    listing.marks, listing.attributes = marks[:, columns], tuple(found.names[i] for i in columns)
    return listing


def _text(tree: Tree, table: Entry, what: str) -> str:
    try:
        return tree.read(table).decode("utf-8-sig")
    except (UnicodeDecodeError, OSError, Unreadable) as e:
        raise DataError(f"{what} cannot be read as a table: {e}") from e


def _read(tree: Tree, entry: Entry) -> Blob:
    try:
        return tree.read(entry)
    except OSError as e:
        return Unreadable(f"cannot be read: {e.strerror or e}")
    except Unreadable as e:
        return e


def _no_pictures(tree: Tree) -> str:
    wanted = "wanted pictures such as .png, .jpg or .webp"
    if not tree.entries:
        return f"{tree.place} is empty; {wanted}"
    kinds = Counter(posixpath.splitext(e.name)[1].lower() or "no ending" for e in tree.entries)
    found = ", ".join(f"{n} {shown(kind)}" for kind, n in kinds.most_common(5))
    return f"no pictures in {tree.place}; {wanted}, found: {found}"


def _select(pictures: list[Entry], split: str | None, place: str) -> tuple[list[Entry], str, int, list[str]]:
    """The pictures of the chosen split, the folder they are all in, the level of the classes below it, remarks."""
    prefix = _shared_folder(pictures, "")
    tops = _tops(pictures, prefix)
    splits = _split_folders(tops)
    if not splits:
        refuse_split(split, place)
        return pictures, prefix, 0, []
    chosen, said = choose_split(splits, split, place)
    unknown = sorted(t for t in tops if t not in splits)
    if unknown:
        said.append(f"Not splits, so left alone: {', '.join(shown(t) or 'loose files' for t in unknown)}.")
    inside = tuple(f"{prefix}{c}/" for c in chosen)
    kept = [e for e in pictures if e.name.startswith(inside)]
    if len(inside) > 1:
        return kept, prefix, 1, said
    return kept, _shared_folder(kept, inside[0]), 0, said


def _tops(pictures: list[Entry], prefix: str) -> set[str]:
    """First-level folders below `prefix`; an empty name stands for pictures in no folder."""
    return {e.name[len(prefix) :].partition("/")[0] if "/" in e.name[len(prefix) :] else "" for e in pictures}


def _shared_folder(pictures: list[Entry], prefix: str) -> str:
    """`prefix` and the folders below it that merely wrap everything, as `set` does in `set/train/cat/1.png`."""
    while True:
        tops = _tops(pictures, prefix)
        top = next(iter(tops))
        inner = f"{prefix}{top}/"
        if len(tops) > 1 or not top or top.lower() in SPLITS or all("/" not in e.name[len(inner) :] for e in pictures):
            return prefix
        prefix = inner


def _split_folders(tops: set[str]) -> list[str]:
    """Folders that are splits. One `train` among other folders is a class (a locomotive), not a split."""
    named = sorted(t for t in tops if t.lower() in SPLITS)
    kinds = {SPLITS[t.lower()] for t in named}
    return named if len(kinds) > 1 or (named and len(named) == len(tops)) else []


def _folder_labels(pictures: list[Entry], prefix: str, level: int) -> list[str] | None:
    parts = [e.name[len(prefix) :].split("/")[level:] for e in pictures]
    if any(len(p) < 2 for p in parts):
        return None
    labels = [p[0] for p in parts]
    return labels if len(set(labels)) > 1 else None


def _nearest(tables: Sequence[Entry], prefix: str) -> Entry | None:
    """The table in the pictures' folder, else in the nearest folder above it."""
    tables = [e for e in tables if prefix.startswith(e.name[: e.name.rfind("/") + 1])]
    return max(tables, key=lambda e: len(e.name), default=None)


def _apply_table(
    tree: Tree, table: Entry, pictures: list[Entry]
) -> tuple[list[Entry], list[str] | None, list[tuple[str, str]], list[str]]:
    """Pictures that the table names, their labels, what it names in vain, and what to say."""
    rows = _parse_table(tree, table)
    column = next((c for c in LABEL_COLUMNS if c in rows[0]), None)
    if column is None:
        return pictures, None, [], [f"{table.name} has no column named label, so it was not used."]
    folder = table.name[: table.name.rfind("/") + 1]
    by_name = {e.name: e for e in pictures}
    kept: dict[str, str] = {}
    absent: list[tuple[str, str]] = []
    for row in rows:
        name, label = posixpath.normpath(folder + str(row["file_name"])), row.get(column)
        if name not in by_name:
            absent.append((name, f"named in {table.name}, not found"))
        elif label is None or label == "":
            absent.append((name, f"has no label in {table.name}"))
        else:
            kept[name] = str(label)
    if not kept:
        raise DataError(
            f"{table.name} in {tree.place} names no picture that is there; first name: {shown(absent[0][0])}"
        )
    said = [f"Labels come from {table.name}."]
    if left := len(pictures) - len(kept) - sum(name in by_name for name, _ in absent):
        said.append(f"{left:,} pictures that {table.name} does not name were left alone.")
    chosen = [e for e in pictures if e.name in kept]
    return chosen, [kept[e.name] for e in chosen], absent, said


def _parse_table(tree: Tree, table: Entry) -> list[dict[str, object]]:
    what = f"{table.name} in {tree.place}"
    text = _text(tree, table, what)
    try:
        if table.name.endswith(".csv"):
            rows: list[dict[str, object]] = list(csv.DictReader(io.StringIO(text, newline="")))
        else:
            rows = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, csv.Error) as e:
        raise DataError(f"{what} cannot be read as a table: {e}") from e
    if not rows or not all(isinstance(r, dict) and "file_name" in r for r in rows):
        raise DataError(f"{what} needs a column (or key) file_name in every row, and label if there are labels")
    return rows
