"""LPIPS diversity: the network is held to the reference in test_networks.py, here its use over pairs."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.images.lpips import LPIPSDiversity
from gansmith.metrics.registry import make
from gansmith.nn.features import weights

from .test_extractors import pictures


def seen(pixels: torch.Tensor) -> Seen:
    return Seen(torch.empty(len(pixels), 0), pixels=pixels)


def scored(folder, fake: torch.Tensor, pairs: int = 10) -> dict[str, float]:
    metric = make("lpips", {"pairs": pairs, "weights": folder})
    metric.update(seen(pictures(20, 64, 3)), "real")
    metric.update(seen(fake), "fake")
    return metric.compute()


def test_collapse_lowers_it(shared_data):
    folder, varied = shared_data / "weights", pictures(20, 64, 3)
    whole = scored(folder, varied)
    assert whole["lpips"] == whole["lpips_real"] > 0.05
    assert scored(folder, torch.cat([varied[:10], varied[:1].repeat(10, 1, 1, 1)]))["lpips"] < whole["lpips"]
    assert scored(folder, varied[:1].repeat(20, 1, 1, 1))["lpips"] == 0


def test_it_is_blind_to_the_number_of_modes(shared_data):
    """Two unlike pictures over and over score half of what they are apart, as much as many likely ones."""
    dark, light = (torch.full((1, 64, 64, 3), v, dtype=torch.uint8) for v in (0, 255))
    two = torch.cat([dark, light]).repeat(100, 1, 1, 1)
    apart = float(LPIPSDiversity(weights=shared_data / "weights").network.between(dark, light))
    found = scored(shared_data / "weights", two, pairs=100)["lpips"]
    assert found == pytest.approx(apart / 2, rel=0.3)


def test_its_protocol_names_the_network(shared_data):
    metric = LPIPSDiversity(pairs=10, weights=shared_data / "weights")
    metric.update(seen(pictures(8, 64)), "fake")
    assert metric.detail() == "4 pairs, LPIPS v0.1 AlexNet 881a7e4386f5"
    assert metric.higher == {"lpips"}


def test_absent_weights_are_an_error_that_says_where_they_go(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "weights_folders", lambda: [tmp_path])
    metric = LPIPSDiversity()
    metric.update(seen(pictures(4)), "fake")
    with pytest.raises(DataError, match=r"lpips_alexnet_v0.1_fp16.safetensors are not on this machine"):
        metric.compute()
