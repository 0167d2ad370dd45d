"""One tiny run that all tests of the command line share, and ways to call the command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gansmith.cli.main import main


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self, *texts: str, code: int = 2) -> None:
        """Asserts that it ended as an error of the user's must: at most three lines that hold these texts."""
        assert self.code == code, self
        assert 1 <= len(self.err.splitlines()) <= 3, self.err
        assert "Traceback" not in self.err
        for text in texts:
            assert text in self.err, (text, self.err)


Cli = Callable[..., Result]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gansmith.pipelines.watch.EXAMPLES", 64)  # of the quick scores

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        told = capsys.readouterr()
        code = end.value.code
        assert isinstance(code, int)
        return Result(code, told.out, told.err)

    return run


@pytest.fixture
def shell(tmp_path: Path) -> Cli:
    """Runs a command in a process of its own, as a user would."""

    def run(*arguments: object, env: dict[str, str] | None = None, module: str = "gansmith") -> Result:
        told = subprocess.run(
            [sys.executable, "-m", module, *map(str, arguments)],
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
            timeout=240,
        )
        return Result(told.returncode, told.stdout, told.stderr)

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few hundred samples on the bundled pictures. Not to be written to: see `run`."""
    import gansmith as gs

    out = tmp_path_factory.mktemp("runs") / "ein kleiner Lauf 🧵"
    made = gs.train(
        "bundled:fashion-mnist", out=out, recipe="gan", preset="small", batch=32, samples=384, tick=96, save_every=192
    )
    assert made == out
    return out


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run, to do with as one likes."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures of 32 x 32 without labels."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder
