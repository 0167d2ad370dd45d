"""The contract suite over every recipe file there is, at its smallest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gansmith.pipelines import catalogue
from gansmith.spec import ImageSpec
from gansmith.testing import check_recipe

NARROW = {"r3gan": {"width": 16, "group": 8, "latent": 8}, "dcgan": {"width": 8, "widest": 16}}
SPEC = ImageSpec(size=16, channels=3, classes=("a", "b", "c"), class_counts=(14, 13, 13))


@pytest.mark.parametrize("name", catalogue.names())
def test_recipe_keeps_the_contract(name: str) -> None:
    recipe = catalogue.build(catalogue.find(name), SPEC, "small", NARROW.get(name, {"width": 16}))
    check_recipe(recipe, SPEC)


@pytest.mark.parametrize("name", catalogue.names())
def test_recipe_file_is_one_that_a_reader_can_hold(name: str) -> None:
    path = Path(sys.modules[catalogue.find(name).__module__].__file__ or "")
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    assert catalogue.entry(name).paper.startswith("https://arxiv.org/abs/")
    assert "L_D" in catalogue.summary(name), "a recipe opens with its losses"
    assert catalogue.presets(catalogue.find(name)) == ["paper", "small"]
