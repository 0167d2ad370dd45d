"""R3GAN's networks (the authors' repository `brownvc/R3GAN`) as the recipe `r3gan`.

Both compute the same. There, the stages at the largest sizes ran in bfloat16; here all run in float32 unless asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..nn.resample import BINOMIAL
from ..recipes.r3gan import EMBEDDING, PAPER, R3GAN, paper
from ..spec import ImageSpec
from .records import Taking, Tensors, check, part, same_filter, spec_of
from .unpickle import Record

NAME = "r3gan"
STAGE = "Model.MainLayers.{}.Layers.{}."


def fits(g: Record) -> bool:
    """Whether this is a generator of that kind."""
    return part(g, "Model.MainLayers.0.Layers") is not None and "Basis" in _own(g, "Model.MainLayers.0.Layers.0")


def _own(g: Record, name: str) -> Any:
    module = part(g, name)
    return {} if module is None else module.state["_parameters"]


def recipe_of(g: Taking, d: Taking | None, classes: Sequence[str]) -> tuple[R3GAN, ImageSpec, str]:
    """The recipe whose networks these are."""
    check_layers(g)
    stages = stages_of(g)
    widths = [g.shape(f"{stage[0]}LinearLayer1.Layer.weight")[1] for stage in stages]
    inner, group = g.shape(f"{stages[0][0]}LinearLayer2.Layer.weight")[:2]
    known = g.shape("Model.EmbeddingLayer.weight")[1] if "Model.EmbeddingLayer.weight" in g else 0
    embedded = g.shape("Model.EmbeddingLayer.weight")[0] if known else 0
    check(embedded in (0, EMBEDDING), f"vectors of classes of {embedded} numbers, not {EMBEDDING}")
    spec = spec_of(4 * 2 ** (len(stages) - 1), g.shape("Model.AggregationLayer.Layer.weight")[0], known, classes)
    recipe = replace(
        paper(spec) if spec.size in PAPER else R3GAN(),
        latent=g.shape(STAGE.format(0, 0) + "LinearLayer.weight")[1] - embedded,
        width=widths[0],
        wide_until=max(4 * 2**i for i, width in enumerate(widths) if width == widths[0]),
        blocks=len(stages[0]),
        expand=inner // widths[0],
        group=group,
    )
    check(recipe.widths(spec.size) == widths, f"channels that do not halve with each size: {widths}")
    check(all(len(stage) == len(stages[0]) for stage in stages), "stages of different depths")
    why = "" if d is not None else "the file has none"
    if d is not None and [d.shape(f"{s[0]}LinearLayer1.Layer.weight")[1] for s in stages_of(d)] != widths[::-1]:
        why = "its channels are not those of G"
    return recipe, spec, why


def check_layers(g: Taking) -> None:
    """Refuses what the recipe has no setting for.

    Raises:
        DataError: names it.
    """
    for name, value in g.all.items():
        check(not name.endswith("Kernel") or same_filter(value, BINOMIAL), f"{name} is not [1, 3, 3, 1]")


def stages_of(take: Taking) -> list[list[str]]:
    """Prefixes of the residual blocks of each stage."""
    found = []
    numbers = (int(name.split(".")[2]) for name in take.all if name.startswith("Model.MainLayers."))
    for i in range(max(numbers, default=-1) + 1):
        prefixes = [STAGE.format(i, j) for j in range(64)]
        found.append([prefix for prefix in prefixes if f"{prefix}LinearLayer2.Layer.weight" in take])
    check(bool(found) and all(found), "stages without residual blocks")
    return found


def generator(g: Taking, recipe: Any, spec: ImageSpec) -> Tensors:
    """G's tensors under the names that they have here."""
    start = STAGE.format(0, 0)
    made = {"start.basis": g(f"{start}Basis"), "start.scale.weight": g(f"{start}LinearLayer.weight")}
    made["to_patches.weight"] = g("Model.AggregationLayer.Layer.weight")
    made |= embedding(g, spec)
    at = 0
    for i, stage in enumerate(stages_of(g)):
        change = STAGE.format(i, 0) + "LinearLayer.Layer.weight"
        if i and change in g:
            made[f"layers.{at}.weight"] = g(change)
            at += 1
        at += i > 0  # the doubling
        for prefix in stage:
            made |= block(g, prefix, f"layers.{at}")
            at += 1
    return made


def discriminator(d: Taking, recipe: Any, spec: ImageSpec) -> Tensors:
    """D's tensors under the names that they have here."""
    made = {"from_patches.weight": d("Model.ExtractionLayer.Layer.weight")} | embedding(d, spec)
    stages, at = stages_of(d), 0
    for i, stage in enumerate(stages):
        for prefix in stage:
            made |= block(d, prefix, f"layers.{at}")
            at += 1
        end = STAGE.format(i, len(stage))
        if i + 1 == len(stages):
            made["end.filter.weight"] = d(f"{end}Basis.weight")
            made["end.linear.weight"] = d(f"{end}LinearLayer.weight")
            return made
        at += 1  # the halving
        if f"{end}LinearLayer.Layer.weight" in d:
            made[f"layers.{at}.weight"] = d(f"{end}LinearLayer.Layer.weight")
            at += 1
    return made


def embedding(take: Taking, spec: ImageSpec) -> dict[str, Tensor]:
    """A row for each class, of a linear layer that reads one-hot labels."""
    if not spec.classes:
        return {}
    return {"embedding.weight": take("Model.EmbeddingLayer.weight").T.contiguous()}


def block(take: Taking, there: str, here: str) -> dict[str, Tensor]:
    """A residual block."""
    names = {"widen": 1, "mix": 2, "narrow": 3}
    made = {f"{here}.{name}.weight": take(f"{there}LinearLayer{i}.Layer.weight") for name, i in names.items()}
    return made | {f"{here}.{name}.bias": take(f"{there}NonLinearity{names[name]}.Bias") for name in ("widen", "mix")}
