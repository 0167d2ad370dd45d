"""Outliers: what does not belong is found, what belongs is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scenery import scene

from gansmith.data.inspect import outliers
from gansmith.data.inspect.measure import measure
from gansmith.data.inspect.outliers import FENCE, _to_neighbours, strangeness


def judged(pictures: list[Image.Image]) -> NDArray[np.float64]:
    found = [measure(np.asarray(p.convert("RGB"))) for p in pictures]
    far = strangeness(np.stack([m.small for m in found]), np.stack([m.record["traits"] for m in found]))
    assert far is not None
    return far


def strangers() -> list[Image.Image]:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    page = np.full((48, 48, 3), 255, np.uint8)
    page[6:40:6, 4:44] = 0
    return [Image.fromarray(noise), Image.fromarray(page), Image.new("RGB", (48, 48), "white")]


def test_strangers_are_found_and_nothing_else() -> None:
    far = judged([scene(s) for s in range(250)] + strangers())
    assert (far[250:] > FENCE).all()
    assert (far[:250] > FENCE).sum() <= 1
    assert set(np.argsort(-far)[:3]) == {250, 251, 252}


def test_a_scale_of_the_values_is_no_reason() -> None:
    """What is measured is the place within the set: darker as a whole, it stays as it was."""
    pictures = [scene(s) for s in range(120)] + strangers()[:2]
    dark = [Image.eval(p, lambda v: v // 2) for p in pictures]
    assert set(np.argsort(-judged(dark))[:2]) == {120, 121}


def test_few_pictures_are_not_judged() -> None:
    small = np.zeros((49, 16, 16, 3), np.uint8)
    assert strangeness(small, np.zeros((49, 5), np.float32)) is None


def test_equal_pictures_give_no_nonsense() -> None:
    far = strangeness(np.full((60, 16, 16, 3), 9, np.uint8), np.ones((60, 5), np.float32))
    assert far is not None
    assert np.isfinite(far).all()
    assert (far <= FENCE).all()


@pytest.mark.parametrize("references", [4096, 40])
def test_the_distance_is_to_the_fifth_nearest_other(references: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outliers, "REFERENCES", references)
    monkeypatch.setattr(outliers, "PART", 64)
    points = np.random.default_rng(2).normal(size=(150, 6))
    drawn = np.sort(np.random.default_rng(0).permutation(150)[:references])
    wanted = []
    for i, p in enumerate(points):
        others = points[drawn[drawn != i]]
        wanted.append(np.sort(np.linalg.norm(others - p, axis=1))[4])
    assert np.allclose(_to_neighbours(points), wanted)
