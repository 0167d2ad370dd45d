"""Smaller pictures of the same rows: means of squares, from memory or from the cache."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gansmith.data import ImageSource
from gansmith.data import images as images_module
from gansmith.data.smaller import in_memory
from gansmith.data.source import OffersSizes, Source
from gansmith.errors import DataError

CPU = torch.device("cpu")


def pictures(n: int = 7, size: int = 16, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, channels), dtype=np.uint8)


@pytest.mark.parametrize("size", [8, 4, 2, 1])
def test_means_are_rounded_to_the_nearest_and_halves_to_the_even(size: int) -> None:
    x, f = pictures(), 16 // size
    wanted = np.rint(x.reshape(7, size, f, size, f, 3).astype(np.float64).mean((2, 4)))
    made = in_memory(x, size)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, wanted)


def test_means_of_the_largest_squares_are_exact() -> None:
    assert (in_memory(np.full((1, 1024, 1024, 1), 255, np.uint8), 4) == 255).all()


def test_a_source_serves_the_same_rows_smaller() -> None:
    x, y = pictures(), np.arange(7) % 2
    source = ImageSource((x, y), mirror=True)
    small = source.smaller(4)
    assert isinstance(source, OffersSizes)
    assert isinstance(small, Source)
    assert small is source.smaller(4)
    assert source.smaller(16) is source
    assert source.smaller(1024) is source
    rows = torch.tensor([3, 10, 0, 13])  # the second and the fourth mirrored
    whole, served = source.batch(rows, CPU), small.batch(rows, CPU)
    assert served["x"].shape == (4, 3, 4, 4)
    assert served["x"].is_contiguous(memory_format=torch.channels_last)
    means = torch.nn.functional.avg_pool2d(whole["x"], 4)
    assert (served["x"] - means).abs().max() <= 0.5 / 127.5 + 1e-6
    assert torch.equal(served["y"], whole["y"])
    assert torch.equal(served["index"], rows)
    assert (small.spec.size, small.spec.classes, source.spec.size) == (4, source.spec.classes, 16)
    assert small.names(rows) == source.names(rows)
    assert (len(small), small.fingerprint) == (len(source), source.fingerprint)


def test_pictures_on_disk_become_smaller_in_the_cache_and_once(photos, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(images_module, "available_bytes", lambda: 0)
    root, cache = photos(*(f"{i}.png" for i in range(5))), tmp_path / "c"
    source = ImageSource(root, size=16, cache=cache)
    assert isinstance(source.pixels, np.memmap)
    small = source.smaller(4)
    assert isinstance(small.pixels, np.memmap)
    np.testing.assert_array_equal(small.pixels, in_memory(np.array(source.pixels), 4))
    entries = sorted(p.name for p in (cache / "pictures").iterdir() if p.is_dir())
    assert len(entries) == 2
    assert entries[1].endswith("-means-4")
    made = (cache / "pictures" / entries[1] / "pixels.npy").stat().st_mtime_ns
    again = ImageSource(root, size=16, cache=cache).smaller(4)
    assert (cache / "pictures" / entries[1] / "pixels.npy").stat().st_mtime_ns == made
    np.testing.assert_array_equal(again.pixels, small.pixels)
    assert again.smaller(2).pixels.shape == (5, 2, 2, source.spec.channels)


def test_a_size_without_squares_is_refused() -> None:
    with pytest.raises(DataError, match="16 pixels have no squares whose means are pictures of: 6"):
        ImageSource(pictures()).smaller(6)
