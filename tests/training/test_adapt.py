"""A handful of pictures from another run: what is taken from it, what stays, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gansmith as gs
from gansmith import checkpoint
from gansmith.config import read_yaml
from gansmith.data.images import ImageSource
from gansmith.errors import ConfigError, RunFolderError
from gansmith.pipelines.adapt import adaptation, at_rest
from gansmith.pipelines.transfer import Transfer
from gansmith.recipes import r3gan
from gansmith.schedule import Cosine
from gansmith.spec import ImageSpec

SMALL = {"width": 8, "group": 8, "latent": 4, "blocks": 1, "patch": 1}


def pictures(n: int, seed: int, channels: int = 1) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, (n, 16, 16, channels), dtype=np.uint8)


def quietly(data: Any, out: Path, **more: Any) -> Path:
    return gs.train(data, out=out, monitors=[], tell=lambda _: None, **more)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of grey pictures without classes."""
    out = tmp_path_factory.mktemp("adapt") / "source"
    return quietly(pictures(24, 0), out, recipe="r3gan", size=16, samples=32, batch=8, changes=SMALL)


def tensors(place: Path, name: str, newest: bool = True) -> dict[str, Tensor]:
    folder = checkpoint.newest(place)[0] if newest else sorted(place.glob("step-*"))[0]
    return checkpoint.read_tensors(folder, name)


def test_a_run_is_adapted_and_goes_on(run: Path, tmp_path: Path) -> None:
    few = pictures(10, 1, channels=3)  # in colour; the run's generator is grey
    out = quietly(few, tmp_path / "mine", start_from=run, adapt=True, samples=32, batch=8)
    averages, source = tensors(run, "G.ema"), tensors(out, "source")
    assert all(torch.equal(source[key], value) for key, value in averages.items())
    first, last, old = tensors(out, "D", newest=False), tensors(out, "D"), tensors(run, "D")
    still = [key for key in first if torch.equal(first[key], last[key]) and key in old]
    assert 1 <= len(still) < len(first)
    assert all(torch.equal(last[key], old[key]) for key in still)
    assert not torch.equal(tensors(out, "G")["to_patches.weight"], averages["to_patches.weight"])
    fields = read_yaml(out / "config.yaml")["recipe"]["fields"]
    assert fields["game"]["correspondence"] > 0
    assert fields["game"]["augment"]["kind"] == "ada"
    assert fields["width"] == 8
    assert isinstance(fields["solver"]["lr"], float)
    gs.resume(out, data=few, samples=64, monitors=[])
    assert all(torch.equal(tensors(out, "source")[key], value) for key, value in averages.items())
    assert gs.load(out)(2).tensor.shape == (2, 1, 16, 16)


def test_without_the_correspondence_there_is_no_source(run: Path, tmp_path: Path) -> None:
    changes = {"game.correspondence": "0"}
    out = quietly(pictures(10, 1), tmp_path / "a", start_from=run, adapt=True, samples=16, batch=8, changes=changes)
    assert not (checkpoint.newest(out)[0] / "source.safetensors").exists()
    assert read_yaml(out / "config.yaml")["recipe"]["fields"]["game"]["augment"]["p"] > 0


def test_what_is_chosen_for_few_pictures(run: Path) -> None:
    few = adaptation(run, None, None, None)
    assert few.spec.channels == 1
    assert few.freeze["D"] > 1
    assert few.recipe.half_life <= few.samples / 10  # type: ignore[attr-defined]
    assert few.recipe.game.augment.target is None, "the sign of a relativistic loss says nothing"  # type: ignore[attr-defined]


def test_schedules_stand_still_at_the_run_s_end() -> None:
    recipe = r3gan.small(ImageSpec(size=32))
    rested = at_rest(recipe, 30_000)
    lr = recipe.solver.lr
    assert isinstance(lr, Cosine)
    assert rested.solver.lr == pytest.approx(lr.at(30_000))
    assert rested.game.r1 == pytest.approx(1.1)
    assert replace(rested, solver=recipe.solver, game=recipe.game, half_life=recipe.half_life) == recipe


def test_what_cannot_be_adapted(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--from RUN"):
        gs.train(pictures(4, 0), adapt=True)
    with pytest.raises(ConfigError, match="16 pixels: leave out --size 32"):
        gs.train(pictures(4, 0), start_from=run, adapt=True, size=32)
    with pytest.raises(ConfigError, match="R3GAN, and GAN is not it"):
        gs.train(pictures(4, 0), start_from=run, adapt=True, recipe="gan")
    with pytest.raises(ConfigError, match="leave the recipe out"):
        gs.train(pictures(4, 0), start_from=run, adapt=True, recipe=gs.GAN())
    gs.load(run).save(tmp_path / "packed")
    with pytest.raises(RunFolderError, match="holds a generator alone"):
        gs.train(pictures(4, 0), start_from=tmp_path / "packed", adapt=True)


def test_a_generator_of_classes_learns_them_or_takes_every_picture_as_each(tmp_path: Path) -> None:
    named = (pictures(24, 0), np.arange(24) % 2)
    run = quietly(named, tmp_path / "source", recipe="r3gan", size=16, samples=16, batch=8, changes=SMALL)
    known = tensors(run, "G.ema")["embedding.weight"]
    few = pictures(8, 1)
    out = quietly(few, tmp_path / "a", start_from=run, adapt=True, samples=8, batch=8)
    assert torch.equal(tensors(out, "source")["embedding.weight"], known)
    assert gs.load(out).spec.classes == ("0", "1")  # type: ignore[attr-defined]
    gs.resume(out, data=few, samples=16, monitors=[])
    out = quietly((few, np.array([0, 2] * 4)), tmp_path / "b", start_from=run, adapt=True, samples=8, batch=8)
    ours = tensors(out, "source")["embedding.weight"]
    torch.testing.assert_close(ours, torch.stack([known[0], known.mean(0)]))


def test_classes_that_a_recipe_does_not_heed_are_no_matter(tmp_path: Path) -> None:
    named, narrow = (pictures(24, 0), np.arange(24) % 2), {"width": 8, "widest": 8}
    run = quietly(named, tmp_path / "source", recipe="dcgan", size=16, samples=16, batch=8, changes=narrow)
    few = adaptation(run, None, None, None)
    assert not few.told
    assert few.recipe.game.augment.target == 0.6  # type: ignore[attr-defined]
    out = quietly(pictures(8, 1), tmp_path / "a", start_from=run, adapt=True, samples=8, batch=8)
    assert gs.load(out).spec.labels == ()  # type: ignore[attr-defined]


def test_each_picture_is_served_as_every_class() -> None:
    source = ImageSource(pictures(5, 0), cache=False, mirror=True, classes=("a", "b", "c"))
    assert len(source) == 30
    assert source.spec == ImageSpec(size=16, channels=1, classes=("a", "b", "c"), class_counts=(10, 10, 10))
    rows = torch.tensor([3, 8, 13, 18, 29])
    batch = source.batch(rows, torch.device("cpu"))
    assert batch["y"].tolist() == [0, 0, 1, 1, 2]
    x = batch["x"]
    assert torch.equal(x[0].flip(2), x[1])
    assert torch.equal(x[0], x[2])
    assert torch.equal(x[1], x[3])
    assert source.names(rows)[1:3] == ["picture 3 (mirrored)", "picture 3"]
    assert any("served as every one of 3: 30 rows" in note for note in source.notes())
    plain = ImageSource(pictures(5, 0), cache=False)
    assert plain.fingerprint != source.fingerprint
    labelled = ImageSource((pictures(4, 0), np.array([0, 1, 0, 1])), cache=False, classes=("a", "b", "c"))
    assert labelled.spec.classes == ("0", "1")


def test_counts_of_another_run_are_not_taken_over(tmp_path: Path) -> None:
    adapting = {"width": 8, "widest": 8, "game.augment.kind": "ada", "game.augment.target": "0.6"}
    run = quietly(pictures(16, 0), tmp_path / "a", recipe="dcgan", samples=64, batch=8, tick=16, changes=adapting)
    assert int(tensors(run, "D")["augment_samples"]) > 0
    nets = gs.load(run).recipe.networks(ImageSpec(size=16, channels=1))
    with torch.no_grad():
        nets.D.augment_p.fill_(0.7)
    Transfer(run)(nets)
    assert int(nets.D.augment_samples) == 0, "it would be ahead of the samples to come"
    assert torch.equal(nets.D.augment_p, tensors(run, "D")["augment_p"])
