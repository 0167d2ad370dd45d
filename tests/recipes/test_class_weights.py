"""Weights of classes reach the losses of every recipe of pictures, whatever its networks."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from test_contract import NARROW
from torch import Tensor

from gansmith.batch import Batch
from gansmith.game import terms
from gansmith.pipelines import catalogue
from gansmith.recipes.base import Context, Networks
from gansmith.spec import ImageSpec

SPEC = ImageSpec(size=16, channels=3, classes=("many", "few"), class_counts=(30, 10))
PLAYED = [name for name in catalogue.names() if catalogue.entry(name).makes == "image"]


@pytest.fixture(params=PLAYED)
def recipe(request: pytest.FixtureRequest) -> Any:
    found: Any = catalogue.build(catalogue.find(request.param), SPEC, "small", NARROW.get(request.param, {"width": 16}))
    return replace(found, game=replace(found.game, class_weights="inverse"))


def test_every_discriminator_has_them(recipe: Any) -> None:
    nets = recipe.networks(SPEC)
    judges = [net for name, net in nets.items() if name.startswith("D")]
    assert judges
    for d in judges:
        weights = getattr(d, terms.WEIGHTS)
        torch.testing.assert_close(weights, torch.tensor([2 / 3, 2.0]))
        assert terms.WEIGHTS not in d.state_dict(), "they are of these data, not of the network"


def test_they_weigh_the_losses(recipe: Any) -> None:
    torch.manual_seed(0)
    nets = recipe.networks(SPEC)
    batch = Batch(x=torch.rand(4, 3, 16, 16) * 2 - 1, y=torch.tensor([0, 1, 0, 1]))
    weighed = adversarial(recipe, nets, batch)
    for name, d in nets.items():
        if name.startswith("D"):
            setattr(d, terms.WEIGHTS, torch.ones(2))
    for name, plain in adversarial(recipe, nets, batch).items():
        torch.testing.assert_close(weighed[name], plain * torch.tensor([2 / 3, 2.0])[batch["y"]])


def adversarial(recipe: Any, nets: Networks, batch: Batch) -> dict[str, Tensor]:
    """The adversarial losses of all phases that have some; the networks stay as they are."""
    torch.manual_seed(1)
    found = {name: phase.loss(deepcopy(nets), batch, Context()) for name, phase in recipe.phases().items()}
    return {name: losses["adv"].detach() for name, losses in found.items() if "adv" in losses}
