"""From data to a trained run: look, choose, build, train, report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.tables_read import is_table
from ..errors import ConfigError, GansmithError
from ..report import write_report
from ..training import folder
from ..training.monitors import Monitor
from ..training.trainer import Trainer
from . import gamma, plan
from .adapt import adaptation
from .paths import readable
from .plan import Wishes
from .prepare import Prepared, RecipeLike, prepare
from .processes import first_process
from .transfer import Transfer
from .watch import CARES, DOCTOR, KEPT, keeping, watchers

Tell = Callable[[Prepared], None]
TABLES_HOLD_OUT = 0.1  # of the rows


def train(
    data: Any,
    *,
    out: Path | str | None = None,
    recipe: RecipeLike = None,
    overwrite: bool = False,
    start_from: Path | str | None = None,
    freeze: Mapping[str, int] | None = None,
    adapt: bool = False,
    monitors: Sequence[Monitor] | None = None,
    tell: Tell | None = None,
    mirror: bool = False,
    labels: bool | None = None,
    schema: Any = None,
    constraints: Any = (),
    target: str | None = None,
    holdout: float | None = None,
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
    keep_best: bool = False,
    patience: int | None = None,
    doctor: str = CARES[0],
    find_gamma: int | None = None,
    dry_run: bool = False,
    changes: Mapping[str, Any] | None = None,
    **recipe_fields: Any,
) -> Path:
    """Trains a GAN on `data` and returns the run folder. What is left out is chosen from the data and the machine.

    Args:
        data: pictures: a folder, a zip, a parquet file, an `.npz`, `bundled:fashion-mnist`, an array, a
            `datasets.Dataset`; or a table: CSV, TSV, parquet, several files of one, a DataFrame, an Arrow table.
        out: the run folder; `runs/NAME-OF-DATA` when left out.
        recipe: a name (`r3gan`), a file (`my_gan.py:MyGAN`), a Recipe or a class of one.
        start_from: begin with the weights of this run.
        freeze: with `start_from`: how many first layers of a network stay as they are, `{"D": 4}` (FreezeD).
        adapt: with `start_from`, for a handful of pictures: the run's recipe and size, D half frozen, ADA, and a G that
            keeps how its pictures relate (see `pipelines.adapt`); begins with averaged weights.
        monitors, tell: who watches, and who hears the choices; the usual ones when left out.
        mirror, labels: of pictures: show each also mirrored; True insists on labels, False leaves them out, None
            takes them where there are any.
        schema, constraints, target: of a table, see `TableSynthesizer`.
        holdout: share of the data that training leaves out, to judge by; of tables a tenth unless told otherwise, of
            pictures none: their doctor looks at the part called `validation` or `test`, where the data have one.
        shard: networks to shard over the processes.
        samples, minutes: how long; one of them.
        keep_best: of pictures: keep the weights with the best quick score, where `load` looks first. Tables always do.
        patience: of pictures: end the run when that score has not got better for so many samples; keeps the best, too.
        find_gamma: of pictures: look for the weight of R1 and R2 first, by short runs of so many samples (see
            `pipelines.gamma`).
        doctor: `treat` what goes wrong (docs/health.md), only `watch` and tell, or `off`.
        dry_run: choose, tell, and stop.
        changes: fields of the recipe, such as `{"latent": 128}`; or as arguments: `latent=128`.

    Raises:
        UserError: what was asked for cannot work; says why, and what to do.
        TrainingFailed, Interrupted, CheckpointError: see Trainer.fit.
    """
    few = adaptation(start_from, recipe, size, samples) if adapt else None
    if few is not None:
        recipe, size, freeze = few.recipe, few.spec.size, freeze or few.freeze
        samples = samples or (None if minutes else few.samples)
    named = recipe if isinstance(recipe, str) else None
    if freeze and start_from is None:
        raise ConfigError("freezing keeps layers of another run as they are: say which run to begin with, --from RUN")
    length, rhythm = (samples, minutes), (save_every, tick)
    wishes = Wishes(named, preset, size, batch, *length, precision, devices, *rhythm, seed, freeze or {})
    run = Path(out) if out else default_out(data)
    if not dry_run:
        refuse_taken(run, overwrite=overwrite)
    if find_gamma is not None and start_from is not None:
        raise ConfigError("gamma is found by short runs that begin anew, not with weights of another: leave one out")
    initial = Transfer(start_from, averaged=adapt) if start_from else None
    if doctor not in CARES:
        raise ConfigError(f"a doctor may {' or '.join(CARES[:2])}, or be {CARES[2]}, not: {doctor}")
    changes = {**(changes or {}), **recipe_fields}
    if is_table(data):
        own = {"mirror": mirror or None, "labels": labels, "keep_best": keep_best or None, "patience": patience}
        own |= {"find_gamma": find_gamma}
        _refuse(own, "pictures", "a table")
        from .tables.runs import train_table

        return train_table(
            data,
            wishes,
            recipe=recipe,
            run=run,
            schema=schema,
            constraints=constraints,
            target=target,
            holdout=TABLES_HOLD_OUT if holdout is None else holdout,
            changes=changes,
            tell=tell or print_plan,
            dry_run=dry_run,
            overwrite=overwrite,
            shard=shard,
            initial=initial,
            monitors=monitors,
            doctor=doctor,
        )
    _refuse({"schema": schema, "constraints": constraints or None, "target": target}, "tables", "pictures")
    read_as: dict[str, Any] = few.read_as(labels) if few else {"labels": labels}
    read_as["holdout"] = holdout or 0.0
    prepared = prepare(data, wishes, recipe=recipe, mirror=mirror, shard=shard, changes=changes, **read_as)
    if few is not None:
        few.check(prepared.source.spec)
    if initial is not None:
        initial.classes = tuple(getattr(prepared.source.spec, "labels", ()))
    prepared = replace(prepared, about=prepared.about | {DOCTOR: doctor})
    if keep_best or patience is not None:
        prepared = replace(prepared, about=prepared.about | {KEPT: {"patience": patience}})
    if find_gamma is not None:
        gamma.refuse(prepared)
    if first_process():
        (tell or print_plan)(prepared)
    if dry_run and first_process():
        for warning in prepared.warnings:  # of a run they are in its log, and told from there
            print(f"warning: {warning}", file=sys.stderr)
    if not dry_run:
        if find_gamma is not None:
            prepared = gamma.found_and_set(prepared, data if isinstance(data, str) else "", run, find_gamma)
        keep = keeping(prepared.about, prepared.recipe_name, prepared.source.spec)
        watching = watchers(monitors, prepared.source, data, prepared.config, keep, doctor)
        fit(trainer(prepared, run, watching, initial=initial, overwrite=overwrite))
    return run


def _refuse(settings: Mapping[str, Any], meant: str, given: str) -> None:
    """Refuses settings for another kind of data.

    Raises:
        ConfigError: names the first of them.
    """
    for name, value in settings.items():
        if value is not None:
            raise ConfigError(f"--{name.replace('_', '-')} is for {meant}, and these data are {given}: leave it out")


def trainer(
    prepared: Prepared, run: Path, monitors: Sequence[Monitor], *, initial: Transfer | None, overwrite: bool
) -> Trainer:
    """The trainer of a prepared run."""
    return Trainer(
        prepared.recipe,
        prepared.source,
        prepared.config,
        out=run,
        recipe_name=prepared.recipe_name,
        monitors=monitors,
        about=prepared.about | ({"start_from": readable(initial.folder)} if initial else {}),
        initial=initial,
        overwrite=overwrite,
    )


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


def print_plan(prepared: Prepared) -> None:
    """The data's notes and the plan, in plain lines."""
    for note in prepared.source.notes():
        print(note)
    for what, value, why in plan.rows(prepared.plan):
        print(f"{what:>10}  {value:<12} {why}")
    print(" " * 8, ", ".join(f"{name} has {n:,} parameters" for name, n in prepared.parameters.items()))
