"""`gansmith inspect` and its page, as a user meets them."""

from __future__ import annotations

import base64
import io
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scenery import scene

from gansmith.cli.main import main
from gansmith.pipelines.inspect import inspect
from pages import Page

Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(["inspect", *map(str, arguments)])
        assert isinstance(end.value.code, int)
        return end.value.code, *capsys.readouterr()

    return run


def test_it_tells_and_writes(cli: Ran, scenes: Callable[..., Path]) -> None:
    scenes(*(f"{i}.png" for i in range(8)), folder="photos")
    scene(3).resize((60, 60)).save("photos/copy.png")
    code, out, _ = cli("photos/")
    assert code == 0
    assert out.startswith("9 pictures of photos\n")
    assert "look like another" in " ".join(out.split())
    assert "wrote photos-inspect.html" in out
    data = json.loads(Path("photos-inspect.json").read_text(encoding="utf-8"))
    assert data["copies"] == [{"identical": False, "names": ["3.png", "copy.png"]}]
    page = Page(Path("photos-inspect.html").read_text(encoding="utf-8"))
    assert page.headings == ["A look at them", "Copies", "Sizes and values"]
    assert {"3.png", "copy.png"} <= {image["alt"] for image in page.images}


def test_strict_is_for_scripts(cli: Ran, scenes: Callable[..., Path]) -> None:
    scenes("a.png", "b.png", folder="few")
    code, out, err = cli("few", "--strict")
    assert (code, "wrote" in out) == (1, True)
    assert err == "error: --strict, and there are problems: 0, warnings: 1\n"
    np.save("many.npy", np.stack([np.asarray(scene(i, (16, 16))) for i in range(520)]))
    code, _, err = cli("many.npy", "--strict", "--out", "look.html")
    assert (code, err, Path("look.json").exists()) == (0, "", True)


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["nothing"], ["no such file or folder: nothing"]),
        (["photos", "--split", "test"], ["not divided into splits"]),
        (["photos", "--test", "photos"], ["the data themselves", "kept apart"]),
        (["photos", "--out", "a.json"], ["ends in .html"]),
        (["photos", "--tset", "x"], ["--test"]),
        (["table.csv", "--strict"], ["are for pictures"]),
        ([], ["Missing argument"]),
    ],
)
def test_what_cannot_be_is_refused(
    cli: Ran, scenes: Callable[..., Path], arguments: list[str], texts: list[str]
) -> None:
    scenes("a.png", "b.png", folder="photos")
    Path("table.csv").write_text("a,b\n1,2\n")
    code, _, err = cli(*arguments)
    assert code == 2
    assert 1 <= len(err.splitlines()) <= 3
    assert all(text in err for text in texts), err


def test_a_table_shows_its_columns(cli: Ran) -> None:
    pytest.importorskip("pandas")
    rows = "\n".join(f"{i},{'north' if i % 3 else 'south'},{i * 1.5}" for i in range(60))
    Path("sales.csv").write_text(f"number,region,price\n{rows}\n")
    code, out, _ = cli("sales.csv")
    assert code == 0
    assert re.search(r"region +category", out), out
    assert "gansmith train sales.csv --dry-run --save-schema schema.yaml" in out


def test_the_page_needs_nothing_and_runs_nothing(tmp_path: Path) -> None:
    """Names of files and classes are text, whatever is in them."""
    root = tmp_path / "p" / "<b>evil & co"
    other = tmp_path / "p" / "good"
    for folder in (root, other):
        folder.mkdir(parents=True)
        for i in range(3):
            scene(i + 10 * (folder == other), (200, 150)).save(
                folder / f'"><script>alert({i})</script>.png'.replace("/", "-")
            )
    found = inspect(tmp_path / "p", out=tmp_path / "page.html")
    assert found.written is not None
    text = found.written.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<b>evil" not in text
    page = Page(text)
    assert all(a.startswith("data:image/") for a in page.fetched)
    assert len(page.fetched) >= 6
    for address in page.fetched:
        with Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) as picture:
            assert max(picture.size) == 128


def test_a_page_for_many_stays_small(tmp_path: Path) -> None:
    """Groups, classes and thumbnails are limited; the JSON file names all."""
    x = np.stack([np.asarray(scene(i // 4, (16, 16))) for i in range(800)])
    found = inspect((x, np.arange(800) // 8), out=tmp_path / "page.html")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert len(page.fetched) < 400
    assert len(json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))["copies"]) == 200
    assert len(found.seen.copies) == 200
    assert "176 more groups" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_training_warns(scenes: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import gansmith as gs

    data = scenes(*(f"{i}.png" for i in range(20)))
    gs.train(data, out=tmp_path / "run", dry_run=True)
    assert "warning" not in capsys.readouterr().err
    for i in range(3):
        scene(i).save(data / f"again{i}.png")
    gs.train(data, out=tmp_path / "run", dry_run=True)
    said = capsys.readouterr().err
    assert "warning: 3 (13 %) of 23 pictures looked at are equal to another" in said
    assert "gansmith inspect" in said
    gs.train(data, out=tmp_path / "run", samples=64, batch=16, recipe="gan", width=8, units=4)
    log = (tmp_path / "run" / "log.jsonl").read_text(encoding="utf-8")
    assert "are equal to another; they are learnt by heart; gansmith inspect shows which" in log
    assert "are equal to another" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert capsys.readouterr().err.count("are equal to another") == 1


@pytest.mark.slow
def test_a_hundred_thousand_pictures_take_little_memory(tmp_path: Path) -> None:
    """Below 900 MB in all, libraries and the mapped file included; a tenth of the pictures are copies."""
    n = 100_000
    rng = np.random.default_rng(0)
    pixels = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (n, 16, 16, 3))
    for i in range(0, n, 1000):
        pixels[i : i + 1000] = rng.integers(0, 256, (1000, 16, 16, 3), dtype=np.uint8)
    pixels[90_000:] = pixels[:10_000]
    pixels.flush()
    program = (
        "import resource, sys\nfrom gansmith.pipelines.inspect import inspect\n"
        "found = inspect(sys.argv[1], out=sys.argv[2])\n"
        "print(found.seen.identical, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "x.npy"), str(tmp_path / "page.html")],
        capture_output=True,
        text=True,
        check=True,
    )
    identical, kilobytes = map(int, told.stdout.split())
    assert identical == 10_000
    assert kilobytes < 900_000, resource.getrusage(resource.RUSAGE_CHILDREN)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("16bit", "All pictures are of this kind: 16 bits. They are converted to 8 bits"),
        ("opaque", "3 (100 %) of the pictures have a channel of transparency that hides nothing. It is dropped."),
        ("clear", "3 (100 %) of the pictures have transparent parts, which are laid on white."),
    ],
)
def test_what_is_converted_is_told_of_whole_folders_too(cli: Ran, tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / "kinds").mkdir()
    for i in range(3):
        grey = scene(i, (16, 16)).convert("L")
        if kind == "16bit":
            picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
        else:
            picture = scene(i, (16, 16)).convert("RGBA")
            picture.putalpha(255 if kind == "opaque" else grey)
        picture.save(tmp_path / "kinds" / f"{i}.png")
    code, out, _ = cli("kinds")
    assert code == 0
    assert text in " ".join(out.split())


def test_one_picture_is_one(cli: Ran, scenes: Callable[..., Path]) -> None:
    scenes("a/only.png", "b/other.png", folder="one")
    scenes("only.png", folder="test", first=7)
    _, out, _ = cli("one", "--test", "test")
    out = " ".join(out.split())
    assert "Each of the 2 classes holds 1 picture." in out
    assert "The picture of test is not in the data." in out
    scenes("only.png", folder="single")
    _, out, _ = cli("single")
    out = " ".join(out.split())
    assert out.startswith("1 picture of single")
    assert "1 distinct picture is few: D learns it by heart." in out
    assert "1 picture is too few to tell" in out
    assert "1 pictures" not in out
