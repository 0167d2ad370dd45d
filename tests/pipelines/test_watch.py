"""Who watches a run of pictures: its doctor is given those that training never sees."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import softplus

import gansmith as gs
from gansmith.batch import Batch
from gansmith.data import open_source
from gansmith.data.images import ImageSource
from gansmith.data.part import Part, hold_out
from gansmith.errors import ConfigError
from gansmith.pipelines.diagnose import diagnose
from gansmith.pipelines.watch import checkup, unseen
from gansmith.recipes.base import Context, Networks, Phase, Recipe
from gansmith.spec import Spec
from gansmith.training.config import TrainConfig
from gansmith.training.trainer import Trainer


def garments(place: Path, **parts: int) -> Path:
    """Folders of pictures of 16 pixels, others in each."""
    pixels = ImageSource("bundled:fashion-mnist", size=16, labels=False).pixels
    order, first = np.random.default_rng(0).permutation(len(pixels)), 0
    for part, count in parts.items():
        (place / part).mkdir(parents=True)
        for i in order[first : first + count]:
            Image.fromarray(pixels[i, :, :, 0]).save(place / part / f"{i:05d}.png")
        first += count
    return place


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["event"] == kind]


@dataclass(frozen=True, kw_only=True)
class ByHeart(Recipe):
    """G makes what the data are from the start and hardly moves; D is large, and learns a few pictures by heart."""

    def networks(self, spec: Spec) -> Networks:
        G = nn.Linear(64, 64)
        nn.init.eye_(G.weight)
        nn.init.zeros_(G.bias)
        D = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 1), nn.Flatten(0))
        return Networks({"G": G, "D": D})

    def phases(self) -> dict[str, Phase]:
        return {"D": Phase(("D",), self.d_loss), "G": Phase(("G",), self.g_loss)}

    def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        x: Tensor = nets.G(0.3 * ctx.randn(batch, 64)).clamp(-1, 1).view(-1, 1, 8, 8)
        return x

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"adv": softplus(-nets.D(batch["x"])) + softplus(nets.D(self.fake(nets, batch, ctx)))}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"adv": softplus(-nets.D(self.fake(nets, batch, ctx)))}

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(params, {"D": 1e-3, "G": 1e-6}[name], (0.0, 0.99))

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        return Batch(x=self.fake(nets, request, ctx))

    def verdict(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
        logits: Tensor = nets.D(batch["x"])
        return logits


@pytest.mark.parametrize("part", ["test", "more"])
def test_a_d_that_learns_its_pictures_by_heart_is_found(tmp_path: Path, part: str) -> None:
    """Where there are pictures that it never saw, and only there."""
    rng, data = np.random.default_rng(0), tmp_path / "data"
    for name, count in {"train": 32, part: 200}.items():
        (data / name).mkdir(parents=True)
        for i, x in enumerate(rng.normal(127.5, 0.3 * 127.5, (count, 8, 8)).clip(0, 255).astype(np.uint8)):
            Image.fromarray(x).save(data / name / f"{i}.png")
    data = data if part == "test" else data / "train"
    source = ImageSource(data, size=8, labels=False)
    watching = checkup(source, data, treat=False)
    watching.every = 20 * 16
    config = TrainConfig(batch=16, samples=16 * 400, tick=3_200, save_every=100_000)
    Trainer(ByHeart(), source, config, out=tmp_path / "run", recipe_name="by-heart", monitors=[watching]).fit()
    assert len(source) == 32
    assert watching.doctor is not None
    assert ("overfitting_d" in {f.name for f in watching.doctor.ever()}) is (part == "test")


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ({"train": 64, "test": 70}, 70),
        ({"train": 64, "val": 80, "test": 70}, 80),
        ({"train": 64}, None),
        ({"test": 64, "other": 64}, None),
    ],
)
def test_what_the_data_hold_out_is_found(tmp_path: Path, parts: dict[str, int], wanted: int | None) -> None:
    data = garments(tmp_path / "data", **parts)
    held, remarks = unseen(ImageSource(data), data)
    assert (None if held is None else len(held)) == wanted
    assert remarks == []


def test_classes_of_other_names_are_left_out(tmp_path: Path) -> None:
    garments(tmp_path / "data" / "train", a=40, b=40)
    garments(tmp_path / "data" / "test", a=40, c=40)
    source = ImageSource(tmp_path / "data")
    held, _ = unseen(source, tmp_path / "data")
    assert source.spec.classes == ("a", "b")  # type: ignore[attr-defined]
    assert held is not None
    assert held.spec.labels == ()  # type: ignore[attr-defined]


def test_a_part_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    data = garments(tmp_path / "data", train=64, test=70)
    for path in (data / "test").iterdir():
        path.write_bytes(b"no picture")
    held, remarks = unseen(ImageSource(data), data)
    assert held is None
    assert "does without the part 'test'" in remarks[0]


def test_pictures_that_are_held_out_are_its_own(tmp_path: Path) -> None:
    part = hold_out(ImageSource(garments(tmp_path / "data", all=300) / "all"), 0.25)
    assert unseen(part, tmp_path / "data")[0] is part.held


def test_a_run_holds_out_what_was_asked_and_goes_on_so(tmp_path: Path) -> None:
    data = garments(tmp_path / "data", all=300) / "all"
    settings: dict[str, Any] = {"recipe": "gan", "preset": "small", "batch": 16, "samples": 320, "tick": 320}
    plain = gs.train(str(data), out=tmp_path / "plain", **settings)
    assert events(plain, "watched")[0]["held_out"] == 0
    assert any("--holdout" in what for what in diagnose(plain).blind)
    run = gs.train(str(data), out=tmp_path / "run", holdout=0.25, **settings)
    assert events(run, "watched")[0]["held_out"] == 75
    assert events(run, "start")[0]["examples"] == 225
    assert diagnose(run).blind == ()
    gs.resume(run, samples=640)
    assert events(run, "watched")[-1]["held_out"] == 75
    assert {"overfit", "logit/held_out"} <= set(events(run, "health")[-1]["values"])


def test_all_pictures_are_trained_on_unless_told_otherwise(tmp_path: Path) -> None:
    data = garments(tmp_path / "data", all=100) / "all"
    assert not isinstance(open_source(data), Part)
    with pytest.raises(ConfigError, match="fewer than 64 tell nothing"):
        gs.train(str(data), out=tmp_path / "run", holdout=0.1, batch=16, samples=320)
