"""Before training: look at the data and the machine, choose, and build recipe and source. Nothing is written."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from ..data import open_source
from ..data.images import ImageSource
from ..data.inspect.glance import glance
from ..data.part import Part
from ..data.source import Source
from ..errors import ConfigError, SpecError, did_you_mean
from ..game.gamma import gamma_of, left_to_rule, settled
from ..recipes.base import Recipe
from ..spec import ImageSpec, Spec
from ..training.config import TrainConfig
from ..training.start import check, check_length
from . import catalogue, plan
from .look import Seen, look_at
from .paths import readable
from .processes import first_process

RecipeLike = str | Recipe | type[Recipe] | None


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start; nothing has been written yet.

    Attributes:
        parameters: how many each network has.
        about: what config.yaml keeps besides: where the data are, how they were read, the command line.
        warnings: what a glance at pictures found, and what this run will lack, a sentence each.
    """

    source: Source
    recipe: Recipe
    recipe_name: str
    plan: plan.Plan
    config: TrainConfig
    about: dict[str, Any]
    parameters: dict[str, int]
    warnings: tuple[str, ...] = ()


def prepare(
    data: Any,
    wishes: plan.Wishes,
    *,
    recipe: RecipeLike = None,
    mirror: bool = False,
    labels: bool | None = None,
    channels: int | None = None,
    classes: Sequence[str] = (),
    holdout: float = 0.0,
    shard: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> Prepared:
    """Looks at the data and the machine, chooses, and builds everything but the trainer. Writes nothing.

    Args:
        mirror, labels, channels, classes: how pictures are read, see `ImageSource`.
        holdout: share of the pictures that training leaves out, see `data.part`.

    Raises:
        UserError: what was asked for cannot work.
    """
    if wishes.samples and wishes.minutes:
        raise ConfigError("the length of a run is either samples or minutes: give one of them")
    machine = plan.look()
    if recipe is not None:  # a misspelt name is told before the data are read
        _Maker(recipe, str(recipe), "", {}).find()
    seen = look_at(data, labels=labels, size=wishes.size)
    if not seen.classes and not seen.attributes:
        seen = replace(seen, classes=tuple(classes))
    default = recipe if isinstance(recipe, str) else plan.default_recipe(machine, wishes, seen.kind)
    maker = _Maker(recipe, default, plan.default_preset(machine, wishes, seen.kind), changes or {})
    _check_kind(maker, seen)
    count, sizes = seen.count * (1 + mirror), _sizes(maker, seen, wishes.size)
    facts = plan.Facts(count, seen.side, len(seen.classes), sizes, seen.why, seen.kind)
    asked = wishes.recipe if recipe is None or isinstance(recipe, str) else maker.name
    made = replace(plan.choose(facts, machine, replace(wishes, recipe=asked)), recipe=maker.name)
    read_as: dict[str, Any] = {"size": made.size, "mirror": mirror, "labels": labels}
    read_as |= ({"channels": channels} if channels else {}) | ({"classes": list(classes)} if classes else {})
    read_as |= {"holdout": holdout} if holdout else {}
    if holdout and isinstance(data, Source):
        raise ConfigError(
            f"a source of your own leaves out what it wants to hold out; leave holdout away, it was: {holdout:g}"
        )
    if isinstance(data, Source):
        source, read_as = data, dict(maker.find().reads)
    else:
        source = open_source(data, **read_as)
    built = replace(maker, batch=made.batch).build(source.spec)
    made = replace(made, choices=(*made.choices, *_by_rule(maker, built, source.spec, made.batch)))
    counts, train_config = parameters(built, source.spec), _train_config(made, wishes, shard)
    _check_networks(shard, counts)
    check(built, source, train_config)
    check_length(built, train_config)
    warnings = (*_warnings(source), *_too_short(built, source.spec, train_config))
    return Prepared(
        source=source,
        recipe=built,
        recipe_name=maker.name,
        plan=made,
        config=train_config,
        about={"data": where(data), "read_as": read_as, "preset": made.preset, "command": command()}
        | ({"warnings": list(warnings)} if warnings else {}),
        parameters=counts,
        warnings=warnings,
    )


def _by_rule(maker: _Maker, built: Recipe, spec: Spec, batch: int) -> list[plan.Choice]:
    """The weights of penalties that were left to the rule, for the plan to tell."""
    names = left_to_rule(maker.changes)
    why = f"a rule for pictures of {getattr(spec, 'size', '?')} pixels and batches of {batch}; --find-gamma measures it"
    return [plan.Choice(name, f"{gamma_of(built):.3g}", why) for name in names]


def _warnings(source: Source) -> tuple[str, ...]:
    """What a glance at pictures tells; one process looks for all."""
    source = source.source if isinstance(source, Part) else source
    if not isinstance(source, ImageSource) or not first_process():
        return ()
    spec = source.spec
    counts = dict(zip(spec.classes, spec.class_counts, strict=True)) if isinstance(spec, ImageSpec) else {}
    return tuple(f"{found}; gansmith inspect shows which" for found in glance(source.pixels, counts))


def _too_short(recipe: Recipe, spec: Spec, config: TrainConfig) -> tuple[str, ...]:
    """Says so where the run ends before any phase works on pictures as large as the data's (see `Phase.sizes`)."""
    if not isinstance(spec, ImageSpec) or config.samples is None:
        return ()
    sizes = [phase.sizes or ((0, spec.size),) for phase in recipe.phases().values()]
    whole = min((begin for each in sizes for begin, side in each if side >= spec.size), default=0)
    if whole < config.samples:
        return ()
    return (
        f"the run ends at {config.samples:,} samples, and {type(recipe).__name__} begins with pictures of {spec.size} "
        f"pixels at {whole:,}; those before are coarse: make it longer (--samples), or let it grow sooner",
    )


def _check_kind(maker: _Maker, seen: Seen) -> None:
    """Refuses a recipe that makes another kind of data.

    Raises:
        SpecError: names recipes that would do.
    """
    makes = maker.find().makes
    if makes != seen.kind:
        able = [entry.name for entry in catalogue.entries() if entry.makes == seen.kind]
        raise SpecError(
            f"the recipe {maker.name} makes data of the kind {makes!r}, and these are of the kind {seen.kind!r}; "
            f"choose one of: {', '.join(able)}"
        )


def _check_networks(names: Sequence[str], known: Mapping[str, int]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(
                f"no network {name!r} to shard; there are: {', '.join(known)}.{did_you_mean(name, known)}"
            )


def parameters(recipe: Recipe, spec: Spec) -> dict[str, int]:
    """How many parameters each network has; none is allocated.

    Raises:
        SpecError: the recipe cannot make such examples.
        ConfigError: its settings cannot be: a negative width, a learning rate that is no number.
    """
    try:
        with torch.device("meta"):
            nets = recipe.networks(spec)
        for name, phase in recipe.phases().items():
            recipe.optimizer(name, [p for n in phase.trains for p in nets[n].parameters()])
    except (RuntimeError, ValueError, ZeroDivisionError) as error:
        if not catalogue.ships(type(recipe)):
            raise  # the file and the line of somebody's own recipe are told with it
        reason = str(error).strip().splitlines()[0]
        raise ConfigError(f"{type(recipe).__name__} cannot be built with these settings: {reason}") from error
    return {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}


@dataclass(frozen=True)
class _Maker:
    """Makes the recipe for a spec, from whatever form the user named it in."""

    given: RecipeLike
    default: str
    preset: str
    changes: Mapping[str, Any]
    batch: int = 32  # for what is left to a rule, as long as it is not chosen yet

    @property
    def name(self) -> str:
        if self.given is None or isinstance(self.given, str):
            return self.default
        return catalogue.name_of(self.given if isinstance(self.given, type) else type(self.given))

    def find(self) -> type[Recipe]:
        if isinstance(self.given, Recipe):
            return type(self.given)
        return self.given if isinstance(self.given, type) else catalogue.find(self.default)

    def build(self, spec: Spec) -> Recipe:
        rest = {name: value for name, value in self.changes.items() if name not in left_to_rule(self.changes)}
        built = self._built(spec, rest)
        if len(rest) == len(self.changes):
            return built
        return self._built(spec, settled(self.changes, built, spec, self.batch))

    def _built(self, spec: Spec, changes: Mapping[str, Any]) -> Recipe:
        if isinstance(self.given, Recipe):
            return catalogue.changed(self.given, changes)
        return catalogue.build(self.find(), spec, self.preset, changes)

    def makes(self, spec: Spec) -> bool:
        """Whether the recipe can make such examples; mistakes in its settings are told later, by `build`."""
        try:
            parameters(self.build(spec), spec)
        except SpecError:
            return False
        return True


def _sizes(maker: _Maker, seen: Seen, asked: int | None) -> tuple[int, ...]:
    """Sides that the recipe can make of such pictures.

    Raises:
        SpecError: not the one asked for, or none at all; the recipe says which.
    """
    if seen.spec is not None:
        parameters(maker.build(seen.spec), seen.spec)
        return ()
    if seen.kind != "image":
        return ()
    spec = ImageSpec(size=asked or plan.CPU_SIZE, classes=seen.classes, attributes=seen.attributes)
    able = () if asked else tuple(s for s in plan.SIZES if maker.makes(replace(spec, size=s)))
    if not able:
        parameters(maker.build(spec), spec)
    return able


def _train_config(made: plan.Plan, wishes: plan.Wishes, shard: Sequence[str]) -> TrainConfig:
    shared = {f.name for f in fields(TrainConfig)} & {f.name for f in fields(plan.Plan)}
    values = {name: getattr(made, name) for name in shared}
    return TrainConfig(**values, seed=wishes.seed, shard=tuple(shard), freeze=wishes.freeze)


def where(data: Any) -> str | None:
    """What finds the data again from any folder; None for data that came as Python objects."""
    if not isinstance(data, str | Path):
        return None
    return readable(Path(data).resolve()) if Path(data).exists() else str(data)


def command() -> list[str]:
    """The command line, where there was one."""
    program = Path(sys.argv[0])
    own = program.name == "gansmith" or (program.name == "__main__.py" and program.parent.name == "gansmith")
    return ["gansmith", *map(readable, sys.argv[1:])] if own else []
