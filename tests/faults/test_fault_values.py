"""Values that must not reach the weights (rows 13 to 16), and weights gone bad."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import FusedToy, NormToy, Points, Toy, assert_same, events, everything, prepare, train

from gansmith.batch import Batch
from gansmith.errors import TrainingFailed
from gansmith.recipes.base import Context, Networks
from gansmith.training import guard, start
from gansmith.training.monitors import Monitor, SampleGrid, TensorBoardLog, View
from gansmith.training.trainer import Trainer


class Spoiled(Points):
    """Spoils chosen fetches (counted from 1)."""

    def __init__(self, how: Callable[[Tensor], None], when: Callable[[int], bool]) -> None:
        super().__init__()
        self.how, self.when = how, when

    def spoil(self, batch: Batch) -> Batch:
        if self.when(self.fetched):
            self.how(batch["x"])
        return batch


def all_nan(x: Tensor) -> None:
    x.fill_(torch.nan)


def one_inf(x: Tensor) -> None:
    x[5, 1] = torch.inf


def too_large(x: Tensor) -> None:
    x.mul_(7e4)


SPOILS = {"every value NaN": all_nan, "inf in one sample": one_inf, "times 7e4": too_large}


def opened(out: Path, recipe: Toy, source: Points) -> Trainer:
    trainer = prepare(out, recipe=recipe, source=source)
    start.open_run(trainer)
    return trainer


@pytest.mark.parametrize("recipe", [Toy(), NormToy()], ids=["toy", "batch norm"])
@pytest.mark.parametrize("phase", ["D", "R1", "GE"])
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_row13_row16_a_bad_batch_leaves_no_trace(
    spoil: Callable[[Tensor], None], phase: str, recipe: Toy, tmp_path: Path
) -> None:
    """Weights, buffers, averages, moments and figures are to the bit what they were; the rows are named."""
    source = Spoiled(spoil, lambda n: False)
    trainer = opened(tmp_path, recipe, source)
    for _ in range(5):
        trainer.advance()
    before = {k: v for k, v in everything(trainer).items() if not k.startswith("figures")}
    source.when = lambda n: True
    rows = trainer.feed.rows(phase, 5 // trainer.phases[phase].every * trainer.phases[phase].repeats)
    trainer.progress.step = 5
    trainer.play(phase, 0)
    after = everything(trainer)
    assert_same(before, {k: after[k] for k in before})
    assert not trainer.keeper.hears_of_trouble()
    (skip,) = events(tmp_path, "skip")
    assert (skip["phase"], skip["step"]) == (phase, 5)
    assert "outside of the data's range" in skip["reason"]
    blamed = [int(rows[5])] if spoil is one_inf else None
    assert blamed is None or skip["rows"] == blamed
    assert skip["names"] == [f"point-{r}" for r in skip["rows"][:8]]


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_row13_row16_the_run_recovers(spoil: Callable[[Tensor], None], tmp_path: Path) -> None:
    trainer = train(tmp_path, source=Spoiled(spoil, lambda n: n in (37, 81)), steps=60)
    assert len(events(tmp_path, "skip")) == 2
    assert not events(tmp_path, "rollback")
    assert all(bool(torch.isfinite(v).all()) for v in everything(trainer).values())
    assert events(tmp_path, "end")[0]["refused"] == 2


def test_row14_persistent_nan_ends_the_run_after_three_returns(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed) as caught:
        train(tmp_path, source=Spoiled(all_nan, lambda n: n > 100), steps=100)
    message = str(caught.value)
    assert caught.value.exit_code == 1
    assert "after 3 returns" in message
    assert "phase D" in message or "phase GE" in message
    assert "outside of the data's range" in message
    assert "step-000000020" in message
    assert len(message.splitlines()) <= 3
    assert [e["attempt"] for e in events(tmp_path, "rollback")] == [1, 2, 3]
    assert events(tmp_path, "failed")[0]["checkpoint"] == "step-000000020"


def test_row14_what_passes_after_one_return_is_forgiven(tmp_path: Path) -> None:
    trainer = train(tmp_path, source=Spoiled(all_nan, lambda n: 100 < n < 125), steps=60)
    assert 1 <= len(events(tmp_path, "rollback")) <= 3
    assert trainer.progress.step == 60
    assert trainer.seed != prepare(tmp_path / "fresh").seed


@dataclass(frozen=True, kw_only=True)
class Breaking(Toy):
    """Breaks within a loss: data are sound."""

    broken: str = "GE"
    how: str = "nan loss"
    first: int = 0
    last: int = 10**9

    def _maybe(self, phase: str, terms: dict[str, Tensor], ctx: Context) -> dict[str, Tensor]:
        if phase != self.broken or not self.first <= ctx.step <= self.last:
            return terms
        name, loss = next(iter(terms.items()))
        if self.how == "nan loss":
            return {**terms, name: loss * torch.nan}
        if self.how == "inf loss with finite gradient":
            return {**terms, name: torch.cat([loss[:1] + torch.inf, loss[1:]])}
        zero = loss - loss.detach()
        return {**terms, "root": zero.square().sum().sqrt().expand(len(loss))}  # 0, and its gradient is 0 / 0

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return self._maybe("D", super().d_loss(nets, batch, ctx), ctx)

    def r1(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return self._maybe("R1", super().r1(nets, batch, ctx), ctx)

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return self._maybe("GE", super().g_loss(nets, batch, ctx), ctx)


HOWS = {
    "nan loss": "the loss GE/adv is not finite",
    "inf loss with finite gradient": "the loss GE/adv is not finite",
    "nan gradient": "a gradient of phase GE is not finite",
}


@pytest.mark.parametrize("how", HOWS)
def test_row13_a_loss_that_breaks_once(how: str, tmp_path: Path) -> None:
    recipe = Breaking(how=how, first=7, last=7)
    trainer = train(tmp_path, recipe=recipe, steps=30)
    (skip,) = events(tmp_path, "skip")
    assert skip["reason"] == HOWS[how]
    assert len(skip["rows"]) == (1 if how.startswith("inf") else 16)
    assert all(bool(torch.isfinite(v).all()) for v in everything(trainer).values())


@pytest.mark.parametrize("how", HOWS)
def test_row14_a_loss_that_stays_broken(how: str, tmp_path: Path) -> None:
    """Also where the other phases are sound and play far more often."""
    with pytest.raises(TrainingFailed, match=r"after 3 returns .*\(phase GE\)"):
        train(tmp_path, recipe=Breaking(how=how, first=25), steps=120)
    assert HOWS[how] in events(tmp_path, "failed")[0]["reason"]


def test_row14_a_rare_phase_that_stays_broken(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="phase R1"):
        train(tmp_path, recipe=Breaking(broken="R1", first=25), steps=300)


class Damage(Monitor):
    """Does something to the trainer once, at a step's end."""

    def __init__(self, at_tick: int, what: Callable[[Trainer], None]) -> None:
        self.at, self.what, self.done = at_tick, what, False

    def tick(self, view: View, figures: Any) -> None:
        if view.step >= self.at and not self.done:
            self.done = True
            self.what(view._trainer)


@torch.no_grad()
def huge(net: str) -> Callable[[Trainer], None]:
    def change(trainer: Trainer) -> None:
        modules = {**trainer.nets, **{f"{n}.ema": m for n, m in trainer.averages.nets.items()}}
        next(modules[net].parameters()).data.view(-1)[3] = 1e30

    return change


@torch.no_grad()
def exponent_bit(trainer: Trainer) -> None:
    """Flips the highest exponent bit of one weight in memory, as a stray neutron would."""
    weights = trainer.nets.G[0].weight.data.view(-1)
    (bits,) = struct.unpack("<I", struct.pack("<f", float(weights[7])))
    weights[7] = struct.unpack("<f", struct.pack("<I", bits ^ (1 << 30)))[0]


@pytest.mark.parametrize(
    ("what", "net"),
    [(huge("D"), "D"), (huge("G"), "G"), (huge("G.ema"), "G.ema"), (exponent_bit, "G")],
    ids=["D weight", "G weight", "average", "exponent bit"],
)
@pytest.mark.parametrize("tick", [20, 0], ids=["at a tick", "at the start"])
def test_row15_silent_corruption_is_found_within_a_tick(what: Any, net: str, tick: int, tmp_path: Path) -> None:
    """Found at the next tick at the latest, never saved, and gone back from."""

    class Early(Damage):
        def start(self, view: View) -> None:
            if tick == 0:
                self.tick(view, {})

    trainer = train(tmp_path, steps=60, save_every=10, monitors=[Early(tick, what)])
    first = events(tmp_path, "rollback")[0]
    assert first["step"] <= (20 if tick else 10)
    assert first["to"] == ("step-000000010" if tick else "step-000000000")
    assert trainer.progress.step == 60
    values = [v for k, v in everything(trainer).items() if not k.startswith("guard")]
    assert max(float(v.abs().max()) for v in values if v.numel()) < 1e6


def test_row15_corruption_after_the_last_tick_is_found_at_the_end(tmp_path: Path) -> None:
    """The run goes back, and still reaches its end."""

    def late(trainer: Trainer) -> None:
        huge("E")(trainer)

    trainer = train(tmp_path, steps=35, tick=10, save_every=10, monitors=[Damage(30, late)])
    assert len(events(tmp_path, "rollback")) >= 1
    assert trainer.progress.step == 35
    assert events(tmp_path, "end")[0]["step"] == 35


@dataclass(frozen=True, kw_only=True)
class Steep(Toy):
    """The D loss of chosen steps is multiplied, so that its gradient is."""

    factor: float = 1.0
    first: int = 10**9
    last: int = 10**9
    drift: float = 1.0

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        terms = super().d_loss(nets, batch, ctx)
        times = self.factor if self.first <= ctx.step <= self.last else self.drift**ctx.step
        return {name: values * times for name, values in terms.items()}


def test_row16_a_finite_gradient_a_million_times_the_usual_is_refused(tmp_path: Path) -> None:
    recipe = Steep(factor=1e6, first=60, last=60)
    train(tmp_path, recipe=recipe, steps=80)
    skips = events(tmp_path, "skip")
    assert [(s["phase"], s["step"]) for s in skips] == [("D", 61), ("D", 61)]
    assert "the gradient norm of phase D is" in skips[0]["reason"]
    assert not events(tmp_path, "rollback")


def test_row16_a_slow_drift_by_1e4_is_not_refused(tmp_path: Path) -> None:
    steps = 400
    train(tmp_path, recipe=Steep(drift=1e4 ** (1 / steps)), steps=steps, tick=100, save_every=400)
    assert not events(tmp_path, "skip")


def test_norm_history_has_the_mean_and_variance_of_logs() -> None:
    """In the first plays, plain averages; closed form."""
    norms = [1.0, math.e, math.e**2, math.e**3]
    history = guard.NormHistory(torch.device("cpu"))
    for norm in norms:
        assert not bool(history.outlier(torch.tensor(norm)))
    plays, mean, variance = history.state.tolist()
    assert (plays, mean, variance) == pytest.approx((4, 1.5, 1.25), rel=1e-6)
    history.outlier(torch.tensor(torch.nan))
    assert history.state.tolist() == [plays, mean, variance]


def test_an_exploding_norm_is_never_usual() -> None:
    """Outliers do not widen what is usual: one that stays is refused until the run goes back."""
    for norms in ([10.0**k for k in range(3, 13)], [1e6] * 10):
        history = guard.NormHistory(torch.device("cpu"))
        for k in range(100):
            history.outlier(torch.tensor(1.0 + 0.1 * (k % 2)))
        assert all(bool(history.outlier(torch.tensor(norm))) for norm in norms)


def test_row16_a_gradient_that_stays_a_million_times_the_usual(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"the gradient norm of phase D is .*; usual is"):
        train(tmp_path, recipe=Steep(factor=1e6, first=60), steps=200)


@pytest.mark.parametrize("recipe", [FusedToy(), Toy()], ids=["fused Adam", "other optimizers"])
def test_the_deferred_path_equals_the_direct_one(recipe: Toy, tmp_path: Path) -> None:
    """As on CUDA: verdicts are read every 16 steps, and the optimizer itself skips. Equal to the bit."""
    results = []
    for deferred in (False, True):

        def defer(trainer: Trainer, flag: bool = deferred) -> None:
            trainer.deferred = flag

        out = tmp_path / str(deferred)
        source = Spoiled(all_nan, lambda n: n in (30, 31, 77))
        trainer = train(out, recipe=recipe, source=source, steps=40, before=defer)
        results.append(everything(trainer))
        assert len(events(out, "skip")) == 3
    assert_same(*results)
    ticks = [events(tmp_path / str(d), "tick") for d in (False, True)]
    assert ticks[0] == ticks[1]


def test_the_deferred_path_goes_back_too(tmp_path: Path) -> None:
    def defer(trainer: Trainer) -> None:
        trainer.deferred = True

    with pytest.raises(TrainingFailed, match="after 3 returns"):
        train(tmp_path, recipe=FusedToy(), source=Spoiled(all_nan, lambda n: n > 100), steps=100, before=defer)


def test_monitors_change_nothing(tmp_path: Path) -> None:
    """A run with every monitor, one of which draws random numbers, equals one with none, to the bit."""

    class Noisy(Monitor):
        def tick(self, view: View, figures: Any) -> None:
            torch.randn(1000)
            view.generate(view.source.spec.request(10), seed=5)

    watched = train(tmp_path / "a", recipe=NormToy(), monitors=[SampleGrid(16), TensorBoardLog(), Noisy()])
    alone = train(tmp_path / "b", recipe=NormToy())
    assert_same(everything(watched), everything(alone))
    assert events(tmp_path / "a", "tick") == events(tmp_path / "b", "tick")


def test_the_guard_changes_nothing_in_a_healthy_run(tmp_path: Path) -> None:
    """Against a loop written out by hand over the same networks, noise and rows: equal to the bit."""
    trainer = prepare(tmp_path / "a", recipe=NormToy(), steps=20)
    twin = prepare(tmp_path / "b", recipe=NormToy(), steps=20)
    trainer.fit()
    for step in range(20):
        for name, phase in twin.phases.items():
            for turn in range(phase.repeats if step % phase.every == 0 else 0):
                batch = twin.source.batch(
                    twin.feed.rows(name, step // phase.every * phase.repeats + turn), torch.device("cpu")
                )
                twin.progress.step = step
                optimizer = twin.optimizers[phase.trains]
                optimizer.zero_grad()
                with twin.nets.only(phase.trains):
                    terms = phase.loss(twin.nets, batch, twin._context(name, turn, 0))
                    torch.stack([v.mean() for v in terms.values()]).sum().backward()
                optimizer.step()
    assert_same(dict(trainer.nets.state_dict()), dict(twin.nets.state_dict()))


def test_buffers_that_a_forward_pass_replaces_are_put_back(tmp_path: Path) -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.seen = self.seen + 1
            return x

    class Counting(Toy):
        def networks(self, spec: Any) -> Networks:
            nets = super().networks(spec)
            nets.D.insert(0, Counter())
            return nets

    trainer = train(tmp_path, recipe=Counting(), source=Spoiled(all_nan, lambda n: n == 30), steps=20)
    plain = train(tmp_path / "b", recipe=Counting(), steps=20)
    per_play = {float(plain.nets.D[0].seen) - float(trainer.nets.D[0].seen)}
    assert per_play <= {1.0, 2.0}
