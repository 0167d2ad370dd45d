"""Folders of pictures that look like something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scenery import scene


@pytest.fixture
def scenes(tmp_path: Path) -> Callable[..., Path]:
    """A folder with these names, each a scene of its own seed."""

    def make(*names: str, folder: str = "scenes", first: int = 0) -> Path:
        root = tmp_path / folder
        for seed, name in enumerate(names, first):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            scene(seed).save(root / name)
        return root

    return make
