"""LAPGAN: the pyramid, its levels each by itself, sampling from coarse to fine, its stages in the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

import gansmith as gs
from gansmith.batch import Batch
from gansmith.data import ImageSource
from gansmith.errors import ConfigError, DataError, SpecError
from gansmith.recipes import lapgan
from gansmith.recipes.base import Context, Networks, sample, sample_stages
from gansmith.recipes.lapgan import LAPGAN, doubled
from gansmith.spec import ImageSpec
from gansmith.testing import Noise, check_micro_batches, check_resume
from gansmith.training.monitors import SampleGrid

SPEC = ImageSpec(size=16, channels=3, classes=("a", "b", "c"))
TINY = LAPGAN(
    sizes=(4, 8, 16), latent=6, g_units=12, d_units=8, g_widths=(8, 6), d_widths=(6, 8), kernel=3, game=gs.GAN().game
)


def test_doubling_is_linear_between_pixels_and_flat_at_the_border() -> None:
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    matrix = torch.zeros(8, 4, dtype=torch.float64)
    for i in range(8):
        near, far = i // 2, i // 2 + (1 if i % 2 else -1)
        matrix[i, near] += 0.75
        matrix[i, min(max(far, 0), 3)] += 0.25
    torch.testing.assert_close(doubled(x, 8), matrix @ x @ matrix.T)


def test_levels_see_their_own_pictures_and_those_below_doubled() -> None:
    batch, seen = Batch(x=torch.rand(2, 3, 16, 16) * 2 - 1, index=torch.arange(2)), {}

    def look(nets, level, ctx):
        seen[level["x"].shape[-1]] = level
        return {}

    for k in (2, 1, 0):
        TINY.at_level(k, look, Networks(), batch, Context())
    means = {16: batch["x"]} | {s: torch.nn.functional.avg_pool2d(batch["x"], 16 // s) for s in (8, 4)}
    assert sorted(seen) == [4, 8, 16]
    assert "low" not in seen[4]
    for size, level in seen.items():
        torch.testing.assert_close(level["x"], means[size])
        assert level["index"] is batch["index"]
    torch.testing.assert_close(seen[16]["low"], doubled(means[8], 16))
    torch.testing.assert_close(seen[8]["low"], doubled(means[4], 8))


def test_every_level_has_its_own_phases_and_sizes() -> None:
    phases = TINY.phases()
    assert list(phases) == ["D2", "G2", "D1", "G1", "D0", "G0"]
    assert [phase.trains for phase in phases.values()] == [(name,) for name in phases]
    assert [phase.size(0) for phase in phases.values()] == [4, 4, 8, 8, 16, 16]


def test_a_level_learns_alone() -> None:
    """Its loss depends on its own two networks and on nothing else."""
    nets, batch = TINY.networks(SPEC), Batch(x=torch.rand(4, 3, 16, 16) * 2 - 1, y=torch.tensor([0, 1, 2, 0]))
    for name, phase in TINY.phases().items():
        nets.zero_grad()
        torch.stack([v.mean() for v in phase.loss(nets, batch, Context()).values()]).sum().backward()
        reached = {n.split(".")[0] for n, p in nets.named_parameters() if p.grad is not None}
        assert reached <= {f"G{name[1]}", f"D{name[1]}"}
        assert name in reached


def test_sampling_goes_from_coarse_to_fine() -> None:
    nets, request = TINY.networks(SPEC).eval(), SPEC.request(5)
    made, stages = sample(TINY, nets, request, seed=1)["x"], sample_stages(TINY, nets, request, seed=1)
    assert list(stages) == ["4 x 4", "8 x 8", "16 x 16"]
    assert torch.equal(stages["16 x 16"]["x"], made)
    assert all(stage["x"].shape == (5, 3, 16, 16) for stage in stages.values())
    assert (stages["4 x 4"]["x"].unfold(2, 4, 4).unfold(3, 4, 4).flatten(4).std(-1) == 0).all()
    with torch.no_grad():
        nets.G0.out.weight.zero_()
        nets.G0.out.bias.zero_()
    flat = sample_stages(TINY, nets, request, seed=1)
    for name in ("4 x 4", "8 x 8"):
        assert torch.equal(flat[name]["x"], stages[name]["x"]), "a finer level does not change a coarser one"
    low = doubled(flat["8 x 8"]["x"][..., ::2, ::2], 16)
    torch.testing.assert_close(flat["16 x 16"]["x"], low, msg="a G of nothing leaves the doubled picture")


def test_classes_are_told_to_both_players_unless_unwanted() -> None:
    torch.manual_seed(0)
    nets, x = TINY.networks(SPEC), torch.rand(2, 3, 16, 16)
    y, other = torch.tensor([0, 1]), torch.tensor([1, 1])
    assert (nets.D0(x, y) != nets.D0(x, other)).tolist() == [True, False]
    assert (nets.D2(x[..., :4, :4], y) != nets.D2(x[..., :4, :4], other)).tolist() == [True, False]
    assert not torch.equal(nets.G2(torch.zeros(2, 6), y)[0], nets.G2(torch.zeros(2, 6), other)[0])
    low, noise = x, torch.zeros(2, 1, 16, 16)
    assert not torch.equal(nets.G0(low, noise, y)[0], nets.G0(low, noise, other)[0])
    with pytest.raises(DataError, match="labels"):
        nets.D0(x)
    untold = replace(TINY, conditional=False)
    made = sample(untold, untold.networks(SPEC), SPEC.request(3), seed=0)
    assert made["x"].shape == (3, 3, 16, 16)
    assert made["y"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("preset", [lapgan.paper, lapgan.small])
@pytest.mark.parametrize("size", lapgan.SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_presets_build(preset, size: int, channels: int) -> None:
    spec = ImageSpec(size=size, channels=channels, classes=("a", "b"))
    recipe = preset(spec)
    with torch.device("meta"):
        nets, y = recipe.networks(spec), torch.zeros(2, dtype=torch.int64)
        top = len(recipe.sizes) - 1
        x = nets[f"G{top}"](torch.zeros(2, recipe.latent), y)
        assert nets[f"D{top}"](x, y).shape == (2,)
        for k, side in zip(reversed(range(top)), recipe.sizes[1:], strict=True):
            x = doubled(x, side)
            x = x + nets[f"G{k}"](x, torch.zeros(2, 1, side, side), y)
            assert nets[f"D{k}"](x, y).shape == (2,)
    assert x.shape == (2, channels, size, size)


def test_the_papers_networks() -> None:
    """LSUN: 4 to 64 pixels, five layers in G and three and a linear one in D; CIFAR-10: three and two."""
    lsun, cifar = lapgan.paper(ImageSpec(size=64)), lapgan.paper(ImageSpec(size=32))
    assert (lsun.sizes, cifar.sizes) == ((4, 8, 16, 32, 64), (8, 16, 32))
    with torch.device("meta"):
        nets = lsun.networks(ImageSpec(size=64))
    convolutions = [m for m in nets.G0.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels, m.kernel_size[0]) for m in convolutions] == [
        (4, 64, 7), (64, 368, 7), (368, 128, 7), (128, 224, 7), (224, 3, 7)
    ]  # fmt: skip
    assert [m.out_channels for m in nets.D0.modules() if isinstance(m, torch.nn.Conv2d)] == [48, 448, 416]
    assert [m.out_features for m in nets.G4.modules() if isinstance(m, torch.nn.Linear)] == [1200, 1200, 48]
    epochs = 50_000
    assert [round(cifar.hyper("G0", n * epochs)["momentum"], 4) for n in (0, 10, 375, 1000)] == [0.5, 0.508, 0.8, 0.8]
    assert cifar.hyper("D2", epochs)["lr"] == pytest.approx(0.02 / 1.0004)


def test_sizes_that_are_no_pyramid_of_the_pictures() -> None:
    with pytest.raises(SpecError, match=r"ends at 16 pixels, the pictures have 32.*\[8, 16, 32\]"):
        TINY.networks(replace(SPEC, size=32))
    with pytest.raises(ConfigError, match=r"each of recipe\.sizes must divide the next"):
        replace(TINY, sizes=(8, 4, 16)).networks(SPEC)
    with pytest.raises(SpecError, match="lapgan cannot make pictures of 48"):
        TINY.networks(replace(SPEC, size=48))


def test_steps_and_two_levels_are_possible() -> None:
    """Levels need not double: 4 to 16 pixels at once."""
    recipe = replace(TINY, sizes=(4, 16))
    assert sample(recipe, recipe.networks(SPEC), SPEC.request(2), seed=0)["x"].shape == (2, 3, 16, 16)


def test_micro_batches_and_resuming_agree_without_batch_normalisation() -> None:
    check_micro_batches(TINY, Noise(SPEC))
    check_resume(replace(TINY, game=replace(TINY.game, r1=1.0), half_life=100.0), Noise(SPEC), 4)


def test_statistics_of_batch_normalisation_are_taken_anew() -> None:
    recipe = replace(TINY, norm=True, standing=2)
    nets = recipe.networks(SPEC).eval()
    requests = (SPEC.request(64, start=64 * i) for i in range(10**6))
    recipe.settle(nets, requests, Context())
    norms = [m for m in nets.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 4
    assert all(int(m.num_batches_tracked) == 2 for m in norms)
    assert all(not m.training for m in norms)


def test_the_report_shows_every_level(tmp_path: Path) -> None:
    """From a real source, which serves each level its pictures."""
    pictures = np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), dtype=np.uint8)

    class Watched(ImageSource):
        served: ClassVar[list[int]] = []

        def batch(self, rows, device):
            made = super().batch(rows, device)
            self.served.append(made["x"].shape[-1])
            return made

    run = gs.train(
        Watched(pictures), out=tmp_path / "run", recipe=replace(TINY, half_life=50.0), batch=8, samples=32, tick=16,
        monitors=[SampleGrid(12)],
    )  # fmt: skip
    assert Watched.served == [4, 4, 8, 8, 16, 16] * 4
    files = sorted((run / "samples" / "stages").glob("*.png"))
    assert [int(f.stem) for f in files] == [0, 16, 32]
    with Image.open(files[-1]) as sheet, Image.open(sorted((run / "samples").glob("*.png"))[-1]) as grid:
        assert json.loads(sheet.info["stages"]) == ["4 x 4", "8 x 8", "16 x 16"]
        assert sheet.size == (8 * 16, 3 * 16)
        first = np.asarray(grid.convert("RGB"))[:16, :16]
        np.testing.assert_array_equal(np.asarray(sheet.convert("RGB"))[32:48, :16], first)
    text = (run / "report.html").read_text(encoding="utf-8")
    assert "Stage by stage" in text
    assert "<li>4 x 4</li><li>8 x 8</li><li>16 x 16</li>" in text
    assert (gs.load(run)(3, seed=0).tensor.shape) == (3, 3, 16, 16)
