"""Every layout opens, with the pictures, labels and splits that a user expects."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gansmith.data import ImageSource, Source, open_source
from gansmith.data.arrays import list_array
from gansmith.data.folder import walk
from gansmith.errors import DataError, MissingExtra

CPU = torch.device("cpu")


def pixels(source, rows=None):
    batch = source.batch(torch.arange(len(source)) if rows is None else torch.tensor(rows), CPU)
    return source.spec.pixels(batch).numpy()


def labelled(source):
    y = source.batch(torch.arange(len(source)), CPU)["y"]
    return [source.spec.classes[i] for i in y.tolist()]


def test_flat_folder_has_no_labels(photos):
    source = open_source(photos("b.png", "a.png", "deep/er/c.png"), size=16)
    assert isinstance(source, Source)
    assert source.names(torch.arange(3)) == ["a.png", "b.png", "deep/er/c.png"]
    assert source.spec.classes == ()
    assert set(source.batch(torch.arange(2), CPU)) == {"x", "index"}


def test_labels_come_from_the_first_level(photos):
    source = open_source(photos("cat/1.png", "cat/more/2.png", "dog/3.png"))
    assert source.spec.classes == ("cat", "dog")
    assert source.spec.class_counts == (2, 1)
    assert labelled(source) == ["cat", "cat", "dog"]


def test_numbered_classes_are_in_the_order_of_numbers(photos):
    assert open_source(photos("10/a.png", "9/b.png", "2/c.png")).spec.classes == ("2", "9", "10")


def test_outer_folders_are_passed_through(photos):
    source = open_source(photos("set/train/cat/1.png", "set/train/dog/2.png", "set/test/dog/3.png"))
    assert labelled(source) == ["cat", "dog"]


def test_splits_are_not_classes(photos):
    root = photos("train/a.png", "train/b.png", "test/c.png")
    assert len(open_source(root)) == 2
    assert len(open_source(root, split="test")) == 1
    assert len(open_source(root, split="all")) == 3
    assert open_source(root).spec.classes == ()
    assert any("'train' is used" in n for n in open_source(root).notes())


def test_all_splits_together_keep_their_classes(photos):
    root = photos("train/cat/a.png", "train/dog/b.png", "val/dog/c.png")
    assert labelled(open_source(root, split="all")) == ["cat", "dog", "dog"]
    with pytest.raises(DataError, match="no split 'tset'; it has: train, val"):
        open_source(root, split="tset")


def test_one_class_named_train_stays_a_class(photos):
    assert open_source(photos("bus/1.png", "train/2.png", "car/3.png")).spec.classes == ("bus", "car", "train")


def test_split_of_undivided_data_is_refused(photos):
    with pytest.raises(DataError, match="not divided into splits"):
        open_source(photos("a.png"), split="test")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_metadata_table(photos, kind):
    root = photos("a.png", "b.png", "sub/c.png", "left.png")
    rows = [("a.png", "red"), ("b.png", "blue"), ("sub/c.png", "red")]
    if kind == "csv":
        text = "file_name,label\n" + "".join(f"{n},{v}\n" for n, v in rows)
    else:
        text = "".join(json.dumps({"file_name": n, "label": v}) + "\n" for n, v in rows)
    (root / f"metadata.{kind}").write_text(text)
    source = open_source(root)
    assert labelled(source) == ["red", "blue", "red"]
    assert any("1 pictures that metadata" in n for n in source.notes())


def test_metadata_inside_a_split(photos):
    root = photos("train/a.png", "train/b.png", "test/c.png")
    (root / "train/metadata.csv").write_text("file_name,label\na.png,1\nb.png,0\n")
    assert labelled(open_source(root)) == ["1", "0"]


def test_labels_setting(photos):
    flat, classes = photos("a.png", folder="flat"), photos("x/a.png", "y/b.png", folder="classes")
    with pytest.raises(DataError, match=r"labels were asked for, but .*flat has none: put the pictures of each class"):
        open_source(flat, labels=True)
    assert open_source(classes, labels=False).spec.classes == ()
    assert open_source(classes, labels=True).spec.classes == ("x", "y")


def test_zip_gives_the_same_as_the_folder(photos, tmp_path):
    root = photos("cat/1.png", "dog/2.png", "dog/3.jpg")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = tmp_path / f"{method}.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            for file in sorted(root.rglob("*.*")):
                archive.write(file, file.relative_to(root))
        assert np.array_equal(pixels(open_source(path)), pixels(open_source(root)))
        assert labelled(open_source(path)) == ["cat", "dog", "dog"]


def test_npz_and_npy(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x, y_train=[0, 1, 2, 1, 0], x_test=x[:2], y_test=[1, 1])
    np.savez(tmp_path / "b.npz", images=x, labels=[1, 0, 1, 0, 1], classes=np.array(["zero", "one"]))
    np.save(tmp_path / "c.npy", x)
    source = open_source(tmp_path / "a.npz")
    assert np.array_equal(pixels(source), x)
    assert source.spec.class_counts == (2, 2, 1)
    assert len(open_source(tmp_path / "a.npz", split="test")) == 2
    assert labelled(open_source(tmp_path / "b.npz"))[:2] == ["one", "zero"]
    assert np.array_equal(pixels(open_source(tmp_path / "c.npy")), x)


@pytest.mark.parametrize("channels", [1, 3])
def test_array_layouts_and_ranges(channels):
    x = np.random.default_rng(1).integers(0, 256, (4, 16, 16, channels), dtype=np.uint8)
    x[0, 0, 0], x[0, 0, 1] = 0, 255
    first = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    forms = [
        x,
        first,
        torch.from_numpy(first),
        x / np.float32(255),
        x / 127.5 - 1,
        torch.from_numpy(first).float() / 255,
    ]
    forms += [x.astype(np.int64), x.astype(np.uint16) * 257] + ([x[:, :, :, 0]] if channels == 1 else [])
    for form in forms:
        source = open_source(form, size=16)
        assert np.array_equal(pixels(source), x), form.dtype
    assert any("-1 (black) to 1" in n for n in open_source(x / 127.5 - 1, size=16).notes())


def test_array_with_labels_and_what_is_refused():
    x = np.zeros((3, 16, 16), np.uint8)
    assert labelled(open_source((x, np.array([5, 3, 5])))) == ["5", "3", "5"]
    assert labelled(open_source((x, torch.tensor([1, 0, 1])))) == ["1", "0", "1"]
    for bad, message in [
        ((x, [1, 2]), "3 pictures, but labels of the shape"),
        (np.zeros((3, 784), np.uint8), r"shape \(3, 784\); wanted"),
        (np.full((3, 8, 8), np.nan), "not finite"),
        (np.full((3, 8, 8), 300.0), "holds values from 300 to 300"),
        (np.zeros((0, 8, 8), np.uint8), "is empty"),
        (np.full((3, 8, 8), None), "wanted numbers"),
        ([1, 2], "data is a list; wanted a path"),
    ]:
        with pytest.raises(DataError, match=message):
            open_source(bad)


def test_array_is_resized_like_a_file(picture, tmp_path):
    original = picture(4, (40, 40))
    (tmp_path / "p").mkdir()
    original.save(tmp_path / "p/a.png")
    assert np.array_equal(
        pixels(open_source(np.asarray(original)[None], size=16)), pixels(open_source(tmp_path / "p", size=16))
    )


def test_array_is_known_by_its_content():
    x = np.zeros((3, 16, 16), np.uint8)
    other = x.copy()
    other[2, 5, 5] = 1
    assert list_array(x).stamp == list_array(x.copy()).stamp != list_array(other).stamp


def hub_dataset(root, splits=False):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "emu"])})
    files = sorted(root.glob("*.png"))
    rows = {"image": [{"bytes": f.read_bytes(), "path": f.name} for f in files], "label": [1, 0, 1][: len(files)]}
    dataset = datasets.Dataset.from_dict(rows, features=features)
    return datasets.DatasetDict(train=dataset, test=dataset.select([0])) if splits else dataset


def test_parquet_round_trip(photos, tmp_path):
    root = photos("a.png", "b.png", "c.png")
    dataset = hub_dataset(root)
    dataset.to_parquet(tmp_path / "one.parquet")
    source = open_source(tmp_path / "one.parquet")
    assert np.array_equal(pixels(source), pixels(open_source(root)))
    assert labelled(source) == ["dog", "cat", "dog"]
    assert source.spec.classes == ("cat", "dog", "emu")
    assert source.spec.class_counts == (1, 2, 0)


def test_parquet_folder_with_splits_and_plain_bytes(photos, tmp_path):
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    files = sorted(photos(*(f"{i}.png" for i in range(7))).glob("*.png"))
    folder = tmp_path / "hub/data"
    folder.mkdir(parents=True)
    for part, chosen in (
        ("train-00000-of-00002", files[:3]),
        ("train-00001-of-00002", files[3:6]),
        ("test-0", files[6:]),
    ):
        table = pa.table({"name": [f.name for f in chosen], "img": [f.read_bytes() for f in chosen]})
        pq.write_table(table, folder / f"{part}.parquet", row_group_size=2)
    source = open_source(tmp_path / "hub")
    wanted = np.stack([np.asarray(Image.open(f)) for f in files])
    assert np.array_equal(pixels(source), wanted[:6])
    assert np.array_equal(pixels(open_source(tmp_path / "hub", split="test")), wanted[6:])


def test_hub_dataset_in_memory_and_saved(photos, tmp_path):
    root = photos("a.png", "b.png", "c.png")
    wanted = pixels(open_source(root))
    dataset = hub_dataset(root)
    assert np.array_equal(pixels(open_source(dataset)), wanted)
    dataset.save_to_disk(tmp_path / "saved")
    saved = open_source(tmp_path / "saved")
    assert np.array_equal(pixels(saved), wanted)
    assert labelled(saved) == ["dog", "cat", "dog"]
    hub_dataset(root, splits=True).save_to_disk(tmp_path / "parts")
    assert len(open_source(tmp_path / "parts")) == 3
    assert len(open_source(tmp_path / "parts", split="test")) == 1


def test_absent_packages_are_named(photos, tmp_path, monkeypatch):
    dataset = hub_dataset(photos("a.png"))
    dataset.to_parquet(tmp_path / "one.parquet")
    dataset.save_to_disk(tmp_path / "saved")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"gansmith\[parquet\]"):
        open_source(tmp_path / "one.parquet")
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r"gansmith\[hf\]"):
        open_source(tmp_path / "saved")


def test_bundled_needs_no_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("GANSMITH_CACHE", str(tmp_path / "never"))
    source = open_source("bundled:fashion-mnist")
    assert len(source) == 10_000
    assert (source.spec.size, source.spec.channels) == (32, 1)
    assert source.spec.classes[0] == "T-shirt/top"
    assert source.spec.classes[9] == "Ankle boot"
    assert source.spec.class_counts == (1000,) * 10
    assert source.batch(torch.tensor([0]), CPU)["y"].item() == 9  # the first test picture is an ankle boot
    assert any("2 black pixels" in n for n in source.notes())
    assert not (tmp_path / "never").exists()
    native = open_source("bundled:fashion-mnist", size=28)
    assert np.array_equal(pixels(native, [7])[0], pixels(source, [7])[0, 2:-2, 2:-2])
    with pytest.raises(DataError, match="Did you mean 'fashion-mnist'"):
        open_source("bundled:fashion-mnits")


def test_real_sets(shared_data):
    clothing = open_source(shared_data / "images/clothing64.zip", workers=2)
    assert (len(clothing), clothing.spec.size, clothing.spec.channels) == (3068, 64, 3)
    assert dict(zip(clothing.spec.classes, clothing.spec.class_counts, strict=True))["t-shirt"] == 795
    with zipfile.ZipFile(shared_data / "images/clothing64.zip") as archive:
        [name] = clothing.names(torch.tensor([1234]))
        original = np.asarray(Image.open(archive.open(name)).convert("RGB"))
    assert np.array_equal(pixels(clothing, [1234])[0], original)
    assert len(open_source(shared_data / "images/cifar10_subset.zip", split="test")) == 500
    tiles = open_source(shared_data / "anomaly/magnetic_tile128.zip")
    assert (len(tiles), tiles.spec.channels, tiles.spec.classes) == (460, 1, ())
    assert sum("ground_truth" in n for n in tiles.notes()) == 1
    digits = open_source(shared_data / "images/mnist_10k.npz")
    assert (len(digits), digits.spec.size, len(digits.spec.classes)) == (10_000, 32, 10)


def test_settings_out_of_range(photos):
    root = photos("a.png")
    with pytest.raises(DataError, match="4 to 2048 pixels a side, not: 0"):
        ImageSource(root, size=0)
    with pytest.raises(DataError, match="not: 2"):
        ImageSource(root, channels=2)


def test_values_that_are_not_finite_are_said_with_the_first_picture() -> None:
    x = np.zeros((600, 4, 4), dtype=np.float32)
    x[517, 2, 2] = np.nan
    with pytest.raises(DataError, match=r"not finite .*the first of them in picture 517, counted from 0"):
        ImageSource(x, cache=False)


def test_links_are_followed_but_not_to_folders_above(tmp_path: Path) -> None:
    inside, other = tmp_path / "above" / "inside", tmp_path / "other"
    for folder in (inside, other):
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), dtype=np.uint8)).save(folder / "a.png")
    (inside / "loop").symlink_to(tmp_path / "above")
    (inside / "linked").symlink_to(other)
    assert [e.name for e in walk(inside)] == ["a.png", "linked/a.png"]
