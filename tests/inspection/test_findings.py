"""A folder with every fault planted in it: each is found, counted and named, and a sound folder has none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenery import scene

import gansmith as gs
from gansmith.data.inspect.glance import glance
from gansmith.errors import DataError
from gansmith.pipelines.inspect import Inspection, inspect


def told(found: Inspection, name: str) -> list[tuple[str, str]]:
    return [(f.level, f.text) for f in found.findings if f.name == name]


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train and test, two classes, 84 + 6 sound pictures and one or more of each fault."""
    root = tmp_path_factory.mktemp("faults") / "faulty"
    for i in range(84):
        put(scene(i), root / "train" / ("cat" if i < 6 else "dog") / f"{i:03d}.png")
    for i in range(200, 206):
        put(scene(i), root / "test" / "cat" / f"{i}.png")
    shutil.copy(root / "train/dog/050.png", root / "train/dog/equal.png")
    shutil.copy(root / "train/dog/051.png", root / "train/cat/two-labels.png")
    put(scene(52).resize((70, 70)), root / "train/dog/larger.png")
    shutil.copy(root / "train/dog/060.png", root / "test/cat/leaked.png")
    put(scene(61).resize((60, 60)), root / "test/cat/leaked-larger.png")
    put(Image.new("RGB", (48, 48), (250, 250, 250)), root / "train/dog/blank.png")
    put(scene(300).convert("L"), root / "train/dog/grey.png")
    put(scene(301).convert("CMYK"), root / "train/dog/cmyk.jpg")
    put(scene(302, (120, 48)), root / "train/dog/long.png")
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    put(Image.fromarray(noise), root / "train/dog/noise.png")
    (root / "train/dog/broken.png").write_bytes(b"no picture")
    return root


def put(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture(scope="module")
def found(faulty: Path) -> Inspection:
    return inspect(faulty, workers=0)


def test_each_fault_is_counted_and_named(found: Inspection) -> None:
    n = 84 + 8
    assert len(found.seen.own) == n
    assert told(found, "unreadable") == [
        (
            "warning",
            "1 (1.1 %) of the pictures cannot be used, the first being train/dog/broken.png: "
            "not a picture in a known format.",
        )
    ]
    assert told(found, "leakage") == [
        ("problem", "1 (12 %) of the pictures of test are in the data, pixel for pixel."),
        ("warning", "1 (12 %) of the pictures of test look like pictures of the data."),
    ]
    assert [text.split(" of the")[0] for _, text in told(found, "duplicates")] == ["2 (2.2 %)", "1 (1.1 %)"]
    assert "train/cat/two-labels.png and train/dog/051.png" in told(found, "labels")[0][1]
    assert "blank.png" in told(found, "near-constant")[0][1]
    assert told(found, "balance") == [
        ("warning", "The 2 classes hold from 7 (cat) to 85 (dog) pictures, a ratio of 12.1.")
    ]
    assert told(found, "amount")[0][0] == "warning"
    channels = [text for _, text in told(found, "channels")]
    assert channels[0] == "2 (2.2 %) of the pictures are grey, 90 (98 %) in colour."
    assert channels[1].endswith("CMYK.")
    sizes = [text for _, text in told(found, "sizes")]
    assert sizes[0].startswith("1 (1.1 %) of the pictures are more than 1.5 times as long as wide")
    assert sizes[1].startswith(
        "There are 3 sizes; the most common is 48 x 48, of 90 (98 %), and short sides run from 48"
    )
    assert not found.clean


def test_the_outlier_is_the_noise(found: Inspection) -> None:
    names = [found.seen.survey.name(i) for i in found.seen.outliers]
    assert "train/dog/noise.png" in names
    assert len(names) <= 3


def test_the_data_name_every_picture(found: Inspection) -> None:
    data = found.to_json()
    groups = {(g["identical"], tuple(g["names"])) for g in data["copies"]}
    assert groups == {
        (True, ("train/dog/050.png", "train/dog/equal.png")),
        (True, ("train/cat/two-labels.png", "train/dog/051.png")),
        (False, ("train/dog/052.png", "train/dog/larger.png")),
    }
    assert data["leaks"] == {
        "test": [
            {"name": "test/cat/leaked.png", "identical": True, "in_data": ["train/dog/060.png"]},
            {"name": "test/cat/leaked-larger.png", "identical": False, "in_data": ["train/dog/061.png"]},
        ]
    }
    assert data["near_constant"] == ["train/dog/blank.png"]
    assert data["unreadable"] == [{"name": "train/dog/broken.png", "reason": "not a picture in a known format"}]
    assert data["summary"]["pictures"] == 92
    assert np.allclose(np.sum(data["summary"]["histogram"], axis=1), 1, atol=1e-4)


def test_processes_find_what_one_finds(faulty: Path, found: Inspection) -> None:
    calls: list[tuple[int, int]] = []
    again = inspect(faulty, workers=2, progress=lambda done, total: calls.append((done, total)))
    assert again.to_json() == found.to_json()
    assert calls[-1] == (93 + 8, 93 + 8)
    assert calls == sorted(calls)


def test_a_sound_folder_is_clean(tmp_path: Path) -> None:
    x = np.stack([np.asarray(scene(i, (32, 32))) for i in range(600)])
    found = inspect((x, np.arange(600) % 3))
    assert found.clean, str(found)
    assert told(found, "balance") == [("note", "Each of the 3 classes holds 200 pictures.")]
    assert found.seen.copies == []
    assert found.written is None


@pytest.mark.parametrize("kind", ["folder", "zip", "npz", "npy", "array", "tensor", "parquet", "dataset", "saved"])
def test_every_kind_of_source(kind: str, tmp_path: Path, scenes: Callable[..., Path]) -> None:
    """Nine pictures, of which two are equal and one is blank, however they come."""
    pictures = [*map(scene, range(7)), scene(0), Image.new("RGB", (48, 48), "black")]
    found = inspect(given_as(kind, pictures, tmp_path))
    assert (len(found.seen.own), found.seen.identical, len(found.seen.plain)) == (9, 1, 1)
    assert len(found.seen.copies) == 1
    assert found.seen.copies[0] == [0, 7]


def given_as(kind: str, pictures: list[Image.Image], folder: Path) -> object:
    import torch

    x = np.stack([np.asarray(p) for p in pictures])
    encoded = []
    root = folder / "given"
    root.mkdir()
    for i, p in enumerate(pictures):
        p.save(root / f"{i}.png")
        encoded.append((root / f"{i}.png").read_bytes())
    if kind in ("array", "tensor"):
        return x if kind == "array" else torch.from_numpy(x).permute(0, 3, 1, 2)
    if kind == "npz":
        np.savez(folder / "p.npz", x=x)
        return folder / "p.npz"
    if kind == "npy":
        np.save(folder / "p.npy", x)
        return folder / "p.npy"
    if kind == "zip":
        return Path(shutil.make_archive(str(folder / "p"), "zip", root))
    if kind in ("parquet", "dataset", "saved"):
        return as_table(kind, encoded, folder)
    return root


def as_table(kind: str, encoded: list[bytes], folder: Path) -> object:
    if kind == "parquet":
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"image": encoded}), folder / "p.parquet")
        return folder / "p.parquet"
    datasets = pytest.importorskip("datasets")
    made = datasets.Dataset.from_dict({"image": [{"bytes": b, "path": None} for b in encoded]})
    made = made.cast_column("image", datasets.Image(decode=False))
    if kind == "saved":
        made.save_to_disk(str(folder / "saved"))
        return folder / "saved"
    return made


def test_test_pictures_may_come_from_elsewhere(scenes: Callable[..., Path]) -> None:
    data = scenes(*(f"{i}.png" for i in range(9)), folder="data")
    held = scenes("a.png", "b.png", "c.png", folder="held", first=8)  # a.png is 8.png
    found = inspect(data, test=held)
    assert told(found, "leakage") == [
        ("problem", "1 (33 %) of the pictures of held are in the data, pixel for pixel."),
    ]
    assert found.to_json()["leaks"]["held"][0]["in_data"] == ["8.png"]
    apart = inspect(data, test=scenes("a.png", folder="other", first=50))
    assert told(apart, "leakage") == [("note", "The picture of other is not in the data.")]


def test_the_part_to_look_at_can_be_chosen(faulty: Path) -> None:
    test = inspect(faulty, split="test")
    assert len(test.seen.own) == 8
    assert [p.name for p in test.seen.survey.parts] == ["test", "train"]
    everything = inspect(faulty, split="all")
    assert len(everything.seen.own) == 100
    assert told(everything, "leakage") == []
    with pytest.raises(DataError, match="no split 'dev'"):
        inspect(faulty, split="dev")


def test_black_and_dim_pictures() -> None:
    x = np.random.default_rng(0).integers(0, 2, (20, 16, 16), dtype=np.uint8)
    assert told(inspect(x), "values") == [("problem", "Values run from 0 to 1 of 255: all pictures are black.")]
    assert told(inspect(x * 40), "values")[0] == ("warning", "Values run from 0 to 40 only, of 0 to 255.")
    assert told(inspect(x * 255), "values")[0][0] == "note"


def test_small_pictures_are_told_of_but_padded_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    grey28 = inspect(rng.integers(0, 256, (20, 28, 28), dtype=np.uint8))
    assert [level for level, _ in told(grey28, "sizes")] == ["note"]
    tiny = inspect(rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8))
    assert [level for level, _ in told(tiny, "sizes")] == ["warning", "note"]


def test_labels_that_are_no_class(tmp_path: Path) -> None:
    x = np.stack([np.asarray(scene(i)) for i in range(4)])
    np.savez(tmp_path / "p.npz", x=x, y=np.array([-1, 0, 1, 1]), classes=np.array(["a", "b"]))
    found = inspect(tmp_path / "p.npz")
    assert told(found, "labels")[0] == ("problem", "1 (25 %) of the pictures have a label that is none of the classes.")
    assert found.seen.class_counts == {"a": 1, "b": 2}


def test_what_cannot_be_inspected(tmp_path: Path, scenes: Callable[..., Path]) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for i in range(3):
        (broken / f"{i}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"none of the 3 pictures of .*broken can be read. The first: 0.png: an empty"):
        inspect(broken)
    data = scenes("a.png", "b.png")
    with pytest.raises(DataError, match="the data themselves"):
        inspect(data, test=str(data) + "/")
    with pytest.raises(DataError, match=r"ends in \.html"):
        inspect(data, out=tmp_path / "page.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write the report"):
        inspect(data, out=tmp_path / "file" / "page.html")


def test_a_glance_sees_the_grossest_faults() -> None:
    sound = np.stack([np.asarray(scene(i, (32, 32))) for i in range(100)])
    assert glance(sound, {"a": 50, "b": 50}) == []
    copied = np.concatenate([sound, sound[:10]])
    assert [w.split(" are")[0] for w in glance(copied, {})] == ["10 (9.1 %) of 110 pictures looked at"]
    lighter = np.concatenate([sound, (sound[:5] * 0.9).astype(np.uint8)])
    assert "look the same" in glance(lighter, {})[0]
    blank = np.concatenate([sound, np.arange(100, 105, dtype=np.uint8)[:, None, None, None] * np.ones_like(sound[:5])])
    assert "nearly one colour" in glance(blank, {})[0]
    assert "black" in " ".join(glance(np.zeros_like(sound), {}))
    assert glance(sound, {"a": 93, "b": 7, "none": 0}) == [
        "classes are uneven (93 pictures of a, 7 of b); rare ones come out poor and alike"
    ]


def test_the_bundled_pictures_train_without_a_warning() -> None:
    source = gs.ImageSource("bundled:fashion-mnist")
    assert glance(source.pixels, dict(zip(source.spec.classes, source.spec.class_counts, strict=True))) == []


def test_the_public_name(scenes: Callable[..., Path], tmp_path: Path) -> None:
    found = gs.inspect(scenes("a.png", "b.png"), out=tmp_path / "deep" / "page.html")
    assert found.written is not None
    assert found.written.exists()
    assert "All pictures are 48 x 48 pixels." in str(found)
