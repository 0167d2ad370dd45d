"""The engine's parts by themselves: order, feed, noise, figures, averages, settings, start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toys import FusedToy, NormToy, Points, Toy, everything, prepare, train

from gansmith.batch import Batch
from gansmith.errors import ConfigError, DataError, Interrupted, RunFolderError
from gansmith.recipes.base import Context, Networks, Phase, fold, sample
from gansmith.schedule import Linear
from gansmith.training import start
from gansmith.training.averages import Averages
from gansmith.training.config import TrainConfig
from gansmith.training.feed import Feed, Order
from gansmith.training.figures import Figures
from gansmith.training.keeper import weight_norm
from gansmith.training.state import Buffers

CPU = torch.device("cpu")
YES, NO = torch.tensor(True), torch.tensor(False)


@pytest.mark.parametrize(("n", "batch"), [(10, 3), (10, 10), (7, 5), (64, 64)])
def test_every_epoch_is_a_permutation(n: int, batch: int) -> None:
    order = Order(n, 0, "x")
    drawn = torch.cat([order.rows(i * batch, batch) for i in range(4 * n)])[: 3 * n]
    epochs = drawn.view(3, n)
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(n))
    assert n < 10 or len({tuple(e.tolist()) for e in epochs}) == 3


def test_an_order_depends_on_place_and_seed_alone() -> None:
    straight, jumping = Order(50, 1, "D"), Order(50, 1, "D")
    rows = [straight.rows(i * 16, 16) for i in range(20)]
    for i in (19, 0, 7, 3, 12):
        assert torch.equal(jumping.rows(i * 16, 16), rows[i])
    assert not torch.equal(Order(50, 2, "D").rows(0, 50), straight.rows(0, 50))
    assert not torch.equal(Order(50, 1, "G").rows(0, 50), straight.rows(0, 50))


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_shares_of_all_processes_make_the_batch(world: int) -> None:
    source, batch = Points(100), 32
    whole = Feed(source, batch, 0, batch, CPU, seed=5, ahead=False)
    share = batch // world
    feeds = [Feed(source, batch, r * share, share, CPU, seed=5, ahead=False) for r in range(world)]
    for draw in range(7):
        assert torch.equal(torch.cat([f.rows("D", draw) for f in feeds]), whole.rows("D", draw))


def test_a_feed_starts_a_new_order_after_going_back() -> None:
    feed = Feed(Points(100), 32, 0, 32, CPU, seed=5, ahead=True)
    before = feed.fetch("D", 0)["index"]
    feed.reseed(6)
    assert not torch.equal(feed.fetch("D", 0)["index"], before)
    feed.reseed(5)
    assert torch.equal(feed.fetch("D", 0)["index"], before)
    assert torch.equal(feed.fetch("D", 1)["index"], feed.rows("D", 1))
    feed.close()


def noise(n: int, row: int = 0, seed: int = 3, calls: int = 1) -> Tensor:
    ctx = Context(seed=seed, row=row)
    return torch.stack([ctx.randn(Batch(x=torch.zeros(n)), 5) for _ in range(calls)])


@pytest.mark.parametrize("parts", [[200], [64, 64, 72], [1, 99, 100], [63, 65, 72]])
def test_noise_belongs_to_rows(parts: list[int]) -> None:
    """Micro-batches and processes, wherever they are cut, see the noise of the whole batch."""
    whole, row, pieces = noise(200, calls=2), 0, []
    for n in parts:
        pieces.append(noise(n, row, calls=2))
        row += n
    assert torch.equal(torch.cat(pieces, 1), whole)


def test_noise_of_fewer_rows_is_a_prefix() -> None:
    assert torch.equal(noise(17), noise(200)[:, :17])
    assert not torch.equal(noise(17, seed=4), noise(17))
    first, second = noise(17, calls=2)
    assert not torch.equal(first, second)


def test_noise_has_its_distribution() -> None:
    normal = noise(20_000)
    assert abs(float(normal.mean())) < 0.01
    assert abs(float(normal.var()) - 1) < 0.02
    uniform = Context(seed=1).rand(Batch(x=torch.zeros(20_000)), 2)
    assert float(uniform.min()) >= 0
    assert float(uniform.max()) < 1
    assert abs(float(uniform.mean()) - 0.5) < 0.01


def test_fold_is_the_same_everywhere() -> None:
    assert fold(0, "networks") == fold(0, "networks") != fold(1, "networks")
    assert 0 <= fold("x") < 2**63
    assert len({fold(0, i) for i in range(1000)}) == 1000


def test_only_the_named_networks_get_gradients() -> None:
    nets = Toy().networks(Points(8).spec)
    nets.E[0].bias.requires_grad_(False)
    with nets.only(("G", "E")) as params:
        assert {id(p) for p in params} == {id(p) for n in "GE" for p in nets[n].parameters() if p.requires_grad}
        assert not any(p.requires_grad for p in nets.D.parameters())
    assert all(p.requires_grad for p in nets.D.parameters())
    assert not nets.E[0].bias.requires_grad


def test_a_shared_trunk_is_trained_with_either() -> None:
    trunk = nn.Linear(2, 2)
    nets = Networks({"D": nn.Sequential(trunk, nn.Linear(2, 1)), "Q": nn.Sequential(trunk, nn.Linear(2, 3))})
    with nets.only(("D",)) as params:
        assert trunk.weight.requires_grad
        assert len(params) == 4
        assert not nets.Q[1].weight.requires_grad


def test_figures_are_means_over_accepted_plays() -> None:
    figures = Figures()
    for value, accepted in [(1.0, YES), (float("nan"), NO), (4.0, YES)]:
        figures.add("D", {"adv": torch.tensor(value), "real": torch.tensor(2 * value)}, accepted)
    figures.add("G", {"adv": torch.tensor(float("inf"))}, NO)
    figures.add("D", {"adv": torch.tensor(7.0)}, YES)
    assert figures.read(lambda t: t) == {"D/adv": 4.0, "D/real": 5.0}
    assert figures.read(lambda t: t) == {}


def test_figures_survive_json_to_the_bit() -> None:
    a, b = Figures(), Figures()
    for k in range(9):
        a.add("D", {"adv": torch.tensor(0.1 * k), "x": torch.tensor(1 / 3)}, YES)
        if k == 4:
            b.from_json(a.to_json(), CPU)
        elif k > 4:
            b.add("D", {"adv": torch.tensor(0.1 * k), "x": torch.tensor(1 / 3)}, YES)
    assert a.read(lambda t: t) == b.read(lambda t: t)


def test_averages_decay_by_half_every_half_life() -> None:
    """From 0 towards 1: after n half-lives, 1 - 2^-n; closed form."""
    nets = Networks({"G": nn.Linear(1, 1)})
    with torch.no_grad():
        [p.zero_() for p in nets.parameters()]
    averages = Averages(nets, {"G": 1000})
    with torch.no_grad():
        [p.fill_(1.0) for p in nets.parameters()]
    for _ in range(30):
        averages.follow(nets, batch=100, samples=0)
    assert float(averages.nets["G"].weight) == pytest.approx(1 - 2**-3, rel=1e-5)
    assert averages.over(nets).G is averages.nets["G"]
    assert not averages.nets["G"].training
    assert not any(p.requires_grad for p in averages.nets["G"].parameters())


def test_averages_follow_a_schedule_and_copy_buffers() -> None:
    nets = Networks({"G": nn.BatchNorm1d(2), "D": nn.Linear(1, 1)})
    averages = Averages(nets, {"G": Linear(0.0, 100.0, 10)})
    with torch.no_grad():
        nets.G.weight.fill_(3.0)
        nets.G.running_mean.fill_(5.0)
        nets.G.num_batches_tracked.fill_(7)
    averages.follow(nets, batch=100, samples=0)  # half-life 0: a copy
    assert averages.nets["G"].weight.tolist() == [3.0, 3.0]
    assert averages.nets["G"].running_mean.tolist() == [5.0, 5.0]
    assert int(averages.nets["G"].num_batches_tracked) == 7
    with torch.no_grad():
        nets.G.weight.fill_(1.0)
    averages.follow(nets, batch=100, samples=10)  # half-life 100
    assert averages.nets["G"].weight.tolist() == [2.0, 2.0]
    assert averages.over(nets).D is nets.D


def test_buffers_are_put_back_or_kept() -> None:
    nets = Networks({"G": nn.BatchNorm1d(2)})
    buffers, seen = Buffers(nets), 0
    for accepted in (NO, YES, NO, YES):
        buffers.remember()
        nets.G(torch.randn(8, 2))
        moved = {k: v.clone() for k, v in nets.G.named_buffers()}
        buffers.keep_if(accepted)
        kept = all(torch.equal(v, moved[k]) for k, v in nets.G.named_buffers())
        assert kept == bool(accepted)
        seen += int(accepted)
        assert int(nets.G.num_batches_tracked) == seen


def test_a_buffer_that_a_forward_pass_replaces_stays_the_same_tensor() -> None:
    nets = Networks({"G": nn.BatchNorm1d(2)})
    original, buffers = nets.G.running_mean, Buffers(nets)
    for accepted, wanted in ((NO, 0.0), (YES, 1.0)):
        buffers.remember()
        nets.G.running_mean = torch.ones(2)
        buffers.keep_if(accepted)
        assert nets.G.running_mean is original
        assert nets.G.running_mean.tolist() == [wanted, wanted]


def test_weight_norm_is_euclidean() -> None:
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, 0.0]]))
        net.bias.fill_(4.0)
    assert weight_norm(net) == pytest.approx(5.0)
    assert weight_norm(nn.ReLU()) == 0.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "either samples or minutes"),
        ({"samples": 10, "minutes": 1.0}, "either samples or minutes"),
        ({"samples": 10, "batch": 0}, "batch must be more than 0, not: 0"),
        ({"samples": 10, "micro": -1}, "micro must be more than 0"),
        ({"samples": 10, "keep": 1}, "keep at least 2"),
        ({"samples": 10, "batch": 5, "devices": 2}, "divide evenly over 2 devices, it is: 5"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        TrainConfig(**settings)


def test_a_batch_larger_than_the_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a batch of 32 needs as many examples; the data have 8: lower --batch"):
        train(tmp_path / "run", source=Points(8))
    assert not (tmp_path / "run").exists()


class OtherLoss(Toy):
    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"adv": super().d_loss(nets, batch, ctx)["adv"].mean()}


class NoTerms(Toy):
    def d_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {}


class Detached(Toy):
    def g_loss(self, nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {"adv": nets.D(batch["x"].requires_grad_())}


class Misnamed(Toy):
    def phases(self) -> dict[str, Phase]:
        return {"C": Phase(("critic",), self.d_loss)}


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (OtherLoss(), r"the loss D/adv must hold one value for each of the 32 examples.*shape \(\)"),
        (NoTerms(), "the loss of phase D returned no terms"),
        (Detached(), "phase GE gave no gradient to any parameter of G, E"),
        (Misnamed(), "phase C names a network that the recipe lacks: critic; it has: G, D, E"),
    ],
)
def test_recipes_that_cannot_work_are_told_why(recipe: Toy, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        train(tmp_path, recipe=recipe)


def test_phases_are_due_when_they_say() -> None:
    def loss(nets: Networks, batch: Batch, ctx: Context) -> dict[str, Tensor]:
        return {}

    lazy = Phase(("D",), loss, every=4, start=100, stop=200)
    assert [s for s in range(9) if lazy.due(s, 100)] == [0, 4, 8]
    assert [lazy.due(0, n) for n in (99, 100, 199, 200)] == [False, True, True, False]


def test_samples_do_not_depend_on_how_they_are_made(tmp_path: Path) -> None:
    trainer = train(tmp_path, recipe=NormToy(), steps=5)
    spec = trainer.source.spec
    whole = sample(trainer.recipe, trainer.nets, spec.request(150), seed=1)["x"]
    chunked = sample(trainer.recipe, trainer.nets, spec.request(150), seed=1, chunk=40)["x"]
    late = sample(trainer.recipe, trainer.nets, spec.request(50, start=100), seed=1)["x"]
    torch.testing.assert_close(chunked, whole)
    torch.testing.assert_close(late, whole[100:])
    assert trainer.nets.G.training, "sampling puts the mode back"


def test_hyperparameters_follow_their_schedule(tmp_path: Path) -> None:
    class Scheduled(FusedToy):
        def hyper(self, name: str, samples: int) -> dict[str, Any]:
            return {"lr": Linear(1e-3, 0.0, 640).at(samples)}

    trainer = train(tmp_path, recipe=Scheduled(), steps=10)
    for optimizer in trainer.optimizers.values():
        assert optimizer.param_groups[0]["lr"] == pytest.approx(1e-3 * (1 - 9 / 20))


def test_phases_with_equal_networks_share_an_optimizer(tmp_path: Path) -> None:
    trainer = prepare(tmp_path)
    assert set(trainer.optimizers) == {("D",), ("G", "E")}


def test_control_sees_reduced_figures_once_a_tick(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    class Controlled(Toy):
        def control(self, nets: Networks, figures: Any, ctx: Context) -> None:
            seen.append(dict(figures))

    train(tmp_path, recipe=Controlled(), steps=40, tick=10)
    assert len(seen) == 4
    assert {"D/adv", "D/real", "R1/r1", "GE/rec", "D/gradient_norm"} <= seen[0].keys()
    assert all(isinstance(v, float) for v in seen[0].values())


def test_a_run_by_the_clock_ends(tmp_path: Path) -> None:
    config = TrainConfig(batch=32, minutes=0.005, tick=320, save_every=10**6)
    from gansmith.training.trainer import Trainer

    trainer = Trainer(Toy(), Points(), config, out=tmp_path)
    trainer.fit()
    assert trainer.progress.step > 0
    assert trainer.seconds >= 0.3


def test_resuming_nothing_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="no such run folder"):
        train(tmp_path / "absent", resume=True)
    assert not list(tmp_path.iterdir())


def test_old_checkpoints_go(tmp_path: Path) -> None:
    train(tmp_path, steps=60, save_every=10, keep=2)
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-000000050", "step-000000060"]


def test_other_weights_to_begin_with(tmp_path: Path) -> None:
    def ones(nets: Networks) -> None:
        with torch.no_grad():
            [p.fill_(0.5) for p in nets.G.parameters()]

    trainer = prepare(tmp_path, initial=ones)
    state = everything(trainer)
    assert all(bool((state[k] == 0.5).all()) for k in state if k.startswith(("G.", "G.ema.")))


def test_recipes_are_found_again() -> None:
    assert start.importable_name(Toy()).endswith("toys.py:Toy")


def test_interrupted_carries_the_exit_code() -> None:
    assert [Interrupted("", n).exit_code for n in (2, 15)] == [130, 143]


@pytest.fixture(autouse=True)
def _global_seed() -> None:
    torch.manual_seed(0)
