"""Every part of a game against its definition, and over a real recipe's networks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.augment.diffaugment import DiffAugment
from gansmith.batch import Batch
from gansmith.config import build, override, to_dict
from gansmith.errors import ConfigError
from gansmith.game import Augment, Game, Judged, Solver, structure, terms
from gansmith.losses.adversarial import PAIRS
from gansmith.nn.minibatch import MinibatchDiscrimination, MinibatchStd
from gansmith.recipes import dcgan, gan, progan
from gansmith.recipes.base import Context, Networks
from gansmith.schedule import Exponential, Linear
from gansmith.spec import ImageSpec

SPEC = ImageSpec(size=16, channels=1)
RECIPE = gan.GAN(width=8, units=6, pieces=2, keep_pixels=1.0, keep=1.0, irange=0.5)


class Plain(nn.Module):
    """D(x) = tanh(w . x): a smooth D of few weights."""

    def __init__(self, inputs: int = 4) -> None:
        super().__init__()
        self.head = nn.Linear(inputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)).flatten().tanh()


class Scaled(nn.Module):
    """G(z) = a z, of 2 x 2 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(0.7))

    def forward(self, z: Tensor) -> Tensor:
        return self.a * z


class Duo:
    """The simplest players."""

    def fake(self, nets: Any, batch: Batch, ctx: Context) -> Tensor:
        return nets.G(ctx.randn(batch, 1, 2, 2).to(batch["x"].dtype))

    def judge(self, nets: Any, x: Tensor, batch: Batch, ctx: Context) -> Tensor:
        return nets.D(x)


def duo(inputs: int = 4) -> tuple[Duo, Networks, Batch]:
    torch.manual_seed(0)
    nets = Networks({"G": Scaled(), "D": Plain(inputs)}).double()
    return Duo(), nets, Batch(x=torch.randn(6, 1, 2, 2, dtype=torch.float64))


def play(game: Game, phase: str = "D", inputs: int = 4, **where: int) -> tuple[dict[str, Tensor], Networks, Batch]:
    players, nets, batch = duo(inputs)
    game.prepare(nets)
    return game.phases(players)[phase].loss(nets, batch, Context(**where)), nets, batch


@pytest.mark.parametrize("loss", PAIRS)
def test_losses_are_those_of_the_pair(loss: Any) -> None:
    game = Game(loss=loss)
    d, nets, batch = play(game)
    g, _, _ = play(game, "G")
    fake = Duo().fake(nets, batch, Context())
    r, f = nets.D(batch["x"]), nets.D(fake)
    torch.testing.assert_close(d["adv"], PAIRS[loss].d(r, f))
    torch.testing.assert_close(g["adv"], PAIRS[loss].g(f, r) if PAIRS[loss].compares else PAIRS[loss].g(f))


def test_relativistic_average_compares_with_the_mean() -> None:
    r, f = torch.tensor([1.0, 3.0]), torch.tensor([0.0, -1.0])
    pair = PAIRS["relativistic_average"]
    wanted = (F.softplus(-0.5 - r) + F.softplus(f - 2.0)) / 2
    torch.testing.assert_close(pair.d(r, f), wanted)
    torch.testing.assert_close(pair.g(f, r), (F.softplus(2.0 - f) + F.softplus(r + 0.5)) / 2)


def test_smoothing_is_cross_entropy_with_a_target_below_one() -> None:
    d, nets, batch = play(Game(smooth=0.1))
    r, f = nets.D(batch["x"]), nets.D(Duo().fake(nets, batch, Context()))
    target = torch.full_like(r, 0.9)
    wanted = F.binary_cross_entropy_with_logits(r, target, reduction="none") + F.softplus(f)
    torch.testing.assert_close(d["adv"], wanted)


@pytest.mark.parametrize(("name", "of"), [("r1", "real"), ("r2", "fake")])
def test_zero_centred_penalties_by_finite_differences(name: str, of: str) -> None:
    d, nets, batch = play(Game(**{name: 3.0}))
    x = batch["x"] if of == "real" else Duo().fake(nets, batch, Context()).detach()
    torch.testing.assert_close(d[name], 1.5 * slopes(nets.D, x).square().sum(1), rtol=1e-6, atol=1e-9)


def test_gradient_penalty_by_finite_differences() -> None:
    d, nets, batch = play(Game(gp=10.0))
    ctx = Context()
    fake = Duo().fake(nets, batch, ctx).detach()
    x = torch.lerp(fake, batch["x"], ctx.rand(batch).view(-1, 1, 1, 1).double())
    wanted = 10 * (slopes(nets.D, x).square().sum(1).sqrt() - 1).square()
    torch.testing.assert_close(d["gp"], wanted, rtol=1e-6, atol=1e-9)


def test_gradient_penalty_of_another_length_and_drift() -> None:
    far, nets, batch = play(Game(gp=10.0, gp_norm=750.0, drift=0.5))
    near, _, _ = play(Game(gp=10.0))
    length = 1 + (near["gp"] / 10).sqrt() * torch.tensor([[1.0], [-1.0]])  # of each gradient, one of two
    wanted = 10 * (length / 750 - 1).square()
    assert (far["gp"] - wanted).abs().amin(0).max() < 1e-9
    torch.testing.assert_close(far["drift"], 0.5 * nets.D(batch["x"]).square())
    assert set(near) == {"adv", "gp"}


def slopes(d: nn.Module, x: Tensor, step: float = 1e-5) -> Tensor:
    """Central differences of D at each pixel, (b, pixels)."""
    moved = []
    for i in range(x[0].numel()):
        by = torch.zeros_like(x).flatten(1)
        by[:, i] = step
        by = by.view_as(x)
        moved.append((d(x + by) - d(x - by)).detach() / (2 * step))
    return torch.stack(moved, 1)


def test_penalties_weigh_the_same_however_often() -> None:
    every, _, _ = play(Game(r1=1.0, r2=2.0))
    lazy = Game(r1=1.0, r2=2.0, penalty_every=4)
    found = [set(play(lazy, step=s)[0]) for s in range(4)]
    assert found == [{"adv", "r1", "r2"}] + [{"adv"}] * 3
    torch.testing.assert_close(play(lazy)[0]["r2"], 4 * every["r2"])
    after = replace(lazy, penalty_step="after")
    assert set(play(after)[0]) == {"adv"}
    torch.testing.assert_close(play(after, "penalty")[0]["r1"], 4 * every["r1"])
    phase = after.phases(Duo())["penalty"]
    assert (phase.trains, phase.every, phase.second_order) == (("D",), 4, ("D",))


def test_penalty_of_its_own_step_needs_no_real_side() -> None:
    found, _, _ = play(Game(gp=10.0, penalty_step="after"), "penalty")
    assert set(found) == {"gp"}
    found, _, _ = play(Game(r2=10.0, penalty_step="after"), "penalty")
    assert set(found) == {"r2"}


def test_lecam_pulls_logits_to_the_other_sides_average() -> None:
    game = Game(lecam=0.3, lecam_half_life=100.0)
    players, nets, batch = duo()
    game.prepare(nets)
    game.control(nets, {"D/real_logit": 2.0, "D/fake_logit": -1.0}, Context(samples=100))
    assert float(nets.D.lecam_real) == pytest.approx(1.0)  # half of the way
    found = game.phases(players)["D"].loss(nets, batch, Context())
    r, f = nets.D(batch["x"]), nets.D(players.fake(nets, batch, Context()))
    torch.testing.assert_close(found["lecam"], 0.3 * ((r + 0.5).square() + (f - 1.0).square()))
    game.control(nets, {"D/real_logit": 2.0}, Context(samples=200))
    assert float(nets.D.lecam_real) == pytest.approx(1.5)
    assert float(nets.D.lecam_fake) == pytest.approx(-0.5)


def test_consistency_is_zero_for_a_d_that_ignores_flips_and_shifts() -> None:
    found, _, _ = play(Game(bcr_real=10.0, bcr_fake=10.0))
    assert found["bcr_real"].max() > 0
    players, nets, batch = duo()
    nets["D"] = nn.Sequential()
    players.judge = lambda nets, x, batch, ctx: x.flatten(1).amax(1) * 0  # type: ignore[method-assign]
    found = Game(bcr_real=10.0).phases(players)["D"].loss(nets, batch, Context())
    assert found["bcr_real"].abs().max() == 0


def test_top_k_keeps_the_most_real() -> None:
    losses, logits = torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.0, 5.0, -1.0, 2.0])
    torch.testing.assert_close(terms.hardest_left_out(losses, logits, 0.5), torch.tensor([0.0, 4.0, 0.0, 8.0]))
    assert terms.hardest_left_out(losses, logits, 1.0) is losses
    share = Game(top_k=Linear(1.0, 0.5, 100))
    assert (play(share, "G", samples=100)[0]["adv"] == 0).sum() == 3
    assert (play(share, "G", samples=0)[0]["adv"] == 0).sum() == 0


def test_feature_matching_compares_means_of_what_enters_the_head() -> None:
    found, nets, batch = play(Game(feature_matching=2.0), "G")
    fake = Duo().fake(nets, batch, Context())
    wanted = 2 * (batch["x"].flatten(1).mean(0) - fake.flatten(1).mean(0)).square().mean()
    torch.testing.assert_close(found["features"], wanted.expand(6))
    assert found["features"].requires_grad


def test_unrolled_d_is_that_of_descent_steps_and_is_itself_unchanged() -> None:
    players, nets, batch = duo()
    before = {k: v.clone() for k, v in nets.D.state_dict().items()}
    game = Game(unrolled=2, unrolled_lr=0.1)
    found = game.phases(players)["G"].loss(nets, batch, Context())["adv"]
    assert all(torch.equal(v, before[k]) for k, v in nets.D.state_dict().items())
    ctx = Context()
    fake = players.fake(nets, batch, ctx)
    copy = Plain().double()
    copy.load_state_dict(before)
    descent = torch.optim.SGD(copy.parameters(), 0.1)
    for _ in range(2):
        descent.zero_grad()
        inner = players.fake(nets, batch, ctx).detach()
        PAIRS["non_saturating"].d(copy(batch["x"]), copy(inner)).mean().backward()
        descent.step()
    torch.testing.assert_close(found, PAIRS["non_saturating"].g(copy(fake)))
    one = torch.autograd.grad(found.mean(), nets.G.a)[0]
    aside = torch.autograd.grad(PAIRS["non_saturating"].g(copy(players.fake(nets, batch, Context()))).mean(), nets.G.a)[
        0
    ]
    assert not torch.isclose(one, aside)  # the gradient passes through the inner steps


def test_packs_are_judged_together_and_every_picture_carries_its_packs_loss() -> None:
    found, nets, batch = play(Game(pac=2, r1=2.0), inputs=8)
    assert found["adv"].shape == (6,)
    torch.testing.assert_close(found["adv"][0::2], found["adv"][1::2])
    pack = batch["x"].reshape(3, 8).requires_grad_()
    (slope,) = torch.autograd.grad(nets.D(pack).sum(), pack)
    torch.testing.assert_close(found["r1"], slope.square().sum(1).repeat_interleave(2))


def test_together_is_apart_for_a_d_without_batch_statistics() -> None:
    apart, _, _ = play(Game(r1=1.0))
    together, _, _ = play(Game(r1=1.0, together=True))
    for name, value in apart.items():
        torch.testing.assert_close(together[name], value)


def test_terms_of_the_judge_are_added_for_both_players() -> None:
    class Telling(Duo):
        def judge(self, nets: Any, x: Tensor, batch: Batch, ctx: Context) -> Judged:
            return Judged(nets.D(x), {"class": x.flatten(1).sum(1)})

    _, nets, batch = duo()
    phases = Game().phases(Telling())
    assert set(phases["D"].loss(nets, batch, Context())) == {"adv", "class", "class_fake"}
    assert set(phases["G"].loss(nets, batch, Context())) == {"adv", "class"}
    joined = Game(together=True).phases(Telling())["D"].loss(nets, batch, Context())
    torch.testing.assert_close(joined["class"], batch["x"].flatten(1).sum(1))


def test_instance_noise_is_annealed() -> None:
    game = Game(noise=Linear(0.5, 0.0, 100))
    plain, _, _ = play(Game())
    assert not torch.allclose(play(game)[0]["adv"], plain["adv"])
    torch.testing.assert_close(play(game, samples=100)[0]["adv"], plain["adv"])


def test_ada_adapts_by_the_sign_of_d() -> None:
    game = Game(augment=Augment(kind="ada", target=0.6, over=1000))
    players, nets, _ = duo()
    nets = nets.float()
    batch = Batch(x=torch.rand(6, 1, 8, 8))
    nets["D"] = Plain(64)
    players.fake = lambda nets, batch, ctx: nets.G(ctx.randn(batch, 1, 8, 8))  # type: ignore[method-assign]
    game.prepare(nets)
    ctx = Context()
    game.phases(players)["D"].loss(nets, batch, ctx)
    sign = float(ctx.figures["real_sign"][0])
    assert sign == pytest.approx(float(nets.D(batch["x"]).detach().sign().mean()))
    for samples, sign, wanted in ((100, 0.9, 0.1), (300, 0.9, 0.3), (400, 0.1, 0.2), (900, 0.0, 0.0)):
        game.control(nets, {"D/real_sign": sign}, Context(samples=samples))
        assert float(nets.D.augment_p) == pytest.approx(wanted)
    assert set(nets.D.state_dict()) >= {"augment_p", "augment_samples"}


def test_apa_shows_generated_pictures_as_real_ones() -> None:
    real, fake = torch.ones(2000, 1, 1, 1), torch.zeros(2000, 1, 1, 1)
    shown = Augment(kind="apa").deceive(real, fake, 0.25, Context())
    assert float(shown.mean()) == pytest.approx(0.75, abs=0.03)
    assert Augment(kind="apa").deceive(real, fake, 0.0, Context()) is real


@pytest.mark.parametrize(
    ("game", "says"),
    [
        (Game(loss="hinge", smooth=0.1), "minimax, non_saturating"),
        (Game(loss="wasserstein", augment=Augment(kind="ada", target=0.6)), "no meaning"),
        (Game(pac=2, bcr_real=1.0), "game.pac"),
        (Game(together=True, minibatch="stddev"), "game.together"),
        (Game(unrolled=1, augment=Augment(kind="ada", target=0.6)), "game.unrolled"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(game: Game, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        game.prepare(duo()[1])


def test_a_d_of_the_recipes_own_that_compares_pictures_never_sees_both_kinds_together() -> None:
    together = Game(together=True)
    with pytest.raises(ConfigError, match="group=1"):
        progan.ProGAN(width=8, game=together).networks(SPEC)
    progan.ProGAN(width=8, group=1, game=together).networks(SPEC)


def test_a_d_without_head_is_refused() -> None:
    nets = Networks({"G": Scaled(), "D": nn.Sequential(nn.Linear(4, 1))})
    with pytest.raises(ConfigError, match="head"):
        Game(minibatch="stddev").prepare(nets)


@pytest.mark.parametrize(
    "game",
    [
        Game(minibatch="stddev"),
        Game(minibatch="discrimination"),
        Game(dropout=0.3),
        Game(spectral="both"),
        Game(pac=2),
        Game(loss="relativistic", r1=1.0, r2=1.0, lecam=0.1, augment=Augment(kind="diffaugment", p=1.0)),
        Game(loss="hinge", augment=Augment(kind="apa", p=0.5), bcr_real=1.0, noise=0.1, top_k=0.5, d_steps=2),
        Game(gp=10.0, loss="wasserstein", feature_matching=1.0, penalty_step="after", penalty_every=2),
        Game(unrolled=1),
    ],
    ids=lambda game: ",".join(k for k, v in to_dict(game).items() if v != to_dict(Game())[k]),
)
@pytest.mark.parametrize("recipe", [dcgan.DCGAN(width=4, latent=4), RECIPE], ids=["dcgan", "gan"])
def test_every_part_works_with_every_recipe(recipe: Any, game: Game) -> None:
    recipe = replace(recipe, game=game)
    nets, batch = recipe.networks(SPEC), Batch(x=torch.rand(8, 1, 16, 16) * 2 - 1)
    for name, phase in recipe.phases().items():
        with nets.only(phase.trains) as params:
            losses = phase.loss(nets, batch, Context())
            assert all(v.shape == (8,) and v.isfinite().all() for v in losses.values())
            torch.stack([v.mean() for v in losses.values()]).sum().backward()
            assert all(p.grad is not None and p.grad.isfinite().all() for p in params), name
            recipe.optimizer(name, params).step()


def test_spectral_norm_holds_every_weight_near_one() -> None:
    nets = replace(RECIPE, game=Game(spectral="D")).networks(SPEC)
    for module in nets.D.modules():
        if isinstance(module, nn.Linear):
            assert float(torch.linalg.matrix_norm(module.weight.detach(), 2)) == pytest.approx(1, abs=0.15)


def test_orthogonal_regularisation_is_its_definition() -> None:
    net = nn.Sequential(nn.Conv2d(2, 5, 3), nn.Flatten(), nn.Linear(4, 30, bias=False)).double()
    wanted = torch.zeros((), dtype=torch.float64)
    for w in (net[0].weight.flatten(1), net[2].weight):
        gram = w @ w.T
        wanted += (gram - gram.diag().diag()).square().sum()
    torch.testing.assert_close(structure.off_orthogonal(net), wanted.float())
    normalised = structure.normalised_spectrally(net)
    torch.testing.assert_close(structure.off_orthogonal(normalised), wanted.float())
    nn.init.orthogonal_(net[0].parametrizations.weight.original)
    nn.init.zeros_(net[2].parametrizations.weight.original)
    assert structure.off_orthogonal(net).abs() < 1e-5


def test_orthogonal_regularisation_is_gs_alone() -> None:
    recipe = dcgan.DCGAN(width=4, latent=4, game=Game(orthogonal=0.01))
    nets, batch = recipe.networks(SPEC), Batch(x=torch.rand(4, 1, 16, 16))
    losses = {name: phase.loss(nets, batch, Context()) for name, phase in recipe.phases().items()}
    torch.testing.assert_close(losses["G"]["orthogonal"], 0.01 * structure.off_orthogonal(nets.G).expand(4))
    assert "orthogonal" not in losses["D"]


def test_minibatch_std_is_the_mean_over_the_group() -> None:
    x = torch.randn(4, 3, 2, 2)
    out = MinibatchStd(4)(x)
    torch.testing.assert_close(out[:, :3], x)
    torch.testing.assert_close(out[:, 3], (x.var(0, correction=0) + 1e-8).sqrt().mean().expand(4, 2, 2))
    assert MinibatchStd(4)(torch.randn(6, 3)).shape == (6, 4)


def test_minibatch_std_of_micro_batches_is_that_of_the_batch() -> None:
    x = torch.randn(12, 3, 2, 2)
    whole = MinibatchStd(4)(x)
    torch.testing.assert_close(torch.cat([MinibatchStd(4)(part) for part in x.split(4)]), whole)
    assert len(whole[:, 3, 0, 0].unique()) == 3


def test_minibatch_discrimination_counts_neighbours() -> None:
    layer = MinibatchDiscrimination(3, kernels=2, size=4)
    same = layer(torch.ones(5, 3))[:, 3:]
    torch.testing.assert_close(same, torch.full((5, 2), 4.0))
    apart = layer(torch.randn(5, 3) * 100)[:, 3:]
    assert apart.max() < 0.1


def test_clip_holds_d_and_leaves_g() -> None:
    solver = Solver(kind="rmsprop", lr=0.5, clip=0.01)
    for trains, bound in ((("D",), 0.01), (("G",), 100.0)):
        weight = nn.Parameter(torch.ones(3))
        optimizer = solver.optimizer(trains, [weight])
        weight.grad = torch.tensor([1.0, -1.0, 0.0])
        optimizer.step()
        assert weight.abs().max() <= bound
    assert weight.abs().max() > 1


def test_two_rates_and_weight_decay() -> None:
    solver = Solver(lr=1e-4, d_lr=Exponential(4e-4, 0.5, 100, 1e-4), weight_decay=0.1)
    assert solver.hyper(("G",), 50)["lr"] == 1e-4
    assert solver.hyper(("D",), 100)["lr"] == pytest.approx(2e-4)
    assert solver.hyper(("D",), 10**6)["lr"] == 1e-4
    assert isinstance(solver.optimizer(("D",), [nn.Parameter(torch.ones(1))]), torch.optim.AdamW)


def test_settings_round_trip_and_are_reached_by_dotted_names() -> None:
    recipe = override(RECIPE, {"game.loss": "hinge", "game.augment.kind": "diffaugment", "solver.lr": "1e-3"})
    assert (recipe.game.loss, recipe.game.augment.kind, recipe.solver.lr) == ("hinge", "diffaugment", 1e-3)
    assert build(gan.GAN, to_dict(recipe)) == recipe
    with pytest.raises(ConfigError, match="hinge"):
        override(RECIPE, {"game.loss": "hing"})


class TestDiffAugment:
    def test_is_differentiable_and_keeps_the_shape(self) -> None:
        x = torch.rand(5, 3, 16, 16, requires_grad=True)
        out = DiffAugment()(x, 1.0, Context())
        assert out.shape == x.shape
        (slope,) = torch.autograd.grad(out.square().sum(), x)
        assert slope.isfinite().all()
        assert slope.abs().sum() > 0

    def test_zero_chance_is_the_picture_itself(self) -> None:
        x = torch.rand(5, 3, 16, 16)
        assert DiffAugment()(x, 0.0, Context()) is x
        kept = (DiffAugment()(torch.rand(400, 1, 8, 8), torch.tensor(0.25), Context()) - 0.5).shape
        assert kept == (400, 1, 8, 8)

    def test_translation_moves_by_at_most_an_eighth(self) -> None:
        x = torch.zeros(300, 1, 16, 16)
        x[:, :, 8, 8] = 1
        out = DiffAugment(colour=False, cutout=False)(x, 1.0, Context())
        places = out[:, 0].flatten(1).argmax(1)
        rows, columns = places // 16 - 8, places % 16 - 8
        assert {int(v) for v in rows} == {int(v) for v in columns} == {-2, -1, 0, 1, 2}
        torch.testing.assert_close(out.flatten(1).sum(1), torch.ones(300))

    def test_cutout_hides_a_quarter_at_most(self) -> None:
        out = DiffAugment(colour=False, translation=False)(torch.ones(200, 1, 16, 16), 1.0, Context())
        hidden = (out == 0).float().mean((1, 2, 3))
        assert float(hidden.min()) > 0.05
        assert float(hidden.max()) <= (9 / 16) ** 2

    def test_colour_keeps_alpha(self) -> None:
        x = torch.rand(4, 4, 8, 8)
        out = DiffAugment(translation=False, cutout=False)(x, 1.0, Context())
        torch.testing.assert_close(out[:, 3], x[:, 3])
        assert not torch.allclose(out[:, :3], x[:, :3])


def test_class_weights_are_one_on_average_and_weigh_both_losses() -> None:
    spec = ImageSpec(size=16, channels=1, classes=("a", "b"), class_counts=(30, 10))
    recipe = replace(RECIPE, game=Game(class_weights="inverse"))
    nets = recipe.networks(spec)
    weights = nets.D.class_weights
    torch.testing.assert_close(weights, torch.tensor([2 / 3, 2.0]))
    batch = Batch(x=torch.zeros(4, 1, 16, 16), y=torch.tensor([0, 1, 0, 1]))
    for phase in ("D", "G"):
        plain = RECIPE.phases()[phase].loss(nets, batch, Context())["adv"]
        torch.testing.assert_close(recipe.phases()[phase].loss(nets, batch, Context())["adv"], plain)
    del nets.D._buffers["class_weights"]
    unweighted = recipe.phases()["G"].loss(nets, batch, Context())["adv"]
    torch.testing.assert_close(plain, unweighted * weights[batch["y"]])
    root = replace(RECIPE, game=Game(class_weights="root")).networks(spec).D.class_weights
    assert float(root[1] / root[0]) == pytest.approx(3**0.5)
    with pytest.raises(ConfigError, match="classes"):
        recipe.networks(SPEC)
