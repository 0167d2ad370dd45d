"""A model whose D looked through a network is not to be judged by that network alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gansmith as gs
from gansmith.errors import DataError
from gansmith.metrics.doubts import flattered
from gansmith.pipelines.evaluate import compare, evaluate
from gansmith.recipes.projected import Projected


class Eyes:
    """An extractor by what is asked of it here."""

    channels, resize, dim = 3, "none", 1

    def __init__(self, name: str, digest: str = "", imagenet: bool = False) -> None:
        self.name, self.digest, self.sees_imagenet = name, digest or name, imagenet

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float().mean((1, 2, 3))[:, None]

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [x]


FASHION, RANDOM = Eyes("fashion"), Eyes("random")
INCEPTION, DINO = Eyes("inception", imagenet=True), Eyes("dinov2-vits14", imagenet=True)


def test_the_same_network_flatters_whatever_it_is_called() -> None:
    (told,) = flattered(FASHION, [FASHION])
    assert told.startswith("figures by fashion flatter it: its discriminator looked through the same network (fashion)")
    assert "add --extractor inception or random" in told
    (told,) = flattered(FASHION, [Eyes("stacked-fashion", "fashion"), INCEPTION])
    assert "figures by stacked-fashion" in told
    assert told.endswith("go by those of inception")
    assert "--extractor inception, or" in flattered(RANDOM, [RANDOM])[0]
    assert flattered(FASHION, [INCEPTION, RANDOM]) == []


def test_one_network_of_imagenet_flatters_others() -> None:
    told = flattered(DINO, [INCEPTION, DINO])
    assert "looked through dinov2-vits14, which was trained on ImageNet as inception was" in told[0]
    assert "the same network (dinov2-vits14)" in told[1]
    assert all("add --extractor random, or" in each for each in told), "inception would flatter as well"
    assert flattered(DINO, [RANDOM]) == []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a D that looks through the bundled classifier."""
    place = tmp_path_factory.mktemp("flattered")
    settings = {"latent": 8, "width": 2, "d_width": 4}
    length: dict[str, Any] = {"samples": 32, "batch": 8, "size": 16, "tell": lambda _: None}
    found: Path = gs.train(pictures(0), out=place / "run", recipe="projected", changes=settings, **length)
    return found


def pictures(seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (64, 16, 16), dtype=np.uint8)


def remarks(found: Any) -> list[str]:
    return [remark for remark in found.remarks if "flatter" in remark]


def test_a_judgement_and_a_comparison_say_so(run: Path) -> None:
    quick: dict[str, Any] = {"n": 64, "metrics": ["fid"]}
    (told,) = remarks(evaluate(run, pictures(0), extractor="fashion", **quick))
    assert "add --extractor" in told
    (told,) = remarks(evaluate(run, pictures(0), extractor=["fashion", "random"], **quick))
    assert told.endswith("go by those of random")
    assert remarks(evaluate(run, pictures(0), extractor="random", **quick)) == []
    (told,) = remarks(compare(run, pictures(1), pictures(0), extractor="fashion", **quick))
    assert told.startswith("A: figures by fashion")


def test_a_network_that_is_not_here_judges_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gs.load(run).save(tmp_path / "packed")

    def absent(recipe: Projected) -> Any:
        raise DataError("it is not here")

    monkeypatch.setattr(Projected, "looker", absent)
    assert remarks(evaluate(packed, pictures(0), extractor="random", n=64, metrics=["fid"])) == []
