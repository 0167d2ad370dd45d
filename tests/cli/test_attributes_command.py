"""Pictures with attributes, from the folder to what is asked of the generator; and a handful of pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .conftest import Cli

SETTINGS = ("--size", "16", "--samples", "32", "--batch", "8", "recipe.width=16", "recipe.group=8")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Twelve pictures, each with two attributes or without, all but both together."""
    folder, rows = tmp_path / "faces", ["file,smiling,glasses"]
    folder.mkdir()
    for i in range(12):
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        rows.append(f"{i}.png,{int(i % 3 == 0)},{int(i % 3 == 1)}")
    (folder / "attributes.csv").write_text("\n".join(rows))
    return folder


def test_from_a_table_of_attributes_to_a_captioned_grid(cli: Cli, faces: Path, tmp_path: Path) -> None:
    told = cli("train", faces, "--recipe", "r3gan", "--out", "runs/faces", *SETTINGS)
    assert told.code == 0, told
    assert "with 2 attributes (smiling 33%, glasses 33%)" in told.out
    told = cli("generate", "runs/faces", "-n", "4", "--where", "smiling=1,glasses=0", "--out", "made")
    assert told.code == 0, told
    assert "warning" not in told.err
    assert len(list((tmp_path / "made").iterdir())) == 4
    with Image.open(tmp_path / "made-grid.png") as grid:
        assert grid.width == 200  # two columns, enlarged for their captions
    told = cli("generate", "runs/faces", "-n", "1", "--where", "smiling=1", "--where", "glasses=1", "--out", "both")
    assert "no training picture has just these attributes" in told.err
    cli("generate", "runs/faces", "--where", "smilling=1").refused("no attribute 'smilling'", "Did you mean 'smiling'?")
    cli("generate", "runs/faces", "--where", "smiling=yes").refused("NAME=1 or NAME=0", "smiling=yes")
    cli("generate", "runs/faces", "--label", "smiling").refused("ask by attributes: smiling, glasses")
    asked_while_editing(cli, tmp_path)
    few = tmp_path / "few"
    few.mkdir()
    for i in range(6):
        (faces / f"{i}.png").rename(few / f"{i}.png")
    cli("train", few, "--from", "runs/faces", "--adapt", "--samples", "8").refused("attributes.csv", "--no-labels")
    (faces / "attributes.csv").rename(few / "attributes.csv")
    told = cli("train", few, "--from", "runs/faces", "--adapt", "--samples", "8", "--out", "runs/few")
    assert told.code == 0, told


def asked_while_editing(cli: Cli, out: Path) -> None:
    told = cli("generate", "runs/faces", "-n", "1", "--seed", "5", "--where", "smiling=1,glasses=0", "--out", "five")
    assert told.code == 0, told
    told = cli("edit", "interpolate", "runs/faces", "5,6", "--frames", "2", "--where", "smiling=1,glasses=0",
               "--out", "walk.png")  # fmt: skip
    assert told.code == 0, told
    assert "warning" not in told.err
    told = cli("edit", "classes", "runs/faces", "glasses=0,smiling=0", "smiling=1,glasses=0", "--seed", "5",
               "--frames", "2", "--out", "smile.png")  # fmt: skip
    assert told.code == 0, told
    one = picture(next((out / "five").iterdir()))
    walk, smile = (picture(out / name) for name in ("walk.png", "smile.png"))
    assert np.abs(walk[:16, :16] - one).max() <= 1
    assert np.abs(smile[16:, :16] - one).max() <= 1, "the last, below two others"
    told = cli(
        "edit", "directions", "runs/faces", "1", "--where", "smiling=1", "--where", "glasses=1", "--out", "d.png"
    )
    assert "no training picture has just these attributes" in told.err
    cli("edit", "interpolate", "runs/faces", "1,2", "--where", "hat=1", "--out", "x.png").refused("no attribute 'hat'")
    cli("edit", "classes", "runs/faces", "smiling", "glasses", "--out", "x.png").refused("NAME=1 or NAME=0")


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened).astype(int)


def test_where_for_a_run_of_classes(cli: Cli, run: Path) -> None:
    cli("generate", run, "--where", "smiling=1").refused("knows no attributes; leave out: smiling")
    told = cli("edit", "interpolate", run, "1,2", "--where", "smiling=1", "--out", "walk.png")
    told.refused("knows no attributes; leave out: smiling")


def test_adapting_without_a_run(cli: Cli, photos: Path) -> None:
    cli("train", photos, "--adapt").refused("--from RUN")
