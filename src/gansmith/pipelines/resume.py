"""Going on with a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import checkpoint, config
from ..data import open_source
from ..data.source import Source
from ..errors import ConfigError, RunFolderError
from ..recipes.base import Recipe
from ..spec import Spec, spec_from_json
from ..training import folder
from ..training.config import TrainConfig
from ..training.monitors import Monitor
from ..training.trainer import Trainer
from .generate import recipe_class
from .paths import native
from .prepare import where
from .train import fit
from .watch import CARES, DOCTOR, keeping, watchers


def resume(
    run: Path | str,
    *,
    data: Any = None,
    recipe: str | type[Recipe] | None = None,
    accept_data_change: bool = False,
    samples: int | None = None,
    minutes: float | None = None,
    devices: int | None = None,
    micro: int | None = None,
    monitors: Sequence[Monitor] | None = None,
    doctor: str | None = None,
) -> Path:
    """Goes on with a run from its newest undamaged checkpoint.

    Args:
        data: where the data are now; needed when they have moved, or were not a file.
        recipe: needed for a recipe of your own, as `my_gan.py:MyGAN`.
        accept_data_change: go on although the data have changed.
        samples, minutes: a new length of the whole run.
        micro: examples per forward pass from now on, to save memory; the batch stays.
        doctor: `treat`, `watch` or `off`; as before when left out.

    Raises:
        RunFolderError: no such run, other data, or a run that is done.
        RecipeNeeded: see `recipe`.
    """
    run = Path(run)
    settings = run_settings(run)
    cls = recipe_class(settings["recipe"], recipe)
    train_config = _lengthened(config.build(TrainConfig, settings["train"], where="train"), samples, minutes, devices)
    train_config = replace(train_config, micro=micro) if micro else train_config
    _refuse_done(run, train_config)
    about = settings.get("about") or {}
    about |= {DOCTOR: doctor or about.get(DOCTOR, CARES[0])}
    kept = about.get("data")
    given = data if data is not None or kept is None else native(kept)
    if given is None:
        raise RunFolderError(
            f"{run} was trained on data that were no file; hand them over again: gs.resume(run, data=...)"
        )
    if data is None and not str(given).startswith("bundled:") and not Path(str(given)).exists():
        raise RunFolderError(
            f"the data of {run} are no longer at {given}; say where they are now:\n"
            f"{folder.command('resume', run, '--data', 'PATH')}"
        )
    source = given if isinstance(given, Source) else open_source(given, spec=_spec(run), **(about.get("read_as") or {}))
    name = settings["recipe"]["name"]
    trainer = Trainer(
        config.build(cls, settings["recipe"]["fields"], where="recipe"),
        source,
        train_config,
        out=run,
        recipe_name=name,
        monitors=watchers(monitors, source, given, train_config, keeping(about, name, source.spec), about[DOCTOR]),
        about=about | ({"data": where(data)} if data is not None else {}),
        resume=True,
        accept_data_change=accept_data_change,
    )
    return fit(trainer)


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


def _spec(run: Path) -> Spec | None:
    """What the run's examples look like, as its newest checkpoint has it."""
    try:
        return spec_from_json(checkpoint.read_document(checkpoint.newest(run)[0], "recipe")["spec"])
    except RunFolderError:  # stopped before the first checkpoint
        return None


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
            f"to train longer, give the new length of the whole: "
            f"{folder.command('resume', run, '--samples', str(2 * samples))}"
        )
    if train_config.minutes is not None and minutes >= train_config.minutes:
        raise RunFolderError(
            f"this run is done: it has trained for {minutes:.3g} of {train_config.minutes:g} minutes\n"
            f"to train longer, give the new length of the whole: "
            f"{folder.command('resume', run, '--minutes', f'{max(2 * minutes, 0.1):.2g}')}"
        )
