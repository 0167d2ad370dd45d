"""Standing statistics: batch normalisation of the weights that are sampled from, and of nothing else."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from gansmith import checkpoint
from gansmith.batch import Batch
from gansmith.nn.norm import ConditionalBatchNorm2d, PerClass, batch_norms, standing
from gansmith.pipelines.generate import load
from gansmith.recipes import dcgan, gan
from gansmith.recipes.base import Context, Networks, fold, sample, settle
from gansmith.spec import ImageSpec
from gansmith.testing import Noise
from gansmith.training.config import TrainConfig
from gansmith.training.runtime import Runtime
from gansmith.training.trainer import Trainer

SPEC = ImageSpec(size=16, channels=1, classes=("a", "b"), class_counts=(30, 10))
RECIPE = dcgan.DCGAN(width=4, latent=6, kernel=4, standing=3, half_life=100.0)


def statistics(net: nn.Module) -> list[Tensor]:
    return [t.clone() for layer in batch_norms(net) for t in (layer.running_mean, layer.running_var)]


def trained(out: Path, recipe: dcgan.DCGAN, samples: int = 96) -> Trainer:
    config = TrainConfig(batch=8, samples=samples, tick=32, save_every=10**6)
    trainer = Trainer(recipe, Noise(SPEC), config, out=out, recipe_name="dcgan", runtime=Runtime(1, "cpu"))
    trainer.fit()
    return trainer


def test_statistics_are_means_over_passes() -> None:
    layer = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)).double()
    layer.eval()
    layer[1].running_mean += 7
    seen = [torch.randn(5, 2, 4, 4, dtype=torch.float64) for _ in range(4)]
    with standing(layer):
        for x in seen:
            layer(x)
    inner = [layer[0](x).transpose(0, 1).flatten(1) for x in seen]
    torch.testing.assert_close(layer[1].running_mean, torch.stack([h.mean(1) for h in inner]).mean(0))
    torch.testing.assert_close(layer[1].running_var, torch.stack([h.var(1) for h in inner]).mean(0))
    assert (layer[1].momentum, layer[1].training) == (0.1, False)


def test_settling_twice_is_settling_once_and_moves_no_weight() -> None:
    nets = RECIPE.networks(SPEC).train()
    weights = deepcopy(dict(nets.named_parameters()))
    settle(RECIPE, nets, SPEC)
    once = statistics(nets.G)
    settle(RECIPE, nets, SPEC)
    assert all(torch.equal(a, b) for a, b in zip(once, statistics(nets.G), strict=True))
    assert all(torch.equal(p, weights[name]) for name, p in nets.named_parameters())
    assert all(module.training for module in nets.modules())


def test_passes_see_the_noise_and_labels_of_requests() -> None:
    seen: list[tuple[Tensor, Tensor]] = []

    class G(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(2)

        def forward(self, z: Tensor, y: Tensor) -> Tensor:
            seen.append((z, y))
            return self.norm(z)

    class Seen(dcgan.DCGAN):
        def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
            return nets.G(ctx.randn(batch, 2), batch["y"])

    settle(Seen(standing=3), Networks({"G": G()}), SPEC)
    z, y = (torch.cat(values) for values in zip(*seen, strict=True))
    assert [len(part) for part, _ in seen] == [64] * 3
    torch.testing.assert_close(z, Context(seed=fold("settle")).randn(Batch(x=z), 2))
    assert y.float().mean() == pytest.approx(0.25, abs=0.02), "classes come in the shares of the data"


def test_without_batch_normalisation_or_without_passes_nothing_is_done() -> None:
    for recipe in (gan.GAN(width=8, units=4), replace(RECIPE, standing=0)):
        nets = recipe.networks(SPEC)
        before = {name: t.clone() for name, t in nets.state_dict().items()}
        settle(recipe, nets, SPEC)
        assert all(torch.equal(t, before[name]) for name, t in nets.state_dict().items())


@pytest.mark.parametrize("half_life", [100.0, 0.0], ids=["averaged", "plain"])
def test_what_is_saved_is_settled_and_loads_to_the_same_samples(tmp_path: Path, half_life: float) -> None:
    recipe = replace(RECIPE, half_life=half_life)
    trainer = trained(tmp_path / "run", recipe)
    make = load(tmp_path / "run", device="cpu")
    make.nets.to(memory_format=torch.channels_last)  # as they are while they train: another order of sums
    stored = statistics(make.nets.G)
    settle(recipe, make.nets, SPEC)
    assert all(torch.equal(a, b) for a, b in zip(stored, statistics(make.nets.G), strict=True))
    wanted = sample(recipe, trainer.view.generator(), SPEC.request(9), seed=3)["x"]
    assert torch.equal(make(9, seed=3).tensor, wanted)
    if half_life:
        moving = statistics(trainer.nets.G)
        assert not any(torch.equal(a, b) for a, b in zip(stored, moving, strict=True)), "those of training stay theirs"


@pytest.mark.parametrize("half_life", [100.0, 0.0], ids=["averaged", "plain"])
def test_looking_changes_no_run(tmp_path: Path, half_life: float) -> None:
    recipe = replace(RECIPE, half_life=half_life)
    whole = trained(tmp_path / "whole", recipe)
    trained(tmp_path / "half", recipe, samples=48)
    config = TrainConfig(batch=8, samples=96, tick=16, save_every=24)
    again = Trainer(recipe, Noise(SPEC), config, out=tmp_path / "half", recipe_name="dcgan", resume=True)
    again.fit()
    for name in ("G", "G.ema", "D", "optim.G") if half_life else ("G", "D", "optim.G"):
        one, two = (checkpoint.read_tensors(checkpoint.newest(t.out)[0], name) for t in (whole, again))
        assert all(torch.equal(one[key], two[key]) for key in one), name


def test_statistics_follow_the_truncation(tmp_path: Path) -> None:
    class Cut(dcgan.DCGAN):
        honours = ("truncation",)

        def fake(self, nets: Networks, batch: Batch, ctx: Context) -> Tensor:
            z = 2 * ctx.rand(batch, self.latent) - 1
            return nets.G(z * batch["truncation"][:, None] if "truncation" in batch else z)

    recipe = Cut(width=4, latent=6)
    trained(tmp_path / "run", recipe)  # type: ignore[arg-type]
    make = load(tmp_path / "run", recipe=Cut, device="cpu")
    before = make(4).tensor
    cut = make(4, truncation=0.1).tensor
    assert torch.equal(make(4).tensor, before)
    raw = sample(recipe, make.nets, Batch(SPEC.request(4) | {"truncation": torch.full((4,), 0.1)}), seed=0)["x"]
    assert not torch.allclose(cut, raw), "statistics are those of full noise"
    assert torch.equal(make(4, truncation=0.1).tensor, cut)


def test_conditional_batch_norm_is_its_definition() -> None:
    layer = ConditionalBatchNorm2d(3, lambda n: PerClass(4, n)).double()
    x, y = torch.randn(6, 3, 5, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    torch.testing.assert_close(layer(x, y), (x - mean) / (variance + 1e-5).sqrt())
    with torch.no_grad():
        layer.gain.weight[1] = 1.0
        layer.bias.weight[1] = -3.0
    out = layer(x, y)
    plain = layer.norm(x)
    torch.testing.assert_close(out[1], 2 * plain[1] - 3)
    torch.testing.assert_close(out[0], plain[0])
