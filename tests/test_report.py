"""The report, made of real runs: one whose log is long, one that had trouble, one that was cut short."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gansmith as gs
from gansmith.data import ImageSource
from gansmith.errors import RunFolderError, TrainingFailed
from gansmith.report import charts, read, write_report
from gansmith.training.monitors import SampleGrid
from pages import Page


def log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with six ticks, and a name that HTML would take for a tag."""
    return gs.train(
        "bundled:fashion-mnist",
        out=tmp_path_factory.mktemp("report") / "<script>alert(1)</script> & co"[:20].replace("/", "-"),
        recipe=gs.GAN(latent=8),
        size=16,
        batch=16,
        samples=96,
        tick=16,
        monitors=[SampleGrid(16)],
    )


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / trained.name))


def test_training_leaves_a_report(trained: Path) -> None:
    text = (trained / "report.html").read_text(encoding="utf-8")
    for told in ("Losses of D", "Losses of G", "Gradient norms", "bundled:fashion-mnist", "10,000 pictures", "torch"):
        assert told in text, told
    assert "no batch was skipped" in text


def test_the_page_is_whole_and_fetches_nothing(trained: Path) -> None:
    text = (trained / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.images) == 1 + 7, "the headline, and a grid at the start and at each tick"
    assert all(address.startswith("data:image/") for address in page.fetched)
    assert not re.search(r"https?://", text)
    assert not re.search(r"url\(|@import", text)


def test_names_are_text_and_never_markup(trained: Path) -> None:
    text = (trained / "report.html").read_text(encoding="utf-8")
    assert trained.name.startswith("<script>")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_figures_stand_beside_their_protocol(run: Path) -> None:
    assert "Not judged yet" in (run / "report.html").read_text(encoding="utf-8")
    gs.evaluate(run, n=64, extractor="fashion", metrics=["fid"])
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "fashion(n_real=64, n_fake=64" in text
    assert "Not judged yet" not in text


def test_what_went_wrong_is_told(tmp_path: Path) -> None:
    """A source with one poisoned picture: the trainer skips its batch, and the report names it."""

    class Poisoned(ImageSource):
        def batch(self, rows: Any, device: Any) -> Any:
            made = super().batch(rows, device)
            made["x"][rows == 3] = float("inf")
            return made

    out = tmp_path / "poisoned"
    pictures = np.random.default_rng(0).integers(0, 256, (64, 16, 16, 1), dtype=np.uint8)
    config = gs.TrainConfig(batch=64, samples=10_000)  # every batch holds every picture
    with pytest.raises(TrainingFailed):
        gs.Trainer(gs.GAN(latent=8), Poisoned(pictures), config, out=out).fit()
    write_report(out)
    text = (out / "report.html").read_text(encoding="utf-8")
    assert 'class="kind skip"' in text
    skipped = [e for e in log(out) if e["event"] == "skip"]
    assert skipped
    assert skipped[0]["names"] == ["picture 3"]
    assert "picture 3" in text
    assert 'class="kind rollback"' in text
    assert 'class="kind failed"' in text


def test_a_run_that_was_killed_still_has_a_report(run: Path) -> None:
    with (run / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "tick", "step": 7, "sam')
    (run / "config.yaml").write_text("half: [")
    sorted((run / "samples").glob("*.png"))[2].write_bytes(b"\x89PNG cut short")
    text = write_report(run).read_text(encoding="utf-8")
    assert "1 line of the log could not be read" in text
    assert len(Page(text).images) == 1 + 6


def test_a_log_without_ticks(run: Path) -> None:
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    (run / "log.jsonl").write_text("\n".join(line for line in lines if '"start"' in line), encoding="utf-8")
    assert "The log holds no tick yet" in write_report(run).read_text(encoding="utf-8")


def test_elsewhere(run: Path, tmp_path: Path) -> None:
    assert write_report(run, tmp_path / "new" / "page.html").is_file()


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"no log\.jsonl"):
        write_report(tmp_path)
    with pytest.raises(RunFolderError, match="no such run folder"):
        write_report(tmp_path / "nowhere")


def test_ticks_that_were_done_again_replace_the_old_ones(run: Path) -> None:
    record = read(run)
    ticks = record.ticks
    assert [t["samples"] for t in ticks] == [16, 32, 48, 64, 80, 96]
    record.events += [
        {"event": "rollback", "samples": 96, "to": "step-000000003"},
        {**ticks[3], "samples": 64, "figures": {"D/adv": 7.0}},
    ]
    assert [t["samples"] for t in record.ticks] == [16, 32, 48, 64]
    assert record.curves()["D/adv"][-1] == (64.0, 7.0)


def test_large_grids_are_made_smaller(run: Path) -> None:
    for path in (run / "samples").glob("*.png"):
        Image.new("RGB", (2048, 2048), "navy").save(path)
    assert write_report(run).stat().st_size < 2_000_000


def test_a_chart_keeps_spikes_and_drops_what_is_not_finite() -> None:
    points = [(float(i), 1.0) for i in range(5000)]
    points[2345] = (2345.0, 50.0)
    points[17] = (17.0, float("nan"))
    thinned = charts.thin([p for p in points if p[1] == p[1]])
    assert len(thinned) <= charts.MOST_POINTS + 2
    assert (2345.0, 50.0) in thinned
    assert [x for x, _ in thinned] == sorted(x for x, _ in thinned)
    assert "nan" not in charts.chart({"a": points}, "title").lower()
    assert charts.chart({"a": [(1.0, float("inf"))]}, "title") == ""


@pytest.mark.parametrize(
    "values", [[0.0, 0.0], [5.0], [-3.0, -3.0], [1e-9, 1e9], [1e-3, 0.5], [-1e6, 1e6], [1e-300, 1e-299]]
)
def test_axes_hold_what_they_must(values: list[float]) -> None:
    points = [(100.0 * i, v) for i, v in enumerate(values)]
    x_axis, y_axis = charts.axes([points])
    for x, y in points:
        assert min(x_axis.start, x_axis.end) - 1e-6 <= x_axis(x) <= max(x_axis.start, x_axis.end) + 1e-6
        assert min(y_axis.start, y_axis.end) - 1e-6 <= y_axis(y) <= max(y_axis.start, y_axis.end) + 1e-6
    assert 1 <= len(y_axis.ticks()) <= 8
    assert 1 <= len(x_axis.ticks()) <= 8


def test_a_browser_draws_it(trained: Path, tmp_path: Path) -> None:
    browser = next((b for b in ("chromium", "chromium-browser", "google-chrome") if shutil.which(b)), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    page = shutil.copy(trained / "report.html", tmp_path / "page.html")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", "--virtual-time-budget=3000"]
    told = subprocess.run(
        [browser, *flags, "--dump-dom", f"file://{page}"], capture_output=True, text=True, timeout=120, check=True
    )
    big = re.search(r'<img id="big"[^>]*style="width: (\d+)px', told.stdout)
    assert big, "the script ran"
    assert int(big[1]) % 64 == 0, "a grid of 4 x 4 pictures of 16 pixels is shown at a whole multiple"
