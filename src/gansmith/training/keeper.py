"""The keeper: saves the run, brings it back, and returns to a good checkpoint when weights or batches go bad."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from .. import checkpoint
from ..config import to_dict
from ..errors import CheckpointError, ConfigError, RunFolderError, TrainingFailed
from . import folder, state, treatment
from .guard import Refusal, merge

if TYPE_CHECKING:
    from .trainer import Trainer

ROLLBACKS = 3
CORRUPT_GROWTH = 100.0  # a network whose norm grows so much between two ticks was not trained but damaged
FAILED_SAVES = 3
HEALTHY = 3  # checkpoints that are kept because they were healthy, beside the newest ones
FIXED = ("batch", "seed")  # settings that a resumed run may not change


@torch.no_grad()
def weight_norm(net: nn.Module) -> float:
    """Euclidean norm over all parameters; not finite if any weight is not."""
    weights: list[Tensor] = list(net.parameters())
    if not weights:
        return 0.0
    norms = [n.full_tensor() if hasattr(n, "full_tensor") else n for n in torch._foreach_norm(weights)]
    return float(torch.linalg.vector_norm(torch.stack([n.float() for n in norms])))


class Keeper:
    """Saving and recovery of one trainer.

    Attributes:
        norms: weight norm of each network at the last look.
        healthy: checkpoints of moments at which no monitor saw anything serious, the newest last.
        before: the checkpoint from before the last treatment in place, by which it can be undone.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.norms: dict[str, float] = {}
        self.healthy: list[Path] = []
        self.before: Path | None = None
        self._failed_saves = 0

    def save(self, *, final: bool = False) -> None:
        """Writes a checkpoint. A full disk is survived a few times; a refused permission is an error at once.

        Raises:
            CheckpointError: refused, the disk stays full, or this was the last chance (`final`).
        """
        self.goes_back()  # what is wrong now must not become the checkpoint to go back to
        trainer = self.trainer
        trainer.view.generator()  # settles what will be sampled from
        progress = replace(
            trainer.progress,
            seconds=trainer.seconds,
            fingerprint=trainer.source.fingerprint,
            settings=self._settings(),
            figures=trainer.figures.to_json(trainer.runtime.mean),
            guard=trainer.guard.to_json(),
        )
        path = checkpoint.step_folder(trainer.out, progress.step)
        failure: CheckpointError | None = None
        try:
            state.save(path, trainer.recipe_name, trainer.recipe, trainer.source.spec, trainer.parts, progress)
        except CheckpointError as error:
            failure = error
        if trainer.runtime.any(failure is not None):
            self._failed(failure or CheckpointError(f"process 0 could not save {path}"), final)
            return
        self._failed_saves = 0
        judged = [monitor.sound for monitor in trainer.monitors if monitor.sound is not None]
        sound = bool(judged) and all(judged)
        self.healthy = [*self.healthy, path][-HEALTHY:] if sound else self.healthy
        if trainer.runtime.rank == 0:
            spare = [*self.healthy, *([self.before] if self.before else [])]
            checkpoint.prune(trainer.out, trainer.config.keep, spare=spare)
        trainer.journal.write("save", **trainer.where(), path=path.name, sound=sound)
        trainer.tell("saved", path)

    def _failed(self, error: CheckpointError, final: bool) -> None:
        self._failed_saves += 1
        self.trainer.journal.write("save_failed", **self.trainer.where(), message=str(error))
        if final or checkpoint.is_permission(error) or self._failed_saves >= FAILED_SAVES:
            raise error

    def resume(self) -> str:
        """Loads the newest undamaged checkpoint; its name.

        Raises:
            RunFolderError: no checkpoint, or the data are not what they were.
            CheckpointError: all are damaged, or do not fit the recipe.
        """
        trainer = self.trainer
        path, damaged = checkpoint.newest(trainer.out)
        for problem in damaged:
            trainer.journal.write("damaged", message=f"{problem}; going back to {path.name}")
        self.load(path)
        if trainer.progress.fingerprint != trainer.source.fingerprint and not trainer.accept_data_change:
            raise RunFolderError(
                f"the data are not what {trainer.out} was trained on: files were added, removed or changed\n"
                f"to go on all the same: {folder.command('resume', trainer.out, '--accept-data-change')}"
            )
        self._compare_settings(trainer.progress.settings)
        trainer.journal.rewind(trainer.progress.step)
        self.healthy, self.before = treatment.healthy(trainer), treatment.before(trainer)
        return path.name

    def _settings(self) -> dict[str, Any]:
        """What a resumed run is compared with."""
        config, recipe = self.trainer.config, to_dict(self.trainer.asked)
        own = {name: getattr(config, name) for name in (*FIXED, "micro", "precision")}
        return {**own, "processes": self.trainer.runtime.world} | {f"recipe.{k}": v for k, v in recipe.items()}

    def _compare_settings(self, before: Mapping[str, Any]) -> None:
        """Other settings than those the run was made with are refused where samples are counted by them, else told.

        Raises:
            ConfigError: another batch or seed.
        """
        trainer, now = self.trainer, self._settings()
        changed = [name for name in now if name in before and before[name] != now[name]]
        for name in changed:
            if name in FIXED:
                raise ConfigError(
                    f"a resumed run keeps its {name}, for its place in the data depends on it: "
                    f"it was {before[name]}, this is {now[name]}\nto change it, start anew with --from {trainer.out}"
                )
            trainer.journal.write("warning", message=f"{name} was {before[name]} and is {now[name]} from here on")
        if "micro" in changed:
            trainer.progress.micro = trainer.config.micro

    def load(self, path: Path) -> None:
        """Puts the trainer where it was when `path` was written."""
        trainer = self.trainer
        treatment.take_up(trainer, checkpoint.read_document(path, "state").get("regime", {}))
        trainer.progress = state.restore(path, trainer.parts)
        trainer.figures.from_json(trainer.progress.figures, trainer.runtime.device)
        trainer.guard.reset()
        trainer.guard.from_json(trainer.progress.guard)
        trainer.feed.reseed(trainer.seed)
        self.norms = self.measure()

    def measure(self) -> dict[str, float]:
        """The weight norm of every network and of every average."""
        nets, averages = self.trainer.nets, self.trainer.averages.nets
        return {n: weight_norm(net) for n, net in [*nets.items(), *((f"{n}.ema", net) for n, net in averages.items())]}

    def goes_back(self) -> bool:
        """Goes back to a checkpoint if refusals persist or weights are damaged, and says whether it did."""
        return self.hears_of_trouble() or self._finds_damage()

    def hears_of_trouble(self) -> bool:
        """Reads what the guard refused since the last reading; goes back when it persists, and says whether it did."""
        refusals = self.trainer.guard.drain()
        if refusals and self.trainer.runtime.world > 1:  # all processes refused the same plays, each for its rows
            refusals = [merge(play) for play in zip(*self.trainer.runtime.gather(refusals), strict=True)]
        return self._answer(refusals)

    def _finds_damage(self) -> bool:
        """Goes back when weights are not finite, or grew between two looks as no training makes them grow."""
        norms = self.measure()
        for name, norm in norms.items():
            before = self.norms.get(name)
            if not norm < float("inf") or (before is not None and norm > CORRUPT_GROWTH * max(before, 1.0)):
                self.roll_back(f"the weights of {name} have norm {norm:.3g}, before it was {before or 0:.3g}", name)
                return True
        self.norms = norms
        return False

    def _answer(self, refusals: list[Refusal]) -> bool:
        """Notes refused batches by name, and goes back to a checkpoint when they persist."""
        trainer = self.trainer
        for refusal in refusals:
            trainer.journal.write(
                "skip",
                **trainer.where(),
                phase=refusal.phase,
                reason=refusal.reason,
                rows=list(refusal.rows[:16]),
                names=self._names(refusal.rows),
            )
        if not (refusals and trainer.guard.persists):
            return False
        self.roll_back(refusals[-1].reason, refusals[-1].phase)
        return True

    def _names(self, rows: tuple[int, ...]) -> list[str]:
        """What the user calls these rows, where the source can tell."""
        tell = getattr(self.trainer.source, "names", None)
        return [str(n) for n in tell(torch.tensor(rows[:8], dtype=torch.int64))] if tell and rows else []

    def keep_before(self) -> None:
        """Saves the run as it is, and keeps that checkpoint until the next treatment."""
        self.before = None
        self.save()
        path = checkpoint.step_folder(self.trainer.out, self.trainer.progress.step)
        self.before = path if self._failed_saves == 0 else None

    def forget_after(self, path: Path) -> None:
        """Removes the checkpoints that are younger than `path`, which the run has gone back to for good."""
        step, out = checkpoint.step_of(path), self.trainer.out
        self.healthy = [kept for kept in self.healthy if checkpoint.step_of(kept) <= step]
        self.before = None
        if self.trainer.runtime.rank == 0:
            checkpoint.remove(out, [later for later in checkpoint.steps(out) if checkpoint.step_of(later) > step])

    def return_to(self, path: Path) -> None:
        """To where the run was when `path` was written, with another seed for noise and data; time goes on."""
        trainer = self.trainer
        attempt, seconds = trainer.progress.attempt + 1, trainer.seconds
        self.load(path)
        trainer.progress.attempt, trainer.progress.seconds = attempt, seconds
        trainer.restart_clock()
        trainer.feed.reseed(trainer.seed)

    def roll_back(self, reason: str, phase: str) -> None:
        """Back to the newest checkpoint with another seed for noise and data; after three times, the end.

        Raises:
            TrainingFailed: it does not recover; names the phase, the figure and the last good checkpoint.
        """
        trainer = self.trainer
        attempt, where = trainer.progress.attempt + 1, trainer.where()
        path, damaged = checkpoint.newest(trainer.out)
        for problem in damaged:
            trainer.journal.write("damaged", **where, message=f"{problem}; going back to {path.name}")
        if attempt > ROLLBACKS:
            trainer.journal.write("failed", **where, reason=reason, phase=phase, checkpoint=path.name)
            raise TrainingFailed(
                f"training does not recover after {ROLLBACKS} returns to a checkpoint: {reason} (phase {phase})\n"
                f"the last good checkpoint is {path}; the skipped batches are named in {trainer.out / folder.LOG}"
            )
        self.return_to(path)
        trainer.journal.write("rollback", **where, reason=reason, phase=phase, to=path.name, attempt=attempt)
