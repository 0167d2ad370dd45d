"""Jobs in processes of their own: the incumbents' in their environment, ours in this one; and where data are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from gansmith.nn.features.inception import SHA256, WEIGHTS
from gansmith.nn.features.weights import checked_weights

from . import machine

HOME = machine.ROOT / ".venv-judging"
KEPT = machine.ROOT / "runs" / "judging"  # downloads, pictures and features; git-ignored, made again where absent
DATA = Path(os.environ.get("GANSMITH_SHARED_DATA", machine.ROOT.parent / "shared" / "data"))
FOLDER = machine.ROOT / "benchmarks" / "judging_incumbent"
Found = dict[str, Any]


def keep(part: str, found: Found) -> None:
    """Keeps what a part of `python -m benchmarks.judging` has measured."""
    machine.keep(f"judging-{part}", {"command": f"python -m benchmarks.judging {part}", **found})


def kept(part: str) -> Found | None:
    return machine.kept(f"judging-{part}")


def weights() -> Path:
    """The folder of Inception's weights.

    Raises:
        DataError: they are not at hand; the message says where they may lie.
    """
    return checked_weights(WEIGHTS, SHA256).parent


def theirs(job: Found, threads: int | None = None) -> Found:
    """What the incumbents make of a job, in their environment, which is made on the first call."""
    python = HOME / "bin" / "python"
    if not python.exists():
        subprocess.run(["python3.11", "-m", "venv", str(HOME)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "-r", str(FOLDER / "requirements.txt")]
        subprocess.run(install, check=True)
    return _done([str(python), "-W", "ignore", str(FOLDER / "worker.py")], job, threads)


def ours(job: Found, threads: int | None = None) -> Found:
    """The same of a job of `benchmarks.judging_ours`."""
    return _done([sys.executable, "-W", "ignore", "-m", "benchmarks.judging_ours"], job, threads)


def _done(command: list[str], job: Found, threads: int | None) -> Found:
    """Its result, with the seconds of the whole process as `process_s`."""
    count = str(threads or os.cpu_count())
    environment = {**os.environ, "OMP_NUM_THREADS": count, "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "job.json"
        path.write_text(json.dumps({"scratch": str(_made(KEPT)), **job}))
        started = time.perf_counter()
        done = subprocess.run(
            [*command, str(path)], env={**environment, "GANSMITH_CACHE": place}, cwd=machine.ROOT, stdout=sys.stderr
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(f"the job failed with exit code {done.returncode}: {json.dumps(job)[:300]}")
        found: Found = json.loads(path.with_suffix(".result.json").read_text())
    return found | {"process_s": seconds}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def scratch(*names: str) -> Path:
    """A path under the kept folder, whose parent is there."""
    path = KEPT.joinpath(*names)
    _made(path.parent)
    return path
