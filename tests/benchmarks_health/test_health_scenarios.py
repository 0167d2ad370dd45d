"""Every scenario of the benchmark of failures can be played, and every plant is what it says."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

pytest.importorskip("benchmarks", reason="the benchmarks stand beside a checkout's tests, run from its root")

from benchmarks.health import figures, oracle, play, trace
from benchmarks.health.controls import falling, warmed
from benchmarks.health.data import Absent
from benchmarks.health.loop import Run
from benchmarks.health.scenario import Scenario, Tamper
from benchmarks.health.scenarios import ALL, APART, TUNED, chosen

from gansmith.health import contract
from gansmith.health.detectors import detectors
from gansmith.health.finding import Failure

STEPS = 3
NAMELESS = {"channel_order"}  # planted, though no doctor has a name for it yet


def short(name: str, steps: int = STEPS, **changes: object) -> Run:
    """The run of a scenario, of so many steps."""
    scenario = ALL[name]
    try:
        return Run(replace(scenario.setting, steps=steps, **changes), scenario.tamper, seed=0)
    except Absent as error:
        pytest.skip(str(error))


def played(name: str, steps: int = STEPS, **changes: object) -> Run:
    run = short(name, steps, **changes)
    for _ in range(steps):
        run.step()
    return run


def test_there_are_as_many_as_promised():
    kinds = [s.kind for s in TUNED.values()]
    assert kinds.count("plant") >= 30
    assert kinds.count("control") >= 25
    assert [s.kind for s in APART.values()].count("plant") >= 6
    assert len(ALL) == len(TUNED) + len(APART)


@pytest.mark.parametrize("scenario", [s for s in ALL.values() if s.kind == "plant"], ids=lambda s: s.name)
def test_a_plant_names_a_healthy_twin_and_failures_that_are_known(scenario: Scenario):
    twin = ALL[scenario.twin]
    assert twin.kind == "control"
    known = NAMELESS | set(detectors()) | {f.name for f in vars(contract).values() if isinstance(f, Failure)}
    assert set(scenario.causes) <= known, f"no such failures; there are: {', '.join(sorted(known))}"
    assert (scenario.oracle == "misread") <= scenario.setting.conditional


@pytest.mark.parametrize("name", ALL)
def test_it_builds_and_takes_steps(name: str):
    run = played(name)
    assert run.at == STEPS
    assert run.samples == STEPS * run.setting.batch
    assert set(run.losses) == {"D", "G"}
    assert run.samples_of(5, seed=1).shape == (5, *run.data.held_out.shape[1:])


def test_sampling_is_a_function_of_the_seed_and_leaves_training_alone():
    run = played("h29-fashion-batch-norm")
    before = run.random.get_state()
    buffers = {k: v.clone() for k, v in run.G.state_dict().items()}
    assert torch.equal(run.samples_of(4, seed=3), run.samples_of(4, seed=3))
    assert not torch.equal(run.samples_of(4, seed=3), run.samples_of(4, seed=4))
    assert torch.equal(before, run.random.get_state())
    assert all(torch.equal(v, buffers[k]) for k, v in run.G.state_dict().items())
    assert run.G.training


def moved(net: nn.Module, before: nn.Module) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "still"),
    [("f15-d-stops", "D"), ("f16-g-stops", "G"), ("p01-wrong-parameters", "D"), ("u07-remade-d", "D")],
)
def test_a_frozen_network_does_not_move_and_the_other_does(name: str, still: str):
    run = short(name, steps=10)
    for _ in range(3):  # of ten steps, both stops have come by now
        run.step()
    fresh = {n: copy.deepcopy(net) for n, net in (("G", run.G), ("D", run.D))}
    for _ in range(3):
        run.step()
    assert {n: moved({"G": run.G, "D": run.D}[n], fresh[n]) for n in fresh} == {n: n != still for n in fresh}


def test_a_detached_fake_gives_g_no_gradient():
    run = played("p28-detached")
    assert all(p.grad is None for p in run.G.parameters())


def test_a_doubled_sigmoid_bounds_logits():
    run = played("f14-double-sigmoid")
    logits = run.D(100 * run.data.x[:50])
    assert bool(((logits >= 0) & (logits <= 1)).all())


def test_a_dead_layer_makes_every_sample_alike():
    x = played("f19-dead-layer").samples_of(20, seed=0)
    assert torch.equal(x, x[:1].expand_as(x))


def test_a_lost_shard_is_never_fed_again():
    run = short("f22-lost-shard", steps=10)
    fed = []
    for _ in range(10):
        run.step()
        fed.append({int(k) for k in torch.cdist(run.x, run.data.centres).argmin(1)})
    assert {2, 5} <= fed[0]
    assert all(not {2, 5} & modes for modes in fed[2:])


@pytest.mark.parametrize(("name", "step"), [("f06-infinite-sample", 3), ("f08-huge-batch", 3)])
def test_one_batch_is_spoilt_and_no_other(name: str, step: int):
    run, extreme = short(name, steps=9), []
    for _ in range(9):
        run.step()
        extreme.append(bool(run.x.abs().max() > 1e3))
    assert extreme == [i == step for i in range(9)]


def test_broken_weights_come_when_they_should():
    run = short("f07-flipped-bit", steps=6)
    run.step()
    run.step()
    assert float(next(run.D.parameters()).detach().max()) == pytest.approx(1e30)
    run = short("p11-g-gone-nan", steps=5)
    for _ in range(3):
        run.step()
    assert not bool(run.samples_of(2, seed=0).isfinite().all())


def test_half_precision_with_huge_logits_is_never_trained():
    run = short("p03-half-overflow", steps=8)
    before, scale = copy.deepcopy(run.D), run.scaler.get_scale()
    for _ in range(8):
        run.step()
    assert run.scaler.get_scale() < scale
    assert not moved(run.D, before)
    healthy = played("h24-ring-half")
    assert all(bool(v.isfinite()) for v in healthy.losses.values())


def test_labels_and_colours_and_copies():
    labels = short("p05-half-labels").data.y
    clean = short("h38-digits-conditional").data.y
    assert 0.4 < float((labels != clean).double().mean()) < 0.65
    swapped, right = (short(n).data for n in ("p35-swapped-channels", "h36-mnist-coloured"))
    assert torch.equal(swapped.x.flip(1), right.x)
    assert torch.equal(swapped.held_out, right.held_out)
    grey = short("p36-grey-pictures").data.x
    assert torch.equal(grey[:, 0], grey[:, 2])
    copied = short("p07-copied-half").data.x
    assert len(torch.unique(copied, dim=0)) < 0.3 * len(copied)
    low, high = short("f11-unit-range").data.x.aminmax()
    assert (float(low), float(high)) == (0.0, 1.0)


def test_a_slow_average_lags_and_a_fast_one_follows():
    slow, fast = played("p09-slow-average", steps=20), played("h22-digits-average", steps=20)
    apart = [
        sum(float((a - b).detach().norm()) for a, b in zip(r.average.parameters(), r.G.parameters(), strict=True))
        for r in (slow, fast)
    ]
    assert apart[0] > 1.05 * apart[1]


def test_the_point_circles_outwards_as_it_should():
    """|(theta, psi)| grows by sqrt(1 + h^2) a step; the noise of batches blurs it a little."""
    run = played("a01-dirac", steps=200)
    assert radius(run) == pytest.approx(2**0.5 * 1.01**100, rel=0.1)
    calm = played("h25-dirac-r1", steps=200)
    assert radius(calm) < 0.2


def radius(run: Run) -> float:
    return float(torch.cat([*run.G.parameters(), *run.D.parameters()]).detach().norm())


def test_rates():
    assert warmed(0.05) == pytest.approx(2)
    assert warmed(0.1) == pytest.approx(4)
    assert warmed(0.9) == 1
    assert falling(0.25) == 0.75
    run = played("h23-ring-falling", steps=4)
    assert run.opt_g.param_groups[0]["lr"] == pytest.approx(run.setting.lr_g / 4)


# ------------------------------------------------------------------------------------------------- with a doctor


def test_a_doctor_changes_nothing(tmp_path):
    scenario = replace(ALL["h01-ring-r1"], setting=replace(ALL["h01-ring-r1"].setting, steps=60))
    nets = []
    kept = Tamper(stepped=lambda run: nets.append(run.G) if run.at == 60 else None)
    attended = play.play(replace(scenario, tamper=kept), 0, kept=tmp_path)
    alone = play.play(replace(scenario, tamper=kept), 0, kept=tmp_path, attended=False)
    assert not moved(nets[0], nets[1])
    assert attended.losses == alone.losses
    assert attended.oracle == alone.oracle
    assert len(attended.history.readings) == 30
    assert alone.history.readings == []


def test_a_trace_comes_back_as_it_was_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(trace, "PLACE", tmp_path)
    scenario = replace(ALL["f06-infinite-sample"], setting=replace(ALL["f06-infinite-sample"].setting, steps=30))
    made = play.play(scenario, 3, kept=tmp_path)
    made.keep()
    back = trace.load(scenario.name, 3)
    assert back is not None
    assert back.to_json() == made.to_json()
    assert any(v != v for v in back.losses["D"]), "an infinite sample leaves losses that are not a number"
    assert back.oracle[-1]["finite"] == 0.0
    assert trace.load(scenario.name, 4) is None


def test_a_figure_shows_samples_and_what_gave_the_failure_away(tmp_path, monkeypatch):
    monkeypatch.setattr(trace, "PLACE", tmp_path)
    monkeypatch.setattr(figures, "PLACE", tmp_path / "figures")
    plant = ALL["f22-lost-shard"]
    assert figures.draw(plant, 0) is None, "nothing was played yet"
    for scenario in (plant, ALL[plant.twin]):
        album: play.Album = {}
        made = play.play(replace(scenario, setting=replace(scenario.setting, steps=8)), 0, album=album)
        made.keep()
        play.keep_album(trace.samples_path(scenario.name, 0), album)
        assert list(album) == ["25", "50", "75", "100"]
    drawn = figures.draw(plant, 0)
    assert drawn is not None
    colours = {colour for _, colour in Image.open(drawn).convert("RGB").getcolors(1 << 24)}
    assert {figures.FAILING, figures.HEALTHY, figures.INK} <= colours


@pytest.mark.parametrize("shape", [(2,), (64,), (1, 16, 16), (3, 16, 16), (13,)])
def test_samples_of_every_shape_have_a_picture(shape: tuple[int, ...]):
    random = np.random.default_rng(0)
    picture = figures.tile(random.uniform(-1, 1, (40, *shape)).astype(np.float32))
    assert picture.size == (figures.TILE, figures.TILE)
    assert len(picture.convert("L").getcolors()) > 1
    figures.tile(np.full((40, *shape), np.nan, np.float32))  # nothing to see, and no error


# ---------------------------------------------------------------------------------------------------- the oracle


def test_the_oracle_knows_modes():
    data = ALL["h01-ring-r1"].setting.data(0)
    right = oracle.in_modes(data.held_out, data)
    assert right["modes"] == 8
    assert right["distance"] < 0.01
    two = data.held_out[data.held_out_y < 2]
    assert oracle.in_modes(two, data)["modes"] == 2
    assert oracle.in_modes(two, data)["distance"] == pytest.approx(0.75, abs=0.03)
    assert oracle.in_modes(torch.zeros(10, 2), data) == {"distance": 1.0, "modes": 0.0, "good": 0.0}


def test_the_oracle_knows_copies():
    data = ALL["h10-digits-r1"].setting.data(0)
    assert oracle.copied(data.x[:200], data) == pytest.approx(1, abs=1e-3)
    assert oracle.copied(data.held_out, data) == 0.0


def test_the_distance_of_gaussians_is_the_closed_form():
    random = torch.Generator().manual_seed(0)
    a = torch.randn(50_000, 3, generator=random)
    found = oracle.frechet(oracle.moments(a), oracle.moments(2 * a + 1))
    assert found == pytest.approx(3 * 1 + 3 * (2 - 1) ** 2, rel=0.02)
    assert oracle.frechet(oracle.moments(a), oracle.moments(a)) == pytest.approx(0, abs=1e-6)


def test_the_classifier_learns_digits(tmp_path):
    net = oracle.classifier("digits", tmp_path)
    assert oracle.accuracy(net, ALL["h10-digits-r1"].setting.data(0)) > 0.93
    again = oracle.Classifier((64,))
    again.load_state_dict(torch.load(tmp_path / "digits.pt", weights_only=True))
    assert not moved(again, net)


def test_scenarios_are_chosen_by_the_beginning_of_their_names():
    assert [s.name for s in chosen(("f01", "h01"))] == ["f01-fast-g", "h01-ring-r1"]
    assert {s.name for s in chosen(("unseen",))} == set(APART)
    assert len(chosen(())) == len(ALL)
    with pytest.raises(SystemExit, match="no scenario begins with 'x'"):
        chosen(("x",))
