"""Signals, locks, environments (rows 10, 12, 22, 25)."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from nursery import RUNNER, SIGKILL, Nursery, wait_until
from toys import Points, assert_same, events, everything, prepare, train

from gansmith import checkpoint
from gansmith.batch import Batch
from gansmith.errors import Interrupted, RunFolderError
from gansmith.training import journal, trainer


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGUSR1", 138)])
def test_row10_a_signal_saves_at_the_end_of_the_step(name: str, code: int, nursery: Nursery, tmp_path: Path) -> None:
    """Sent in the middle of a step; the run is saved at its end, says how to go on, and ends as if never stopped."""
    step = random.Random(name).randrange(21, 39)
    got, said = nursery.run(tmp_path / "run", "--at", f"{step}:signal:{name}")
    assert got == code, said
    assert f"go on with: gansmith resume {tmp_path / 'run'}" in said
    assert len(said.splitlines()) == 1
    assert checkpoint.steps(tmp_path / "run")[-1].name == f"step-{step + 1:09d}"
    assert nursery.run(tmp_path / "run", "--resume")[0] == 0
    assert nursery.run(tmp_path / "reference")[0] == 0
    a, b = (checkpoint.read_tensors(tmp_path / n / "step-000000060", "optim.D") for n in ("run", "reference"))
    assert_same(a, b)
    assert events(tmp_path / "run", "tick") == events(tmp_path / "reference", "tick")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_row10_the_second_time_ends_at_once(name: str, nursery: Nursery, tmp_path: Path) -> None:
    number = getattr(signal, name)
    code, said = nursery.run(tmp_path, "--at", f"30:signal:{name}", "--at", f"30:signal:{name}", "--at", "30:sleep:60")
    assert code == -number, said
    assert [p.name for p in checkpoint.steps(tmp_path)] == ["step-000000000", "step-000000020"]


def test_row10_a_warning_before_the_end_is_no_second_signal(nursery: Nursery, tmp_path: Path) -> None:
    """Schedulers send SIGUSR1 first and SIGTERM soon after; the save that is under way is let finish."""
    code, said = nursery.run(tmp_path, "--at", "30:signal:SIGUSR1", "--at", "30:signal:SIGTERM")
    assert code in (138, 143), said
    assert checkpoint.steps(tmp_path)[-1].name == "step-000000031"


def test_row10_handlers_are_put_back(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    def stop(_: Any) -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

    with pytest.raises(Interrupted) as caught:
        train(tmp_path, steps=100_000, before=stop)
    assert caught.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_row12_two_processes_on_one_folder(nursery: Nursery, tmp_path: Path) -> None:
    first = nursery.start(tmp_path, "--at", "30:sleep:60")
    wait_until(lambda: (tmp_path / ".owner").exists())
    for argv in ([], ["--resume"], ["--overwrite"]):
        code, said = nursery.run(tmp_path, *argv)
        assert code == 2, said
        assert re.search(rf"is in use by process {first.pid} on \S+", said), said
    first.signal(SIGKILL)
    assert first.wait() == -SIGKILL
    wait_until(lambda: checkpoint.steps(tmp_path))
    code, said = nursery.run(tmp_path, "--resume")
    assert code == 0, said


def test_row12_the_lock_is_let_go(tmp_path: Path) -> None:
    train(tmp_path, steps=5)
    train(tmp_path, steps=10, resume=True)
    assert not (tmp_path / ".owner").exists()


def test_a_run_that_exists_is_refused(tmp_path: Path) -> None:
    train(tmp_path, steps=5)
    with pytest.raises(RunFolderError, match=r"gansmith resume .*\n.*--overwrite"):
        train(tmp_path, steps=5)
    train(tmp_path, steps=6, overwrite=True)
    assert [p.name for p in checkpoint.steps(tmp_path)] == ["step-000000000", "step-000000006"]
    assert len(events(tmp_path, "start")) == 1


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    for overwrite in (False, True):
        with pytest.raises(RunFolderError, match=r"thesis\.tex"):
            train(tmp_path, steps=5, overwrite=overwrite)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == ["thesis.tex"]


class Failing(Points):
    """Fails at one fetch, in whatever thread it happens."""

    def spoil(self, batch: Batch) -> Batch:
        if self.fetched == 50:
            raise LookupError("the disk went away")
        time.sleep(0)
        return batch


@pytest.mark.parametrize("ahead", [False, True], ids=["fetched in line", "fetched ahead"])
def test_row22_a_source_that_fails_is_heard(ahead: bool, tmp_path: Path) -> None:
    """The source's own error comes through, from the thread as well, and nothing hangs."""

    def fetch_ahead(t: trainer.Trainer) -> None:
        t.feed = type(t.feed)(t.source, 32, 0, 32, t.runtime.device, seed=t.seed, ahead=ahead)

    with pytest.raises(LookupError, match="the disk went away"):
        train(tmp_path, source=Failing(), before=fetch_ahead)
    assert not [t for t in threading.enumerate() if t.name.startswith("gansmith-feed") and _outlives(t)]


def _outlives(thread: threading.Thread) -> bool:
    thread.join(5)
    return thread.is_alive()


def test_row22_fetching_ahead_changes_nothing(tmp_path: Path) -> None:
    def fetch_ahead(t: trainer.Trainer) -> None:
        t.feed = type(t.feed)(t.source, 32, 0, 32, t.runtime.device, seed=t.seed, ahead=True)

    a = train(tmp_path / "a", steps=30)
    b = train(tmp_path / "b", steps=30, before=fetch_ahead)
    assert_same(everything(a), everything(b))


ENVIRONMENTS = {
    "LC_ALL=C": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no HOME": {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": "/proc/nowhere", "TMPDIR": "/tmp"},
    "no network": {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"},
}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    return everything(train(tmp_path_factory.mktemp("reference"), steps=60, save_every=20))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_row25_environments(name: str, tmp_path: Path, reference: dict[str, torch.Tensor]) -> None:
    """Odd locale, odd names, no home, no network: the same weights."""
    from safetensors.torch import load_file

    run = tmp_path / "größe 写真 run"
    environment = {**os.environ, **ENVIRONMENTS[name]}
    command = [sys.executable, str(RUNNER), str(run), "--monitors", "--dump", str(tmp_path / "dump")]
    if name == "no network" and os.getuid() == 0 and shutil.which("unshare"):
        command = ["unshare", "-n", *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_same(load_file(tmp_path / "dump"), reference)
    assert list((run / "samples").glob("*.png"))


def test_row25_a_name_that_is_not_unicode(nursery: Nursery, tmp_path: Path) -> None:
    """File names of other encodings reach the log as escapes, and stop nothing."""
    log = journal.Journal(tmp_path / "log.jsonl")
    log.write("skip", names=[os.fsdecode(b"caf\xe9.png")], reason="größe")
    assert [e["names"] for e in journal.read(tmp_path / "log.jsonl")] == [[os.fsdecode(b"caf\xe9.png")]]
    log.rewind(0)
    assert [e["reason"] for e in journal.read(tmp_path / "log.jsonl")] == ["größe"]


def test_row25_the_clock_jumps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock may go back by a day: nothing is counted by it."""
    real, calls = time.time, [0]

    def jumping() -> float:
        calls[0] += 1
        return real() - 86_400 * (calls[0] % 2)

    monkeypatch.setattr(time, "time", jumping)
    run = train(tmp_path / "a", steps=60)
    seconds = [e["seconds"] for e in journal.read(tmp_path / "a" / "log.jsonl") if "seconds" in e]
    assert seconds == sorted(seconds)
    assert 0 <= seconds[-1] < 60
    timed = prepare(tmp_path / "b", steps=1)
    assert run.samples == 60 * 32
    assert timed.seconds == 0


def test_row25_the_log_is_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """Said once; training is unaffected, and the log goes on, in whole lines, when there is room again."""
    log = journal.Journal(small_disk / "log.jsonl")
    heard: list[dict[str, Any]] = []
    log.listen(heard.append)
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    for step in range(200):
        log.write("tick", step=step, figures={"D/adv": 0.5})
    assert next(e["message"] for e in heard if e["event"] == "warning").count("training goes on without it") == 1
    assert len([e for e in heard if e["event"] == "warning"]) == 1
    filler.unlink()
    log.write("tick", step=200)
    log.write("tick", step=201)
    assert [e["step"] for e in journal.read(small_disk / "log.jsonl")][-2:] == [200, 201]


def test_row25_monitors_on_a_full_disk(nursery: Nursery, small_disk: Path) -> None:
    """Neither grids nor TensorBoard's files may end a run when the disk is full."""
    run, filler = small_disk / "run", small_disk / "filler"
    code, said = nursery.run(
        run, "--monitors", "--tick", 2, "--save_every", 50, "--at", f"5:fill:{filler}", "--at", f"45:free:{filler}"
    )
    assert code == 0, said
    assert said.count("training goes on without it") <= 2  # TensorBoard, and the log
    assert said.count("was not written") == 1
    assert len(list((run / "samples").glob("*.png"))) >= 5
    assert not list((run / "samples").glob("*.part"))
