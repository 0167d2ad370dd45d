"""Control of a trained generator: each way against what it must be, on generators that are small but whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from gansmith.errors import DataError, UserError
from gansmith.pipelines.edit import Editor
from gansmith.pipelines.edit import invert as inversion
from gansmith.pipelines.edit.directions import Directions, _affine
from gansmith.pipelines.edit.editor import film, slerp
from gansmith.pipelines.generate import Generator
from gansmith.recipes import dcgan, r3gan, stylegan2
from gansmith.recipes.base import settle
from gansmith.spec import ImageSpec

PLAIN = ImageSpec(size=16, channels=1)
CLASSED = ImageSpec(size=16, channels=3, classes=("cat", "dog", "owl"), class_counts=(5, 5, 5))
TOLD = ImageSpec(size=16, channels=1, attributes=("hat", "glasses"), combinations=("00", "10", "01"),
                 combination_counts=(4, 2, 2))  # fmt: skip
RECIPES = {
    "dcgan": dcgan.DCGAN(width=8, widest=8, latent=6, standing=0),
    "r3gan": r3gan.R3GAN(width=16, group=8, latent=6, blocks=1),
    "stylegan2": stylegan2.StyleGAN2(latent=8, style=8, depth=2, base=64, widest=8, label_depth=1, path_length=0.0),
}


def made(name: str, spec: ImageSpec = PLAIN) -> Generator:
    torch.manual_seed(0)
    recipe: Any = RECIPES[name]
    nets = recipe.networks(spec).eval().requires_grad_(False)
    settle(recipe, nets, spec)
    return Generator(nets, recipe, spec, name)


@pytest.mark.parametrize("name", RECIPES)
def test_interpolation_begins_and_ends_with_the_pictures_of_the_seeds(name: str) -> None:
    make = made(name)
    found = Editor(make).interpolate([3, 5, 8], frames=4)
    assert len(found) == 9
    for at, seed in ((0, 3), (4, 5), (8, 8)):
        torch.testing.assert_close(found.tensor[at : at + 1], make(1, seed=seed).tensor, rtol=1e-4, atol=1e-4)
    between = found.tensor[2]
    assert not torch.allclose(between, found.tensor[0])
    assert len(Editor(make).interpolate([3, 5], frames=4, loop=True)) == 8


def test_great_circles_keep_lengths() -> None:
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    way = slerp(a, b, torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(way, torch.tensor([[3.0, 0.0], [3 / 2**0.5, 3 / 2**0.5], [0.0, 3.0]]))
    torch.testing.assert_close(slerp(a, a, torch.tensor([0.3]))[0], a)


def test_styles_are_truncated_and_latents_are_not() -> None:
    make = made("stylegan2")
    near = Editor(make).interpolate([1, 2], frames=2, truncation=0.0).tensor
    torch.testing.assert_close(near[0], near[2])
    with pytest.raises(UserError, match="r3gan has none"):
        Editor(made("r3gan")).interpolate([1, 2], truncation=0.5)
    with pytest.raises(UserError, match="at least two seeds"):
        Editor(make).interpolate([1])


@pytest.mark.parametrize("name", ["r3gan", "stylegan2"])
def test_classes_are_mixed_between_their_own_pictures(name: str) -> None:
    make = made(name, CLASSED)
    found = Editor(make).classes(["cat", "owl", "dog"], frames=2, seed=4)
    assert len(found) == 5
    for at, label in ((0, "cat"), (2, "owl"), (4, "dog")):
        wanted = make(1, seed=4, label=label).tensor
        torch.testing.assert_close(found.tensor[at : at + 1], wanted, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(found.tensor[1], found.tensor[0])
    assert not torch.allclose(found.tensor[1], found.tensor[2])


@pytest.mark.parametrize("name", ["r3gan", "stylegan2"])
def test_attributes_hold_for_all_pictures_and_are_mixed(name: str) -> None:
    make = made(name, TOLD)
    editor, hat, glasses = Editor(make), {"hat": 1, "glasses": 0}, {"hat": 0, "glasses": 1}
    wanted = {seed: make(1, seed=seed, where=hat).tensor for seed in (3, 5)}
    found = editor.interpolate([3, 5], frames=2, where=hat).tensor
    torch.testing.assert_close(found[[0, 2]], torch.cat(list(wanted.values())), rtol=1e-4, atol=1e-4)
    moved = editor.move([3, 5], editor.directions("sefa", 1), frames=3, where=hat).tensor
    torch.testing.assert_close(moved[[1, 4]], torch.cat(list(wanted.values())), rtol=1e-4, atol=1e-4)
    mixed = editor.classes([glasses, hat], frames=2, seed=3).tensor
    torch.testing.assert_close(mixed[2:], wanted[3], rtol=1e-4, atol=1e-4)
    assert not torch.allclose(mixed[0], mixed[1])
    with pytest.raises(DataError, match="no attribute 'hart'"):
        editor.interpolate([3, 5], where={"hart": 1})


def test_mixing_and_inversion_heed_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    make = made("stylegan2", TOLD)
    editor, hat = Editor(make), {"hat": 1, "glasses": 0}
    grid = editor.mix([1], [3], where=hat).tensor
    torch.testing.assert_close(grid[1:2], make(1, seed=3, where=hat).tensor, rtol=1e-4, atol=1e-4)
    asked: list[Any] = []
    draw = editor.space.styles
    monkeypatch.setattr(editor.space, "styles", lambda z, y: asked.append(y) or draw(z, y))
    editor.invert(make(1, seed=3)[0], steps=1, where=hat)
    assert torch.equal(asked[0].unique(dim=0), torch.tensor([[1, 0]]))


def test_classes_that_are_not_there() -> None:
    with pytest.raises(DataError, match="no class 'cow'"):
        Editor(made("r3gan", CLASSED)).classes(["cat", "cow"])
    with pytest.raises(DataError, match="knows no classes"):
        Editor(made("r3gan")).classes(["cat", "cow"])
    with pytest.raises(UserError, match="at least two classes"):
        Editor(made("r3gan", CLASSED)).classes(["cat"])


def test_mixing_takes_some_layers_from_the_columns() -> None:
    make = made("stylegan2")
    editor = Editor(make)
    grid = editor.mix([1, 2], [3, 4, 5], layers=(0, 2)).tensor
    assert len(grid) == 3 * 4
    torch.testing.assert_close(grid[1:2], make(1, seed=3).tensor, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(grid[4:5], make(1, seed=1).tensor, rtol=1e-4, atol=1e-4)
    layers = make.nets.G.mapping.copies
    whole = editor.mix([1], [3], layers=(0, layers)).tensor
    torch.testing.assert_close(whole[3:4], make(1, seed=3).tensor, rtol=1e-4, atol=1e-4)
    with pytest.raises(UserError, match=f"0 to {layers}"):
        editor.mix([1], [3], layers=(2, 99))
    with pytest.raises(UserError, match="style mixing needs a generator with styles"):
        Editor(made("dcgan")).mix([1], [2])


@pytest.mark.parametrize("into", ["w", "w+"])
def test_inversion_finds_a_picture_that_the_generator_makes(into: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise DataError("absent")

    monkeypatch.setattr(inversion, "LPIPS", absent)
    make = made("stylegan2")
    for layer in make.nets.G.synthesis.layers:
        layer.strength.zero_()
    for last in make.nets.G.synthesis.to_picture:
        last.conv.weight.mul_(0.2)  # within the range of pictures
    target = make(1, seed=7)
    found = Editor(make).invert(target[0], into=into, steps=120)
    start = Editor(make).invert(target[0], into=into, steps=1)
    assert found.error < 0.4 * start.error
    assert found.styles.shape == (1, make.nets.G.mapping.copies, 8)
    spread = found.styles.std(1).max()
    assert (spread == 0) == (into == "w")
    assert len(found.samples) == 2
    assert found.loss == "pixels"


def test_inversion_says_what_cannot_be(tmp_path: Path) -> None:
    editor = Editor(made("stylegan2"))
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(DataError, match="cannot read a picture"):
        editor.invert(tmp_path / "no.png")
    with pytest.raises(UserError, match="w or w"):
        editor.invert(Image.new("L", (8, 8)), into="z")
    with pytest.raises(UserError, match="inversion needs"):
        Editor(made("r3gan")).invert(Image.new("L", (8, 8)))


@pytest.mark.parametrize("method", ["sefa", "ganspace"])
@pytest.mark.parametrize("name", RECIPES)
def test_directions_change_pictures_the_strongest_most(name: str, method: str) -> None:
    editor = Editor(made(name))
    found = editor.directions(method, 4)
    assert found.strength.tolist() == sorted(found.strength.tolist(), reverse=True)
    unit = found.vectors / found.vectors.norm(dim=1, keepdim=True)
    if method == "sefa" or editor.space.styled:
        torch.testing.assert_close(unit @ unit.T, torch.eye(len(unit)), rtol=1e-3, atol=1e-3)
    moved = editor.move([1, 2], found, 0, reach=2.0, frames=3).tensor
    assert len(moved) == 6
    torch.testing.assert_close(moved[1:2], editor.space.make(1, seed=1).tensor, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(moved[0], moved[2])
    with pytest.raises(UserError, match="numbered 0 to"):
        editor.move([1], found, 99)


def test_sefa_is_the_eigenvectors_of_the_affine_weights() -> None:
    editor = Editor(made("stylegan2"))
    weights = _affine(editor.space)
    assert len(weights) == editor.space.g.mapping.copies
    a = torch.cat([w / w.norm(dim=1, keepdim=True) for w in weights[1:3]]).double()
    found = editor.directions("sefa", 2, layers=(1, 3))
    values = torch.linalg.svdvals(a)
    torch.testing.assert_close(found.strength.double(), values[:2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close((a @ found.vectors[0].double()).norm(), values[0], rtol=1e-4, atol=1e-5)


def test_only_the_chosen_layers_move() -> None:
    editor = Editor(made("stylegan2"))
    way = Directions(torch.ones(1, 8), torch.ones(1), (0, 1))
    for layer in editor.space.g.synthesis.layers:
        layer.strength.zero_()
    first = editor.move([1], way, frames=2).tensor
    last = editor.move([1], Directions(torch.ones(1, 8), torch.ones(1), (5, 6)), frames=2).tensor
    assert not torch.allclose(first[0], last[0])


def test_films_move(tmp_path: Path) -> None:
    found = Editor(made("dcgan")).interpolate([1, 2], frames=3)
    path = film(found, tmp_path / "a" / "walk.gif", scale=2)
    with Image.open(path) as opened:
        assert opened.n_frames >= 2
        assert opened.size == (32, 32)
    with pytest.raises(UserError, match=r"\.gif, \.webp"):
        film(found, tmp_path / "walk.mp4")


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from gansmith.cli.edit import command

    make = made("stylegan2", CLASSED)
    make.save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    run: Callable[..., Any] = lambda *a: CliRunner().invoke(command, [str(x) for x in a], catch_exceptions=False)  # noqa: E731
    assert run("interpolate", "model", "1,2", "--frames", 3, "--label", "dog", "--out", "walk.gif").exit_code == 0
    assert run("classes", "model", "cat", "dog", "--frames", 2, "--out", "c.png").exit_code == 0
    assert run("mix", "model", "0-1", "3", "--layers", "0:2", "--out", "mix.png").exit_code == 0
    assert run("directions", "model", "1", "--frames", 3, "--out", "d.png").exit_code == 0
    told = run("invert", "model", "c.png", "--steps", 2, "--out", "i.png")
    assert told.exit_code == 0
    assert "pixels differ by" in told.output
    with Image.open("mix.png") as opened:
        assert opened.size == (2 * 16, 3 * 16)
    with pytest.raises(UserError, match="nothing is overwritten"):
        run("classes", "model", "cat", "dog", "--out", "c.png")
    assert "such as 1,2,5" in run("interpolate", "model", "a", "--out", "x.gif").output
