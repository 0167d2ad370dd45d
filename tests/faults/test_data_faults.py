"""Faults of data, each injected for real: rows 17, 18, 19 and 23 of the list, and those of the command line."""

import io
import os
import random
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile

from gansmith.data import ImageSource, archive, build, decode, open_source
from gansmith.errors import UserError

CPU = torch.device("cpu")


def png(seed: int = 0, size: int = 16) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(png(seed, 64))).save(buffer, "JPEG")
    return buffer.getvalue()


def folder(root: Path, sound: int, broken: dict[str, bytes] | None = None) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for i in range(sound):
        (root / f"{i:04d}.png").write_bytes(png(i))
    for name, data in (broken or {}).items():
        (root / name).write_bytes(data)
    return root


def claiming(width: int, height: int) -> bytes:
    """A small PNG whose header claims more pixels than it has."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def refusal(data, **settings) -> str:
    """What the user reads: exit code 2, at most three lines."""
    with pytest.raises(UserError) as caught:
        open_source(data, **settings)
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


# What is not there, or is something else


def test_no_such_path(tmp_path):
    folder(tmp_path / "photos", 1)
    said = refusal(tmp_path / "fotos")
    assert "no such file or folder" in said
    assert "Did you mean 'photos'?" in said


def test_empty_folder(tmp_path):
    assert "is empty; wanted pictures such as .png" in refusal(tmp_path)


def test_folder_of_text_files(tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("no picture")
    (tmp_path / "README").write_text("")
    assert "no pictures in" in (said := refusal(tmp_path))
    assert "3 .txt, 1 no ending" in said


def test_text_files_that_call_themselves_pictures(tmp_path):
    said = refusal(folder(tmp_path, 0, {f"{i}.png": b"no picture" for i in range(3)}))
    assert "3 of the first 3 pictures" in said
    assert "0.png: not a picture in a known format" in said


@pytest.mark.parametrize("name", ["a.zip", "a.parquet", "a.npz", "a.npy", "a.tar", "a.png"])
def test_files_that_are_not_what_their_name_says(tmp_path, name):
    (tmp_path / name).write_bytes(random.Random(0).randbytes(500))
    expected = {"a.tar": "of no kind that is known", "a.png": "is one picture; give the folder"}
    said = refusal(tmp_path / name)
    assert name in said
    assert expected.get(name, "") in said


@pytest.mark.parametrize("cut", [10, 200, 1500])
def test_truncated_containers(tmp_path, cut):
    np.savez(tmp_path / "a.npz", x=np.zeros((9, 16, 16), np.uint8))
    pq = pytest.importorskip("pyarrow.parquet")
    pa = pytest.importorskip("pyarrow")
    pq.write_table(pa.table({"image": [png(i) for i in range(9)]}), tmp_path / "a.parquet")
    for name in ("a.npz", "a.parquet"):
        path = tmp_path / name
        os.truncate(path, path.stat().st_size - cut)
        assert "damaged" in refusal(path)


def test_npz_with_python_objects_runs_no_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    np.savez(tmp_path / "a.npz", x=np.array([Payload()], dtype=object))
    np.save(tmp_path / "b.npy", np.array([Payload()], dtype=object), allow_pickle=True)
    assert "holds Python objects, which are never loaded" in refusal(tmp_path / "a.npz")
    assert "cannot be read as a numpy array of numbers" in refusal(tmp_path / "b.npy")
    assert not (tmp_path / "ran").exists()


def test_npz_without_pictures_names_what_it_has(tmp_path):
    np.savez(tmp_path / "a.npz", weights=np.zeros(3))
    assert "no array named x, x_train or images; it has: weights" in refusal(tmp_path / "a.npz")


def test_damaged_saved_dataset(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "state.json").write_text("{")
    assert "looks like a saved dataset but cannot be opened" in refusal(tmp_path)


def test_labels_asked_for_and_absent(tmp_path):
    said = refusal(folder(tmp_path, 2), labels=True)
    assert "labels were asked for, but" in said
    assert "metadata.csv with the columns file_name and label" in said


def test_metadata_tables_that_cannot_be_used(tmp_path):
    root = folder(tmp_path, 2)
    for text, expected in [
        ("name,label\n0000.png,1\n", "needs a column (or key) file_name"),
        ("file_name,label\n../../etc/passwd.png,1\n", "names no picture that is there"),
        ("", "needs a column"),
    ]:
        (root / "metadata.csv").write_text(text)
        assert expected in refusal(root)
    (root / "metadata.csv").write_bytes(b"\xff\xfe\xff")
    assert "cannot be read as a table" in refusal(root)


# Row 17: corrupt pictures


CORRUPT = {
    "zero.png": b"",
    "cut.jpg": jpeg()[:700],
    "cut.png": png(1)[:300],
    "noise.png": bytes(range(256)),
    "flipped.png": png(2)[:60] + b"\x00\x00\x00" + png(2)[63:],
}


@pytest.mark.parametrize("name", CORRUPT)
def test_one_corrupt_picture_in_a_hundred_is_skipped_counted_and_listed(tmp_path, name):
    source = ImageSource(folder(tmp_path, 99, {name: CORRUPT[name]}))
    assert (source.report.found, source.report.used, len(source)) == (100, 99, 99)
    [(skipped, reason)] = source.report.skipped
    assert skipped == name
    assert reason
    assert any("1 of 100 pictures were skipped: " + name in n for n in source.notes())
    assert name not in source.names(torch.arange(99))


def test_rows_stay_with_their_names_and_labels_after_a_skip(tmp_path):
    folder(tmp_path / "a", 30, {"0010x.png": b""})
    folder(tmp_path / "b", 30)
    source = ImageSource(tmp_path)
    rows = torch.tensor([10, 11, 30])
    batch = source.batch(rows, CPU)
    assert source.names(rows) == ["a/0010.png", "a/0011.png", "b/0000.png"]
    assert batch["y"].tolist() == [0, 0, 1]
    for pixels, seed in zip(source.spec.pixels(batch).numpy(), (10, 11, 0), strict=True):
        assert np.array_equal(pixels, np.asarray(Image.open(io.BytesIO(png(seed)))))


def test_thirty_corrupt_pictures_in_a_hundred_stop_and_the_first_ten_are_listed(tmp_path):
    broken = {f"x{i:02d}.jpg": jpeg()[:500] for i in range(30)}
    said = refusal(folder(tmp_path, 70, broken))
    assert "at most 5 may (5 %, or one)" in said
    assert [f"x{i:02d}.jpg" in said for i in range(12)] == [True] * 10 + [False] * 2


@pytest.mark.parametrize(("sound", "broken", "works"), [(95, 5, True), (94, 6, False), (2, 1, True), (2, 2, False)])
def test_the_limit_of_five_percent(tmp_path, sound, broken, works):
    root = folder(tmp_path, sound, {f"x{i}.png": b"" for i in range(broken)})
    if works:
        assert len(ImageSource(root)) == sound
    else:
        assert f"{broken} of" in refusal(root)


def test_same_result_whatever_the_number_of_workers(tmp_path):
    root = folder(tmp_path / "p", 150, {"0007x.png": b"", "0100x.jpg": jpeg()[:500]})
    sources = [ImageSource(root, cache=tmp_path / str(w), workers=w) for w in (0, 1, 3)]
    rows = torch.arange(150)
    for other in sources[1:]:
        assert other.report == sources[0].report
        assert other.fingerprint == sources[0].fingerprint
        assert torch.equal(other.batch(rows, CPU)["x"], sources[0].batch(rows, CPU)["x"])


def test_file_that_vanishes_or_may_not_be_read(tmp_path):
    root = folder(tmp_path, 40)
    (root / "gone.png").symlink_to(tmp_path / "nowhere")
    [(name, reason)] = ImageSource(root).report.skipped
    assert name == "gone.png"
    assert "No such file" in reason


def test_a_pipe_among_the_pictures_does_not_hang(tmp_path):
    os.mkfifo(folder(tmp_path, 3) / "pipe.png")
    assert len(ImageSource(tmp_path)) == 3


def test_folders_that_link_in_a_circle(tmp_path):
    (folder(tmp_path / "p", 3) / "again").symlink_to(tmp_path / "p")
    assert len(ImageSource(tmp_path / "p")) == 3


# Row 18: hostile and odd pictures


@pytest.mark.parametrize("side", [50_000, 12_000, 2_000_000_000])
def test_picture_that_claims_to_be_huge_is_never_decoded(tmp_path, side):
    root = folder(tmp_path, 30, {"bomb.png": claiming(side, side)})
    started = time.monotonic()
    [(name, reason)] = ImageSource(root).report.skipped
    assert name == "bomb.png"
    assert f"claims {side * side:,} pixels; at most 134,217,728 are decoded" in reason
    assert time.monotonic() - started < 10


def test_the_limit_is_ours_and_not_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    assert "claims 2,500,000,000 pixels" in refusal(folder(tmp_path, 0, {"bomb.png": claiming(50_000, 50_000)}))


def test_pillow_is_left_as_it_was_and_warns_nobody(tmp_path):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    Image.new("1", (10_000, 9_500)).save(tmp_path / "large.png")  # above the size at which Pillow warns
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"
    Image.new("RGB", (32, 32)).save(tmp_path / "exif.jpg", exif=exif)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert len(ImageSource(tmp_path, size=32)) == 2
    assert [str(w.message) for w in seen] == []
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


# Row 19: hostile archives


def make_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png", "..\\evil.png"])
def test_zip_with_a_name_that_leaves_it(tmp_path, name):
    path = make_zip(tmp_path / "a.zip", {"ok.png": png(), name: png()})
    said = refusal(path)
    assert "is refused: the member" in said
    assert "evil.png" in said


def test_zip_with_a_link(tmp_path):
    info = zipfile.ZipInfo("link.png")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    assert "is a link" in refusal(tmp_path / "a.zip")


def test_zip_with_duplicate_names(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a.png", png(1))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            file.writestr("a.png", png(2))
    assert "two members of the same name 'a.png'" in refusal(tmp_path / "a.zip")


def test_encrypted_zip(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.png": png()})
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "is encrypted" in refusal(path)


def test_zip_bomb_by_declared_size(tmp_path):
    path = make_zip(tmp_path / "a.zip", {f"{i}.png": bytes(8 << 20) for i in range(10)})
    assert path.stat().st_size < 200_000
    assert "as a zip bomb does" in refusal(path)


def test_one_member_that_declares_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    assert "says that it is 2,000 bytes long" in refusal(make_zip(tmp_path / "a.zip", {"a.png": bytes(2000)}))


def patch_directory(path: Path, offset: int, value: int) -> None:
    """Changes a 32-bit number of the last entry of the zip's directory."""
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.rfind(b"PK\x01\x02") + offset, value)
    path.write_bytes(data)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_bomb_whose_header_lies(tmp_path, method):
    """It declares 100 bytes and unfolds to 50 MB: refused by what comes out, of which little ever does."""
    path = make_zip(tmp_path / "a.zip", {"a.png": bytes(50 << 20)}, method)
    patch_directory(path, 24, 100)
    assert "longer than it says, as in a zip bomb" in refusal(path, size=16)


def test_zip_whose_members_overlap(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"a.png": png(1), "b.png": png(2)})
    patch_directory(path, 42, 0)
    assert "overlaps another" in refusal(path)


def test_corrupt_member_is_a_corrupt_picture(tmp_path):
    path = make_zip(tmp_path / "a.zip", {f"{i:02d}.png": png(i) for i in range(40)}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.find(png(7)) + 100] ^= 4
    path.write_bytes(data)
    source = ImageSource(path)
    assert source.report.skipped == [("07.png", "damaged in the zip: its checksum differs")]


def test_counts_and_totals_have_limits_that_real_sets_pass(tmp_path, monkeypatch):
    assert archive.MAX_MEMBERS > 10_000_000
    assert archive.MAX_TOTAL > 1_000_000 * 2_000_000  # a million photographs of 2 MB
    path = make_zip(tmp_path / "a.zip", {f"{i}.png": png(i) for i in range(5)})
    assert len(ImageSource(path)) == 5
    monkeypatch.setattr(archive, "MAX_MEMBERS", 4)
    assert "holds 5 members; at most 4" in refusal(path)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    monkeypatch.setattr(archive, "MAX_TOTAL", 100)
    assert "at most 100 are read" in refusal(path)


# Row 22, as far as it concerns decoding: a worker dies, a worker hangs


def workers_of_this_process() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == os.getpid() and b"gansmith.data.worker" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except (OSError, IndexError):
                continue
    return found


@pytest.mark.parametrize("harm", [signal.SIGKILL, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_started_anew(tmp_path, monkeypatch, harm):
    monkeypatch.setattr(build, "PATIENCE", 3.0)
    root = folder(tmp_path / "p", 300)
    struck: list[int] = []

    def strike(done: int, total: int) -> None:
        if not struck:
            struck.append(workers_of_this_process()[0])
            os.kill(struck[0], harm)

    source = ImageSource(root, cache=False, workers=2, progress=strike)
    assert len(struck) == 1
    assert source.report.used == 300
    plain = ImageSource(root, cache=False, workers=0)
    assert torch.equal(source.batch(torch.arange(300), CPU)["x"], plain.batch(torch.arange(300), CPU)["x"])
    assert workers_of_this_process() == []


def test_workers_that_die_again_and_again_end_in_an_error(tmp_path):
    root, over = folder(tmp_path, 600), threading.Event()

    def kill_all() -> None:
        while not over.is_set():
            for worker in workers_of_this_process():
                os.kill(worker, signal.SIGKILL)
            time.sleep(0.01)

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        assert "died or hung twice" in refusal(root, cache=False, workers=2)
    finally:
        over.set()
        killer.join()
    assert workers_of_this_process() == []


def test_workers_go_when_their_parent_is_killed(tmp_path):
    code = (
        "import sys; from gansmith.data import ImageSource;"
        "ImageSource(sys.argv[1], cache=False, workers=1, progress=lambda d, t: (print('on', flush=True), input()))"
    )
    root = folder(tmp_path, 200)
    command = [sys.executable, "-c", code, str(root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout.readline() == b"on\n"
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        parent.kill()
    assert len(children) == 1
    deadline = time.monotonic() + 20
    while Path(f"/proc/{children[0]}").exists() and time.monotonic() < deadline:
        if ") Z" in Path(f"/proc/{children[0]}/stat").read_text():
            break  # gone, and waiting for somebody to notice
        time.sleep(0.05)
    assert time.monotonic() < deadline


# Row 23: the data changed


@pytest.mark.parametrize("change", ["add", "remove", "alter", "touch", "rename", "label"])
def test_changed_data_change_the_fingerprint(tmp_path, change):
    folder(tmp_path / "p/a", 3)
    folder(tmp_path / "p/b", 3)
    before = ImageSource(tmp_path / "p").fingerprint
    assert ImageSource(tmp_path / "p").fingerprint == before
    victim = tmp_path / "p/a/0001.png"
    if change == "add":
        (tmp_path / "p/a/new.png").write_bytes(png(9))
    elif change == "remove":
        victim.unlink()
    elif change == "alter":
        victim.write_bytes(png(9))
    elif change == "touch":
        os.utime(victim, ns=(1, 1))
    elif change == "rename":
        victim.rename(victim.with_name("other.png"))
    else:
        victim.rename(tmp_path / "p/b/moved.png")
    assert ImageSource(tmp_path / "p").fingerprint != before


def test_changed_zip_of_equal_size_and_time_changes_the_fingerprint(tmp_path):
    def of(seed: int) -> str:
        path = make_zip(tmp_path / "a.zip", {"a.png": png(0), "b.png": png(seed)}, zipfile.ZIP_STORED)
        os.utime(path, ns=(1, 1))
        return ImageSource(path).fingerprint

    assert of(1) != of(2)


# Row 25, as far as it concerns data: names


@pytest.mark.parametrize("name", ["a b", "日本 ünïcode", "quo'te\"s & $(x)", "new\nline"])
def test_odd_names_of_folders_and_files(tmp_path, name):
    root = folder(tmp_path / name, 2, {f"{name}.png": png(5)})
    source = ImageSource(root)
    assert len(source) == 3
    assert f"{name}.png" in source.names(torch.arange(3))


def test_names_that_are_not_utf8(tmp_path):
    root = folder(tmp_path / "p", 30)
    for bad in (b"sound\xff.png", b"broken\xfe.png"):
        Path(os.fsdecode(os.fsencode(root) + b"/" + bad)).write_bytes(png(3) if bad.startswith(b"sound") else b"")
    for _ in range(2):  # decoded, then from the cache
        source = ImageSource(root)
        assert source.names(torch.tensor([30])) == ["sound\\xff.png"]
        assert len(source) == 31
        " ".join(source.notes()).encode("utf-8")
    said = refusal(_only_broken(tmp_path))
    said.encode("utf-8")
    assert "broken\\xfe.png" in said


def _only_broken(tmp_path: Path) -> Path:
    root = folder(tmp_path / "only", 0)
    Path(os.fsdecode(os.fsencode(root) + b"/broken\xfe.png")).write_bytes(b"")
    return root


def test_locale_without_utf8(tmp_path):
    root = folder(tmp_path / "日本", 3, {"ü.png": png(1)})
    code = (
        "import sys; from gansmith.data import ImageSource; s = ImageSource(sys.argv[1]);"
        "sys.stdout.buffer.write(ascii(s.notes()[0]).encode()); assert len(s) == 4"
    )
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", code, os.fsencode(root)], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert b"4 pictures from" in done.stdout


def test_decoder_limits_are_those_documented():
    assert decode.MAX_PIXELS == 134_217_728
    assert build.TOLERATED == 0.05
