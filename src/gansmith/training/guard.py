"""The guard: decides on the device whether a batch may reach the weights, and remembers what it refused and why.

A batch is refused when a value lies outside of the data's declared range, when a loss or a gradient is not
finite, or when the gradient norm is far outside of what the phase has shown so far. Nothing is clamped.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..batch import Batch

TOLERANCE = 1e-3  # slack on the declared range, as a share of it
WARM_UP = 50  # plays of a phase before its gradient norms are judged
Z_LIMIT = 8.0  # standard deviations of the log norm
LEAST_RATIO = 100.0  # and at the least this many times the usual norm
MEMORY = 0.02  # weight of the newest log norm in the running mean


def gradient_norm(params: Sequence[Tensor], device: torch.device) -> Tensor:
    """Euclidean norm over all gradients, a float32 scalar on the device; not finite if any gradient is not."""
    grads = [p.grad for p in params if p.grad is not None]
    if not grads:
        return torch.zeros((), device=device)
    norms = torch._foreach_norm(grads)
    whole = [n.full_tensor() if hasattr(n, "full_tensor") else n for n in norms]
    norm: Tensor = torch.linalg.vector_norm(torch.stack([n.float() for n in whole]))
    return norm


def out_of_range(batch: Batch, bounds: Mapping[str, tuple[float, float]]) -> Tensor:
    """(b,) bool: rows with a value outside of the declared range, or not finite."""
    wrong = []
    for name, (low, high) in bounds.items():
        if name in batch:
            slack = TOLERANCE * (high - low)
            low_most, high_most = batch[name].reshape(len(batch), -1).aminmax(dim=1)
            wrong.append(~((low_most >= low - slack) & (high_most <= high + slack)))
    if not wrong:
        return torch.zeros(len(batch), dtype=torch.bool, device=next(iter(batch.values())).device)
    return torch.stack(wrong).any(0)


class NormHistory:
    """Running mean and variance of a phase's log gradient norm, on the device."""

    def __init__(self, device: torch.device) -> None:
        self.state = torch.zeros(3, dtype=torch.float64, device=device)  # plays, mean, variance

    def outlier(self, norm: Tensor) -> Tensor:
        """Whether the norm is far above the usual one. It joins the history; an outlier, cut to the limit, only its
        mean: if it widened what is usual, a few outliers would let in the rest."""
        plays, mean, variance = self.state
        log = norm.double().clamp_min(1e-30).log()
        limit = mean + torch.clamp_min(Z_LIMIT * variance.sqrt(), math.log(LEAST_RATIO))
        outlier: Tensor = (plays >= WARM_UP) & (log > limit)
        seen = torch.where(outlier, limit, log)
        rate = torch.clamp_min(1 / (plays + 1), MEMORY)
        delta = seen - mean
        spread = torch.where(outlier, variance, (1 - rate) * (variance + rate * delta.square()))
        moved = torch.stack([plays + 1, mean + rate * delta, spread])
        self.state = torch.where(torch.isfinite(norm), moved, self.state)
        return outlier

    def usual(self) -> float:
        return float(self.state[1].exp())


@dataclass
class Play:
    """One play of a phase as the guard saw it; tensors stay on the device until the guard is drained."""

    phase: str
    step: int
    turn: int
    accepted: Tensor
    norm: Tensor
    rows: Tensor | None
    bad_range: Tensor
    losses: dict[str, Tensor]


@dataclass(frozen=True)
class Refusal:
    """A batch that did not reach the weights."""

    phase: str
    step: int
    reason: str
    rows: tuple[int, ...]
    pointed: bool = False  # whether these very rows are to blame, or any of the batch may be


def merge(refusals: Sequence[Refusal]) -> Refusal:
    """What all processes say about the same play, as one: those that can point at rows are believed."""
    told = [r for r in refusals if r.pointed] or list(refusals)
    return replace(told[0], rows=tuple(row for r in told for row in r.rows))


class Guard:
    """Judges every play without a synchronisation; `drain` reads the verdicts.

    Args:
        bounds: the declared range of each batch entry.
        window: how many of the last plays of a phase are considered, and
        patience: how many refusals among them mean that the trouble persists.
    """

    def __init__(
        self, bounds: Mapping[str, tuple[float, float]], device: torch.device, *, window: int = 20, patience: int = 8
    ) -> None:
        self.bounds, self.device, self.window, self.patience = bounds, device, window, patience
        self.histories: dict[str, NormHistory] = {}
        self._plays: list[Play] = []
        self._recent: dict[str, deque[bool]] = {}
        self.refused = 0

    def inspect(self, batch: Batch) -> Tensor:
        """(b,) bool: rows outside of the declared range."""
        return out_of_range(batch, self.bounds)

    def judge(
        self,
        phase: str,
        step: int,
        turn: int,
        batch: Batch,
        bad_range: Tensor,
        losses: dict[str, Tensor],
        norm: Tensor,
        broken: Tensor,
        outliers: bool = True,
    ) -> Tensor:
        """Whether this play may reach the weights, a bool scalar on the device.

        Args:
            losses: per-sample losses (b,) by name.
            norm: of the gradient averaged over processes, so every process comes to the same verdict about it.
            broken: number of processes that found a row out of range, or a loss that is not finite.
            outliers: whether a norm far above the usual one is refused.
        """
        history = self.histories.setdefault(phase, NormHistory(self.device))
        sound = (broken == 0) & torch.isfinite(norm)
        far = history.outlier(torch.where(sound, norm, torch.nan))
        accepted = sound & ~far if outliers else sound
        self._plays.append(Play(phase, step, turn, accepted, norm, batch.get("index"), bad_range, losses))
        return accepted

    def drain(self) -> list[Refusal]:
        """The refusals since the last drain, read from the device."""
        if not self._plays:
            return []
        plays, self._plays = self._plays, []
        accepted = torch.stack([p.accepted for p in plays]).tolist()
        refusals = []
        for play, fine in zip(plays, accepted, strict=True):
            self._recent.setdefault(play.phase, deque(maxlen=self.window)).append(fine)
            if not fine:
                refusals.append(self._explain(play))
        self.refused += len(refusals)
        return refusals

    @property
    def persists(self) -> bool:
        """Whether some phase is refused again and again; others may be fine, and play far more often."""
        return any(recent.count(False) >= self.patience for recent in self._recent.values())

    def reset(self) -> None:
        """Forgets recent refusals and unread plays (after a rollback)."""
        self._recent.clear()
        self._plays.clear()

    def _explain(self, play: Play) -> Refusal:
        norm = float(play.norm)
        blamed = play.bad_range
        broken = [name for name, values in play.losses.items() if not bool(torch.isfinite(values.float().mean()))]
        if bool(blamed.any()):
            reason = f"{int(blamed.sum())} examples hold values outside of the data's range"
        elif broken:
            blamed = ~torch.isfinite(torch.stack([play.losses[n] for n in broken])).all(0)
            reason = f"the loss {play.phase}/{broken[0]} is not finite"
        elif norm != norm or norm == float("inf"):
            reason = f"a gradient of phase {play.phase} is not finite"
        else:
            reason = f"the gradient norm of phase {play.phase} is {norm:.3g}; usual is {self._usual(play.phase):.3g}"
        return Refusal(play.phase, play.step, reason, _numbers(play.rows, blamed), pointed=bool(blamed.any()))

    def _usual(self, phase: str) -> float:
        return self.histories[phase].usual()

    def to_json(self) -> dict[str, list[float]]:
        return {name: history.state.tolist() for name, history in self.histories.items()}

    def from_json(self, data: Mapping[str, list[float]]) -> None:
        self.histories = {}
        for name, numbers in data.items():
            history = self.histories[name] = NormHistory(self.device)
            history.state = torch.tensor(numbers, dtype=torch.float64, device=self.device)


def _numbers(rows: Tensor | None, blamed: Tensor) -> tuple[int, ...]:
    """Row numbers to blame: those singled out, or the whole batch when no row stands out; empty when unknown."""
    if rows is None:
        return ()
    chosen = rows[blamed] if bool(blamed.any()) else rows
    return tuple(int(r) for r in chosen.tolist())
