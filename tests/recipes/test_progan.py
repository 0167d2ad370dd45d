"""ProGAN: the paper's sizes, growth by samples seen, stages that sleep, restarts within a stage and within a fade."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import gansmith as gs
from gansmith.batch import Batch
from gansmith.data import ImageSource
from gansmith.errors import SpecError
from gansmith.recipes import progan
from gansmith.recipes.base import Context, Networks, sample
from gansmith.recipes.progan import ProGAN, Stage
from gansmith.schedule import at
from gansmith.spec import ImageSpec
from gansmith.training.monitors import SampleGrid

SPEC = ImageSpec(size=16, channels=3)
TINY = ProGAN(latent=6, width=8, wide_until=8, stable=64, fade=96, half_life=40.0)
MOMENTS = [  # of TINY: samples, number of the stage, fade
    (0, 0, 1.0),
    (63, 0, 1.0),
    (64, 1, 0.0),
    (88, 1, 0.25),
    (160, 1, 1.0),
    (223, 1, 1.0),
    (224, 2, 0.0),
    (272, 2, 0.5),
    (320, 2, 1.0),
    (10**9, 2, 1.0),
]


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_paper_has_the_published_numbers_of_parameters() -> None:
    """23.1 million each at 1024 pixels (table 2); those of the outputs of smaller stages are few."""
    spec = ImageSpec(size=1024)
    with torch.device("meta"):
        nets = progan.paper(spec).networks(spec)
    assert round(count(nets.G) / 1e6, 1) == 23.1
    assert round(count(nets.D) / 1e6, 1) == 23.1
    widths = [layer.in_channels for layer in nets.G.to_picture]
    assert widths == [512, 512, 512, 512, 256, 128, 64, 32, 16]


def test_paper_has_the_papers_settings() -> None:
    recipe, cifar = progan.paper(ImageSpec(size=1024)), progan.paper(ImageSpec(size=32))
    assert recipe.hyper("G", 0) == {"lr": 1e-3, "betas": (0.0, 0.99)}
    assert recipe.sizes[:4] == ((0, 4), (800_000, 8), (2_400_000, 16), (4_000_000, 32))
    assert (recipe.game.gp, recipe.game.gp_norm, recipe.game.drift) == (10.0, 1.0, 1e-3)
    assert cifar.game.gp_norm == 750.0
    decay = 0.5 ** (16 / at(recipe.half_life, 0))
    assert decay == pytest.approx(0.999, abs=2e-5)


@pytest.mark.parametrize("preset", [progan.paper, progan.small])
@pytest.mark.parametrize(("size", "channels"), [(8, 3), (32, 1), (128, 4), (1024, 3)])
def test_presets_build_and_every_stage_has_its_size(preset: Any, size: int, channels: int) -> None:
    spec = ImageSpec(size=size, channels=channels)
    recipe = preset(spec)
    with torch.device("meta"):
        nets = recipe.networks(spec)
        for stage in range(len(nets.G.blocks)):
            for fade in (0.5, 1.0) if stage else (1.0,):
                x = nets.G(torch.zeros(4, recipe.latent), stage, fade)
                assert x.shape == (4, channels, 4 << stage, 4 << stage)
                assert nets.D(x, stage, fade).shape == (4,)
    assert x.shape[-1] == size


@pytest.mark.parametrize(("samples", "number", "fade"), MOMENTS)
def test_the_stage_is_a_function_of_the_samples_seen(samples: int, number: int, fade: float) -> None:
    nets = TINY.networks(SPEC)
    assert TINY.stage(nets, samples) == Stage(number, fade)
    assert TINY.phases()["G"].size(samples) in (4 << number, 32 << 5)
    steps = replace(TINY, fade=0)
    assert [steps.stage(nets, n) for n in (63, 64, 127, 128, 999)] == [Stage(n, 1.0) for n in (0, 1, 1, 2, 2)]
    whole = replace(TINY, stable=0, fade=0)
    assert whole.stage(nets, 0) == Stage(2, 1.0)


def test_g_fades_from_doubled_pictures_to_new_ones() -> None:
    torch.manual_seed(0)
    g, z = TINY.networks(SPEC).G.double(), torch.randn(3, 6, dtype=torch.float64)
    below, new = g(z, 1), g(z, 2, 1.0)
    doubled = below.repeat_interleave(2, 2).repeat_interleave(2, 3)
    for fade in (0.0, 0.3, 0.9):
        torch.testing.assert_close(g(z, 2, fade), (1 - fade) * doubled + fade * new)


def test_d_fades_from_what_the_stage_below_sees() -> None:
    torch.manual_seed(0)
    d, x = TINY.networks(SPEC).D.double(), torch.randn(4, 3, 16, 16, dtype=torch.float64)
    torch.testing.assert_close(d(x, 2, 0.0), d(F.avg_pool2d(x, 2), 1))
    mixed = 0.7 * d.from_picture[1](F.avg_pool2d(x, 2)) + 0.3 * d.blocks[0](d.from_picture[0](x))
    wanted = d.head(d.end(d.blocks[1](mixed))).flatten()
    torch.testing.assert_close(d(x, 2, 0.3), wanted)


def test_the_first_stage_by_its_definition() -> None:
    """z on the sphere, a dense layer, 3x3 convolution, leaky rectifiers and pixel norms, He's constants in the pass."""
    torch.manual_seed(0)
    g, z = TINY.networks(SPEC).G.double(), torch.randn(3, 6, dtype=torch.float64)
    g.bias.data.normal_()

    def normed(x: Tensor) -> Tensor:
        x = torch.where(x > 0, x, 0.2 * x)
        return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()

    unit = z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()
    x = (unit @ g.spread.weight.T * (2 / (6 * 16)) ** 0.5).view(3, 8, 4, 4) + g.bias
    conv = g.blocks[0][2][0]
    x = normed(F.conv2d(normed(x), conv.weight * (2 / 72) ** 0.5, conv.bias, padding=1))
    last = g.to_picture[0]
    torch.testing.assert_close(g(z, 0), F.conv2d(x, last.weight * (1 / 8) ** 0.5, last.bias))


@pytest.mark.parametrize(("samples", "number", "fade"), [m for m in MOMENTS if m[0] < 10**6])
def test_only_stages_in_use_compute_and_learn(samples: int, number: int, fade: float) -> None:
    nets, batch = TINY.networks(SPEC), Batch(x=torch.rand(4, 3, 16, 16) * 2 - 1)
    for name in "DG":
        nets.zero_grad()
        losses = TINY.phases()[name].loss(nets, batch, Context(samples=samples))
        assert set(losses) == ({"adv", "gp", "drift"} if name == "D" else {"adv"})
        torch.stack([v.mean() for v in losses.values()]).sum().backward()
    used = {number, number - 1} if fade < 1 else {number}
    outputs = [layer.weight.grad is not None for layer in nets.G.to_picture]
    inputs = [layer[0].weight.grad is not None for layer in reversed(nets.D.from_picture)]
    assert outputs == inputs == [i in used for i in range(3)]
    assert [block[-1][0].weight.grad is not None for block in nets.G.blocks] == [i <= number for i in range(3)]


def test_real_pictures_are_mixed_as_those_of_g_are() -> None:
    nets, batch, seen = TINY.networks(SPEC), Batch(x=torch.rand(2, 3, 16, 16) * 2 - 1), []

    def look(nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        seen.append(batch["x"])
        return {}

    for samples in (0, 88, 200, 10**9):
        TINY.at_stage(look, nets, batch, Context(samples=samples))
        assert int(nets.G.samples) == samples
    x = {size: F.avg_pool2d(batch["x"], 16 // size) for size in (4, 8, 16)}
    doubled = x[4].repeat_interleave(2, 2).repeat_interleave(2, 3)
    for got, wanted in zip(seen, (x[4], 0.75 * doubled + 0.25 * x[8], x[8], x[16]), strict=True):
        torch.testing.assert_close(got, wanted)


def test_pictures_are_whole_at_every_moment() -> None:
    nets, made = TINY.networks(SPEC).eval(), {}
    for samples, number, _ in MOMENTS:
        nets.G.samples.fill_(samples)
        x = made[samples] = sample(TINY, nets, SPEC.request(2), seed=0)["x"]
        assert x.shape == (2, 3, 16, 16)
        side = 16 // (4 << number)
        squares = x.unfold(2, side, side).unfold(3, side, side).flatten(4)
        assert torch.equal(squares, squares[..., :1].expand_as(squares))
    assert not torch.equal(made[88], made[160])
    assert torch.equal(made[64], made[63]), "a stage that has just begun shows what was there, doubled"


def test_sizes_it_cannot_make() -> None:
    with pytest.raises(SpecError, match="progan cannot make pictures of 48"):
        TINY.networks(ImageSpec(size=48))


class Watched(ImageSource):
    """Pictures of squares; it notes the sides that it served."""

    served: ClassVar[list[int]] = []

    def __init__(self) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (96, 4, 4, 3), dtype=np.uint8)
        super().__init__(noise.repeat(4, 1).repeat(4, 2))

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        made = super().batch(rows, device)
        self.served.append(made["x"].shape[-1])
        return made


def trained(out: Path, samples: int, **options: Any) -> gs.Trainer:
    config = gs.TrainConfig(batch=8, samples=samples, tick=80, save_every=10**6)
    trainer = gs.Trainer(TINY, Watched(), config, out=out, monitors=[SampleGrid(4)], **options)
    trainer.fit()
    return trainer


def state(trainer: gs.Trainer) -> dict[str, Tensor]:
    """Weights, buffers, averages and optimizer state."""
    nets = {**trainer.nets, **{f"{name}.ema": net for name, net in trainer.averages.nets.items()}}
    found = {f"{name}.{key}": v for name, net in nets.items() for key, v in net.state_dict().items()}
    for trains, optimizer in trainer.optimizers.items():
        for i, entries in optimizer.state_dict()["state"].items():
            found |= {f"{trains}.{i}.{key}": torch.as_tensor(v) for key, v in entries.items()}
    return found


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> gs.Trainer:
    """A run from the first stage into the last one."""
    Watched.served.clear()
    return trained(tmp_path_factory.mktemp("progan") / "run", 336)


def test_the_source_serves_each_stage_its_size(straight: gs.Trainer) -> None:
    assert Watched.served[: 2 * 42] == [4] * 2 * 8 + [8] * 2 * 20 + [16] * 2 * 14
    assert len(list((straight.out / "samples").glob("*.png"))) == 6


@pytest.mark.parametrize("at_samples", [32, 64, 104, 200, 264], ids=["stage", "seam", "fade", "stage 2", "fade 2"])
def test_a_restart_changes_nothing(at_samples: int, straight: gs.Trainer, tmp_path: Path) -> None:
    """Mid-stage and mid-fade, to the bit: weights, averages, moments of the optimizers that are there so far."""
    trained(tmp_path / "run", at_samples)
    again = state(trained(tmp_path / "run", 336, resume=True))
    wanted = state(straight)
    assert again.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(again[name], value), name


def test_a_generator_saved_within_a_fade_makes_pictures_of_that_moment(tmp_path: Path) -> None:
    trainer = trained(tmp_path / "run", 120)
    assert int(trainer.nets.G.samples) == int(trainer.averages.nets["G"].samples) == 112
    make = gs.load(tmp_path / "run")
    made = make(3, seed=5).tensor
    wanted = trainer.view.generate(trainer.source.spec.request(3), seed=5)["x"]
    torch.testing.assert_close(made, wanted)
    assert make.recipe.stage(make.nets, int(make.nets.G.samples)) == Stage(1, 0.5)
    make.save(tmp_path / "packed")
    torch.testing.assert_close(gs.load(tmp_path / "packed")(3, seed=5).tensor, made)
    make.nets.G.samples.fill_(136)
    assert not torch.equal(make(3, seed=5).tensor, made)


@pytest.mark.parametrize(("samples", "warned"), [(224, True), (225, False)])
def test_a_run_too_short_to_grow_is_warned_of(samples: int, warned: bool, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (96, 16, 16, 3), dtype=np.uint8)
    gs.train(pictures, recipe=TINY, size=16, batch=8, samples=samples, dry_run=True)
    said = "ends at 224 samples, and ProGAN begins with pictures of 16 pixels at 224" in capsys.readouterr().err
    assert said == warned
