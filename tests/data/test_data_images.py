"""ImageSource: what a batch holds, mirrored rows, names, fingerprints, memory."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from gansmith.data import ImageSource
from gansmith.data import images as images_module

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (256, 16, 16, 3), dtype=np.uint8)


def test_batch_is_float_channels_last_and_exact(array):
    array[0, 0, :, 0] = np.arange(16) * 17
    source = ImageSource(array)
    rows = torch.tensor([0, 255, 3, 3])
    batch = source.batch(rows, CPU)
    x = batch["x"]
    assert x.dtype == torch.float32
    assert x.shape == (4, 3, 16, 16)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch["index"], rows)
    assert np.array_equal(source.spec.pixels(batch).numpy(), array[rows.numpy()])
    assert (x[0, 0, 0, 0].item(), x[0, 0, 0, 15].item()) == (-1.0, 1.0)


def test_every_byte_survives_the_way_to_float_and_back():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    source = ImageSource(ramp)
    batch = source.batch(torch.tensor([0]), CPU)
    assert -1 <= batch["x"].min() <= batch["x"].max() <= 1
    assert np.array_equal(source.spec.pixels(batch).numpy()[0, :, :, 0], ramp[0])


def test_mirrored_rows_are_the_flipped_pictures(array):
    labels = np.arange(256) % 3
    source = ImageSource((array, labels), mirror=True)
    assert len(source) == 512
    rows = torch.tensor([5, 261, 300])
    batch = source.batch(rows, CPU)
    assert torch.equal(batch["x"][1], batch["x"][0].flip(-1))
    assert torch.equal(batch["x"][2], source.batch(torch.tensor([44]), CPU)["x"][0].flip(-1))
    assert batch["x"].is_contiguous(memory_format=torch.channels_last)
    assert batch["y"].tolist() == [2, 2, 44 % 3]
    assert batch["y"].dtype == torch.int64
    assert source.names(rows) == ["picture 5", "picture 5 (mirrored)", "picture 44 (mirrored)"]
    assert len(ImageSource(array)) == 256


@pytest.mark.parametrize("row", [-1, 256])
def test_rows_that_are_not_there(array, row):
    with pytest.raises(IndexError, match="rows are 0 to 255"):
        ImageSource(array).batch(torch.tensor([0, row]), CPU)


def test_empty_batch(array):
    assert ImageSource(array).batch(torch.tensor([], dtype=torch.int64), CPU)["x"].shape == (0, 3, 16, 16)


def test_fingerprint_follows_content_and_settings(array):
    first = ImageSource(array).fingerprint
    assert ImageSource(array.copy()).fingerprint == first
    changed = array.copy()
    changed[200, 3, 3, 1] ^= 1
    others = [
        ImageSource(changed),
        ImageSource(array, size=8),
        ImageSource(array, channels=1),
        ImageSource(array, mirror=True),
        ImageSource((array, np.arange(256) % 2)),
        ImageSource((array, np.arange(256) % 3)),
    ]
    assert len({first, *(s.fingerprint for s in others)}) == 7


def test_fingerprint_of_a_folder_does_not_depend_on_where_it_is(photos, tmp_path):
    root = photos("a.png", "b.png")
    before = ImageSource(root).fingerprint
    root.rename(tmp_path / "elsewhere")
    assert ImageSource(tmp_path / "elsewhere").fingerprint == before


def test_first_colour_picture_after_many_grey_ones(tmp_path, picture):
    for i in range(40):
        picture(i, mode="L").save(tmp_path / f"{i:02d}.png")
    picture(99).save(tmp_path / "40.png")
    for cache in (False, None):
        source = ImageSource(tmp_path, cache=cache)
        got = source.spec.pixels(source.batch(torch.arange(41), CPU)).numpy()
        assert source.spec.channels == 3
        for i in range(40):
            assert np.array_equal(got[i], np.repeat(np.asarray(picture(i, mode="L"))[:, :, None], 3, axis=2))
        assert np.array_equal(got[40], np.asarray(picture(99)))


def test_notes_say_what_was_done(tmp_path, picture):
    picture(0, (40, 30)).save(tmp_path / "a.png")
    picture(1, (20, 20)).save(tmp_path / "b.png")
    source = ImageSource(tmp_path, size=24, mirror=True)
    said = " ".join(source.notes())
    for part in ("2 pictures from", "1 not square", "1 shrunk", "1 ENLARGED", "mirrored: 4 rows", "3 channels"):
        assert part in said, part
    assert source.report.conversions == dict.fromkeys(source.report.conversions, 1)
    assert len(source.report.conversions) == 3


def test_size_is_chosen_from_the_median(tmp_path, picture):
    for i, side in enumerate((70, 100, 300)):
        picture(i, (side, side + 9)).save(tmp_path / f"{i}.png")
    source = ImageSource(tmp_path)
    assert source.spec.size == 64
    assert any("the median short side is 100 pixels" in n for n in source.notes())


def test_memory_mapped_when_it_does_not_fit(photos, monkeypatch):
    root = photos("a.png", "b.png")
    kept = ImageSource(root)
    monkeypatch.setattr(images_module, "available_bytes", lambda: 100)
    mapped = ImageSource(root)
    assert isinstance(mapped._pixels, np.memmap)
    assert not isinstance(kept._pixels, np.memmap)
    rows = torch.tensor([1, 0])
    assert torch.equal(mapped.batch(rows, CPU)["x"], kept.batch(rows, CPU)["x"])
    assert any("read from disk as needed" in n for n in mapped.notes())


MEASURE = """
import sys, numpy, torch
torch.set_num_threads(1)
from gansmith.data import ImageSource, images
images.available_bytes = lambda: 0  # as if it did not fit
def anonymous():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(l.split()[1]) for l in lines if l.startswith("Anonymous:")) / 1024
ImageSource(numpy.zeros((4, 16, 16), numpy.uint8)).batch(torch.tensor([0]), torch.device("cpu"))
before = anonymous()
source = ImageSource(sys.argv[1], size=16)
g = torch.Generator().manual_seed(0)
for _ in range(200):
    source.batch(torch.randint(len(source), (64,), generator=g), torch.device("cpu"))
print(len(source), anonymous() - before)
"""


def test_memory_stays_flat_from_ten_thousand_to_a_million(tmp_path):
    """Private memory, so that pages of the mapped file, which the system may take back, do not count."""
    if not os.path.exists("/proc/self/smaps_rollup"):
        pytest.skip("needs Linux")
    used = {}
    for n in (10_000, 1_000_000):
        path = tmp_path / f"{n}.npy"
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(n, 16, 16, 1)).flush()
        done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
        count, grown = done.stdout.split()
        assert int(count) == n
        used[n] = float(grown)
    assert used[1_000_000] - used[10_000] < 16, used  # MB, of 256 MB of pictures


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pictures_live_on_the_device_when_they_fit(array):
    device = torch.device("cuda", 0)
    rows = torch.tensor([7, 300, 2])
    source = ImageSource(array, mirror=True)
    on_device, here = source.batch(rows, device), source.batch(rows, CPU)
    assert source._on_device[device] is not None
    assert torch.equal(on_device["x"].cpu(), here["x"])
    source._on_device[device] = None
    assert torch.equal(source.batch(rows, device)["x"].cpu(), here["x"])
