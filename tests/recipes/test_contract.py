"""The contract suite over every recipe file there is, at its smallest."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gansmith.pipelines import catalogue
from gansmith.spec import Spec
from gansmith.tabular.schema import Schema
from gansmith.tabular.spec import TableSpec
from gansmith.testing import check_recipe, example_spec

NARROW: dict[str, dict[str, int]] = {
    "r3gan": {"width": 16, "group": 8, "latent": 8},
    "dcgan": {"width": 8, "widest": 16},
    "wgan": {"width": 8, "widest": 16},
    "acgan": {"width": 24, "d_width": 2},
    **{key: {"width": 8, "widest": 8, "d_width": 8, "d_widest": 8} for key in ("wgan_gp", "sngan", "sagan", "biggan")},
    "lapgan": {"latent": 8, "g_units": 16, "d_units": 16},
    "fastgan": {"latent": 8, "width": 2, "d_width": 2, "decoder_width": 2},
    "projected": {"latent": 8, "width": 2, "d_width": 4},
    "progan": {"width": 8, "latent": 8, "stable": 16, "fade": 56},  # half of the run ends in the second of three stages
    "stylegan2": {"base": 64, "widest": 8, "latent": 8, "style": 8},
    "stylegan3": {"base": 64, "widest": 8, "latent": 8, "style": 8, "layers": 4},
    "ctgan": {"width": 16, "pac": 2},
    "medgan": {"latent": 8, "pretrain": 80},
}
ALONE = {"medgan"}  # D looks across its process's share of the batch


@pytest.mark.parametrize("name", catalogue.names())
def test_recipe_keeps_the_contract(name: str) -> None:
    cls = catalogue.find(name)
    spec = records() if name == "medgan" else example_spec(cls.makes)
    recipe = catalogue.build(cls, spec, "small", NARROW.get(name, {"width": 16}))
    check_recipe(recipe, spec, processes=name not in ALONE)


def records() -> Spec:
    """A table of a yes-or-no column and a count, which is what medgan makes."""
    spec = example_spec("table")
    assert isinstance(spec, TableSpec)
    sex, _, age, _ = spec.schema
    return replace(spec, schema=Schema((sex, age)), encoders=(spec.encoders[0], spec.encoders[2]))


@pytest.mark.parametrize("name", catalogue.names())
def test_recipe_file_is_one_that_a_reader_can_hold(name: str) -> None:
    path = Path(sys.modules[catalogue.find(name).__module__].__file__ or "")
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 250
    assert catalogue.entry(name).paper.startswith("https://arxiv.org/abs/")
    assert "L_D" in catalogue.summary(name), "a recipe opens with its losses"
    assert catalogue.presets(catalogue.find(name)) == ["paper", "small"]
