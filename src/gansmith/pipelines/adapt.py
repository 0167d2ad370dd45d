"""A handful of pictures and a run of others: how to go on from it so that what it learnt is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .. import checkpoint
from ..config import build
from ..errors import ConfigError, DataError, RunFolderError
from ..game import Game
from ..recipes.base import Recipe
from ..schedule import at
from ..spec import ImageSpec, Spec, spec_from_json
from .generate import recipe_class

SAMPLES = 8_000  # a thousand steps of eight
WEIGHT = 300.0  # of the correspondence
P, TARGET, OVER = 0.2, 0.6, 10_000  # ADA's p where it begins, the sign it aims at, samples from 0 to 1
FIXED_P = 0.4  # where the loss has no such sign
SHORTER = 10  # G's average halves in this part of the run at most


@dataclass(frozen=True)
class Adaptation:
    """How to go on from a run with few pictures.

    Args:
        recipe: the run's own, its schedules standing still, with ADA and the correspondence.
        spec: of the run's pictures; the new ones are read in their size and colours.
        told: whether the run's networks are told classes or attributes.
        samples: length of the run, if nobody asks for another.
        freeze: half of D's layers stay (FreezeD, Mo 2020, arXiv:2002.10964).
    """

    recipe: Recipe
    spec: ImageSpec
    told: bool
    samples: int
    freeze: dict[str, int]

    def read_as(self, labels: bool | None) -> dict[str, Any]:
        """How pictures are to be read, labels being wanted or not: what has no classes is of all of them."""
        if not self.told:
            return {"channels": self.spec.channels, "labels": False}
        return {"channels": self.spec.channels, "labels": labels, "classes": self.spec.classes}

    def check(self, spec: Spec) -> None:
        """Refuses pictures that say nothing of the attributes that the run's generator is asked by.

        Raises:
            DataError: there are none, or classes.
        """
        if self.told and self.spec.attributes and not (isinstance(spec, ImageSpec) and spec.attributes):
            raise DataError(
                "the run makes pictures by attributes, and these have none: give them an attributes.csv, "
                "or begin with a run made with --no-labels"
            )


def adaptation(
    run: Path | str | None, given: str | type[Recipe] | Recipe | None, size: int | None, samples: int | None
) -> Adaptation:
    """How to adapt a run, from its newest checkpoint.

    Args:
        given: the recipe, needed for one of the user's own; it must be the run's.
        size: of the pictures, if asked for; it must be the run's.
        samples: length of the run, if asked for.

    Raises:
        ConfigError: no run, another size, or a recipe whose game cannot be adapted.
        RunFolderError, CheckpointError, RecipeNeeded: see `load`; or a model without its discriminator.
    """
    if run is None:
        raise ConfigError("adapting keeps what another run has learnt: say which one, --from RUN")
    folder, _ = checkpoint.newest(Path(run))
    document = checkpoint.read_document(folder, "recipe")
    if isinstance(given, Recipe):
        raise ConfigError("adapting takes the settings of the run: leave the recipe out, and change it by its fields")
    recipe = build(recipe_class(document, given), document["config"], where="recipe")
    spec = spec_from_json(document["spec"])
    if not isinstance(getattr(recipe, "game", None), Game) or not isinstance(spec, ImageSpec):
        raise ConfigError(f"only recipes of pictures that play a game can be adapted, not: {document['name']}")
    if size is not None and size != spec.size:
        raise ConfigError(f"adapting keeps the size of the run's pictures, {spec.size} pixels: leave out --size {size}")
    if not any(name.startswith("D") for name in document["networks"]):
        raise RunFolderError(f"{folder} holds a generator alone; adapting needs the run that it was made in")
    state = checkpoint.read_document(folder, "state")
    seen, length = int(state["step"]) * int(state["settings"]["batch"]), samples or SAMPLES
    recipe = _few(at_rest(recipe, seen), length)
    return Adaptation(recipe, spec, _told(recipe, spec), length, _halves(recipe, spec))


def at_rest(settings: Any, samples: int) -> Any:
    """Settings with every schedule within, at any depth, replaced by its value after so many samples."""
    if hasattr(settings, "at"):
        return at(settings, samples)
    if not is_dataclass(settings) or isinstance(settings, type):
        return settings
    return replace(settings, **{f.name: at_rest(getattr(settings, f.name), samples) for f in fields(settings)})


def _few(recipe: Any, length: int) -> Any:
    """The recipe as few pictures need it."""
    game: Game = recipe.game
    moves = game.signed and not game.unrolled
    augment = replace(game.augment, kind="ada", p=P if moves else FIXED_P, target=TARGET if moves else None, over=OVER)
    half_life = min(recipe.half_life, length / SHORTER)
    return replace(recipe, game=replace(game, augment=augment, correspondence=WEIGHT), half_life=half_life)


def _told(recipe: Recipe, spec: ImageSpec) -> bool:
    """Whether networks would be others without labels."""
    plain = replace(spec, classes=(), class_counts=(), attributes=(), combinations=(), combination_counts=())
    try:
        return _shapes(recipe, spec) != _shapes(recipe, plain)
    except DataError:  # it cannot do without
        return True


def _shapes(recipe: Recipe, spec: ImageSpec) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: tensor.shape for name, tensor in recipe.networks(spec).state_dict().items()}


def _halves(recipe: Recipe, spec: ImageSpec) -> dict[str, int]:
    """Half of the layers with weights of each network that judges."""
    with torch.device("meta"):
        nets = recipe.networks(spec)
    return {
        name: sum(any(True for _ in m.parameters(recurse=False)) for m in net.modules()) // 2
        for name, net in nets.items()
        if name.startswith("D")
    }
