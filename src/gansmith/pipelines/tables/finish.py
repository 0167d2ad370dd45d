"""What is done once, when training a table has ended: the kept weights are calibrated, if the recipe asks for it."""

from __future__ import annotations

from pathlib import Path

from ... import checkpoint
from ...data.source import Source
from ...recipes.base import Recipe
from ...training.folder import BEST
from ...training.state import recipe_document
from ..generate import Generator, load
from .calibrate import calibrate


def finish(run: Path, source: Source, recipe: type[Recipe] | None, *, seed: int) -> Generator:
    """The generator of a run, calibrated on the training rows and kept so in the run's folder `best/`.

    Args:
        source: the rows that it was trained on.
        recipe: the class of a recipe of the user's own; None for one of the catalogue's.

    Raises:
        CheckpointError: it could not be kept.
    """
    make = load(run, recipe, device="cpu")
    if not getattr(make.recipe, "calibrate", False) or not calibrate(make.recipe, make.nets, source, seed=seed):
        return make
    document = recipe_document(make.name, make.recipe, make.spec, list(make.nets.keys()), licence=make.licence)
    best = run / BEST
    documents = {"recipe": {**document, "calibrated": True}}
    if (best / "score.json").is_file():
        documents["score"] = checkpoint.read_document(best, "score")
    tensors = {name: state for name, net in make.nets.items() if (state := net.state_dict())}
    checkpoint.write(best, tensors, documents)
    return make
