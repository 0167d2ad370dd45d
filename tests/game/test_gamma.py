"""gamma: the rule against what was published, and the same recipe with another one."""

from __future__ import annotations

import pytest

from gansmith.game import Game
from gansmith.game.gamma import by_area, game_of, gamma_of, left_to_rule, rule, settled, with_gamma
from gansmith.recipes import ctgan, dcgan, lapgan, r3gan, stylegan2, stylegan3
from gansmith.schedule import Cosine, Exponential, Linear, at, scaled
from gansmith.spec import ImageSpec

SPEC = ImageSpec(size=64)
RELATIVISTIC = Game(loss="relativistic", r1=1.0, r2=1.0)


def test_the_rule_is_that_of_stylegan2_ada() -> None:
    assert rule(Game(), 1024, 32) == pytest.approx(6.5536)
    assert rule(Game(), 256, 64) == pytest.approx(0.2048)
    assert rule(Game(loss="hinge"), 256, 64) == by_area(256, 64)
    assert stylegan2.paper(ImageSpec(size=256)).game.r1 == rule(Game(), 256, 32)


def test_stylegan3_has_the_same_rule_through_what_it_published() -> None:
    assert stylegan3.paper(ImageSpec(size=512)).game.r1 == pytest.approx(8.2)
    assert stylegan3.paper(ImageSpec(size=256)).game.r1 == pytest.approx(8.2 / 4)


@pytest.mark.parametrize(
    ("size", "batch", "published"), [(32, 512, 0.05), (64, 256, 2), (256, 256, 150), (32, 4096, 0.5), (64, 4096, 1)]
)
def test_the_rule_is_within_four_times_of_r3gans(size: int, batch: int, published: float) -> None:
    assert published / 4 < rule(RELATIVISTIC, size, batch) < 4 * published


@pytest.mark.parametrize(
    "schedule", [0.5, Cosine(2.0, 0.2, 100), Linear(0.0, 1.0, 50, begin=10), Exponential(1.0, 0.5, 10, 0.1)]
)
def test_schedules_are_scaled_at_every_moment(schedule: object) -> None:
    for moment in (0, 5, 30, 1000):
        assert at(scaled(schedule, 3.0), moment) == pytest.approx(3 * at(schedule, moment))


def test_a_recipe_with_another_gamma_is_the_same_but_for_it() -> None:
    recipe = r3gan.small(SPEC)
    other = with_gamma(recipe, 5.0)
    assert gamma_of(other) == pytest.approx(5 * gamma_of(recipe))
    assert at(other.game.r2, 10**9) == pytest.approx(5 * at(recipe.game.r2, 10**9))
    assert with_gamma(other, 0.2) == recipe
    with pytest.raises(TypeError, match="no game"):
        with_gamma(ctgan.CTGAN(), 2.0)


def test_recipes_without_penalties_have_none() -> None:
    assert gamma_of(dcgan.DCGAN()) is None
    assert gamma_of(lapgan.small(ImageSpec(size=32))) == 0.2
    assert (game_of(ctgan.CTGAN()), gamma_of(ctgan.CTGAN())) == (None, None)


def test_auto_gives_way_to_the_rule() -> None:
    changes = {"game.r1": "auto", "game.r2": " auto", "latent": "8"}
    assert left_to_rule(changes) == ["game.r1", "game.r2"]
    made = settled(changes, r3gan.small(SPEC), SPEC, 32)
    assert made == {"game.r1": "1.5", "game.r2": "1.5", "latent": "8"}
    assert settled(changes, dcgan.DCGAN(), SPEC, 64)["game.r1"] == "0.0128"
    assert settled(changes, ctgan.CTGAN(), SPEC, 64) == changes
    assert left_to_rule({"game.r1": 3.0, "r2": "auto"}) == []
