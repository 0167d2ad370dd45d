"""Treatment: what a doctor asks for, carried out by the trainer between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checkpoint
from ..config import build, to_dict
from ..errors import TrainingFailed
from ..health.policy import Remedy
from ..recipes.base import Recipe
from . import folder, start, state
from .journal import read

if TYPE_CHECKING:
    from .monitors import Monitor
    from .trainer import Trainer


def carry_out(trainer: Trainer) -> bool:
    """Does what monitors ask for; whether the run is now at another place than it was.

    Raises:
        TrainingFailed: a bug was found that no treatment mends.
    """
    step = trainer.progress.step
    asked = trainer.runtime.first([monitor.remedy for monitor in trainer.monitors])  # process 0 decides for all
    for monitor, remedy in zip(trainer.monitors, asked, strict=True):
        monitor.remedy = None
        if remedy is not None:
            _treat(trainer, monitor, remedy)
    return trainer.progress.step != step


def _treat(trainer: Trainer, monitor: Monitor, remedy: Remedy) -> None:
    """Notes the action with its evidence, then takes it."""
    if remedy.undoes is not None:
        _undo(trainer, remedy)
    note, where = remedy.to_json(), trainer.where()
    match remedy.action:
        case "stop":
            trainer.journal.write("treatment", **where, **note)
            trainer.keeper.save(final=True)
            raise TrainingFailed(
                f"stopped, for this is a mistake that training on does not mend: {remedy.finding.sentence()}\n"
                f"{remedy.finding.failure.advice}\n"
                f"saved; to train on all the same: {folder.command('resume', trainer.out, '--no-treat')}"
            )
        case "finish":
            trainer.journal.write("treatment", **where, **note)
            monitor.enough = True
        case "return":
            path = _healthy_before(trainer, remedy.finding.onset)
            _go_back(trainer, path)
            _adopt(trainer, trainer.recipe.calmer(trainer.source.spec))
            told = {"at": where["samples"], "to": path.name, "changed": _changes(trainer)}
            trainer.journal.write("treatment", **trainer.where(), **note, **told)  # as of there, for a restart
            trainer.keeper.save()
        case "calm" | "augment":
            trainer.keeper.keep_before()
            kept, spec = trainer.keeper.before, trainer.source.spec
            _adopt(trainer, trainer.recipe.calmer(spec) if remedy.action == "calm" else trainer.recipe.augmented(spec))
            changed = _changes(trainer)
            trainer.journal.write("treatment", **where, **note, kept=kept and kept.name, changed=changed)


def _undo(trainer: Trainer, remedy: Remedy) -> None:
    """Goes back to where the run was before its last treatment, to the settings of then, with other noise."""
    where, kept = trainer.where(), trainer.keeper.before
    sound = kept is not None and kept.exists() and checkpoint.damage(kept) is None
    name = trainer.runtime.first(kept.name if kept is not None and sound else None)
    if name is None:
        message = f"the treatment that did not help ({remedy.undoes}) cannot be undone: its checkpoint is gone"
        trainer.journal.write("warning", **where, message=message)
        return
    _go_back(trainer, trainer.out / name)
    told = {"at": where["samples"], "to": name, "action": remedy.undoes, "finding": remedy.finding.to_json()}
    trainer.journal.write("undone", **trainer.where(), **told)


def _go_back(trainer: Trainer, path: Path) -> None:
    """To a checkpoint, with other noise; what came after it is no part of the run any more."""
    trainer.keeper.return_to(path)
    trainer.keeper.forget_after(path)
    trainer.figures.clear()


def take_up(trainer: Trainer, regime: Mapping[str, Any]) -> None:
    """Sets the recipe to what it was under treatment, or to what the user asked for where `regime` is empty."""
    if dict(regime) == trainer.progress.regime:
        return
    recipe = build(type(trainer.asked), regime) if regime else trainer.asked
    _play(trainer, recipe)
    trainer.progress.regime = dict(regime)


def healthy(trainer: Trainer) -> list[Path]:
    """The healthy checkpoints that a resumed run's log tells of and that are still there."""
    log = trainer.out / folder.LOG
    if not log.exists():
        return []
    named = {e["path"] for e in read(log) if e.get("event") == "save" and e.get("sound")}
    return [path for path in checkpoint.steps(trainer.out) if path.name in named]


def before(trainer: Trainer) -> Path | None:
    """The checkpoint from before the last treatment, that a resumed run's log tells of and that is still there."""
    log = trainer.out / folder.LOG
    treated = [e for e in read(log) if e.get("event") == "treatment"] if log.exists() else []
    name = treated[-1].get("kept") if treated else None
    return trainer.out / name if name and (trainer.out / name).exists() else None


def _healthy_before(trainer: Trainer, samples: int) -> Path:
    """The newest healthy checkpoint that is no younger than `samples`, else the oldest there is, as process 0 knows
    them."""
    return trainer.out / trainer.runtime.first(_healthy_until(trainer, samples).name)


def _healthy_until(trainer: Trainer, samples: int) -> Path:
    batch, known = trainer.config.batch, checkpoint.steps(trainer.out)
    sound = [path for path in known if path in trainer.keeper.healthy and not checkpoint.damage(path)]
    early = [path for path in sound if checkpoint.step_of(path) * batch <= samples]
    return early[-1] if early else (sound or known)[0]


def _adopt(trainer: Trainer, recipe: Recipe | None) -> None:
    """Plays on by other settings, with fresh optimizers; does nothing where there are none."""
    if recipe is None:
        return
    _play(trainer, recipe)
    trainer.progress.regime = to_dict(recipe)


def _play(trainer: Trainer, recipe: Recipe) -> None:
    trainer.recipe, trainer.phases = recipe, recipe.phases()
    trainer.optimizers = start.optimizers(recipe, trainer.phases, trainer.nets)
    trainer.parts = state.Parts(trainer.nets, trainer.averages, trainer.optimizers, trainer.runtime)


def _changes(trainer: Trainer) -> dict[str, Any]:
    """Fields of the recipe that are not what the user asked for."""
    asked, now = _flat(to_dict(trainer.asked)), _flat(to_dict(trainer.recipe))
    return {name: value for name, value in now.items() if asked.get(name) != value}


def _flat(fields: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in fields.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found
