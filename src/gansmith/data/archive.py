"""A zip of pictures, which may be hostile. Nothing is ever unpacked to disk.

Refused whole: names that leave the folder (`..`, absolute), links, duplicates, encryption, overlapping members
(Fifield 2019, "A better zip bomb"), and more than it could sensibly hold. A member whose content is longer than
its header says is refused while it is read.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

from ..errors import DataError
from .listing import MAX_BYTES, Listing, Unreadable, shown
from .tree import Entry, Tree, is_picture, list_tree

MAX_MEMBERS = 20_000_000
MAX_TOTAL = 4 << 40  # bytes declared by all members together
MAX_RATIO = 200  # of the whole archive; pictures compress 1 to 20 times, a bomb a thousand times and more
RATIO_FLOOR = 64 << 20  # smaller contents are harmless at any ratio
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")


def list_zip(path: Path, split: str | None) -> Listing:
    """The pictures in a zip.

    Raises:
        DataError: not a zip, damaged, or hostile; no pictures; an absent split.
    """
    members = check_zip(path)
    reader = _Reader(path, members)
    entries = [Entry(m.filename, m.file_size, m.CRC) for m in members if not m.is_dir()]
    entries = sorted((e for e in entries if _visible(e.name)), key=lambda e: e.name.encode("utf-8", "surrogateescape"))
    return list_tree(Tree(place=shown(str(path)), entries=entries, read=reader.read), split)


def _visible(name: str) -> bool:
    return "__MACOSX/" not in name and not any(p.startswith(".") for p in name.split("/"))


def check_zip(path: Path) -> list[zipfile.ZipInfo]:
    """The members of a zip that is safe to read.

    Raises:
        DataError: not a zip, damaged, or hostile.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, EOFError) as e:
        raise DataError(f"{shown(str(path))} is not a zip file, or is damaged: {e}") from e
    except OSError as e:
        raise DataError(f"cannot read {shown(str(path))}: {e.strerror or e}") from e
    _check_amounts(path, members)
    for member in members:
        if reason := _objection(member):
            raise _refused(path, f"the member {shown(member.filename)!r} {reason}")
    twice = next((n for n, k in Counter(m.filename for m in members).items() if k > 1), None)
    if twice is not None:
        raise _refused(path, f"it holds two members of the same name {shown(twice)!r}")
    _check_overlap(path, members)
    return members


def _refused(path: Path, why: str) -> DataError:
    return DataError(f"{shown(str(path))} is refused: {why}. Unpack it where that is safe, and give the folder.")


def _check_amounts(path: Path, members: list[zipfile.ZipInfo]) -> None:
    total, size = sum(m.file_size for m in members), path.stat().st_size
    if len(members) > MAX_MEMBERS:
        raise _refused(path, f"it holds {len(members):,} members; at most {MAX_MEMBERS:,} are read")
    if total > MAX_TOTAL:
        raise _refused(path, f"it says that it holds {total:,} bytes; at most {MAX_TOTAL:,} are read")
    if total > RATIO_FLOOR and total > MAX_RATIO * size:
        raise _refused(path, f"it says that its {size:,} bytes unfold to {total:,}, as a zip bomb does")


def _objection(member: zipfile.ZipInfo) -> str | None:
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:3] == ":/":
        return "has an absolute name"
    if ".." in name.split("/"):
        return "leaves the archive by '..'"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {member.compress_type}; stored and deflated (0 and 8) are read"
    if is_picture(member.filename) and member.file_size > MAX_BYTES:
        return f"says that it is {member.file_size:,} bytes long; at most {MAX_BYTES:,} are read"
    return None


def _check_overlap(path: Path, members: list[zipfile.ZipInfo]) -> None:
    end = 0
    for member in sorted(members, key=lambda m: m.header_offset):
        if member.header_offset < end:
            raise _refused(path, f"the member {shown(member.filename)!r} overlaps another, as in a zip bomb")
        end = member.header_offset + _LOCAL_HEADER.size + member.compress_size


class _Reader:
    """Reads members, from any thread, never more bytes than the directory declares."""

    def __init__(self, path: Path, members: list[zipfile.ZipInfo]) -> None:
        self._path = path
        self._where = {m.filename: (m.header_offset, m.compress_size, m.compress_type) for m in members}

    def read(self, entry: Entry) -> bytes:
        offset, length, method = self._where[entry.name]
        if max(entry.size, length) > MAX_BYTES:
            raise Unreadable(f"a member of {entry.size:,} bytes; at most {MAX_BYTES:,} are read")
        raw = self._raw(offset, length)
        return self._verified(entry, raw if method == zipfile.ZIP_STORED else self._inflate(entry, raw))

    def _raw(self, offset: int, length: int) -> bytes:
        with self._path.open("rb") as file:
            file.seek(offset)
            header = file.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
                raise Unreadable("damaged in the zip: no header where the directory says")
            *_, name_length, extra_length = _LOCAL_HEADER.unpack(header)
            file.seek(name_length + extra_length, 1)
            return file.read(length)

    def _inflate(self, entry: Entry, raw: bytes) -> bytes:
        try:
            return zlib.decompressobj(-15).decompress(raw, entry.size + 1)
        except zlib.error as e:
            raise Unreadable(f"damaged in the zip: {e}") from e

    def _verified(self, entry: Entry, data: bytes) -> bytes:
        if len(data) > entry.size:
            raise _refused(self._path, f"the member {shown(entry.name)!r} is longer than it says, as in a zip bomb")
        if len(data) < entry.size or zlib.crc32(data) != entry.stamp:
            raise Unreadable("damaged in the zip: its checksum differs")
        return data
