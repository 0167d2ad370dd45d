"""Saving through kills, power loss, full disks and refused permissions (rows 1 to 4 of the fault table)."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from nursery import SIGKILL, Nursery, wait_until
from toys import events, train

from gansmith import checkpoint
from gansmith.errors import CheckpointError

STEPS = 60


def files_of(step: Path) -> dict[str, bytes]:
    """Contents of a checkpoint, without the time it took."""
    files = {p.name: p.read_bytes() for p in step.iterdir() if p.name != checkpoint.MANIFEST}
    state = json.loads(files.pop("state.json"))
    del state["seconds"]
    return {**files, "state": json.dumps(state).encode()}


def finished_alike(run: Path, reference: Path) -> None:
    last, wanted = checkpoint.steps(run)[-1], checkpoint.steps(reference)[-1]
    assert last.name == wanted.name == f"step-{STEPS:09d}"
    assert files_of(last) == files_of(wanted)
    assert events(run, "tick") == events(reference, "tick")
    assert not [p.name for p in run.iterdir() if p.name.startswith(".unfinished")]


def whole(run: Path) -> bool:
    """Nothing half-written stands under a final name."""
    return all(checkpoint.damage(step) is None for step in checkpoint.steps(run))


def kill_again_and_again(kills: int, seed: int, nursery: Nursery, tmp_path: Path) -> None:
    common = ("--steps", STEPS, "--tick", 7, "--save_every", 3)
    reference, draw = tmp_path / "reference", random.Random(seed)
    begun = time.monotonic()
    assert nursery.run(reference, *common)[0] == 0
    duration = time.monotonic() - begun
    run, killed, ended, in_save, resumed = tmp_path / "run-0", 0, 0, 0, 0
    while killed < kills or not ended:
        resume = bool(checkpoint.steps(run)) if run.exists() else False
        resumed += resume
        child = nursery.start(run, *common, *(["--resume"] if resume else []))
        if killed < kills:
            time.sleep(draw.random() * duration * 0.5)
            child.signal(SIGKILL)
        code = child.wait()
        assert code in (0, -SIGKILL), child.said
        assert not run.exists() or whole(run)
        if code == 0:
            finished_alike(run, reference)
            ended += 1
            run = tmp_path / f"run-{ended}"
        else:
            killed += 1
            in_save += run.exists() and any(p.name.startswith(".unfinished") for p in run.iterdir())
    assert resumed


def test_row01_killed_4_times_at_random(nursery: Nursery, tmp_path: Path) -> None:
    kill_again_and_again(4, 1, nursery, tmp_path)


@pytest.mark.slow
def test_row01_killed_20_times_at_random(nursery: Nursery, tmp_path: Path) -> None:
    kill_again_and_again(20, 2, nursery, tmp_path)


def test_row01_leftovers_of_a_killed_save_are_cleaned(tmp_path: Path) -> None:
    train(tmp_path, steps=20)
    for name in (".unfinished-step-000000021-77", ".unfinished-old-step-000000000-77"):
        shutil.copytree(checkpoint.steps(tmp_path)[0], tmp_path / name)
    train(tmp_path, steps=40, resume=True)
    assert not list(tmp_path.glob(".unfinished*"))


def test_row01_killed_between_the_two_renames(tmp_path: Path) -> None:
    """A checkpoint that was moved aside for one that never arrived is put back."""
    train(tmp_path, steps=20)
    last = checkpoint.steps(tmp_path)[-1]
    last.rename(tmp_path / f".unfinished-old-{last.name}-77")
    assert train(tmp_path, steps=20, resume=True).progress.step == 20
    assert checkpoint.steps(tmp_path)[-1].name == last.name


def test_row02_order_of_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is on the disk before the folder, the folder before the rename; the manifest is written last."""
    done: list[str] = []
    fsync, rename, write_text = os.fsync, os.rename, Path.write_text

    def note_fsync(handle: int) -> None:
        done.append("flush " + os.path.basename(os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    def note_rename(a: Any, b: Any) -> None:
        done.append(f"rename {Path(b).name}")
        rename(a, b)

    def note_write(path: Path, *args: Any, **kw: Any) -> int:
        if path.name == checkpoint.MANIFEST:
            assert {"G.safetensors", "state.json"} <= {p.name for p in path.parent.iterdir()}
            done.append("manifest")
        return write_text(path, *args, **kw)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", note_rename)
    monkeypatch.setattr(Path, "write_text", note_write)
    checkpoint.write(tmp_path / "step-000000001", {"G": {"w": torch.ones(2)}}, {"state": {"a": 1}})
    files = {"flush G.safetensors", "flush state.json", f"flush {checkpoint.MANIFEST}"}
    assert done[0] == "manifest"
    assert set(done[1:4]) == files
    assert done[4].startswith("flush .unfinished")
    assert done[5:] == ["rename step-000000001", f"flush {tmp_path.name}"]


def test_row02_manifest_missing_means_unfinished(tmp_path: Path) -> None:
    train(tmp_path, steps=40)
    (checkpoint.steps(tmp_path)[-1] / checkpoint.MANIFEST).unlink()
    assert checkpoint.newest(tmp_path)[0].name == "step-000000020"


def test_row03_disk_full_for_a_while(nursery: Nursery, tmp_path: Path, small_disk: Path) -> None:
    """A periodic save fails, training goes on, the next succeeds, and nothing is different for it."""
    run, filler, reference = small_disk / "run", small_disk / "filler", tmp_path / "reference"
    code, said = nursery.run(run, "--at", f"25:fill:{filler}", "--at", f"45:free:{filler}")
    assert code == 0, said
    assert "save_failed" in said
    assert re.search(r"the disk is full. It needs \d+ KB and \d+ KB are free", said), said
    assert checkpoint.steps(run)[-1].name == "step-000000060"
    assert nursery.run(reference)[0] == 0
    assert files_of(checkpoint.steps(run)[-1]) == files_of(checkpoint.steps(reference)[-1])


def test_row03_disk_full_at_the_end(nursery: Nursery, small_disk: Path) -> None:
    """A last save that fails is an error; the checkpoints before it survive, and resume ends the run."""
    run, filler = small_disk / "run", small_disk / "filler"
    code, said = nursery.run(run, "--at", f"50:fill:{filler}")
    assert code == 1
    assert "the disk is full" in said
    assert "earlier checkpoints are untouched" in said
    assert [p.name for p in checkpoint.steps(run)] == ["step-000000000", "step-000000020", "step-000000040"]
    assert whole(run)
    code, said = nursery.run(run, "--resume")
    assert code in (1, 2), "the disk is still full"
    assert "Traceback" not in said
    filler.unlink()
    code, said = nursery.run(run, "--resume")
    assert code == 0, said


def test_row03_disk_full_at_the_start(nursery: Nursery, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"")
    with (small_disk / "filler").open("ab", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    code, said = nursery.run(small_disk / "run")
    assert code in (1, 2)
    assert len(said.splitlines()) <= 3, said


def test_row03_disk_full_three_times_running(nursery: Nursery, small_disk: Path) -> None:
    code, said = nursery.run(
        small_disk / "run", "--steps", 400, "--save_every", 10, "--at", f"25:fill:{small_disk / 'filler'}"
    )
    assert code == 1
    assert said.count("save_failed") == 3


def test_row03_file_size_limit(nursery: Nursery, tmp_path: Path) -> None:
    """Where no small disk can be mounted: files may not grow beyond a limit that weights exceed."""
    code, said = nursery.run(tmp_path / "run", "--width", 4096, file_size=20_000)
    assert code == 1, said
    assert "could not save" in said
    assert not checkpoint.steps(tmp_path / "run")


def test_row04_permission_lost(nursery: Nursery) -> None:
    """Never "saved": refused permission ends the run at once, loudly. Root may write anywhere, so it is not root."""
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o777)
        run = place / "run"
        limits = {"user": 65534} if os.getuid() == 0 else {}
        code, said = nursery.run(run, "--at", f"25:chmod:555:{run}", **limits)
        assert code == 1, said
        assert "Permission denied" in said
        assert "earlier checkpoints are untouched" in said
        saved = [p.name for p in checkpoint.steps(run)]
        assert saved == ["step-000000000", "step-000000020"]
        assert [e["path"] for e in events(run, "save")] == saved
        run.chmod(0o755)
        assert nursery.run(run, "--resume", **limits)[0] == 0
    finally:
        shutil.rmtree(place)


def test_row04_folder_that_cannot_be_made(nursery: Nursery) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o555)
        limits = {"user": 65534} if os.getuid() == 0 else {}
        code, said = nursery.run(place / "run", **limits)
        assert code == 2
        assert "cannot write to the run folder" in said
    finally:
        shutil.rmtree(place)


def test_a_save_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    tmp_path.joinpath("file").write_text("")
    with pytest.raises(CheckpointError, match="could not save"):
        checkpoint.write(tmp_path / "file" / "step-000000001", {"G": {"w": torch.ones(2)}}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_row11_killed_before_the_first_checkpoint(nursery: Nursery, tmp_path: Path) -> None:
    """Killed in start-up, wherever: the same command starts cleanly, and ends the same."""
    run, reference = tmp_path / "run", tmp_path / "reference"
    run.mkdir()
    (run / "config.yaml").write_text("recipe: {name: toy}\n")  # what stands there just before the first save
    (run / "log.jsonl").write_text('{"event": "start", "step": 0}\n')
    shutil.copytree(run, run / ".unfinished-step-000000000-77")
    code, said = nursery.run(run, "--resume")
    assert code == 2
    assert "no checkpoint" in said
    child = nursery.start(run)
    wait_until(lambda: (run / ".lock").exists())
    child.signal(SIGKILL)
    assert child.wait() == -SIGKILL
    for stale in checkpoint.steps(run):
        shutil.rmtree(stale)
    assert nursery.run(run)[0] == 0
    assert nursery.run(reference)[0] == 0
    finished_alike(run, reference)
    assert len(events(run, "start")) == 1
