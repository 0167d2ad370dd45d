"""Truncation by class: in Python, of edited pictures, on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import nn

from gansmith.batch import Batch
from gansmith.errors import DataError, UserError
from gansmith.game import Played
from gansmith.pipelines.edit import Editor
from gansmith.pipelines.generate import Generator
from gansmith.pipelines.truncation import strengths
from gansmith.recipes import stylegan2
from gansmith.recipes.base import Networks, settle, wished
from gansmith.spec import ImageSpec

CLASSED = ImageSpec(size=16, channels=1, classes=("cat", "dog", "owl"))
PLAIN = ImageSpec(size=16, channels=1)
RECIPE = stylegan2.StyleGAN2(latent=8, style=8, depth=2, base=64, widest=8, label_depth=1, path_length=0.0)


def made(spec: ImageSpec = CLASSED) -> Generator:
    torch.manual_seed(0)
    nets = RECIPE.networks(spec).eval().requires_grad_(False)
    settle(RECIPE, nets, spec)
    return Generator(nets, RECIPE, spec, "stylegan2")


def test_each_class_takes_its_own_number() -> None:
    assert strengths(0.7, CLASSED) == 0.7
    assert strengths({"dog": 0.5, None: 0.8}, CLASSED) == (0.8, 0.5, 0.8)
    assert strengths({"owl": 0.0}, CLASSED) == (1.0, 1.0, 0.0)
    assert strengths({None: 0.6}, PLAIN) == 0.6
    request = Batch(index=torch.arange(4), y=torch.tensor([2, 0, 1, 1]))
    found = wished(request, {"truncation": (0.1, 0.2, 0.3), "other": 0.5})
    torch.testing.assert_close(found["truncation"], torch.tensor([0.3, 0.1, 0.2, 0.2]))
    torch.testing.assert_close(found["other"], torch.full((4,), 0.5))


def test_what_cannot_be_asked() -> None:
    with pytest.raises(DataError, match=r"no class 'dgo'.*Did you mean 'dog'"):
        strengths({"dgo": 0.5}, CLASSED)
    with pytest.raises(UserError, match="knows no classes; give one number for truncation, not one for: dog"):
        made(PLAIN)(2, truncation={"dog": 0.5})
    with pytest.raises(UserError, match="wanted a number for truncation"):
        made()(2, truncation={"dog": float("inf")})


def test_samples_of_a_class_go_to_its_own_mean() -> None:
    make = made()
    mixed = make(6, seed=3, truncation={"dog": 0.0, "owl": 0.4}).tensor
    whole, owls = make(6, seed=3).tensor, make(6, seed=3, truncation=0.4).tensor
    rows = make.spec.request(6)["y"]
    centre = make.nets.G.synthesis(make.nets.G.mapping.w_avg[1][None, None].expand(1, 6, 8)).clamp(-1, 1)
    for i, y in enumerate(rows.tolist()):
        wanted = {0: whole[i], 1: centre[0], 2: owls[i]}[y]
        torch.testing.assert_close(mixed[i], wanted, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole[2], owls[2], atol=1e-3)


def test_edited_pictures_are_truncated_as_samples_are() -> None:
    make = made()
    editor, by = Editor(make), {"cat": 0.3, "dog": 0.6}
    walk = editor.classes(["cat", "dog"], frames=2, seed=4, truncation=by).tensor
    for at, label in ((0, "cat"), (2, "dog")):
        wanted = make(1, seed=4, label=label, truncation=by).tensor
        torch.testing.assert_close(walk[at : at + 1], wanted, rtol=1e-4, atol=1e-5)
    found = editor.directions("sefa", 1)
    moved = editor.move([4], found, 0, frames=3, label="dog", truncation=by).tensor
    torch.testing.assert_close(moved[1:2], make(1, seed=4, label="dog", truncation=0.6).tensor, rtol=1e-4, atol=1e-5)
    line = editor.interpolate([4, 5], frames=2, label="cat", truncation=by).tensor
    torch.testing.assert_close(line[:1], make(1, seed=4, label="cat", truncation=0.3).tensor, rtol=1e-4, atol=1e-5)


class Normed(Played):
    """Noise through batch normalisation, whose statistics depend on the truncation."""

    honours = ("truncation",)

    def networks(self, spec: Any) -> Networks:
        g = nn.Sequential(nn.Linear(2, 64), nn.BatchNorm1d(64), nn.Unflatten(1, (1, 8, 8)))
        return Networks({"G": g})

    def fake(self, nets: Any, batch: Batch, ctx: Any) -> Any:
        z = ctx.randn(batch, 2)
        return nets.G(z * batch["truncation"][:, None] if "truncation" in batch else z)

    def judge(self, nets: Any, x: Any, batch: Batch, ctx: Any) -> Any:
        raise AssertionError("never trained")


def test_statistics_are_settled_for_a_truncation_by_class() -> None:
    spec = ImageSpec(size=8, channels=1, classes=("a", "b"), class_counts=(1, 1))
    recipe = Normed()
    torch.manual_seed(0)
    make = Generator(recipe.networks(spec).eval().requires_grad_(False), recipe, spec, "mine")
    make(4, truncation={"a": 0.1})
    assert make._wished is not None
    mixed = make._wished[1].G[1].running_var.mean()
    make(4, truncation=0.1)
    low = make._wished[1].G[1].running_var.mean()
    make(4, truncation=1.0)
    assert float(low) < float(mixed) < float(make._wished[1].G[1].running_var.mean())


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gansmith.cli.edit import command as edit
    from gansmith.cli.generate import command as generate

    make = made()
    make.save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)

    def run(command: Any, *words: Any) -> Any:
        return CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)

    told = run(generate, "model", "-n", 6, "--truncation", 0.8, "--truncation", "dog=0", "--out", "a", "--seed", 3)
    assert told.exit_code == 0, told.output
    wanted = make(6, seed=3, truncation={None: 0.8, "dog": 0.0})
    for i, picture in enumerate(wanted):
        with Image.open(tmp_path / "a" / f"{i:06d}.png") as opened:
            assert opened.tobytes() == picture.tobytes()
    assert "such as 0.7 or Boot=0.5" in run(generate, "model", "--truncation", "dog=x").output
    assert run(edit, "classes", "model", "cat", "dog", "--truncation", "0.7", "--out", "c.png").exit_code == 0
    assert (
        run(edit, "directions", "model", 1, "--frames", 3, "--truncation", "cat=0.5", "--out", "d.png").exit_code == 0
    )
    with pytest.raises(DataError, match="no class 'cow'"):
        run(edit, "mix", "model", 1, 2, "--truncation", "cow=0.5", "--out", "m.png")
