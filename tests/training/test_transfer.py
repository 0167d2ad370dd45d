"""Beginning with the weights of another run: other sizes, other classes, frozen layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gansmith as gs
from gansmith import checkpoint
from gansmith.errors import ConfigError
from gansmith.pipelines.transfer import Transfer, origin_of
from gansmith.recipes import r3gan
from gansmith.recipes.base import Networks
from gansmith.spec import ImageSpec
from gansmith.training.start import freeze

SMALL = {"width": 8, "group": 8, "latent": 4, "blocks": 1, "patch": 1}


def pictures(size: int, classes: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    random = np.random.default_rng(size)
    return random.integers(0, 255, (24, size, size, 3), dtype=np.uint8), np.arange(24) % classes


def run(place: Path, size: int, classes: int, **more: Any) -> Path:
    made = gs.train(
        pictures(size, classes), out=place, recipe="r3gan", size=size, samples=16, batch=8, changes=SMALL,
        monitors=[], tell=lambda _: None, **more,
    )  # fmt: skip
    return Path(made)


def tensors(place: Path, name: str, newest: bool = True) -> dict[str, Tensor]:
    folder = checkpoint.newest(place)[0] if newest else sorted(place.glob("step-*"))[0]
    return checkpoint.read_tensors(folder, name)


def test_a_larger_picture_takes_over_the_stages_that_it_shares(tmp_path: Path) -> None:
    before = run(tmp_path / "16", 16, 2)
    nets = r3gan.R3GAN(**SMALL).networks(ImageSpec(size=32, classes=("0", "1")))
    transfer = Transfer(before, ("0", "1"))
    transfer(nets)
    g, d = tensors(before, "G"), tensors(before, "D")
    assert all(torch.equal(v, g[k]) for k, v in nets.G.state_dict().items() if k in g)
    there = max(int(k.split(".")[1]) for k in d if k.startswith("layers."))
    here = max(int(k.split(".")[1]) for k in nets.D.state_dict() if k.startswith("layers."))
    last, ours = d[f"layers.{there}.mix.weight"], nets.D.state_dict()[f"layers.{here}.mix.weight"]
    assert torch.equal(ours, last)  # counted from D's end, where pictures are smallest
    said = "\n".join(transfer.lines())
    assert "layers.2.widen.weight (there layers.0.widen.weight)" in said
    assert "fresh: layers.0" in said


def test_classes_of_the_same_name_keep_their_rows(tmp_path: Path) -> None:
    before = run(tmp_path / "a", 16, 3)
    nets = r3gan.R3GAN(**SMALL).networks(ImageSpec(size=16, classes=("2", "new", "0", "1")))
    transfer = Transfer(before, ("2", "new", "0", "1"))
    transfer(nets)
    known, ours = tensors(before, "G")["embedding.weight"], nets.G.embedding.weight.detach()
    torch.testing.assert_close(ours[[2, 3, 0]], known)
    torch.testing.assert_close(ours[1], known.mean(0))
    said = "\n".join(transfer.lines())
    assert "embedding.weight (by the names of classes)" in said
    assert "classes that are new: new" in said


def test_as_many_classes_of_other_names_are_told_apart(tmp_path: Path) -> None:
    before = run(tmp_path / "a", 16, 2)
    nets = r3gan.R3GAN(**SMALL).networks(ImageSpec(size=16, classes=("1", "0")))
    Transfer(before, ("1", "0"))(nets)
    known = tensors(before, "D")["embedding.weight"]
    torch.testing.assert_close(nets.D.embedding.weight.detach(), known.flip(0))


def test_frozen_layers_stay_through_training_and_resuming(tmp_path: Path) -> None:
    before = run(tmp_path / "a", 16, 2)
    after = run(tmp_path / "b", 16, 2, start_from=before, freeze={"D": 2, "G": 1})
    gs.resume(after, data=pictures(16, 2), samples=32, monitors=[])
    first, last, old = tensors(after, "D", newest=False), tensors(after, "D"), tensors(before, "D")
    moved = {k for k in first if not torch.equal(first[k], last[k])}
    frozen = ["embedding.weight", "from_patches.weight", "layers.0.widen.weight"]
    assert "head.linear.weight" in moved or "end.linear.weight" in moved
    still = [k for k in frozen if k not in moved]
    assert len(still) >= 2
    assert all(torch.equal(last[k], old[k]) for k in still)


def test_freezing_says_what_cannot_be() -> None:
    nets = Networks({"D": nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))})
    freeze(nets, {"D": 1})
    assert [p.requires_grad for p in nets.parameters()] == [False, False, True, True]
    with pytest.raises(ConfigError, match="2 layers with weights"):
        freeze(nets, {"D": 2})
    with pytest.raises(ConfigError, match="it has: D"):
        freeze(nets, {"E": 1})
    with pytest.raises(ConfigError, match="--from"):
        gs.train("bundled:fashion-mnist", freeze={"D": 1}, dry_run=True)


def test_layers_are_counted_from_the_end_that_fits() -> None:
    def state(*widths: int) -> dict[str, Tensor]:
        return {f"layers.{i}.weight": torch.zeros(w) for i, w in enumerate(widths)}

    assert origin_of(state(3, 4, 5), state(4, 5)) == {
        "layers.0.weight": "layers.-1.weight",
        "layers.1.weight": "layers.0.weight",
        "layers.2.weight": "layers.1.weight",
    }
    assert origin_of(state(3, 4, 5), state(3, 4))["layers.1.weight"] == "layers.1.weight"
    assert origin_of(state(3, 3, 3), state(3, 3))["layers.1.weight"] == "layers.1.weight"
    assert origin_of(state(3, 3, 3), state(3, 3), shrinks=True)["layers.1.weight"] == "layers.0.weight"
