"""Reads the pickles in which networks are published, and runs nothing that is in them.

A pickle is a program: it names functions and classes of any module and calls them with what it likes. Here a name finds
an entry of `ALLOWED`, all of which are this file's own and make numbers and containers alone; or else a class without
any behaviour, whose objects keep what they are given (`Record`). A call of such a class is refused, and the file with
it. No module is imported, and source code that a file carries (StyleGAN's do) is dropped unread.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DataError
from .storages import read_storage, tensor_of

BROKEN = (
    pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError, OverflowError,
    MemoryError, RecursionError,
)  # fmt: skip


class Refused(DataError):
    """The file asks for a call that reading numbers does not need."""


class _Named(type):
    """The class of the classes that a file names. Their objects are made without being called."""

    def __call__(cls, *given: Any, **named: Any) -> Any:
        raise Refused(
            f"this file wants {getattr(cls, 'kind', '')} to be called, and nothing in it is ever run; it holds more "
            "than weights: do not open it with anything else, either"
        )


class Record(metaclass=_Named):
    """An object of a class that is not known here: what the file says of it, and no behaviour.

    Attributes:
        kind: the class's name and its module's.
        state: its attributes, by name.
    """

    kind = ""
    state: dict[str, Any]

    def __new__(cls, *given: Any, **named: Any) -> Any:
        made = object.__new__(cls)
        made.state = {}
        return made

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            self.state.update(part if isinstance(part, dict) else {})

    def __setitem__(self, key: Any, value: Any) -> None:
        """Of classes derived from dict, whose entries do not matter here."""

    def append(self, value: Any) -> None:
        """Of classes derived from list."""

    def extend(self, values: Any) -> None:
        """Of classes derived from list."""


class Entries(dict[Any, Any]):
    """A dictionary, whichever class of them the file names."""

    def __setstate__(self, state: Any) -> None:
        """Attributes beside the entries do not matter here."""


class Array:
    """A numpy array on its way: its numbers come after it was made."""

    def __init__(self, values: NDArray[Any] | None = None) -> None:
        self.values = values

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self.values = None if dtype.text.startswith("O") else numbers(data, dtype, shape, "F" if fortran else "C")


class Dtype:
    """The type of an array's numbers, by its name in numpy."""

    def __init__(self, text: str, *_: Any) -> None:
        self.text, self.order = text, "<"

    def __setstate__(self, state: Any) -> None:
        self.order = state[1]


def numbers(data: Any, dtype: Dtype, shape: Iterable[int], order: Any = "C") -> NDArray[Any]:
    """The array whose bytes these are."""
    kind = np.dtype(dtype.text).newbyteorder(">" if dtype.order == ">" else "<")
    if kind.kind not in "biuf":
        raise Refused(f"arrays hold numbers; this file has one of: {kind}")
    data = data.encode("latin1") if isinstance(data, str) else bytes(data)
    return np.frombuffer(data, kind).reshape(tuple(shape), order=order)


class Call:
    """A function that a file may have called. It takes no attributes, so that no file can change what it does."""

    __slots__ = ("_does",)

    def __init__(self, does: Callable[..., Any]) -> None:
        self._does = does

    def __call__(self, *given: Any) -> Any:
        return self._does(*given)

    def __setstate__(self, state: Any) -> None:
        raise Refused("this file tries to change a function, and nothing in it is ever run")


def record(kind: str, state: Mapping[str, Any] | None = None) -> Any:
    """A record of a class of that name."""
    made = Record.__new__(_class(kind))
    made.__setstate__(dict(state or {}))
    return made


def _class(kind: str) -> Any:
    return _Named("Record", (Record,), {"kind": kind})


def _persistent(meta: Any) -> Any:
    """What StyleGAN's files hold of an object: its class's name and source, and its state, which alone is kept."""
    return record(str(meta["class_name"]), meta["state"])


def _reconstructed(cls: Any, base: Any, state: Any) -> Any:
    if not (isinstance(cls, type) and issubclass(cls, Record)):
        raise Refused("this file makes an object in a way that reading numbers does not need")
    return Record.__new__(cls)


def _from_type(rebuild: Any, kind: Any, given: Any, state: Any) -> Any:
    if not isinstance(rebuild, Call):
        raise Refused("this file makes a tensor in a way that reading numbers does not need")
    return rebuild(*given)


def _encoded(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


REBUILT = Call(tensor_of)
ALLOWED: Mapping[tuple[str, str], Any] = {
    ("builtins", "set"): Call(set),
    ("builtins", "frozenset"): Call(frozenset),
    ("builtins", "bytearray"): Call(lambda *data: bytearray(*data) if all(isinstance(d, bytes) for d in data) else b""),
    ("collections", "OrderedDict"): Entries,
    ("collections", "defaultdict"): Call(lambda *_: Entries()),
    ("dnnlib.util", "EasyDict"): Entries,
    ("dnnlib", "EasyDict"): Entries,
    ("_codecs", "encode"): Call(_encoded),
    ("copyreg", "_reconstructor"): Call(_reconstructed),
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): Call(_persistent),
    ("torch._utils", "_rebuild_tensor"): REBUILT,
    ("torch._utils", "_rebuild_tensor_v2"): REBUILT,
    ("torch._utils", "_rebuild_parameter"): Call(lambda tensor, *_: tensor),
    ("torch._utils", "_rebuild_parameter_with_state"): Call(lambda tensor, *_: tensor),
    ("torch._tensor", "_rebuild_from_type_v2"): Call(_from_type),
    ("torch.storage", "_load_from_bytes"): Call(read_storage),
    ("torch", "Size"): Call(lambda sizes=(): tuple(sizes)),
    ("torch", "device"): Call(lambda *_: "cpu"),
    ("numpy", "dtype"): Dtype,
    ("numpy", "ndarray"): Array,
    ("numpy.core.multiarray", "_reconstruct"): Call(lambda *_: Array()),
    ("numpy.core.multiarray", "scalar"): Call(lambda dtype, data: numbers(data, dtype, ()).item()),
    ("numpy.core.numeric", "_frombuffer"): Call(lambda *given: Array(numbers(*given))),
}
MOVED = {"__builtin__": "builtins", "copy_reg": "copyreg", "numpy._core": "numpy.core"}  # names of other versions


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        for now, known in MOVED.items():
            if module == now or module.startswith(f"{now}."):
                module = known + module.removeprefix(now)
        dtype = vars(torch).get(name) if module == "torch" else None
        if isinstance(dtype, torch.dtype):
            return dtype
        return ALLOWED[module, name] if (module, name) in ALLOWED else _class(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise Refused("this file refers to others; a published network is one whole file")


def read(path: Path) -> Any:
    """What a file holds: containers, numbers, tensors, and records of everything else.

    Raises:
        DataError: no such file, or it is no pickle.
        Refused: it asks for a call of anything that is not on the list.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    except BROKEN as error:
        raise DataError(f"{path} is damaged, or no pickle of networks: {str(error)[:200]}") from None


def _read(file: BinaryIO) -> Any:
    start = file.read(2)
    file.seek(0)
    if start == b"PK":
        raise DataError(
            "this is a zip, as torch.save writes it; what can be converted are the .pkl files of StyleGAN2, 3 and R3GAN"
        )
    return _Reader(file, encoding="latin1").load()
