"""Copies are found, all of them and no others: the hash, the search, the comparison."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scenery import scene

from gansmith.data.inspect import alike
from gansmith.data.inspect.alike import AGREEMENT, BITS, Groups, agreement, find_alike
from gansmith.data.inspect.measure import RECORD, Measured, _cosines, measure, perceptual_hash


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def measured(picture: Image.Image) -> Measured:
    pixels = np.asarray(picture.convert("RGB"))
    return measure(pixels)


def bits(a: int, b: int) -> int:
    return (a ^ b).bit_count()


def test_the_transform_is_orthonormal_and_the_hash_reads_its_signs() -> None:
    rows = _cosines()
    assert np.allclose(rows @ rows.T, np.eye(8), atol=1e-12)
    one = 128 + 100 * np.outer(rows[2], rows[3]) * 16  # a single frequency: its bit alone is above the median
    got = perceptual_hash(np.rint(one).astype(np.uint8))
    assert got >> 63 - (2 * 8 + 3 - 1) & 1
    assert perceptual_hash(np.rint(256 - one).astype(np.uint8)) >> 63 - (2 * 8 + 3 - 1) & 1 == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda p: as_jpeg(p, 60),
        lambda p: p.resize((96, 96), Image.Resampling.BICUBIC),
        lambda p: p.resize((30, 30), Image.Resampling.LANCZOS),
        lambda p: p.resize((48, 60)),
        lambda p: ImageEnhance.Brightness(p).enhance(0.85),
        lambda p: ImageEnhance.Contrast(p).enhance(0.8),
        lambda p: p.filter(ImageFilter.GaussianBlur(0.6)),
    ],
    ids=["jpeg", "larger", "smaller", "stretched", "darker", "flatter", "blurred"],
)
def test_a_copy_outlives_what_is_done_to_copies(change: Callable[[Image.Image], Image.Image]) -> None:
    near = 0
    for seed in range(20):
        a, b = measured(scene(seed)), measured(change(scene(seed)))
        near += bits(int(a.record["hash"]), int(b.record["hash"])) <= BITS
        assert agreement(a.small[None], b.small[None])[0] >= AGREEMENT
    assert near >= 19


def test_other_pictures_are_not_copies() -> None:
    all_of_them = [measured(scene(seed)) for seed in range(60)]
    turned = [measured(ImageOps.flip(scene(seed))) for seed in range(60)]
    assert groups_of(all_of_them + turned) == []


def groups_of(found: list[Measured]) -> list[list[int]]:
    records = np.array([m.record for m in found], RECORD)
    small = np.stack([m.small for m in found])
    root = find_alike(records["digest"], records["hash"], small, records["spread"] < 4)
    return [g for r in np.unique(root) if len(g := np.flatnonzero(root == r).tolist()) > 1]


def test_groups_hold_equal_and_changed_copies() -> None:
    pictures = [scene(s) for s in range(12)]
    pictures += [scene(3), as_jpeg(scene(3), 70), scene(7).resize((64, 64)), scene(7)]
    assert groups_of([measured(p) for p in pictures]) == [[3, 12, 13], [7, 14, 15]]


def test_blanks_are_alike_only_where_they_are_equal() -> None:
    grey = [Image.new("RGB", (32, 32), (v, v, v)) for v in (100, 100, 101, 180)]
    assert groups_of([measured(p) for p in grey]) == [[0, 1]]


def test_every_pair_within_reach_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against all pairs by brute force; the comparison is let through, so that the search alone decides."""
    monkeypatch.setattr(alike, "AGREEMENT", -2.0)
    rng = np.random.default_rng(5)
    centres = rng.integers(0, 2**62, 60, dtype=np.uint64) << np.uint64(1)
    hashes = np.repeat(centres, 8)
    for i in range(len(hashes)):  # up to nine bits of the 63 flipped
        for b in rng.permutation(63)[: rng.integers(0, 10)]:
            hashes[i] ^= np.uint64(1) << np.uint64(b + 1)
    n = len(hashes)
    root = find_alike(np.arange(n, dtype=np.uint64), hashes, np.zeros((n, 16, 16, 3), np.uint8), np.zeros(n, bool))
    near = np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= BITS
    wanted = np.arange(n)
    while True:  # the least number that can be reached, by passing it on until nothing changes
        passed = np.where(near, wanted[None, :], n).min(1)
        if (passed == wanted).all():
            break
        wanted = passed
    assert np.array_equal(root, wanted)
    assert 60 < len(np.unique(root)) < n


def test_simple_pictures_of_one_hash_are_told_apart_by_their_pixels() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (50, 16, 16, 3), dtype=np.uint8)
    root = find_alike(np.arange(50, dtype=np.uint64), np.full(50, 6, np.uint64), small, np.zeros(50, bool))
    assert np.array_equal(root, np.arange(50))


def test_groups_join_in_any_order() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b = rng.integers(0, 40, (2, 30))
        groups = Groups(40)
        groups.join(a, b)
        groups.settle()
        wanted = np.arange(40)
        for _ in range(40):
            low = np.minimum(wanted[a], wanted[b])
            np.minimum.at(wanted, a, low)
            np.minimum.at(wanted, b, low)
        assert np.array_equal(groups.root, wanted)


def test_agreement_is_the_correlation() -> None:
    a, b = (np.random.default_rng(s).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8) for s in (0, 1))
    wanted = [np.corrcoef(x.reshape(-1), y.reshape(-1))[0, 1] for x, y in zip(a, b, strict=True)]
    assert np.allclose(agreement(a, b), wanted, atol=1e-5)


def test_copies_of_real_faces(shared_data: Path) -> None:
    """Of 100 portraits, each in another size, compression and light: 98 found at least, and no two persons mixed."""
    with zipfile.ZipFile(shared_data / "images" / "portraits128.zip") as archive:
        names = sorted(n for n in archive.namelist() if n.endswith(".jpg"))[:100]
        faces = [Image.open(io.BytesIO(archive.read(n))).convert("RGB") for n in names]
    copies = [as_jpeg(ImageEnhance.Brightness(f.resize((90, 90))).enhance(0.95), 50) for f in faces]
    found = groups_of([measured(p) for p in faces + copies])
    assert all(g[1] - g[0] == 100 and len(g) == 2 for g in found)
    assert len(found) >= 98
