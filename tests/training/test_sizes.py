"""Growth: smaller pictures at first, parameters that sleep until their stage begins, the same after a restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, softplus
from toys import assert_same, everything, train

from gansmith.batch import Batch
from gansmith.recipes.base import Context, Networks, Phase, Recipe
from gansmith.spec import ImageSpec, Spec
from gansmith.testing import check_phases
from gansmith.training import start
from gansmith.training.feed import Feed

CPU = torch.device("cpu")
SIZES = ((0, 2), (96, 4), (224, 8))  # samples: steps 3 and 7 of 32


class Squares:
    """Random pictures of 8 x 8 pixels, and smaller ones on request; it notes which were asked for."""

    def __init__(self, x: Tensor | None = None, asked: list[int] | None = None) -> None:
        self.x = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1 if x is None else x
        self.spec: Spec = ImageSpec(size=self.x.shape[-1], channels=1)
        self.fingerprint, self.asked = "squares", [] if asked is None else asked

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        self.asked.append(self.x.shape[-1])
        return Batch(x=self.x[rows], index=rows).to(device)

    def smaller(self, size: int) -> Squares:
        side = self.x.shape[-1]
        return self if size >= side else Squares(avg_pool2d(self.x, side // size), self.asked)

    def notes(self) -> list[str]:
        return []


class OneSize(Squares):
    """The same, whole."""

    smaller = None  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class Growing(Recipe):
    """A linear G and D for each size; those of one size play at a time."""

    def networks(self, spec: Spec) -> Networks:
        nets = {"G": [nn.Linear(3, s * s) for _, s in SIZES], "D": [nn.Linear(s * s, 1) for _, s in SIZES]}
        return Networks({name: nn.ModuleList(layers) for name, layers in nets.items()})

    def phases(self) -> dict[str, Phase]:
        return {name: Phase((name,), loss, sizes=SIZES) for name, loss in (("D", self.d_loss), ("G", self.g_loss))}

    def judged(self, nets: Networks, batch: Batch, ctx: Context) -> tuple[Tensor, Tensor]:
        stage = sum(begin <= ctx.samples for begin, _ in SIZES) - 1
        x = avg_pool2d(batch["x"], batch["x"].shape[-1] // SIZES[stage][1])
        fake = nets.G[stage](ctx.randn(batch, 3))
        return nets.D[stage](x.flatten(1))[:, 0], nets.D[stage](fake)[:, 0]

    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        real, fake = self.judged(nets, batch, ctx)
        return {"adv": softplus(-real) + softplus(fake)}

    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"adv": softplus(-self.judged(nets, batch, ctx)[1])}

    def optimizer(self, name: str, params: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(params, 1e-2, (0.0, 0.99), weight_decay=0.1)

    def generate(self, nets: Networks, request: Batch, ctx: Context) -> Batch:
        return Batch(x=nets.G[-1](ctx.randn(request, 3)).view(-1, 1, 8, 8))


def grown(out: Path, steps: int, **options: Any) -> Any:
    options.setdefault("source", Squares())
    return train(out, recipe=Growing(), steps=steps, monitors=[], **options)


@pytest.mark.parametrize(("samples", "side"), [(0, 2), (95, 2), (96, 4), (223, 4), (224, 8), (10**9, 8)])
def test_a_phase_says_which_size_will_do(samples: int, side: int) -> None:
    assert Growing().phases()["G"].size(samples) == side
    assert Phase(("G",), Growing().g_loss).size(samples) is None
    assert Phase(("G",), Growing().g_loss, sizes=((5, 4),)).size(4) is None


@pytest.mark.parametrize("ahead", [False, True])
def test_a_feed_serves_the_size_asked_for(ahead: bool) -> None:
    feed, rows = Feed(Squares(), 16, 0, 16, CPU, seed=0, ahead=ahead), []
    for draw, size in enumerate((2, 2, 8, 4, None, 16)):
        batch = feed.fetch("D", draw, size)
        assert batch["x"].shape[-1] == min(size or 8, 8), "what was fetched ahead at another size is not used"
        rows.append(batch["index"])
    feed.close()
    whole = Feed(OneSize(), 16, 0, 16, CPU, seed=0, ahead=False)
    for draw, seen in enumerate(rows):
        batch = whole.fetch("D", draw, 2)
        assert torch.equal(batch["index"], seen), "the size does not change which rows come when"
        assert batch["x"].shape[-1] == 8


def test_the_source_serves_what_the_phases_need(tmp_path: Path) -> None:
    source = Squares()
    grown(tmp_path / "run", 10, source=source)
    assert source.asked == [2] * 6 + [4] * 8 + [8] * 6


def test_what_is_served_smaller_teaches_the_same(tmp_path: Path) -> None:
    small, whole = grown(tmp_path / "a", 10), grown(tmp_path / "b", 10, source=OneSize())
    assert_same(everything(small), everything(whole), close=True)


def test_parameters_sleep_until_their_stage_begins(tmp_path: Path) -> None:
    """To the bit, in spite of weight decay, and without optimizer state; then they sleep again."""
    fresh = grown(tmp_path / "fresh", 0 + 1).nets
    first, second, third = (grown(tmp_path / str(n), n) for n in (3, 7, 10))
    for name in "GD":
        assert torch.equal(first.nets[name][1].weight, fresh[name][1].weight)
        assert not torch.equal(second.nets[name][1].weight, first.nets[name][1].weight)
        assert torch.equal(second.nets[name][0].weight, first.nets[name][0].weight)
        assert torch.equal(third.nets[name][1].weight, second.nets[name][1].weight)
        states = [len(t.optimizers[name,].state_dict()["state"]) for t in (first, second, third)]
        assert states == [2, 4, 6]


@pytest.mark.parametrize("at", [2, 3, 5, 7, 8])
def test_a_restart_within_and_between_stages_changes_nothing(at: int, tmp_path: Path) -> None:
    straight = grown(tmp_path / "straight", 10)
    grown(tmp_path / "run", at)
    assert_same(everything(grown(tmp_path / "run", 10, resume=True)), everything(straight))


def test_processes_compare_their_gradients_at_each_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What each process holds may have changed; unequal gradients would make the next collective wait for ever."""
    seen, check = [], start.check_first_play

    def noted(trainer: Any, phase: str, params: Any) -> None:
        seen.append((phase, trainer.samples))
        check(trainer, phase, params)

    monkeypatch.setattr(start, "check_first_play", noted)
    grown(tmp_path / "run", 10)
    assert seen == [("D", 0), ("G", 0), ("D", 96), ("G", 96), ("D", 224), ("G", 224)]


def test_the_contract_asks_every_stage_for_its_gradients() -> None:
    check_phases(Growing(), Squares())

    class Forgetful(Growing):
        def judged(self, nets: Networks, batch: Batch, ctx: Context) -> tuple[Tensor, Tensor]:
            return super().judged(nets, batch, Context(seed=ctx.seed, samples=min(ctx.samples, 223)))

    with pytest.raises(AssertionError, match=r"no phase gives a gradient to: D\.2\.bias, D\.2\.weight"):
        check_phases(Forgetful(), Squares())
