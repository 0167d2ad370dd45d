"""What a report shows of samples: that it is what was there, and that nothing damaged gets onto the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from gansmith.data import ImageSource
from gansmith.errors import DataError, UserError
from gansmith.metrics.base import Figure, MeasuredBy
from gansmith.report import write_report
from gansmith.report.classes import Modes
from gansmith.report.exhibited import FOLDER, class_table, exhibited
from gansmith.report.exhibits import Exhibits, exhibit, make_exhibits, thumbnails
from gansmith.report.sheets import cut, sheet
from gansmith.training import folder as run_folder
from pages import Page

CPU = torch.device("cpu")
N = 120


class Grey:
    """Each picture's pixels are its features."""

    name, resize, digest, dim = "grey", "none", "0" * 12, 64

    def __call__(self, pixels: Tensor) -> Tensor:
        return pixels.float().mean(3).flatten(1) / 255


def random_pictures(n: int, seed: int, channels: int = 1) -> np.ndarray:
    """Three kinds of smooth pictures, by turns."""
    random = np.random.default_rng(seed)
    x, y = np.meshgrid(np.linspace(0, 1, 8), np.linspace(0, 1, 8))
    kinds = [x, y, 1 - x]
    made = [kinds[i % 3] * random.uniform(150, 220) + random.normal(0, 6, (8, 8)) for i in range(n)]
    grey = np.clip(np.stack(made), 0, 255).astype(np.uint8)[..., None]
    return np.repeat(grey, channels, 3)


@pytest.fixture
def real() -> ImageSource:
    labels = np.arange(N) % 3
    return ImageSource((random_pictures(N, 0), labels), size=8, cache=False)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "log.jsonl").write_text('{"event": "start"}\n', encoding="utf-8")
    return tmp_path


def samples(n: int = 40) -> Tensor:
    """Alike to the real ones; number 7 is a copy of real picture 11, number 5 is nothing like them."""
    made = torch.from_numpy(random_pictures(n, 1))
    made[7] = torch.from_numpy(random_pictures(N, 0))[11]
    made[5] = torch.randint(0, 256, (8, 8, 1), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return made


def features(source: ImageSource) -> Tensor:
    return Grey()(torch.from_numpy(np.array(source.pixels)))


def look(run: Path, real: ImageSource, **more: Any) -> Exhibits:
    return exhibit(run, Grey(), [samples()], real, features(real), **more)


def test_nearest_neighbours_are_those_of_all_pairs(run: Path, real: ImageSource) -> None:
    made = look(run, real)
    told = made.document["neighbours"]
    apart = torch.cdist(Grey()(samples()).double(), features(real).double())
    unit = torch.cdist(features(real).double(), features(real).double()).fill_diagonal_(torch.inf).min(1).values
    assert told["unit"] == pytest.approx(float(unit.median()), rel=1e-6)
    assert len(told["rows"]) == 16
    for row in told["rows"]:
        best = apart[row["sample"]].topk(3, largest=False)
        assert row["reals"] == best.indices.tolist()
        assert row["apart"] == pytest.approx((best.values / unit.median()).tolist(), abs=1e-6)
    assert [row["apart"][0] for row in told["rows"]] == sorted(row["apart"][0] for row in told["rows"])


def test_the_sheet_shows_those_very_pictures(run: Path, real: ImageSource) -> None:
    made = look(run, real)
    tiles = cut(made.folder, made.document["sheets"]["neighbours"])
    first = made.document["neighbours"]["rows"][0]
    assert (first["sample"], first["reals"][0], first["apart"][0]) == (7, 11, 0.0)
    assert made.document["neighbours"]["copies"] == 1
    wanted = [samples()[7], *torch.from_numpy(np.array(real.pixels))[first["reals"]]]
    for tile, pixels in zip(tiles, wanted, strict=False):
        assert np.array_equal(np.asarray(tile)[..., :1], pixels.numpy())
    assert len(tiles) == 16 * 4


def test_rows_name_the_pictures_of_the_features(run: Path, real: ImageSource) -> None:
    rows = torch.arange(10, N)
    made = exhibit(run, Grey(), [samples()], real, features(real)[rows], rows=rows)
    assert made.document["neighbours"]["rows"][0]["reals"][0] == 1, "row 11 is the second that was given"
    tiles = cut(made.folder, made.document["sheets"]["neighbours"])
    assert np.array_equal(np.asarray(tiles[0]), np.asarray(tiles[1]))


def test_the_worst_and_the_best(run: Path, real: ImageSource) -> None:
    told = look(run, real).document["realism"]
    worst, best = ([s["realism"] for s in told[name]] for name in ("worst", "best"))
    assert told["worst"][0]["sample"] == 5
    finite = [value for value in best if value is not None]
    assert worst == sorted(worst)
    assert finite == sorted(finite, reverse=True)
    assert len(worst) == len(best) == 20, "half of 40: none is shown as both"
    assert told["real"]["n"] == 30
    assert told["real"]["median"] > worst[0]


def test_json_is_json_even_of_copies(run: Path, real: ImageSource) -> None:
    """A copy's realism is infinite, and real pictures that are all alike have no unit."""
    copies = torch.from_numpy(np.array(real.pixels))[:20]
    exhibit(run, Grey(), [copies], real, features(real))
    flat = torch.zeros(20, 8, 8, 1, dtype=torch.uint8)
    make_exhibits(
        run / "flat",
        fakes=flat,
        fake_features=torch.zeros(20, 4),
        reals=lambda rows: flat[rows],
        real_features=torch.zeros(20, 4),
    )

    def refuse(word: str) -> None:
        raise AssertionError(word)

    for name in (FOLDER, "flat"):
        json.loads((run / name / "exhibits.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert "20 samples equal" in write_report(run).read_text(encoding="utf-8")


def test_the_page_shows_it(run: Path, real: ImageSource) -> None:
    assert "looked at closely" not in write_report(run).read_text(encoding="utf-8")
    look(run, real, checkpoint="step-000000007")
    text = write_report(run).read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.images) == 16 * 4 + 20 + 20
    assert all((image["src"] or "").startswith("data:image/") for image in page.images)
    assert all(image["alt"] for image in page.images)
    for told in ("looked at closely", "step-000000007", "1 sample equals a real picture", "grey(n_real=120, n_fake=40"):
        assert told in text, told
    assert "http" not in text.replace("http-equiv", "")


def test_damage_leaves_its_part_out(run: Path, real: ImageSource) -> None:
    made = look(run, real)
    (made.folder / "best.png").write_bytes(b"\x89PNG cut short")
    (made.folder / "worst.png").unlink()
    whole = make_exhibits(  # a judgement that was killed between its pictures and its document
        run / "other",
        fakes=samples(),
        fake_features=Grey()(samples()),
        reals=lambda rows: torch.from_numpy(np.array(real.pixels))[rows],
        real_features=features(real).flip(0),
    )
    (made.folder / "neighbours.png").write_bytes((whole.folder / "worst.png").read_bytes())
    assert Page(write_report(run).read_text(encoding="utf-8")).images == []
    for content in ("{", "[]", "{}", '{"samples": 3, "realism": 7}', "\x00"):
        (made.folder / "exhibits.json").write_text(content, encoding="utf-8")
        assert exhibited(run) is None
        assert "looked at closely" not in write_report(run).read_text(encoding="utf-8")


def test_a_second_judgement_replaces_the_first(run: Path, real: ImageSource) -> None:
    look(run, real)
    made = exhibit(run, Grey(), [samples().flip(0)], real, features(real))
    assert sorted(p.name for p in made.folder.iterdir()) == ["best.png", "exhibits.json", "neighbours.png", "worst.png"]
    assert made.document["realism"]["worst"][0]["sample"] == 34
    shown = exhibited(run)
    assert shown is not None
    assert shown["realism"]["worst"][0]["sample"] == 34
    assert FOLDER == run_folder.EXHIBITS, "a run that starts anew takes them away"


def test_no_more_is_drawn_than_needed(run: Path, real: ImageSource) -> None:
    drawn = []

    def parts() -> Iterator[Tensor]:
        for number in range(9):
            drawn.append(number)
            yield samples(16)

    made = exhibit(run, Grey(), parts(), real, features(real), most=24)
    assert made.document["samples"] == 24
    assert drawn == [0, 1]


def test_samples_without_classes_count_for_the_nearest(run: Path, real: ImageSource) -> None:
    told = look(run, real).document["modes"]
    nearest = torch.cdist(Grey()(samples()), features(real)).argmin(1) % 3
    assert told["fake"] == nearest.bincount(minlength=3).tolist()
    assert told["real"] == [40, 40, 40]
    text = write_report(run).read_text(encoding="utf-8")
    assert "by the class of the real picture nearest" in text
    assert "they reach 3 of the 3" in text
    assert text.count('<span class="bar">') == 3


def test_classes_have_their_figures(run: Path, real: ImageSource) -> None:
    """The third class is made of the first one's pictures."""
    by = MeasuredBy("grey", "none", "0" * 12, N, 60, "train")
    figures = [Figure("FD", 1.0, by)] + [
        Figure(f"class-FD/{c}", 2.0 + c, by, interval=(1.0 + c, 3.0 + c), floor=0.5) for c in range(3)
    ]
    figures.append(Figure("class-FD/0-floor", 0.5, by))
    labels = torch.arange(60) % 3
    made = torch.from_numpy(random_pictures(60, 2))
    made[labels == 2] = made[labels == 0]
    told = exhibit(run, Grey(), [(made, labels)], real, features(real)).document["classes"]
    assert [row["samples"] for row in told["rows"]] == [20, 20, 20]
    cells = [row["cells"] for row in told["rows"]]
    assert cells[0]["precision"]["value"] > 0.5
    assert (cells[2]["precision"]["value"], cells[2]["coverage"]["value"]) == (0.0, 0.0)
    assert cells[2]["precision"]["floor"] > 0.5
    table = class_table(told, [f.to_json() for f in figures])
    assert table is not None
    assert table["columns"] == ["class-FD", "precision", "coverage"]
    assert [row["name"] for row in table["rows"]] == ["0", "1", "2"], "each class has one row"
    assert [row["cells"][0]["value"] for row in table["rows"]] == ["2", "3", "4"]
    (run / "evaluation.json").write_text(json.dumps({"figures": [f.to_json() for f in figures]}), encoding="utf-8")
    text = write_report(run).read_text(encoding="utf-8")
    assert "Class by class" in text
    assert "adds the Fréchet distance" not in text
    assert "<dt>FD</dt>" in text
    assert "<dt>class-FD/0" not in text, "it stands in the table"


def test_counts_of_many_modes_are_drawn_as_a_skyline(run: Path, real: ImageSource) -> None:
    fake = [5] * 70 + [0] * 30
    look(run, real, modes=Modes(fake, [2] * 100, how="by a <b>classifier"))
    text = write_report(run).read_text(encoding="utf-8")
    assert "they reach 70 of the 100" in text
    assert "never 70, 71" in text
    assert "and 10 more" in text
    assert '<svg class="skyline"' in text
    assert "by a &lt;b&gt;classifier" in text
    Page(text)


def test_names_of_classes_are_text_and_never_markup(run: Path) -> None:
    named = ImageSource((random_pictures(N, 0), np.arange(N) % 2), size=8, cache=False)
    object.__setattr__(named.spec, "classes", ("<script>x", "two"))
    look(run, named)
    text = write_report(run).read_text(encoding="utf-8")
    assert "&lt;script&gt;x" in text
    assert "<script>x" not in text


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sheets_of_every_kind(tmp_path: Path, channels: int) -> None:
    pixels = torch.from_numpy(random_pictures(5, 0, channels))
    made = sheet(pixels, columns=3)
    (tmp_path / "a.png").write_bytes(made.png)
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.size == (24, 16)
    tiles = cut(tmp_path, made.to_json("a.png"))
    assert len(tiles) == 5
    assert np.array_equal(np.asarray(tiles[4])[..., : min(channels, 3)], pixels[4].numpy()[..., :3])


def test_large_pictures_are_kept_small(run: Path) -> None:
    wide = torch.from_numpy(random_pictures(20, 0)).repeat_interleave(60, 1).repeat_interleave(60, 2)
    assert thumbnails(wide).shape == (20, 160, 160, 1)
    assert thumbnails(wide).float().mean() == pytest.approx(float(wide.float().mean()), abs=0.5)
    source = ImageSource(wide.numpy(), size=480, cache=False)
    made = exhibit(run, Small(), [wide[:8]], source, Small()(wide))
    assert made.document["sheets"]["worst"]["width"] == 160
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert {image["width"] for image in page.images} == {"96"}


class Small(Grey):
    """Looks at every 60th pixel."""

    def __call__(self, pixels: Tensor) -> Tensor:
        return super().__call__(pixels[:, ::60, ::60])


def test_what_is_refused(run: Path, real: ImageSource) -> None:
    known = features(real)
    with pytest.raises(DataError, match="no samples came"):
        exhibit(run, Grey(), [], real, known)
    with pytest.raises(DataError, match="at least 5 real pictures; came: 40 samples, 4 real"):
        exhibit(run, Grey(), [samples()], real, known[:4])
    with pytest.raises(DataError, match="each row of known_features is a picture; came: 120, and 3 rows"):
        exhibit(run, Grey(), [samples()], real, known, rows=torch.arange(3))
    with pytest.raises(DataError, match=r"one extractor; .* 64 of samples, 10 of real pictures"):
        exhibit(run, Grey(), [samples()], real, known[:, :10])
    with pytest.raises(DataError, match="one size; came: 8 x 8 x 3 and 8 x 8 x 1"):
        exhibit(run, Grey(), [torch.from_numpy(random_pictures(9, 1, 3))], real, known)
    (run / FOLDER).write_text("a file")
    with pytest.raises(UserError, match=r"cannot write .*evaluation"):
        look(run, real)
