"""The cache: each picture is decoded once, keyed by content and settings, whole or absent."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from gansmith.data import ImageSource, build
from gansmith.data import images as images_module
from gansmith.errors import DataError

CPU = torch.device("cpu")


@pytest.fixture
def decoded(monkeypatch):
    """How many pictures were decoded, counted at the real decoder."""
    counts = []
    real = build.convert_all

    def counting(blobs, size, channels):
        counts.append(len(blobs))
        return real(blobs, size, channels)

    monkeypatch.setattr(build, "convert_all", counting)
    return lambda: sum(counts)


def test_second_open_decodes_nothing(photos, tmp_path, decoded):
    root = photos(*(f"{i}.png" for i in range(20)))
    first = ImageSource(root, cache=tmp_path / "c")
    assert decoded() == 20
    second = ImageSource(root, cache=tmp_path / "c")
    assert decoded() == 20
    rows = torch.arange(20)
    assert torch.equal(first.batch(rows, CPU)["x"], second.batch(rows, CPU)["x"])
    assert first.report == second.report
    assert first.fingerprint == second.fingerprint
    assert any("put in" in n for n in first.notes())
    assert any("taken from" in n for n in second.notes())


def test_settings_spelled_out_find_what_was_chosen(photos, tmp_path, decoded):
    root = photos("a.png", "b.png")
    chosen = ImageSource(root, cache=tmp_path / "c")
    again = ImageSource(root, cache=tmp_path / "c", size=chosen.spec.size, channels=chosen.spec.channels)
    assert decoded() == 2
    assert again.fingerprint == chosen.fingerprint


def test_other_settings_are_other_entries(photos, tmp_path, decoded):
    root = photos("a.png", "b.png")
    for size, channels in ((16, 3), (8, 3), (16, 1), (16, 4)):
        source = ImageSource(root, cache=tmp_path / "c", size=size, channels=channels)
        assert source.batch(torch.tensor([0]), CPU)["x"].shape == (1, channels, size, size)
    assert decoded() == 8
    ImageSource(root, cache=tmp_path / "c", size=16, channels=3, mirror=True, labels=False)
    assert decoded() == 8


def test_a_changed_file_is_decoded_again(photos, tmp_path, picture, decoded):
    root = photos("a.png", "b.png")
    ImageSource(root, cache=tmp_path / "c")
    picture(77).save(root / "b.png")
    source = ImageSource(root, cache=tmp_path / "c")
    assert decoded() == 4
    got = source.spec.pixels(source.batch(torch.tensor([1]), CPU)).numpy()[0]
    assert np.array_equal(got, np.asarray(picture(77)))


def test_the_entry_is_a_plain_numpy_file(photos, tmp_path):
    source = ImageSource(photos("a.png", "b.png"), cache=tmp_path / "c")
    [path] = (tmp_path / "c").rglob("pixels.npy")
    assert np.array_equal(np.load(path), source.spec.pixels(source.batch(torch.arange(2), CPU)).numpy())


@pytest.mark.parametrize("harm", ["truncate", "index", "remove"])
def test_a_damaged_entry_is_made_anew(photos, tmp_path, decoded, harm):
    root = photos("a.png", "b.png")
    ImageSource(root, cache=tmp_path / "c")
    [path] = (tmp_path / "c").rglob("pixels.npy")
    if harm == "truncate":
        os.truncate(path, path.stat().st_size - 100)
    elif harm == "index":
        (path.parent / "index.json").write_text("{")
    else:
        path.unlink()
    source = ImageSource(root, cache=tmp_path / "c")
    assert decoded() == 4
    assert len(source) == 2


def test_progress_reaches_the_end(photos):
    seen = []
    ImageSource(photos(*(f"{i}.png" for i in range(40))), cache=False, progress=lambda d, t: seen.append((d, t)))
    assert seen[-1] == (40, 40)


def test_cache_false_writes_nothing(photos, monkeypatch, tmp_path):
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "never"))
    assert len(ImageSource(photos("a.png"), cache=False)) == 1
    assert not (tmp_path / "never").exists()


def unwritable(tmp_path):
    """A home that nobody can write to, not even root: it is a file."""
    (tmp_path / "home").write_text("")
    return tmp_path / "home"


def test_read_only_home_falls_back_to_the_temporary_folder(photos, monkeypatch, tmp_path):
    monkeypatch.delenv("GANSMITH_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(unwritable(tmp_path)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = ImageSource(photos("a.png"))
    assert any("cannot be written" in n and "gansmith-" in n for n in source.notes())
    assert len(source) == 1


def test_planted_temporary_folder_is_refused(photos, monkeypatch, tmp_path):
    monkeypatch.delenv("GANSMITH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(unwritable(tmp_path)))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / f"gansmith-{os.getuid()}").symlink_to(tmp_path / "other")
    with pytest.raises(DataError, match="belongs to somebody else"):
        ImageSource(photos("a.png"))


def test_a_cache_folder_asked_for_must_work(photos, tmp_path):
    with pytest.raises(DataError, match=r"cannot be written .*name another by GANSMITH_CACHE"):
        ImageSource(photos("a.png"), cache=unwritable(tmp_path) / "c")


OPEN = """
import sys, time, torch
from gansmith.data import ImageSource
source = ImageSource(sys.argv[1], cache=sys.argv[2], workers=0)
print("made" if any("put in" in n for n in source.notes()) else "found", len(source))
"""


def test_two_processes_decode_once(photos, tmp_path):
    root = photos(*(f"{i}.png" for i in range(300)))
    command = [sys.executable, "-c", OPEN, str(root), str(tmp_path / "c")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sorted(p.communicate(timeout=200)[0].split()[0] for p in both) == ["found", "made"]


def test_killed_while_decoding_leaves_nothing_in_the_way(photos, tmp_path):
    root = photos(*(f"{i}.png" for i in range(1500)))
    child = subprocess.Popen([sys.executable, "-c", OPEN, str(root), str(tmp_path / "c")], stdout=subprocess.PIPE)
    partial = tmp_path / "c/pictures"
    deadline = time.monotonic() + 200
    while not list(partial.glob(".*/pixels.npy")) and time.monotonic() < deadline:
        time.sleep(0.002)
    child.kill()
    child.communicate()
    assert not list(partial.glob("*/index.json")), "it was killed too late to prove anything"
    assert len(ImageSource(root, cache=tmp_path / "c", workers=0)) == 1500
    assert not list(partial.glob(".*"))


def test_full_disk_is_said_in_time(photos, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 100})())
    with pytest.raises(DataError, match=r"MB free, about .* are needed"):
        ImageSource(photos("a.png"), cache=tmp_path / "c")


def test_disk_that_fills_up_while_decoding(photos, tmp_path):
    """The system itself refuses to let the file grow (RLIMIT_FSIZE), as it does on a full disk."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from gansmith.data import images; from gansmith.errors import DataError;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))\n"
        "try: images.ImageSource(sys.argv[1], cache=sys.argv[2])\n"
        "except DataError as e: print(e)"
    )
    root = photos(*(f"{i}.png" for i in range(60)))
    done = subprocess.run([sys.executable, "-c", code, root, tmp_path / "c"], capture_output=True, text=True)
    assert "make room, or name another folder by GANSMITH_CACHE" in done.stdout, done.stderr
    assert not list((tmp_path / "c").rglob("pixels.npy"))
    assert images_module.ImageSource(root, cache=tmp_path / "c").report.used == 60
