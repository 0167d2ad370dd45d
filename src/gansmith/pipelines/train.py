"""From data to a trained run: look, choose, build, train, report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from .. import checkpoint, config
from ..data import open_source
from ..data.source import Source
from ..errors import ConfigError, GansmithError, RunFolderError, SpecError, did_you_mean
from ..recipes.base import Recipe
from ..report import write_report
from ..spec import ImageSpec, Spec
from ..training import folder
from ..training.config import TrainConfig
from ..training.monitors import Monitor
from ..training.start import check
from ..training.trainer import Trainer
from . import catalogue, plan
from .generate import recipe_class
from .look import Seen, look_at
from .paths import native, readable
from .processes import first_process
from .transfer import Transfer
from .watch import default_monitors

RecipeLike = str | Recipe | type[Recipe] | None
Tell = Callable[["Prepared"], None]


@dataclass(frozen=True)
class Prepared:
    """A run that is ready to start; nothing has been written yet.

    Attributes:
        parameters: how many each network has.
        about: what config.yaml keeps besides: where the data are, how they were read, the command line.
    """

    source: Source
    recipe: Recipe
    recipe_name: str
    plan: plan.Plan
    config: TrainConfig
    about: dict[str, Any]
    parameters: dict[str, int]


def train(
    data: Any,
    *,
    out: Path | str | None = None,
    recipe: RecipeLike = None,
    overwrite: bool = False,
    start_from: Path | str | None = None,
    monitors: Sequence[Monitor] | None = None,
    tell: Tell | None = None,
    mirror: bool = False,
    labels: bool | None = None,
    shard: Sequence[str] = (),
    preset: str | None = None,
    size: int | None = None,
    batch: int | None = None,
    samples: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    precision: plan.Precision | None = None,
    devices: int | None = None,
    save_every: int | None = None,
    tick: int | None = None,
    dry_run: bool = False,
    changes: Mapping[str, Any] | None = None,
    **recipe_fields: Any,
) -> Path:
    """Trains a GAN on `data` and returns the run folder. What is left out is chosen from the data and the machine.

    Args:
        data: a folder, a zip, a parquet file, an `.npz`, `bundled:fashion-mnist`, an array, a `datasets.Dataset`.
        out: the run folder; `runs/NAME-OF-DATA` when left out.
        recipe: a name (`r3gan`), a file (`my_gan.py:MyGAN`), a Recipe or a class of one.
        overwrite: replace the run that is in `out`.
        start_from: begin with the weights of this run.
        monitors: who watches; the progress bar, TensorBoard and sample grids when left out.
        tell: called with what was chosen, before training; prints it when left out.
        mirror: show every picture also mirrored.
        labels: True insists on them, False leaves them out, None takes them where there are any.
        shard: networks to shard over the processes.
        samples, minutes: how long; one of them.
        dry_run: choose, tell, and stop.
        changes: fields of the recipe, such as `{"latent": 128}`; or as arguments: `latent=128`.

    Raises:
        UserError: what was asked for cannot work; says why, and what to do.
        TrainingFailed, Interrupted, CheckpointError: see Trainer.fit.
    """
    wishes = plan.Wishes(
        recipe=recipe if isinstance(recipe, str) else None,
        preset=preset,
        size=size,
        batch=batch,
        samples=samples,
        minutes=minutes,
        precision=precision,
        devices=devices,
        save_every=save_every,
        tick=tick,
        seed=seed,
    )
    run = Path(out) if out else default_out(data)
    refuse_taken(run, overwrite=overwrite)
    transfer = Transfer(start_from) if start_from else None
    changes = {**(changes or {}), **recipe_fields}
    prepared = prepare(data, wishes, recipe=recipe, mirror=mirror, labels=labels, shard=shard, changes=changes)
    if first_process():
        (tell or print_plan)(prepared)
    if dry_run:
        return run
    trainer = Trainer(
        prepared.recipe,
        prepared.source,
        prepared.config,
        out=run,
        recipe_name=prepared.recipe_name,
        monitors=_monitors(monitors, prepared.source, data, prepared.config),
        about=prepared.about | ({"start_from": str(start_from)} if start_from else {}),
        initial=transfer,
        overwrite=overwrite,
    )
    return fit(trainer)


def resume(
    run: Path | str,
    *,
    data: Any = None,
    recipe: str | type[Recipe] | None = None,
    accept_data_change: bool = False,
    samples: int | None = None,
    minutes: float | None = None,
    devices: int | None = None,
    monitors: Sequence[Monitor] | None = None,
) -> Path:
    """Goes on with a run from its newest undamaged checkpoint.

    Args:
        data: where the data are now; needed when they have moved, or were not a file.
        recipe: needed for a recipe of your own, as `my_gan.py:MyGAN`.
        accept_data_change: go on although the data have changed.
        samples, minutes: a new length of the whole run.

    Raises:
        RunFolderError: no such run, other data, or a run that is done.
        RecipeNeeded: see `recipe`.
    """
    run = Path(run)
    settings = run_settings(run)
    cls = recipe_class(settings["recipe"], recipe)
    train_config = _lengthened(config.build(TrainConfig, settings["train"], where="train"), samples, minutes, devices)
    _refuse_done(run, train_config)
    about = settings.get("about") or {}
    kept = about.get("data")
    given = data if data is not None or kept is None else native(kept)
    if given is None:
        raise RunFolderError(
            f"{run} was trained on data that were no file; hand them over again: gs.resume(run, data=...)"
        )
    source = given if isinstance(given, Source) else open_source(given, **(about.get("read_as") or {}))
    trainer = Trainer(
        config.build(cls, settings["recipe"]["fields"], where="recipe"),
        source,
        train_config,
        out=run,
        recipe_name=settings["recipe"]["name"],
        monitors=_monitors(monitors, source, given, train_config),
        about=about | ({"data": _where(data)} if data is not None else {}),
        resume=True,
        accept_data_change=accept_data_change,
    )
    return fit(trainer)


def fit(trainer: Trainer) -> Path:
    """Trains, and writes the report however it ends."""
    try:
        trainer.fit()
    finally:
        if trainer.runtime.rank == 0 and (trainer.out / folder.LOG).exists():
            _report(trainer)
    trainer.runtime.close()
    return trainer.out


def _report(trainer: Trainer) -> None:
    """A report that cannot be written must not hide how training ended; the log is there to write it from."""
    try:
        write_report(trainer.out)
    except (OSError, GansmithError) as error:
        print(f"warning: the report was not written: {error}", file=sys.stderr)


def default_out(data: Any) -> Path:
    """`runs/photos` for `photos/` and for `photos.zip`."""
    if not isinstance(data, str | Path):
        return Path("runs") / "run"
    name = Path(str(data).removeprefix("bundled:")).resolve().name
    return Path("runs") / (name.split(".")[0] or "run")


def refuse_taken(run: Path, *, overwrite: bool) -> None:
    """Refuses a taken folder before any work is done. Only the first process looks, as it makes the folder, too.

    Raises:
        RunFolderError: it holds a run and `overwrite` is off, or it holds other things.
    """
    if first_process() and not (overwrite and folder.holds_run(run)):
        folder.refuse_taken(run)


def prepare(
    data: Any,
    wishes: plan.Wishes,
    *,
    recipe: RecipeLike = None,
    mirror: bool = False,
    labels: bool | None = None,
    shard: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
) -> Prepared:
    """Looks at the data and the machine, chooses, and builds everything but the trainer. Writes nothing.

    Raises:
        UserError: what was asked for cannot work.
    """
    if wishes.samples and wishes.minutes:
        raise ConfigError("the length of a run is either samples or minutes: give one of them")
    machine = plan.look()
    maker = _Maker(recipe, plan.default_recipe(wishes), plan.default_preset(machine, wishes), changes or {})
    maker.find()  # a misspelt name is told before the data are read
    seen = look_at(data, labels=labels, size=wishes.size)
    facts = plan.Facts(
        seen.count * (1 + mirror), seen.side, len(seen.classes), _sizes(maker, seen, wishes.size), seen.why
    )
    made = plan.choose(facts, machine, replace(wishes, recipe=None if recipe is None else maker.name))
    read_as: dict[str, Any] = {"size": made.size, "mirror": mirror, "labels": labels}
    source = data if isinstance(data, Source) else open_source(data, **read_as)
    built = maker.build(source.spec)
    counts, train_config = parameters(built, source.spec), _train_config(made, wishes, shard)
    _check_networks(shard, counts)
    check(built, source, train_config)
    return Prepared(
        source=source,
        recipe=built,
        recipe_name=maker.name,
        plan=made,
        config=train_config,
        about={"data": _where(data), "read_as": read_as, "preset": made.preset, "command": _command()},
        parameters=counts,
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
    """
    with torch.device("meta"):
        nets = recipe.networks(spec)
    return {name: sum(p.numel() for p in net.parameters()) for name, net in nets.items()}


@dataclass(frozen=True)
class _Maker:
    """Makes the recipe for a spec, from whatever form the user named it in."""

    given: RecipeLike
    default: str
    preset: str
    changes: Mapping[str, Any]

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
        if isinstance(self.given, Recipe):
            return catalogue.changed(self.given, self.changes)
        return catalogue.build(self.find(), spec, self.preset, self.changes)

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
    spec = ImageSpec(size=asked or plan.CPU_SIZE, classes=seen.classes)
    able = () if asked else tuple(s for s in plan.SIZES if maker.makes(replace(spec, size=s)))
    if not able:
        parameters(maker.build(spec), spec)
    return able


def _monitors(
    given: Sequence[Monitor] | None, source: Source, data: Any, train_config: TrainConfig
) -> Sequence[Monitor]:
    if given is not None:
        return given
    return default_monitors(source, data if isinstance(data, str) else "", tick=train_config.tick)


def _train_config(made: plan.Plan, wishes: plan.Wishes, shard: Sequence[str]) -> TrainConfig:
    shared = {f.name for f in fields(TrainConfig)} & {f.name for f in fields(plan.Plan)}
    values = {name: getattr(made, name) for name in shared}
    return TrainConfig(**values, seed=wishes.seed, shard=tuple(shard))


def _where(data: Any) -> str | None:
    """What finds the data again from any folder; None for data that came as Python objects."""
    if not isinstance(data, str | Path):
        return None
    return readable(Path(data).resolve()) if Path(data).exists() else str(data)


def _command() -> list[str]:
    """The command line, where there was one."""
    program = Path(sys.argv[0])
    own = program.name == "gansmith" or (program.name == "__main__.py" and program.parent.name == "gansmith")
    return ["gansmith", *map(readable, sys.argv[1:])] if own else []


def run_settings(run: Path) -> dict[str, Any]:
    """What config.yaml of a run holds.

    Raises:
        RunFolderError: no such folder, or no run in it.
    """
    if not run.is_dir():
        raise RunFolderError(f"no such run folder: {run}")
    if not (run / folder.CONFIG).is_file():
        raise RunFolderError(f"no run in this folder (it has no {folder.CONFIG}): {run}")
    settings = config.read_yaml(run / folder.CONFIG)
    missing = [key for key in ("recipe", "train") if not isinstance(settings.get(key), Mapping)]
    if missing:
        raise RunFolderError(f"{run / folder.CONFIG} lacks: {', '.join(missing)}; was it edited?")
    return settings


def _lengthened(old: TrainConfig, samples: int | None, minutes: float | None, devices: int | None) -> TrainConfig:
    if samples and minutes:
        raise ConfigError("the length of a run is either samples or minutes: give one of them")
    new = replace(old, samples=samples, minutes=minutes) if samples or minutes else old
    return replace(new, devices=devices) if devices else new


def _refuse_done(run: Path, train_config: TrainConfig) -> None:
    state = checkpoint.read_document(checkpoint.newest(run)[0], "state")
    samples, minutes = int(state["step"]) * train_config.batch, float(state["seconds"]) / 60
    if train_config.samples is not None and samples >= train_config.samples:
        raise RunFolderError(
            f"this run is done: {samples:,} of {train_config.samples:,} samples seen\n"
            f"to train longer, give the new length of the whole: gansmith resume {run} --samples {2 * samples}"
        )
    if train_config.minutes is not None and minutes >= train_config.minutes:
        raise RunFolderError(
            f"this run is done: it has trained for {minutes:.3g} of {train_config.minutes:g} minutes\n"
            f"to train longer, give the new length of the whole: gansmith resume {run} --minutes {2 * minutes:.0f}"
        )


def print_plan(prepared: Prepared) -> None:
    """The data's notes and the plan, in plain lines."""
    for note in prepared.source.notes():
        print(note)
    for what, value, why in plan.rows(prepared.plan):
        print(f"{what:>10}  {value:<12} {why}")
    print(" " * 8, ", ".join(f"{name} has {n:,} parameters" for name, n in prepared.parameters.items()))
