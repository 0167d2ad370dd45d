"""What an adapted G keeps of its source, against its definition and over every recipe that has a game."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gansmith.game import correspondence as kept
from gansmith.game.correspondence import correspondence, heard, widest_of_each_size
from gansmith.pipelines import catalogue
from gansmith.recipes.base import Context, Networks
from gansmith.spec import ImageSpec
from gansmith.testing import Noise, check_micro_batches, check_phases, check_resume

SPEC = ImageSpec(size=16, channels=3, classes=("a", "b", "c"), class_counts=(14, 13, 13))
RESNET = {"width": 8, "widest": 8, "d_width": 8, "d_widest": 8}
STYLES = {"base": 64, "widest": 8, "latent": 8, "style": 8}
NARROW: dict[str, dict[str, Any]] = {
    "gan": {"width": 16},
    "dcgan": {"width": 8, "widest": 16},
    "acgan": {"width": 24, "d_width": 2},
    "biggan": RESNET,
    "r3gan": {"width": 16, "group": 8, "latent": 8},
    "lapgan": {"latent": 8, "g_units": 16, "d_units": 16},
    "progan": {"width": 8, "latent": 8, "stable": 16, "fade": 56},
    "stylegan2": STYLES,
    "stylegan3": STYLES | {"layers": 4},
}


def small(name: str) -> Any:
    recipe: Any = catalogue.build(catalogue.find(name), SPEC, "small", NARROW[name])
    return replace(recipe, game=replace(recipe.game, correspondence=5.0))


def by_definition(now: Tensor, source: Tensor) -> list[float]:
    """Plain loops over one layer and one group."""
    found = []
    for i in range(len(now)):
        shares = []
        for features in (now.flatten(1), source.flatten(1)):
            cosines = [
                float(features[i] @ features[j] / features[i].norm() / features[j].norm())
                for j in range(len(features))
                if j != i
            ]
            total = sum(math.exp(c) for c in cosines)
            shares.append([math.exp(c) / total for c in cosines])
        found.append(sum(y * math.log(y / s) for y, s in zip(*shares, strict=True)))
    return found


def test_it_is_the_divergence_of_likenesses_within_groups() -> None:
    torch.manual_seed(0)
    layers = [(torch.randn(7, 3, 2, 2).double(), torch.randn(7, 3, 2, 2).double()) for _ in range(2)]
    now, source = zip(*layers, strict=True)
    found = correspondence(now, source, 4)
    groups = (slice(0, 4), slice(4, 7))
    wanted = [torch.tensor([v for g in groups for v in by_definition(a[g], b[g])]).double() for a, b in layers]
    torch.testing.assert_close(found, (wanted[0] + wanted[1]) / 2)
    assert found.min() >= 0


def test_a_generator_that_relates_as_its_source_pays_nothing() -> None:
    features = torch.randn(8, 5, dtype=torch.float64)
    scaled = features * torch.rand(8, 1, dtype=torch.float64).add(0.5)
    torch.testing.assert_close(correspondence([features], [scaled], 4), torch.zeros(8, dtype=torch.float64))
    assert correspondence([features[:1]], [scaled[:1]], 4).tolist() == [0.0]  # alone, it has nothing to keep
    assert correspondence([features[:5]], [scaled[:5].flip(0)], 4)[4] == 0


def test_its_gradient_is_exact() -> None:
    torch.manual_seed(0)
    now = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    source = torch.randn(5, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: correspondence([x], [source], 4), now)


def test_groups_make_it_independent_of_micro_batches() -> None:
    now, source = torch.randn(8, 6), torch.randn(8, 6)
    parts = [correspondence([a], [b], 4) for a, b in zip(now.split(4), source.split(4), strict=True)]
    torch.testing.assert_close(torch.cat(parts), correspondence([now], [source], 4))


def test_the_widest_outputs_of_each_size_are_heard() -> None:
    g = nn.Sequential(nn.Linear(4, 32), nn.Unflatten(1, (8, 2, 2)), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Upsample(scale_factor=2), nn.Conv2d(8, 6, 3, padding=1), nn.Conv2d(6, 3, 1))  # fmt: skip  # noqa: E501
    with heard(g) as outs:
        g(torch.randn(5, 4))
    assert [tuple(out.shape[1:]) for out in outs] == [(32,), (8, 2, 2), (6, 4, 4), (3, 4, 4)]
    assert widest_of_each_size(outs, 5) == [1, 2]
    g(torch.randn(5, 4))
    assert len(outs) == 4, "nobody listens afterwards"
    with heard(nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 5))) as flat:
        pass
    assert widest_of_each_size([torch.zeros(3, 9), torch.zeros(3, 5)], 3) == [0]
    assert flat == []


@pytest.mark.parametrize("name", NARROW)
def test_it_combines_with_every_recipe(name: str) -> None:
    recipe, source = small(name), Noise(SPEC)
    check_phases(recipe, source)
    check_micro_batches(recipe, source)


@pytest.mark.parametrize("name", NARROW)
def test_it_costs_nothing_before_the_first_step(name: str) -> None:
    torch.manual_seed(0)
    recipe = small(name)
    nets = recipe.networks(SPEC)
    for net in nets.values():
        net.eval()  # batch normalisation of the source knows no batch
    batch = Noise(SPEC).batch(torch.arange(8), torch.device("cpu"))
    played = [phase.loss for key, phase in recipe.phases().items() if key.startswith("G")]
    for loss in played:
        assert loss(nets, batch, Context(seed=3))["correspondence"].abs().max() < 1e-4
    with torch.no_grad():
        for parameter in (p for key, net in nets.items() if key.startswith("G") for p in net.parameters()):
            parameter.add_(0.3 * torch.randn_like(parameter))
    for loss in played:
        assert loss(nets, batch, Context(seed=3))["correspondence"].max() > 1e-3


@pytest.mark.parametrize("name", ["dcgan", "r3gan", "lapgan"])
def test_the_source_is_saved_and_resumed(name: str) -> None:
    check_resume(small(name), Noise(SPEC), 6)


def test_every_source_becomes_its_generator_once_more() -> None:
    nets = Networks({"G": nn.Linear(2, 2), "D": nn.Linear(2, 1), "G1": nn.Linear(3, 3)})
    kept.prepare(nets)
    nets["source1"] = nn.Linear(3, 3)
    with torch.no_grad():
        nets.G.weight.add_(1)
    assert kept.remember(nets) == ["source", "source1"]
    assert torch.equal(nets.source.weight, nets.G.weight)
    assert torch.equal(nets.source1.weight, nets.G1.weight)
    assert not any(p.requires_grad for p in nets.source.parameters())
    assert not nets.source.training
