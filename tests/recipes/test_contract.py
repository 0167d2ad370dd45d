"""The contract suite over every recipe file there is, at its smallest."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gansmith.pipelines import catalogue
from gansmith.testing import check_recipe, example_spec

NARROW: dict[str, dict[str, int]] = {
    "r3gan": {"width": 16, "group": 8, "latent": 8},
    "dcgan": {"width": 8, "widest": 16},
    "ctgan": {"width": 16, "pac": 2},
}


@pytest.mark.parametrize("name", catalogue.names())
def test_recipe_keeps_the_contract(name: str) -> None:
    cls = catalogue.find(name)
    check_recipe(catalogue.build(cls, example_spec(cls.makes), "small", NARROW.get(name, {"width": 16})))


@pytest.mark.parametrize("name", catalogue.names())
def test_recipe_file_is_one_that_a_reader_can_hold(name: str) -> None:
    path = Path(sys.modules[catalogue.find(name).__module__].__file__ or "")
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    assert catalogue.entry(name).paper.startswith("https://arxiv.org/abs/")
    assert "L_D" in catalogue.summary(name), "a recipe opens with its losses"
    assert catalogue.presets(catalogue.find(name)) == ["paper", "small"]
