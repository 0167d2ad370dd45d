"""Published networks as models of this package: the same pictures and logits, by other names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import gansmith as gs
from gansmith import checkpoint
from gansmith.errors import DataError, RunFolderError
from gansmith.migration import convert, stylegan2, stylegan3
from gansmith.migration.records import Taking
from gansmith.recipes.base import Networks
from gansmith.spec import ImageSpec, spec_from_json

from . import computed
from . import published as there

CLASSES = 3
Kind = tuple[Any, Any, Callable[..., Tensor], Callable[..., Tensor]]  # G, D, pictures, logits


def kind(name: str, classes: int) -> Kind:
    """Fresh networks of a kind, as they are published, and what they compute."""
    if name == "r3gan":
        g, d = there.r3gan_generator(classes), there.r3gan_discriminator(classes)
        plain: Any = there.Plain
        made = there.network(g, {}, plain), there.network(d, {}, plain)
        return *made, lambda *x: computed.r3gan_pictures(g, *x), lambda *x: computed.r3gan_logits(d, *x)
    flat_d, of_d = there.stylegan2_discriminator(classes, residual=name != "stylegan2-orig")
    d = there.network(flat_d, of_d)
    if name.startswith("stylegan2"):
        flat, of_g = there.stylegan2_generator(classes)
        pictures: Callable[..., Tensor] = lambda *x: computed.stylegan2_pictures(flat, *x)  # noqa: E731
    else:
        flat, of_g = there.stylegan3_generator(name.endswith("-r"), classes)
        pictures = lambda *x: computed.stylegan3_pictures(flat, name.endswith("-r"), *x)  # noqa: E731
    return there.network(flat, of_g), d, pictures, lambda *x: computed.stylegan2_logits(flat_d, *x)


def whole(folder: Path) -> Networks:
    """All networks of a converted model in float64, with their trained weights."""
    document = checkpoint.read_document(folder, "recipe")
    recipe = gs.load(folder).recipe
    nets = recipe.networks(spec_from_json(document["spec"]))
    for name in document["networks"]:
        checkpoint.load_into(nets[name], checkpoint.read_tensors(folder, name), what=name)
    return nets.double().eval().requires_grad_(False)


NAMES = ["stylegan2", "stylegan2-orig", "stylegan3-t", "stylegan3-r", "r3gan"]


@pytest.mark.parametrize("classes", [0, CLASSES])
@pytest.mark.parametrize("name", NAMES)
def test_a_published_network_computes_the_same_here(name: str, classes: int, tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    g, d, pictures, logits = kind(name, classes)
    file = there.save(tmp_path / "x.pkl", {"G": g, "D": d, "G_ema": g, "augment_pipe": None})
    done = convert(file, tmp_path / "model", preview=False)
    assert done.name == name.split("-")[0]
    nets = whole(tmp_path / "model")
    latent = 6 if name == "r3gan" else 8
    z = torch.randn(2, latent, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    y = (torch.tensor([2, 0]),) if classes else ()
    wanted = pictures(z, *y)
    assert float(wanted.std()) > 0.05
    torch.testing.assert_close(nets.G(z, *y), wanted, rtol=2e-5, atol=2e-5)
    torch.testing.assert_close(nets.D(wanted, *y), logits(wanted, *y), rtol=2e-5, atol=2e-5)


def fitted(family: Any, g: Any) -> tuple[Any, Any, dict[str, Tensor]]:
    """Recipe, spec and tensors of a generator without numbers, held to the shapes of the recipe's own."""
    take = Taking(g, "G_ema")
    recipe, spec, _ = family.recipe_of(take, None, ())
    with torch.device("meta"):
        own = recipe.networks(spec).G
        given = family.generator(take, recipe, spec)
    for name, parameter in own.named_parameters():
        assert given[name].shape == parameter.shape, name
    assert {name for name in given if name not in own.state_dict()} == set()
    assert take.left() == []
    return recipe, spec, given


def test_stylegan2_at_its_published_size() -> None:
    """FFHQ at 1024 pixels: 28,794,124 parameters with two layers of mapping, 182 tensors with eight, as published."""
    sides = [4 * 2**i for i in range(9)]
    widths = [min(32768 // side, 512) for side in sides]
    for depth, parameters in ((2, 28_794_124), (8, 30_370_060)):
        shapes = there.stylegan2_shapes(sides, widths, style=512, depth=depth)
        filters = there.stylegan2_filters(sides)
        known = [shape for name, shape in shapes.items() if name.rpartition(".")[2] not in there.BUFFERS]
        assert sum(torch.Size(shape).numel() for shape in known) == parameters
        assert len(shapes) + len(filters) == 166 + 2 * depth
        recipe, spec, _ = fitted(stylegan2, there.described(shapes, filters, {}))
        assert (recipe.base, recipe.widest, recipe.depth, spec.size) == (32768, 512, depth, 1024)


@pytest.mark.parametrize("turns", [False, True], ids="TR")
def test_stylegan3_at_its_published_sizes(turns: bool) -> None:
    """FFHQ at 1024 pixels: layers of the published names."""
    plan = there.stylegan3_plan(turns, 1024, 14, 10, 32768, 512)
    names = [here["name"].removeprefix("synthesis.") for here in plan]
    if turns:
        assert names[7:10] == ["L7_276_645", "L8_276_406", "L9_532_256"]
    else:
        assert names == [
            "L0_36_512", "L1_36_512", "L2_52_512", "L3_52_512", "L4_84_512", "L5_148_512", "L6_148_512", "L7_276_323",
            "L8_276_203", "L9_532_128", "L10_1044_81", "L11_1044_51", "L12_1044_32", "L13_1024_32", "L14_1024_3",
        ]  # fmt: skip
    shapes = there.stylegan3_shapes(plan, turns, style=512)
    settings = {"": {"img_resolution": 1024}, "synthesis": {"margin_size": 10, "num_critical": 2}}
    recipe, *_ = fitted(stylegan3, there.described(shapes, {}, settings))
    assert (recipe.config, recipe.base, recipe.widest, recipe.layers) == ("R" if turns else "T", 32768, 512, 14)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_any_protocol_is_read_alike(protocol: int, tmp_path: Path) -> None:
    g, d, *_ = kind("stylegan3-t", 0)
    file = there.save(tmp_path / "x.pkl", there.EasyDict(G_ema=g, D=d, training_set_kwargs=None), protocol)
    done = convert(file, tmp_path / "model", preview=False)
    assert done.recipe.config == "T"
    assert (done.recipe.layers, done.recipe.base, done.recipe.widest, done.recipe.taps) == (4, 64, 8, 4)
    assert done.recipe.group == 2


def test_it_loads_samples_and_says_what_was_left(tmp_path: Path) -> None:
    g, d, *_ = kind("stylegan2", CLASSES)
    average, *_ = kind("stylegan2", CLASSES)
    with torch.no_grad():
        average.synthesis.b4.const.zero_()
    pipe = there.network({"p": torch.tensor(0.5)}, {})
    file = there.save(tmp_path / "x.pkl", {"G": g, "D": d, "G_ema": average, "augment_pipe": pipe})
    done = convert(file, tmp_path / "model", classes=("cat", "dog", "owl"), licence="ours")
    make = gs.load(tmp_path / "model")
    assert isinstance(make.spec, ImageSpec)
    assert make.spec.classes == ("cat", "dog", "owl")
    assert make(4, seed=1, label="dog", truncation=0.7).tensor.shape == (4, 3, 16, 16)
    assert float(make.nets.G.synthesis.constant.abs().max()) == 0  # the average, not the trained one
    assert float(whole(tmp_path / "model").G.synthesis.constant.abs().max()) > 0
    assert make.licence == "ours"
    assert (tmp_path / "model" / "preview.png").exists()
    said = "\n".join(done.lines())
    assert "stylegan2, pictures of 16 x 16 x 3 in 3 classes" in said
    assert "not carried over: augment_pipe of the file" in said
    assert "not carried over: D.b4.mbstd.unused" in said
    assert "D: 26 tensors carried over" in said
    assert "resample_filter" not in said


def test_each_class_has_its_own_mean_style_then(tmp_path: Path) -> None:
    g, *_ = kind("stylegan2", CLASSES)
    convert(there.save(tmp_path / "x.pkl", {"G_ema": g}), tmp_path / "model", preview=False)
    mapping = gs.load(tmp_path / "model").nets.G.mapping
    for y in range(CLASSES):
        ws = mapping(torch.randn(4000, 8), torch.full((4000,), y))[:, 0]
        assert float((mapping.w_avg[y] - ws.mean(0)).norm() / ws.std(0).norm()) < 0.2
    plain, *_ = kind("stylegan2", 0)
    convert(there.save(tmp_path / "y.pkl", {"G_ema": plain}), tmp_path / "plain", preview=False)
    torch.testing.assert_close(gs.load(tmp_path / "plain").nets.G.mapping.w_avg, plain.mapping.w_avg.detach()[None])


def test_a_run_may_begin_with_it(tmp_path: Path) -> None:
    g, d, *_ = kind("r3gan", 0)
    done = convert(there.save(tmp_path / "x.pkl", {"G": g, "D": d, "G_ema": g}), tmp_path / "model", preview=False)
    data = torch.randint(0, 255, (24, 16, 16, 3), dtype=torch.uint8).numpy()
    run = gs.train(
        data, recipe=done.recipe, start_from=tmp_path / "model", out=tmp_path / "run", batch=8, samples=8,
        monitors=[], tell=lambda _: None,
    )  # fmt: skip
    first = sorted(run.glob("step-*"))[0]
    for name in "GD":
        model = checkpoint.read_tensors(tmp_path / "model", name)
        assert all(torch.equal(v, model[k]) for k, v in checkpoint.read_tensors(first, name).items() if k in model)


def test_g_alone_is_enough(tmp_path: Path) -> None:
    g, *_ = kind("stylegan2", 0)
    done = convert(there.save(tmp_path / "a.pkl", {"G": g}), tmp_path / "a", preview=False)
    assert "not carried over: D, for the file has none" in "\n".join(done.lines())
    assert set(gs.load(tmp_path / "a").nets) == {"G"}
    convert(there.save(tmp_path / "b.pkl", g), tmp_path / "b", preview=False)
    flat, settings = there.stylegan2_discriminator()
    odd = there.network({**flat, "b8.fromrgb.weight": torch.zeros(8, 3, 1, 1)}, settings)
    done = convert(there.save(tmp_path / "c.pkl", {"G_ema": g, "D": odd}), tmp_path / "c", preview=False)
    assert "D, for every block of it reads the picture" in "\n".join(done.lines())
    del flat["b4.conv.weight"]
    odd = there.network(flat, settings)
    done = convert(there.save(tmp_path / "d.pkl", {"G_ema": g, "D": odd}), tmp_path / "d", preview=False)
    assert "lacks b4.conv.weight" in "\n".join(done.lines())


def broken(change: Callable[[Any, Any], None], name: str = "stylegan2") -> Any:
    if name == "stylegan2":
        flat, settings = there.stylegan2_generator()
    else:
        flat, settings = there.stylegan3_generator()
    change(flat, settings)
    return there.network(flat, settings)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("stylegan2", lambda t, s: t.pop("synthesis.b8.torgb.weight"), "kind 'skip'"),
        ("stylegan2", lambda t, s: s["synthesis.b8.conv1"].update(activation="swish"), "leaky ReLU"),
        ("stylegan2", lambda t, s: t["synthesis.b8.resample_filter"].mul_(2), r"not \[1, 3, 3, 1\]"),
        ("stylegan2", lambda t, s: t.pop("synthesis.b8.conv0.affine.bias"), "lacks synthesis.b8.conv0.affine.bias"),
        ("stylegan2", lambda t, s: t.update({"synthesis.b8.conv1.bias": torch.zeros(7)}), r"\(7,\), wanted \(8,\)"),
        ("stylegan3", lambda t, s: s["synthesis"].update(output_scale=1.0), "scaled by 1.0"),
        ("stylegan3", lambda t, s: s["synthesis.L1_22_8"].update(out_cutoff=3.0), "L1_22_8 has out_cutoff 3"),
    ],
)
def test_what_is_computed_otherwise_is_refused(name: str, change: Any, told: str, tmp_path: Path) -> None:
    file = there.save(tmp_path / "x.pkl", {"G_ema": broken(change, name)})
    with pytest.raises(DataError, match=told):
        convert(file, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_nothing_is_overwritten_and_names_must_be_as_many(tmp_path: Path) -> None:
    g, *_ = kind("stylegan2", CLASSES)
    file = there.save(tmp_path / "x.pkl", {"G_ema": g})
    with pytest.raises(DataError, match="knows 3 classes; give as many names, not: 1"):
        convert(file, tmp_path / "model", classes=("cat",))
    (tmp_path / "model").mkdir()
    with pytest.raises(RunFolderError, match="nothing is overwritten"):
        convert(file, tmp_path / "model")


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gansmith.cli.convert import command

    monkeypatch.chdir(tmp_path)
    g, d, *_ = kind("r3gan", CLASSES)
    there.save(tmp_path / "birds.pkl", {"G": g, "D": d, "G_ema": g})
    told = CliRunner().invoke(command, ["birds.pkl", "--classes", "cat, dog,owl"], catch_exceptions=False)
    assert told.exit_code == 0, told.output
    assert "r3gan, pictures of 16 x 16 x 3 in 3 classes, in runs/birds" in told.output
    assert "next: gansmith generate runs/birds" in told.output
    assert gs.load("runs/birds")(2, label="owl").tensor.shape == (2, 3, 16, 16)
