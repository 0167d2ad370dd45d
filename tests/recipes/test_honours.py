"""What a request may carry beside the data's own conditions, and who heeds it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from gansmith.batch import Batch
from gansmith.errors import UserError
from gansmith.pipelines import catalogue
from gansmith.pipelines.generate import Generator
from gansmith.recipes.base import Context, Networks, Recipe
from gansmith.spec import ImageSpec

SPEC = ImageSpec(size=8, channels=1)


@dataclass(frozen=True, kw_only=True)
class Plain(Recipe):
    """Noise through one weight."""

    def networks(self, spec):
        return Networks({"G": nn.Linear(1, 1)})

    def phases(self):
        return {}

    def optimizer(self, name, params):
        raise AssertionError("never trained")

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        x = ctx.randn(request, 1, 8, 8)
        return Batch(x=x * request["truncation"].view(-1, 1, 1, 1) if "truncation" in request else x)


@dataclass(frozen=True, kw_only=True)
class Truncating(Plain):
    honours: ClassVar[tuple[str, ...]] = ("truncation",)


def generator(recipe: Recipe) -> Generator:
    return Generator(recipe.networks(SPEC), recipe, SPEC, "mine")


def test_truncation_reaches_a_recipe_that_honours_it():
    make = generator(Truncating())
    torch.testing.assert_close(make(300, truncation=0.5).tensor, make(300).tensor / 2)


def test_a_recipe_that_knows_nothing_of_it_is_named():
    with pytest.raises(UserError, match=r"mine has no truncation.* leave it out, this was: 0.7"):
        generator(Plain())(4, truncation=0.7)
    with pytest.raises(UserError, match="wanted a number for truncation"):
        generator(Truncating())(4, truncation=math.nan)


@pytest.mark.parametrize("name", catalogue.names())
def test_the_catalogue_reads_what_recipes_honour_without_running_them(name: str):
    assert catalogue.entry(name).honours == catalogue.find(name).honours
