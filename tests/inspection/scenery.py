"""Pictures that look like something: smooth, of many colours, each unlike the others."""

from __future__ import annotations

import numpy as np
from PIL import Image


def scene(seed: int, size: tuple[int, int] = (48, 48)) -> Image.Image:
    """A few soft waves of colour with fine grain on them, as photographs have."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[1], 0 : size[0]] / max(size)
    waves = np.zeros((size[1], size[0], 3))
    for _ in range(8):
        fx, fy = rng.uniform(-3, 3, 2)
        waves += np.cos(2 * np.pi * (fx * x + fy * y) + rng.uniform(0, 6.3))[:, :, None] * rng.normal(0, 24, 3)
    pixels = 128 + waves + rng.normal(0, 4, waves.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
