"""gamma, the weight of R1 and R2: a rule of thumb, and the same game with another one.

Too small a gamma lets D run away from G; too large a one leaves pictures blurred. Data decide, so that a rule gives the
order of magnitude at best: look around it (`gansmith train --find-gamma`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..recipes.base import Recipe
from ..schedule import at, scaled
from ..spec import ImageSpec, Spec
from .game import Game
from .views import Augment

R = TypeVar("R", bound=Recipe)
PENALTIES = ("r1", "r2")  # fields of a game: the zero-centred ones
AUTO = "auto"  # what stands for the rule's number: recipe.game.r1=auto


def by_area(size: int, batch: int, times: float = 0.0002) -> float:
    """`times` size^2 / batch: StyleGAN2-ADA's rule (Karras 2020, arXiv:2006.06676, its code's automatic setting).

    Look for a better one between a fifth and five times it.
    """
    return times * size**2 / batch


def lazy_r1(gamma: float, augment: Augment | None = None) -> Game:
    """StyleGAN2's game (Karras 2019, arXiv:1912.04958): R1 on each 16th step, in a step of its own."""
    return Game(r1=gamma, penalty_every=16, penalty_step="after", augment=augment or Augment())


def rule(game: Game, size: int, batch: int) -> float:
    """gamma for pictures of `size` pixels and steps of `batch`.

        0.0002 size^2 / batch     `by_area`
        1.5 (size / 64)^3         losses that compare logits

    The second is fitted to R3GAN's five published values (Huang 2024, arXiv:2501.05441: 0.05 for CIFAR-10, 2 and 150
    for faces of 64 and 256 pixels, 0.5 and 1 for ImageNet of 32 and 64) and within 4 times each; no dependence on the
    batch, of 256 to 4096, can be told from them.
    """
    return 1.5 * (size / 64) ** 3 if game.pair.compares else by_area(size, batch)


def game_of(recipe: Recipe) -> Game | None:
    """The recipe's game, where it has one."""
    game: Any = getattr(recipe, "game", None)
    return game if isinstance(game, Game) else None


def gamma_of(recipe: Recipe) -> float | None:
    """gamma at the beginning of a run, the larger of R1's and R2's; None without either."""
    game = game_of(recipe)
    weights = [] if game is None else [at(getattr(game, name), 0) for name in PENALTIES if getattr(game, name)]
    return max(weights, default=None)


def with_gamma(recipe: R, by: float) -> R:
    """The recipe with R1's and R2's weights `by` times as large, schedules and all.

    Raises:
        TypeError: it has no game.
    """
    game = game_of(recipe)
    if game is None:
        raise TypeError(f"{type(recipe).__name__} has no game, and so no gamma")
    weights: dict[str, Any] = {name: scaled(getattr(game, name), by) for name in PENALTIES}
    changed: dict[str, Any] = {"game": replace(game, **weights)}
    return replace(recipe, **changed)


def left_to_rule(changes: Mapping[str, Any]) -> list[str]:
    """Names of the weights that changes of a recipe leave to the rule, such as `game.r1`."""
    names = (f"game.{name}" for name in PENALTIES)
    return [name for name in names if str(changes.get(name, "")).strip() == AUTO]


def settled(changes: Mapping[str, Any], recipe: Recipe, spec: Spec, batch: int) -> dict[str, Any]:
    """Changes of a recipe in which `auto` gave way to the rule's number.

    Args:
        recipe: with all other changes made; one without a game leaves them as they are.
        spec: of the data; only pictures have a size to go by.
    """
    game, found = game_of(recipe), dict(changes)
    if game is not None and isinstance(spec, ImageSpec):
        found |= dict.fromkeys(left_to_rule(changes), f"{rule(game, spec.size, batch):.6g}")
    return found
