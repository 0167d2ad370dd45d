"""Pictures to test with, made by hand so that the right answer is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture() -> Callable[..., Image.Image]:
    """A picture whose every pixel is different, so that no turn or flip goes unseen."""

    def make(seed: int = 0, size: tuple[int, int] = (16, 16), mode: str = "RGB") -> Image.Image:
        bands = 1 if mode == "L" else len(mode)
        pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], bands), dtype=np.uint8)
        return Image.fromarray(pixels[:, :, 0] if bands == 1 else pixels, mode=None)

    return make


@pytest.fixture
def photos(tmp_path: Path, picture: Callable[..., Image.Image]) -> Callable[..., Path]:
    """A folder with pictures of these names, each of its own seed."""

    def make(*names: str, folder: str = "photos") -> Path:
        root = tmp_path / folder
        for seed, name in enumerate(names):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            picture(seed).save(root / name)
        return root

    return make
