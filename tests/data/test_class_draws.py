"""Pictures drawn by their classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import gansmith as gs
from gansmith.data.draws import ByClass
from gansmith.data.images import ImageSource
from gansmith.errors import SpecError
from gansmith.game import Game
from gansmith.training.start import check


def rare() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Ninety pictures of one class, ten of another."""
    x = np.random.default_rng(0).integers(0, 255, (100, 8, 8, 1), dtype=np.uint8)
    return x, np.repeat([0, 1], [90, 10])


@pytest.mark.parametrize(("power", "share"), [(0.0, 0.5), (0.5, 0.25), (1.0, 0.1)])
def test_classes_come_by_a_power_of_their_size(power: float, share: float) -> None:
    y = torch.tensor([0] * 90 + [2] * 10)  # class 1 has no picture
    drawn = ByClass(y, power, batch=1000, seed=3).rows(0, 20_000)
    assert float((y[drawn] == 2).double().mean()) == pytest.approx(share, abs=0.02)
    assert set(drawn.tolist()) == set(range(100))


def test_an_order_is_a_function_of_the_seed_whatever_the_parts() -> None:
    y = torch.arange(50) % 3
    whole = ByClass(y, 0.0, batch=16, seed=1).rows(0, 64)
    parts = ByClass(y, 0.0, batch=16, seed=1)
    assert torch.equal(torch.cat([parts.rows(i, 8) for i in range(0, 64, 8)]), whole)
    assert not torch.equal(ByClass(y, 0.0, batch=16, seed=2).rows(0, 64), whole)


def test_a_source_with_classes_offers_them_and_one_without_does_not() -> None:
    x, y = rare()
    source = ImageSource((x, y), cache=False, mirror=True)
    rows = source.order("balanced", 64, 0).rows(0, 6400)
    labels = source.batch(rows, torch.device("cpu"))["y"]
    assert float((labels == 1).double().mean()) == pytest.approx(0.5, abs=0.03)
    assert int(rows.max()) >= 100  # mirrored ones, too
    recipe = gs.GAN(game=Game(draw="balanced"))
    config = gs.TrainConfig(batch=8, samples=64)
    check(recipe, source, config)
    with pytest.raises(SpecError, match="they offer: shuffled"):
        check(recipe, ImageSource(x, cache=False), config)
