"""Diagnosis of runs: ours from their logs, anyone's from figures and pictures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import gansmith as gs
from gansmith.cli.main import app
from gansmith.errors import UserError
from gansmith.pipelines.diagnose import diagnose


def pictures(place: Path, n: int, *, same: bool = False, seed: int = 0) -> Path:
    """Grey pictures of 16 pixels with a square somewhere, or always the same one."""
    place.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(n):
        pixels = np.zeros((16, 16), np.uint8)
        x, y = (4, 4) if same else rng.integers(0, 11, 2)
        pixels[y : y + 5, x : x + 5] = 120 + (i % 3 if same else rng.integers(0, 120))
        Image.fromarray(pixels).save(place / f"{i:04d}.png")
    return place


def losses(path: Path, *, broken_at: int | None = None, steps: int = 60) -> Path:
    rows = ["step,d_loss,g_loss"]
    for step in range(steps):
        value = "nan" if broken_at is not None and step >= broken_at else f"{1.38 + 0.01 * math.sin(step):.4f}"
        rows.append(f"{step * 100},{value},{0.7:.4f}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_csv_with_nan_is_diagnosed(tmp_path: Path) -> None:
    found = diagnose(losses(tmp_path / "log.csv", broken_at=30))
    assert [f.name for f in found.findings][:1] == ["nonfinite"]
    assert found.findings[0].onset == 3_000
    assert not found.sound


def test_sound_losses_are_sound_and_what_cannot_be_seen_is_said(tmp_path: Path) -> None:
    found = diagnose(losses(tmp_path / "log.csv"))
    assert found.sound
    assert any("--samples" in what for what in found.blind)


def test_samples_of_anyones_run_show_a_collapse(tmp_path: Path) -> None:
    real = pictures(tmp_path / "real", 200)
    for step in range(0, 6_000, 500):
        pictures(tmp_path / "fakes" / f"{step:06d}", 40, same=step >= 1_000, seed=step)
    found = diagnose(losses(tmp_path / "log.csv"), samples=tmp_path / "fakes", data=real)
    assert "collapse" in {f.name for f in found.findings}
    assert found.history.names("diversity")
    good = tmp_path / "good"
    for step in range(0, 6_000, 500):
        pictures(good / f"{step:06d}", 40, seed=step + 1)
    assert diagnose(losses(tmp_path / "log.csv"), samples=good, data=real).sound


def test_grids_are_taken_apart(tmp_path: Path) -> None:
    from gansmith.pipelines.samples_seen import sets_of_samples

    whole = np.zeros((2 + 8 * 18, 2 + 8 * 18), np.uint8)
    for i in range(8):
        for j in range(8):
            whole[2 + i * 18 : 18 + i * 18, 2 + j * 18 : 18 + j * 18] = np.arange(16) * 8 + i + j
    Image.fromarray(whole).save(tmp_path / "fake_samples_epoch_012.png")
    ((step, tiles),) = sets_of_samples(tmp_path, 16)
    assert step == 12
    assert tiles.shape == (64, 1, 16, 16)
    assert torch.allclose(tiles[0, 0, 0], torch.arange(16) * 8 / 127.5 - 1)
    with pytest.raises(UserError, match="no grid of tiles of 13"):
        sets_of_samples(tmp_path, 13)


def test_tensorboard_is_read(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(tmp_path / "tb")
    for step in range(40):
        writer.add_scalar("Loss_D", 1.3, step)
        writer.add_scalar("D(x)", 0.4, step)
    writer.close()
    found = diagnose(tmp_path / "tb")
    assert found.history.names("loss/") == ["loss/D"]
    assert found.history.last("logit/real") == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("empty.csv", "", "holds no rows"),
        ("other.csv", "a,b\n1,2\n", "no figure that is known"),
        ("missing.csv", None, "nothing to diagnose"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=told):
        diagnose(tmp_path / name)


def test_samples_need_the_data_beside_them(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--data"):
        diagnose(losses(tmp_path / "log.csv"), samples=pictures(tmp_path / "fakes", 40))


def test_a_run_of_ours_is_diagnosed_and_its_report_tells(tmp_path: Path) -> None:
    data = pictures(tmp_path / "photos", 64)
    run = gs.train(str(data), out=tmp_path / "run", recipe="dcgan", preset="small", batch=16, samples=640, tick=320)
    found = diagnose(run)
    assert found.history.facts["loss"] == "non_saturating"
    assert found.history.readings[-1].samples == 640
    page = (run / "report.html").read_text()
    assert "How healthy it is" in page
    result = CliRunner().invoke(app, ["diagnose", str(run), "--json"])
    assert result.exit_code == (0 if found.sound else 3)
    assert json.loads(result.output)["readings"] == len(found.history.readings)


def test_the_doctor_may_be_left_out(tmp_path: Path) -> None:
    data = pictures(tmp_path / "photos", 64)
    run = gs.train(
        str(data), out=tmp_path / "run", recipe="dcgan", preset="small", batch=16, samples=320, tick=160, doctor="off"
    )
    assert "How healthy it is" not in (run / "report.html").read_text()
    assert "no doctor watched" in diagnose(run).looked_at


def test_the_command_tells_in_words(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["diagnose", str(losses(tmp_path / "log.csv", broken_at=30))])
    assert result.exit_code == 3
    assert "SERIOUS" in result.output or "BUG" in result.output
    assert "What to do" in result.output
