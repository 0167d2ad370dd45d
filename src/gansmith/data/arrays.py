"""Arrays of pictures: numpy, torch, .npy and .npz files. Never pickles."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .archive import check_zip
from .listing import Blob, Listing, Numbered, choose_split, digest, number_labels, refuse_split, shown
from .memory import available_bytes

PICTURE_KEYS = ("x", "images", "image", "data", "pictures", "arr_0")
LABEL_KEYS = ("y", "labels", "label", "targets", "arr_1")
STEP = 1024  # pictures looked at in one go
SMALL = 64 << 20  # bytes; less is converted anew each time rather than kept on disk


def list_array(x: Any, y: Any = None, *, place: str = "the array", stamp: str | None = None) -> Listing:
    """Pictures in an array, with labels `y` where there are any: (n,) of classes, or (n, a) of attributes, 0 or 1 each.

    Args:
        x: (n h w), (n h w c) or (n c h w), c one of 1, 3, 4; uint8, bool, uint16, whole numbers up to 255, or
            floats in [-1, 1], [0, 1] or [0, 255]. numpy or torch.
        stamp: digest of the content; None computes it.

    Raises:
        DataError: other shapes or values, values that are not finite, labels of another length.
    """
    array, channels_first = _four_axes(_numpy(x), place, torch_like=not isinstance(x, np.ndarray))
    remarks: list[str] = []
    scale, offset = _scaling(array, place, remarks)
    plain = array.dtype == np.uint8 and not channels_first
    values = None if y is None else _values(y, len(array), place)
    several = values is not None and values.ndim == 2
    ids, classes = (None, ()) if values is None or several else number_labels(values.tolist())

    def read(rows: Sequence[int]) -> list[Blob]:
        part = array[rows.start : rows.stop : rows.step] if isinstance(rows, range) else array[list(rows)]
        return list(_to_uint8(part.transpose(0, 2, 3, 1) if channels_first else part, scale, offset))

    return Listing(
        place=place,
        names=Numbered(len(array)),
        stamp=stamp or digest([array.shape, array.dtype, _content(array)]),
        read=read,
        labels=ids,
        classes=classes,
        marks=values if several else None,
        attributes=tuple(f"attribute {i}" for i in range(values.shape[1])) if values is not None and several else (),
        remarks=remarks,
        pixels=array if plain else None,
        cacheable=array.size > SMALL,
        hint="pass the pair (pictures, labels), or save labels under the name y",
    )


def list_npy(path: Path, split: str | None) -> Listing:
    """Pictures in one .npy file, mapped and not read."""
    refuse_split(split, shown(str(path)))
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise DataError(f"{shown(str(path))} cannot be read as a numpy array of numbers: {e}") from e
    info = path.stat()
    stamp = digest([path.name, info.st_size, info.st_mtime_ns])
    return list_array(array, place=shown(str(path)), stamp=stamp)


def list_npz(path: Path, split: str | None) -> Listing:
    """Pictures and labels in a .npz: x or x_train or images …, y or y_train or labels …; names of classes in `classes`,
    of attributes in `attributes`.

    Raises:
        DataError: damaged, too large for memory, holding objects, or without pictures.
    """
    place = shown(str(path))
    members = check_zip(path)
    if (total := sum(m.file_size for m in members)) > available_bytes() // 2:
        raise DataError(f"{place} unfolds to {total:,} bytes, more than half of the free memory; save it as .npy")
    stamp = digest([path.name, *((m.filename, m.file_size, m.CRC) for m in members)])
    try:
        with np.load(path, allow_pickle=False) as file:
            key, remarks = _picture_key(list(file.files), split, place)
            x = file[key]
            label_key = _label_key(key, list(file.files))
            y = file[label_key] if label_key else None
            named = file["classes"] if "classes" in file.files else None
            attributes = file["attributes"].tolist() if "attributes" in file.files else []
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as e:
        if "allow_pickle" in str(e):
            raise DataError(f"{place} holds Python objects, which are never loaded; save plain numbers") from e
        raise DataError(f"{place} is damaged: {e}") from e
    listing = list_array(x, y, place=place, stamp=digest([stamp, key]))
    listing.remarks += remarks
    if listing.marks is not None:
        named_all = len(attributes) == listing.marks.shape[1]
        listing.attributes = tuple(map(str, attributes)) if named_all else listing.attributes
        return listing
    if named is not None and y is not None and np.issubdtype(y.dtype, np.integer) and len(named) > int(y.max()):
        listing.labels, listing.classes = y.reshape(-1).astype(np.int64), tuple(str(n) for n in named)
    return listing


def _picture_key(keys: list[str], split: str | None, place: str) -> tuple[str, list[str]]:
    if plain := next((k for k in PICTURE_KEYS if k in keys), None):
        refuse_split(split, place)
        return plain, []
    by_split = {
        k.removeprefix("x_").removesuffix("_images"): k for k in keys if k.startswith("x_") or k.endswith("_images")
    }
    if not by_split:
        raise DataError(f"{place} has no array named x, x_train or images; it has: {', '.join(keys) or 'nothing'}")
    if split == "all":
        raise DataError(f"the parts of an .npz are not joined; choose one split of {place}: {', '.join(by_split)}")
    chosen, remarks = choose_split(list(by_split), split, place)
    return by_split[chosen[0]], remarks


def _label_key(key: str, keys: list[str]) -> str | None:
    if key.startswith("x_"):
        twins: tuple[str, ...] = ("y_" + key[2:], "labels_" + key[2:])
    elif key.endswith("_images"):
        twins = (key[: -len("images")] + "labels",)
    else:
        twins = LABEL_KEYS
    return next((k for k in twins if k in keys), None)


def _numpy(x: Any) -> NDArray[Any]:
    if isinstance(x, np.ndarray):
        return x
    return np.asarray(x.detach().cpu().float().numpy() if x.is_floating_point() else x.detach().cpu().numpy())


def _four_axes(array: NDArray[Any], place: str, *, torch_like: bool) -> tuple[NDArray[Any], bool]:
    """The array with four axes, and whether the channels come second."""
    if array.ndim == 3:
        array = array[:, :, :, None]
    wanted = "wanted (n, h, w), (n, h, w, c) or (n, c, h, w) with c one of 1, 3, 4"
    if array.ndim != 4:
        raise DataError(f"{place} has the shape {array.shape}; {wanted}")
    if 0 in array.shape:
        raise DataError(f"{place} is empty: its shape is {array.shape}")
    last, second = array.shape[3] in (1, 3, 4), array.shape[1] in (1, 3, 4)
    if not last and not second:
        raise DataError(f"{place} has the shape {array.shape}; {wanted}")
    return array, second and (torch_like or not last)


def _parts(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for i in range(0, len(array), STEP):
        yield array[i : i + STEP]


def _scaling(array: NDArray[Any], place: str, remarks: list[str]) -> tuple[float, float]:
    """Scale and offset that bring the values to 0 … 255."""
    if array.dtype == np.uint8:
        return 1.0, 0.0
    if array.dtype == np.bool_:
        return 255.0, 0.0
    if array.dtype.kind not in "iuf":
        raise DataError(f"{place} holds values of type {array.dtype}; wanted numbers")
    low, high = _range(array, place)
    if array.dtype == np.uint16 and high > 255:
        return _said(remarks, "16-bit values were scaled to 8 bits (x 255/65535).", 255 / 65535, 0.0)
    if array.dtype.kind == "f" and -1 <= low < 0 and high <= 1:
        return _said(remarks, "Values were taken as -1 (black) to 1 (white).", 127.5, 127.5)
    if array.dtype.kind == "f" and low >= 0 and high <= 1:
        return _said(remarks, "Values were taken as 0 (black) to 1 (white).", 255.0, 0.0)
    if low >= 0 and high <= 255:
        return _said(remarks, "Values were taken as 0 (black) to 255 (white).", 1.0, 0.0)
    raise DataError(f"{place} holds values from {low:g} to {high:g}; wanted uint8, or floats in [-1, 1] or [0, 1]")


def _said(remarks: list[str], sentence: str, scale: float, offset: float) -> tuple[float, float]:
    remarks.append(sentence)
    return scale, offset


def _range(array: NDArray[Any], place: str) -> tuple[float, float]:
    low, high = float("inf"), float("-inf")
    for i, part in enumerate(_parts(array)):
        if part.dtype.kind == "f" and (bad := ~np.isfinite(part)).any():
            first = i * STEP + int(bad.reshape(len(part), -1).any(1).argmax())
            raise DataError(
                f"{place} holds values that are not finite (NaN or infinite); the first of them in picture {first:,}, "
                "counted from 0: look how it was made, or leave it out"
            )
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    return low, high


def _to_uint8(part: NDArray[Any], scale: float, offset: float) -> NDArray[np.uint8]:
    if part.dtype == np.uint8:
        return np.ascontiguousarray(part)
    return np.rint(part.astype(np.float64) * scale + offset).astype(np.uint8)


def _content(array: NDArray[Any]) -> str:
    h = hashlib.sha256()
    for part in _parts(array):
        h.update(np.ascontiguousarray(part).view(np.uint8).reshape(-1).data)
    return h.hexdigest()


def _values(y: Any, length: int, place: str) -> NDArray[Any]:
    """Labels as an array, (n,) of whole numbers or text, or (n, a) of 0 and 1."""
    values = np.asarray(y.detach().cpu().numpy() if hasattr(y, "detach") else y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape[:1] != (length,) or values.ndim > 2:
        raise DataError(f"{place} has {length} pictures, but labels of the shape {values.shape}; wanted ({length},)")
    if values.ndim == 2:
        return _marks(values, place)
    if values.dtype.kind == "O":
        raise DataError(f"the labels of {place} are Python objects; wanted whole numbers or text")
    if values.dtype.kind == "f" and (values == np.rint(values)).all():
        values = values.astype(np.int64)
    return values


def _marks(values: NDArray[Any], place: str) -> NDArray[np.int64]:
    """Attributes (n, a), 0 or 1.

    Raises:
        DataError: other values, one column alone in each row (classes, one-hot), a column that never changes.
    """
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise DataError(f"labels of {place} have several columns, which are attributes: 0 or 1 each, and these are not")
    if (values.sum(1) == 1).all():
        raise DataError(f"labels of {place} name one class in each row (one-hot); give its number: y.argmax(1)")
    if len(same := np.flatnonzero(values.min(0) == values.max(0))):
        raise DataError(f"every picture of {place} has attribute {same[0]}, or none has; leave that column out")
    return values.astype(np.int64)
