"""MS-SSIM against pytorch-msssim 1.0 (tools/extractor_references.py), and as a measure of sameness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen, reduce
from gansmith.metrics.bootstrap import resampled
from gansmith.metrics.images.ms_ssim import MSSSIM, WEIGHTS, fitting_weights, ms_ssim
from gansmith.metrics.registry import make

from .numbers_of import numbers
from .test_extractors import pictures

VECTORS = np.load(Path(__file__).with_name("vectors") / "extractors.npz")


@pytest.mark.parametrize("weights", [WEIGHTS, (0.2, 0.8)])
def test_it_equals_the_reference(weights):
    x = (numbers(3, 3, 176, 192, seed=7.0) * 127.5 + 127.5).round()
    y = (0.8 * x + 0.2 * (numbers(3, 3, 176, 192, seed=8.0) * 127.5 + 127.5)).round()
    assert ms_ssim(x, y, weights).numpy() == pytest.approx(VECTORS[f"msssim_{len(weights)}"], abs=5e-6)


def test_equal_pictures_score_one_and_opposite_ones_zero():
    x = (numbers(3, 3, 32, 40, seed=7.0) * 127.5 + 127.5).round()
    assert ms_ssim(x, x, (1.0,)).tolist() == pytest.approx([1.0] * 3)
    assert ms_ssim(x, 255 - x, (1.0,)).tolist() == [0.0] * 3


def test_small_pictures_hold_fewer_scales_whose_weights_sum_to_one():
    assert [len(fitting_weights(s)) for s in (11, 21, 22, 64, 175, 176, 1024)] == [1, 1, 2, 3, 4, 5, 5]
    assert all(sum(fitting_weights(s)) == pytest.approx(1) for s in (11, 64, 300))
    assert fitting_weights(256) == pytest.approx(WEIGHTS, abs=1e-4)
    with pytest.raises(DataError, match="at least 11 pixels a side; came: 10"):
        fitting_weights(10)


def seen(pixels: torch.Tensor, labels: torch.Tensor | None = None) -> Seen:
    return Seen(torch.empty(len(pixels), 0), pixels=pixels, labels=labels)


def fed(real: Seen, fake: Seen, batch: int = 1000, **settings: int) -> MSSSIM:
    metric = MSSSIM(**settings)
    for side, given in (("real", real), ("fake", fake)):
        for part in torch.arange(len(given)).split(batch):
            labels = None if given.labels is None else given.labels[part]
            metric.update(seen(given.pixels[part], labels), side)
    return metric


def test_collapse_raises_it():
    varied, same = pictures(80), pictures(1).repeat(80, 1, 1, 1)
    half = torch.cat([varied[:40], same[:40]])
    scores = [fed(seen(varied), seen(fake)).compute() for fake in (varied, half, same)]
    assert scores[0]["ms_ssim"] == scores[0]["ms_ssim_real"]
    assert scores[0]["ms_ssim"] < scores[1]["ms_ssim"] < scores[2]["ms_ssim"] == pytest.approx(1)
    assert scores[2]["ms_ssim_std"] == pytest.approx(0, abs=1e-6)
    noise = torch.randint(0, 256, (80, 32, 32, 1), generator=torch.Generator().manual_seed(0)).byte()
    assert fed(seen(varied), seen(noise)).compute()["ms_ssim"] < 0.1


def test_batches_order_and_processes_change_nothing():
    real, fake = pictures(90), pictures(120, seed=1)
    whole = fed(seen(real), seen(fake), pairs=20).compute()
    assert fed(seen(real.flip(0)), seen(fake.flip(0)), batch=7, pairs=20).compute() == whole
    first, second = (fed(seen(real[s]), seen(fake[s]), pairs=20) for s in (slice(0, 50), slice(50, None)))
    others = iter(second.state_dict().values())
    loaded = MSSSIM(pairs=20)
    loaded.load_state_dict(first.state_dict())
    assert reduce(loaded, lambda value: [value, next(others)]).compute() == whole
    first.merge(second)
    assert first.whole("fake_seen") == loaded.whole("fake_seen") == 120
    assert first.compute() == whole
    assert set(first.states) == set(first.state_dict())


def test_what_is_kept_is_bounded_and_drawn_evenly():
    metric = fed(seen(pictures(10)), seen(pictures(400)), batch=10, pairs=15)
    assert len(metric.kept("fake")[0]) == 30
    assert all(len(value) <= 30 for value in metric.state_dict().values())
    grey = torch.arange(200, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 12, 12, 1).contiguous()
    means = [fed(seen(grey), seen(grey), pairs=25, seed=s).kept("fake")[0].float().mean() for s in range(40)]
    assert float(torch.stack(means).mean()) == pytest.approx(99.5, abs=4)  # deviation 57.7 / sqrt(50 x 40) = 1.3


def test_a_picture_that_comes_often_is_kept_often():
    grey = torch.arange(20, dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 12, 12, 1)
    mixed = torch.cat([grey, grey[:1].expand(180, -1, -1, -1)]).contiguous()
    kept = fed(seen(grey.contiguous()), seen(mixed), batch=9, pairs=50).kept("fake")[0]
    assert 80 <= int((kept[:, 0, 0, 0] == 0).sum()) <= 98  # 90.5 of 100 expected


def test_labelled_pictures_are_paired_within_their_class():
    light, dark = torch.full((21, 16, 16, 1), 250, dtype=torch.uint8), torch.full((11, 16, 16, 1), 3, dtype=torch.uint8)
    pixels, labels = torch.cat([light, dark]), torch.arange(32) // 21
    metric = fed(seen(pixels), seen(pixels, labels))
    assert metric.detail() == "15 pairs within classes, 1 scale"
    assert metric.compute()["ms_ssim"] == pytest.approx(1)
    assert metric.compute()["ms_ssim_real"] < 0.7


@pytest.mark.parametrize("pairs", [15, 1000])
def test_its_influences_foretell_its_spread(pairs):
    values, foretold = [], []
    for i in range(60):
        metric = fed(seen(pictures(4, 16)), seen(pictures(60, 16, seed=i)), pairs=pairs)
        values.append(metric.compute()["ms_ssim"])
        moved = metric.influences({})["ms_ssim"]
        foretold.append(float(resampled(moved, {"fake": 60}, resamples=300).std()))
    assert sum(foretold) / 60 == pytest.approx(float(torch.tensor(values).std()), rel=0.3)


def test_too_few_or_mixed_pictures_are_refused():
    with pytest.raises(DataError, match="at least 2 pairs of generated pictures; came: 1"):
        fed(seen(pictures(9)), seen(pictures(3))).compute()
    with pytest.raises(DataError, match="at least 2 pairs of generated pictures; came: 0"):
        MSSSIM().compute()
    metric = fed(seen(pictures(9)), seen(pictures(3)))
    with pytest.raises(
        DataError, match=r"generated ones had 32x32 with 1 channel, and then came: 16x16 with 3 channels"
    ):
        metric.update(seen(pictures(3, 16, 3)), "fake")


def test_it_is_found_by_its_name():
    assert isinstance(make("ms_ssim", {"pairs": 5}), MSSSIM)
