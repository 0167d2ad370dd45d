"""Metrics of pixels, heads and held-out pictures, in one pass of the judge; the whole protocol of each."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
import torch

from gansmith.data.bundled import FILES
from gansmith.errors import ConfigError, DataError
from gansmith.metrics.extractors import load_extractor
from gansmith.metrics.judge import judge

NAMES = ("ms_ssim", "modes", "memorisation", "accuracy_score")
SETTINGS = {"accuracy_score": {"steps": 5, "batch": 16, "size": 16}, "ms_ssim": {"pairs": 40}}


def garments(start: int, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    with files("gansmith").joinpath("assets", FILES["fashion-mnist"]).open("rb") as file:
        archive = np.load(file)
        x, y = archive["x"][start : start + n], archive["y"][start : start + n]
    return torch.from_numpy(x).view(-1, 28, 28, 1), torch.from_numpy(y.astype(np.int64))


REAL, FAKE, HELD = garments(0, 200), garments(200, 150), garments(350, 120)


def parts(side: tuple[torch.Tensor, torch.Tensor], batch: int = 64) -> list[tuple[torch.Tensor, torch.Tensor]]:
    pixels, labels = side
    return list(zip(pixels.split(batch), labels.split(batch), strict=True))


@pytest.fixture(scope="module")
def figures():
    found = judge(
        parts(REAL), parts(FAKE), load_extractor("fashion"), NAMES, held=parts(HELD), settings=SETTINGS, warn=print
    )
    return {f.name: f for f in found}


def test_one_pass_feeds_them_all(figures):
    wanted = {"ms_ssim", "ms_ssim_real", "modes", "modes_real", "modes_kl", "nn_ratio", "c_t", "authenticity"}
    assert wanted | {"accuracy_score", "accuracy_score_real"} <= set(figures)
    assert "37 pairs within classes, 2 scales" in str(figures["ms_ssim"])
    assert "n_held=120, 3 cells" in str(figures["c_t"])
    assert "5 steps on 16x16" in str(figures["accuracy_score"])


def test_figures_have_intervals_around_them_and_floors(figures):
    for name in ("ms_ssim", "modes_kl", "nn_ratio", "c_t", "authenticity", "accuracy_score"):
        low, high = figures[name].interval
        assert low <= figures[name].value <= high
        assert low < high
    assert 0 < figures["nn_ratio-floor"].value < 3
    assert figures["ms_ssim"].interval[1] - figures["ms_ssim"].interval[0] == pytest.approx(
        2 * 1.96 * figures["ms_ssim"].spread, rel=0.2
    )


def test_batches_change_nothing(figures):
    again = judge(
        parts(REAL, 7), parts(FAKE, 200), load_extractor("fashion"), NAMES, held=parts(HELD, 50), settings=SETTINGS,
        warn=print, floor=False, intervals=False,
    )  # fmt: skip
    assert {f.name: f.value for f in again} == pytest.approx({f.name: figures[f.name].value for f in again}, rel=1e-6)


def test_what_a_metric_lacks_is_said():
    fashion = load_extractor("fashion")
    with pytest.raises(ConfigError, match="memorisation needs real pictures that training never saw"):
        judge(parts(REAL), parts(FAKE), fashion, ("memorisation",))
    with pytest.raises(DataError, match="the class of every picture"):
        judge([REAL[0]], [FAKE[0]], fashion, ("accuracy_score",), held=[HELD[0]])
    with pytest.raises(ConfigError, match="modes needs the extractor's output 'logits', and random has none"):
        judge(parts(REAL), parts(FAKE), load_extractor("random"), ("modes",))
