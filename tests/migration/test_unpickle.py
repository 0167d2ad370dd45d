"""Reading what others pickled: numbers come out, nothing is run, whatever the file asks for."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gansmith.errors import DataError
from gansmith.migration import convert
from gansmith.migration.records import is_network, setting, tensors
from gansmith.migration.storages import MAGIC, VERSION
from gansmith.migration.unpickle import Record, Refused, read

from . import published as there


class Asks:
    """Asks for a call when it is unpickled."""

    def __init__(self, does: Any, *given: Any) -> None:
        self.call = does, given

    def __reduce__(self) -> Any:
        return self.call


def saved(path: Path, content: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(content, protocol))
    return path


HOSTILE = {
    "os.system": lambda trap: Asks(os.system, f"touch {trap}"),
    "eval": lambda trap: Asks(eval, f"open({str(trap)!r}, 'w')"),
    "exec": lambda trap: Asks(exec, f"open({str(trap)!r}, 'w')"),
    "Path.touch": lambda trap: Asks(Path.touch, Path(trap)),
    "getattr": lambda trap: Asks(getattr, "", "join"),
    "import": lambda trap: Asks(__import__, "antigravity"),
    "torch.load": lambda trap: Asks(torch.load, str(trap)),
    "numpy.load": lambda trap: Asks(np.load, str(trap)),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_call_is_refused_and_never_made(name: str, protocol: int, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    file = saved(tmp_path / "x.pkl", {"G_ema": [HOSTILE[name](trap)]}, protocol)
    with pytest.raises(Refused, match=r"to be called, and nothing in it is ever run"):
        read(file)
    assert not trap.exists()
    assert "antigravity" not in sys.modules


def test_a_call_beside_a_network_is_refused_too(tmp_path: Path) -> None:
    flat, settings = there.stylegan2_generator()
    settings["synthesis.b8"] = {"hidden": Asks(os.system, f"touch {tmp_path / 'trap'}")}
    file = there.save(tmp_path / "x.pkl", {"G_ema": there.network(flat, settings)})
    with pytest.raises(Refused, match=r"posix\.system|nt\.system|os\.system"):
        convert(file, tmp_path / "model")
    assert not (tmp_path / "trap").exists()
    assert not (tmp_path / "model").exists()


def test_a_call_within_a_tensors_own_stream_is_refused(tmp_path: Path) -> None:
    inner = b"".join(pickle.dumps(part, 2) for part in (MAGIC, VERSION, {"little_endian": True}))
    inner += pickle.dumps(Asks(os.system, f"touch {tmp_path / 'trap'}"), 2)
    load = torch.storage._load_from_bytes  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"needs no posix\.system|needs no nt\.system"):
        read(saved(tmp_path / "x.pkl", Asks(load, inner)))
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cos\nsystem\n(S'touch TRAP'\ntR.",  # REDUCE
        b"(S'touch TRAP'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'touch TRAP'\no.",  # OBJ
        b'\x80\x02cbuiltins\neval\n(S\'open("TRAP", "w")\'\ntR.',
    ],
)
def test_every_way_to_call_is_refused(program: bytes, tmp_path: Path) -> None:
    trap = str(tmp_path / "trap").encode()
    (tmp_path / "x.pkl").write_bytes(program.replace(b"TRAP", trap))
    with pytest.raises(Refused):
        read(tmp_path / "x.pkl")
    assert not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "program",
    [
        b"ctorch._utils\n_rebuild_parameter\n(dS'_does'\ncos\nsystem\nsb.",  # an attribute of a function
        b"ccollections\nOrderedDict\n(dS'__setstate__'\ncos\nsystem\nsb.",  # of a class
        b"ctorch.nn\nLinear\n(dS'__new__'\ncos\nsystem\nsb.",
    ],
)
def test_functions_and_classes_cannot_be_changed(program: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pkl").write_bytes(program)
    with pytest.raises(DataError):
        read(tmp_path / "x.pkl")
    good = saved(tmp_path / "good.pkl", {"w": torch.nn.Parameter(torch.arange(3.0))})
    assert torch.equal(read(good)["w"], torch.arange(3.0))


def test_objects_become_records_without_their_modules(tmp_path: Path) -> None:
    """A class of a module that is not there: its name and its attributes, and no import."""
    program = b"\x80\x02cantigravity\nFlight\n)\x81}X\x06\x00\x00\x00heightK\x07sb."
    (tmp_path / "x.pkl").write_bytes(program)
    found = read(tmp_path / "x.pkl")
    assert isinstance(found, Record)
    assert (found.kind, found.state) == ("antigravity.Flight", {"height": 7})
    assert "antigravity" not in sys.modules


def test_source_code_in_a_file_is_dropped(tmp_path: Path) -> None:
    file = there.save(tmp_path / "x.pkl", there.network({"a.weight": torch.ones(2)}, {"a": {"width": np.int64(3)}}))
    assert b"raise SystemExit" in file.read_bytes()
    found = read(file)
    assert is_network(found)
    assert found.kind == "Layer"
    assert torch.equal(tensors(found)["a.weight"], torch.ones(2))
    assert setting(found, "width", "a") == 3
    assert "module_src" not in found.state


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensors_and_arrays_of_all_kinds_come_out_as_they_were(protocol: int, tmp_path: Path) -> None:
    base = torch.arange(24.0).view(4, 6)
    content = {
        "whole": base, "view": base[1:3, ::2].T, "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5),
        "half": base.half(), "bf16": base.bfloat16(), "int": base.long(), "bool": base > 5, "byte": base.byte(),
        "double": base.double(), "parameter": torch.nn.Parameter(base), "dtype": torch.bfloat16,
        "buffer": torch.nn.Buffer(base), "size": base.shape, "device": torch.device("cpu"), "set": {1, 2},
        "array": np.arange(6.0).reshape(2, 3), "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "number": np.float64(1.5), "flag": np.bool_(True), "big": np.arange(3, dtype=">i4"), "bytes": b"\x00\xff",
        "frozen": frozenset({3}),
    }  # fmt: skip
    found = read(saved(tmp_path / "x.pkl", content, protocol))
    for name, value in content.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(found[name], value), name
            assert found[name].dtype == value.dtype
        elif isinstance(value, np.ndarray):
            assert np.array_equal(found[name].values, value), name
        elif name != "device":
            assert found[name] == value, name


def stream(count: int, raw: bytes, kind: Any = torch.FloatStorage, keys: Any = ("0",)) -> bytes:
    out = io.BytesIO()
    for part in (MAGIC, VERSION, {"little_endian": True}):
        pickle.dump(part, out, 2)

    class Refers(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            return ("storage", kind, "0", "cpu", count, None) if obj is Ellipsis else None

    Refers(out, 2).dump(...)
    pickle.dump(list(keys), out, 2)
    return out.getvalue() + struct.pack("<q", count) + raw


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [(0, (5,), (1,)), (3, (2,), (1,)), (-1, (1,), (1,)), (0, (2,), (-1,)), (0, (9, 9), (0, 0))],
)
def test_a_tensor_beyond_its_numbers_is_refused(offset: int, size: Any, stride: Any, tmp_path: Path) -> None:
    class Storage:
        def __reduce__(self) -> Any:
            return torch.storage._load_from_bytes, (stream(4, bytes(16)),)  # type: ignore[attr-defined]

    view = Asks(torch._utils._rebuild_tensor_v2, Storage(), offset, size, stride, False, {})
    with pytest.raises(DataError, match="larger than its storage of 4 numbers"):
        read(saved(tmp_path / "x.pkl", view))


def test_a_storage_cut_short_is_refused(tmp_path: Path) -> None:
    load = torch.storage._load_from_bytes  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="cut short"):
        read(saved(tmp_path / "x.pkl", Asks(load, stream(4, bytes(12)))))
    with pytest.raises(DataError, match="format that is not known"):
        read(saved(tmp_path / "y.pkl", Asks(load, stream(4, bytes(16), keys=("0", "1")))))


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*no\.pkl"):
        read(tmp_path / "no.pkl")
    (tmp_path / "text.pkl").write_text("a text\n")
    with pytest.raises(DataError, match="no pickle of networks"):
        read(tmp_path / "text.pkl")
    torch.save({"a": torch.ones(1)}, tmp_path / "zip.pkl")
    with pytest.raises(DataError, match="this is a zip"):
        read(tmp_path / "zip.pkl")
    whole = there.save(tmp_path / "x.pkl", there.network({"a.weight": torch.ones(2)}, {}))
    (tmp_path / "cut.pkl").write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"cut\.pkl is damaged"):
        read(tmp_path / "cut.pkl")
    with pytest.raises(DataError, match="none of those that are known: r3gan, stylegan3, stylegan2"):
        convert(whole, tmp_path / "model")
    with pytest.raises(DataError, match="wanted a file with a network G_ema or G"):
        convert(saved(tmp_path / "d.pkl", {"weights": [1, 2]}), tmp_path / "model")


def test_tensorflows_files_are_named(tmp_path: Path) -> None:
    network = b"cdnnlib.tflib.network\nNetwork\n)\x81}b"
    (tmp_path / "tf.pkl").write_bytes(b"\x80\x02" + 3 * network + b"\x87.")
    with pytest.raises(DataError, match=r"This one is TensorFlow's.*legacy\.py"):
        convert(tmp_path / "tf.pkl", tmp_path / "model")
