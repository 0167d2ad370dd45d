"""Numbers of tensors as torch writes them into a plain pickle: a stream of small pickles, then raw bytes.

magic number, version, facts of the machine, a reference to the storage, [keys]      pickles
count (int64), bytes                                                                 for each key, in order
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
TYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "UntypedStorage": torch.uint8,
}


@dataclass(frozen=True)
class Storage:
    """Numbers (n,) that tensors are views of."""

    values: Tensor


class _Plain(pickle.Unpickler):
    """Numbers, texts and containers alone."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("torch", "torch.cuda", "torch.storage") and name in TYPES:
            return name
        raise DataError(f"a storage of numbers needs no {module}.{name}: the file is damaged, or no network's")

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_storage(data: bytes) -> Storage:
    """The storage in such a stream.

    Raises:
        DataError: another format, or cut short.
    """
    file = io.BytesIO(data)
    start = [_Plain(file).load() for _ in range(2)]
    facts = _Plain(file).load()
    if start != [MAGIC, VERSION] or not facts.get("little_endian"):
        raise DataError("the tensors of this file are in a format that is not known here")
    _, kind, key, _, count, view = _Plain(file).load()
    if _Plain(file).load() != [key] or kind not in TYPES:
        raise DataError(f"the tensors of this file are in a format that is not known here: {kind}")
    values = _numbers(file, TYPES[kind], int(count))
    return Storage(values if view is None else values[int(view[1]) : int(view[1]) + int(view[2])])


def _numbers(file: io.BytesIO, dtype: torch.dtype, wanted: int) -> Tensor:
    count = int.from_bytes(file.read(8), "little")
    raw = file.read()
    if count != wanted or len(raw) != count * dtype.itemsize:
        raise DataError("a tensor of this file is cut short")
    return torch.frombuffer(bytearray(raw), dtype=dtype) if raw else torch.empty(0, dtype=dtype)


def tensor_of(storage: Storage, offset: int, size: Sequence[int], stride: Sequence[int], *_: Any) -> Tensor:
    """A tensor of its own with the numbers of a view.

    Raises:
        DataError: the view reaches beyond the storage.
    """
    size, stride, there = tuple(map(int, size)), tuple(map(int, stride)), len(storage.values)
    last = offset + sum((n - 1) * by for n, by in zip(size, stride, strict=True))
    fits = min((offset, *size, *stride)) >= 0 and last < there and math.prod(size) <= there
    if not fits and 0 not in size:
        raise DataError(f"a tensor of this file, {size}, is larger than its storage of {there} numbers")
    return torch.as_strided(storage.values, size, stride, offset).clone() if fits else storage.values.new_empty(size)
