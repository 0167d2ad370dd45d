"""Pictures with several attributes at once: tables in every spelling, what becomes of them, what is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from gansmith.data import ImageSource, open_source
from gansmith.data.attributes import combined, read_attributes
from gansmith.data.tables_read import is_table
from gansmith.errors import DataError

CPU = torch.device("cpu")
NAMES = ("a.png", "b.png", "c.png", "d.png")
MARKS = [[1, 0], [0, 1], [1, 1], [0, 0]]
CSV = "file,smiling,glasses\na.png,1,0\nb.png,0,1\nc.png,1,1\nd.png,0,0\n"
SPELLINGS = {
    "attributes.csv": CSV,
    "attributes.tsv": CSV.replace(",", "\t"),
    "list_attr.csv": CSV.replace("0", "-1"),
    "list_attr_celeba.txt": "4\nsmiling glasses\na.png  1 -1\nb.png -1  1\nc.png  1  1\nd.png -1 -1\n",
    "ATTRIBUTES.CSV": CSV.replace("1", "True").replace("0", "false"),
}


def marks(source: ImageSource) -> list[list[int]]:
    found: list[list[int]] = source.batch(torch.arange(len(source)), CPU)["y"].tolist()
    return found


@pytest.mark.parametrize("name", SPELLINGS)
def test_tables_are_read_in_every_spelling(photos: Callable[..., Path], name: str) -> None:
    root = photos(*NAMES)
    (root / name).write_text(SPELLINGS[name])
    source = ImageSource(root, size=16)
    assert source.spec.attributes == ("smiling", "glasses")
    assert source.spec.classes == ()
    assert marks(source) == MARKS
    assert source.spec.combinations == ("00", "01", "10", "11")
    assert source.spec.combination_counts == (1, 1, 1, 1)
    assert source.notes()[0].endswith("with 2 attributes (smiling 50%, glasses 50%).")
    assert any(f"Attributes come from {name}" in note for note in source.notes())


def test_a_table_may_lie_above_the_folder_that_it_speaks_of(photos: Callable[..., Path]) -> None:
    root = photos(*(f"img/{name}" for name in NAMES))
    (root / "list_attr_celeba.csv").write_text(SPELLINGS["list_attr.csv"])
    assert not is_table(root), "a table of attributes beside a folder of pictures is no table to learn"
    assert marks(open_source(root, size=16)) == MARKS
    (root / "list_attr_celeba.csv").write_text(SPELLINGS["list_attr.csv"].replace("a.png", "img/a.png"))
    assert marks(open_source(root, size=16)) == MARKS


def test_a_zip_holds_its_table_too(photos: Callable[..., Path], tmp_path: Path) -> None:
    root = photos(*NAMES)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for name in NAMES:
            archive.write(root / name, name)
        archive.writestr("attributes.csv", CSV)
    assert marks(open_source(tmp_path / "photos.zip", size=16)) == MARKS


def test_only_pictures_of_the_table_are_taken_and_what_is_missing_is_said(photos: Callable[..., Path]) -> None:
    root = photos(*NAMES, "extra.png")
    (root / "attributes.csv").write_text(CSV.replace("d.png", "gone.png"))
    source = ImageSource(root, size=16)
    assert marks(source) == MARKS[:3]
    said = " ".join(source.notes())
    assert "2 pictures that attributes.csv does not name were left alone" in said
    assert "names 1 pictures that are not here, such as gone.png" in said


def test_columns_that_tell_nothing_apart_are_left_out(photos: Callable[..., Path]) -> None:
    root = photos(*NAMES)
    rows = [f"{name},{age},1,{m[0]},{m[1]}" for name, age, m in zip(NAMES, (3, 44, 5, 6), MARKS, strict=True)]
    (root / "attributes.csv").write_text("\n".join(["file,age,face,smiling,glasses", *rows]))
    source = ImageSource(root, size=16)
    assert source.spec.attributes == ("smiling", "glasses")
    said = " ".join(source.notes())
    assert "hold no 0 or 1 were left alone: age" in said
    assert "every picture has, or none, were left out: face" in said


def test_attributes_are_left_out_on_request_and_come_before_classes(photos: Callable[..., Path]) -> None:
    root = photos("x/a.png", "x/b.png", "y/c.png", "y/d.png")
    rows = [f"{folder}/{name},{m[0]},{m[1]}" for folder, name, m in zip("xxyy", NAMES, MARKS, strict=True)]
    (root / "attributes.csv").write_text("\n".join(["file,smiling,glasses", *rows]))
    assert marks(ImageSource(root, size=16)) == MARKS
    plain = ImageSource(root, size=16, labels=False)
    assert plain.spec.labels == ()
    assert "y" not in plain.batch(torch.arange(2), CPU)


def test_the_fingerprint_knows_attributes_by_value_and_name(photos: Callable[..., Path]) -> None:
    root = photos(*NAMES)
    found = set()
    for text in (CSV, CSV.replace("d.png,0,0", "d.png,1,0"), CSV.replace("smiling", "happy")):
        (root / "attributes.csv").write_text(text)
        found.add(ImageSource(root, size=16).fingerprint)
    assert len(found) == 3


def test_combinations_are_drawn_as_classes_are(photos: Callable[..., Path]) -> None:
    root = photos(*NAMES, "e.png", "f.png")
    (root / "attributes.csv").write_text(CSV + "e.png,1,0\nf.png,1,0\n")
    source = ImageSource(root, size=16, mirror=True)
    rows = source.order("balanced", 64, 0).rows(0, 6400)
    of_first = (source.batch(rows, CPU)["y"] == torch.tensor([1, 0])).all(1)
    assert float(of_first.double().mean()) == pytest.approx(0.25, abs=0.03)
    assert int(rows.max()) >= 6
    assert source.spec.combinations[0] == "10"
    assert source.spec.combination_counts == (3, 1, 1, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CSV.replace("b.png,0,1", "b.png,0,2"), "wants 0 or 1 (or -1 or 1) for glasses in row 3, not: '2'"),
        (CSV.replace("b.png,0,1", "b.png,0"), "needs 3 values, as its header has; 2 in the row of: b.png"),
        (CSV.replace("b.png,0,1", "b.png,-1,1"), "0 and -1"),
        (CSV + "a.png,0,0\n", "names a picture twice, with other attributes: a.png"),
        ("file,age\na.png,30\nb.png,40\n", "needs columns of 0 and 1"),
        ("file,smiling\n", "needs a header and a row for each picture"),
        (CSV.replace("glasses", "smiling"), "needs a name of its own"),
        ("file,smiling\nx.png,1\ny.png,0\n", "names no picture that is there; first name: x.png"),
        ("file,smiling\na.png,1\nb.png,1\n", "tells no pictures apart"),
    ],
)
def test_what_is_refused(photos: Callable[..., Path], text: str, said: str) -> None:
    root = photos(*NAMES)
    (root / "attributes.csv").write_text(text)
    with pytest.raises(DataError) as refused:
        ImageSource(root, size=16)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) <= 3


def test_a_picture_named_twice_alike_is_one() -> None:
    assert read_attributes(CSV + "a.png,1,0\n", "the table").of["a.png"] == (1, 0)


def test_of_many_combinations_those_of_some_pictures_are_counted() -> None:
    every = np.array([[(i >> b) & 1 for b in range(8)] for i in range(256)])
    known, counts = combined(np.concatenate([every] * 2), most=64)
    assert 32 < len(known) <= 64
    assert sum(counts) == 64
    known, counts = combined(np.concatenate([every[:3], every[:1]]), most=64)
    assert known == ("00000000", "01000000", "10000000")
    assert counts == (2, 1, 1)


def test_arrays_bring_attributes_as_columns(tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 255, (4, 16, 16), dtype=np.uint8)
    source = ImageSource((x, np.array(MARKS)), cache=False)
    assert source.spec.attributes == ("attribute 0", "attribute 1")
    assert marks(source) == MARKS
    assert marks(ImageSource((x, torch.tensor(MARKS).bool()), cache=False)) == MARKS
    np.savez(tmp_path / "faces.npz", x=x, y=np.array(MARKS), attributes=np.array(["smiling", "glasses"]))
    assert ImageSource(tmp_path / "faces.npz", cache=False).spec.attributes == ("smiling", "glasses")
    for y, said in (
        ([[1, 0], [0, 1], [1, 0], [0, 1]], "one-hot"),
        ([[1, 2], [0, 1], [1, 1], [0, 0]], "0 or 1 each"),
        ([[1, 1], [0, 1], [1, 1], [0, 1]], "has attribute 1, or none has"),
        ([[1, 1], [0, 0]], "labels of the shape"),
    ):
        with pytest.raises(DataError, match=said):
            ImageSource((x, np.array(y)), cache=False)
