"""One pass, every metric, and figures that say how they were measured."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import ConfigError, DataError
from gansmith.metrics import featurecache, registry
from gansmith.metrics.balls import precision_recall
from gansmith.metrics.base import which_is_better
from gansmith.metrics.featurecache import real_features
from gansmith.metrics.functional import frechet_distance, moments
from gansmith.metrics.judge import FewPictures, QuickJudge, judge, lines, real_floor

from .test_extractors import Mean, fashion, pictures  # noqa: F401 (a fixture)

pytestmark = pytest.mark.filterwarnings("ignore::gansmith.metrics.judge.FewPictures")

REAL, FAKE = pictures(300), pictures(200, seed=1)
FEW = {"kid": {"subsets": 10, "subset_size": 100}}


@pytest.fixture
def judged(fashion):  # noqa: F811
    return judge(REAL.split(64), FAKE.split(50), fashion, split="test", settings=FEW)


def test_every_metric_comes_with_its_whole_protocol(judged, fashion):  # noqa: F811
    names = ["FD", "FD-floor", "KD", "KD-floor", "precision", "recall", "precision-floor", "recall-floor"]
    assert [f.name for f in judged] == names
    for figure in judged:
        for part in ("fashion(", "resize=fit28", "f32", f"weights={fashion.digest}"):
            assert part in str(figure)
    for part in ("n_real=300", "n_fake=200", "split=test"):
        assert part in str(judged[0])
    assert "split=test/test" in str(judged[1])
    assert 110 < judged[1].protocol.n_real < 190
    assert judged[1].protocol.n_real + judged[1].protocol.n_fake == 300
    for part in ("n_real=150", "n_fake=150", "split=test/test"):
        assert part in str(judged[3])
    assert "10 subsets of 100" in str(judged[2])
    assert judged[2].spread > 0
    assert "k=3" in str(judged[4])
    assert "k=3, two halves of the real pictures" in str(judged[6])


def test_figures_equal_the_functions(judged, fashion):  # noqa: F811
    real, fake = fashion(REAL), fashion(FAKE)
    assert judged[0].value == pytest.approx(frechet_distance(*moments(real), *moments(fake)), rel=1e-5)
    assert 0.3 < judged[1].value / real_floor(real) < 3  # of other halves
    assert (judged[4].value, judged[5].value) == precision_recall(real, fake)


def test_parts_change_nothing(judged, fashion):  # noqa: F811
    again = judge([REAL], FAKE.split(7), fashion, split="test", settings=FEW)
    assert [f.value for f in again] == pytest.approx([f.value for f in judged], rel=1e-4)


def test_precision_is_printed_with_recall(judged):
    printed = lines(judged)
    assert len(printed) == 6
    assert "precision-fashion(" in printed[4]
    assert f"recall = {judged[5].value:.4g}" in printed[4]
    assert "recall-floor" in printed[5]


def test_few_pictures_warn_of_the_bias(fashion):  # noqa: F811
    with pytest.warns(FewPictures, match="FD-fashion of 100 pictures is biased upwards"):
        judge([REAL[:100]], [FAKE], fashion, ("fid",))
    said: list[str] = []
    judge([REAL], [FAKE[:128]], fashion, ("fid",), warn=said.append)
    assert "129 pictures" in said[0]
    judge([REAL], [FAKE[:129]], fashion, ("fid",), warn=said.append)
    assert len(said) == 1


def test_progress_is_told_of_both_sides(fashion):  # noqa: F811
    told: list[tuple[str, int]] = []
    judge(REAL.split(200), FAKE.split(150), fashion, ("precision_recall",), progress=lambda *a: told.append(a))
    assert told == [("real", 200), ("real", 300), ("fake", 150), ("fake", 200)]


def test_unknown_metrics_and_empty_sides_are_refused(fashion):  # noqa: F811
    with pytest.raises(ConfigError, match="Did you mean 'fid'"):
        judge([REAL], [FAKE], fashion, ("fidd",))
    with pytest.raises(ConfigError, match=r"the metric kid has no setting 'subset'.*Did you mean 'subsets'"):
        judge([REAL], [FAKE], fashion, ("kid",), settings={"kid": {"subset": 3}})
    with pytest.raises(DataError, match="at least 2 generated pictures; came: 0"):
        judge([REAL], [], fashion, ("fid",), warn=lambda message: None)


def test_a_users_extractor_judges_under_its_own_name():
    figures = judge([REAL], [FAKE], Mean(), ("fid", "precision_recall"))
    assert str(figures[0]).startswith("FD-mean(")


def never():
    raise AssertionError("the pictures were read although their features are known")
    yield


def test_real_features_are_kept_by_content_and_extractor(fashion, tmp_path):  # noqa: F811
    first = real_features(REAL.split(64), fashion, key="abc", folder=tmp_path)
    assert torch.equal(real_features(never(), fashion, key="abc", folder=tmp_path), first)
    with pytest.raises(AssertionError):
        real_features(never(), fashion, key="abd", folder=tmp_path)
    with pytest.raises(AssertionError):
        real_features(never(), Mean(), key="abc", folder=tmp_path)
    with pytest.raises(AssertionError):
        real_features(never(), fashion, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damaged_features_are_taken_again(fashion, tmp_path, damage):  # noqa: F811
    first = real_features([REAL], fashion, key="abc", folder=tmp_path)
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data[:-8] if damage == "cut" else data)
    assert torch.equal(real_features([REAL], fashion, key="abc", folder=tmp_path), first)
    assert torch.equal(real_features(never(), fashion, key="abc", folder=tmp_path), first)


def test_a_write_that_fails_leaves_nothing_behind(fashion, tmp_path, monkeypatch):  # noqa: F811
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(featurecache.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        real_features([REAL], fashion, key="abc", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_quick_judge_agrees_with_the_judge(judged, fashion):  # noqa: F811
    quick = QuickJudge(fashion, fashion(REAL))
    score = quick.score(FAKE)
    assert list(score) == ["FD-fashion", "precision", "recall", "coverage"]
    assert list(score.values())[:3] == pytest.approx([judged[0].value, judged[4].value, judged[5].value], rel=1e-5)
    assert "n_fake=200" in str(quick.protocol(200))
    collapsed = quick.score(REAL[:1].expand(60, -1, -1, -1))
    assert collapsed["precision"] == 1.0
    assert collapsed["recall"] < 0.02
    assert collapsed["coverage"] < 0.1 < score["coverage"]
    assert collapsed["FD-fashion"] > score["FD-fashion"]


def test_every_figure_has_an_interval_around_it_and_a_floor(judged):
    for figure in judged:
        if figure.name.endswith("-floor"):
            continue
        low, high = figure.interval
        assert low <= figure.value <= high
        assert figure.floor == next(f.value for f in judged if f.name == f"{figure.name}-floor")
        assert f"[{low:.4g}, {high:.4g}] (floor {figure.floor:.4g} of two halves" in str(figure)
        assert figure.to_json()["interval"] == [low, high]
    assert judged[0].interval[0] >= 0
    assert judged[4].interval[1] <= 1


def test_a_floor_is_at_the_figures_own_n_when_there_are_spare_reals(fashion):  # noqa: F811
    spare = pictures(250, seed=5)
    found = judge([REAL], [FAKE], fashion, ("fid", "precision_recall"), spare=[spare])
    floor = next(f for f in found if f.name == "FD-floor")
    assert "n_real=300, n_fake=200" in str(floor)
    assert "other real pictures" in str(floor)
    wanted = frechet_distance(*moments(fashion(REAL)), *moments(fashion(spare[:200])))
    assert floor.value == pytest.approx(wanted, rel=1e-5)


def test_floors_and_intervals_can_be_left_out(fashion):  # noqa: F811
    found = judge([REAL], [FAKE], fashion, ("fid", "vendi"), floor=False, intervals=False)
    assert [f.name for f in found] == ["FD", "vendi"]
    assert all(f.interval is None and f.floor is None for f in found)


def test_a_metric_without_real_side_has_the_reals_own_figure_for_floor(fashion):  # noqa: F811
    figure, floor = judge([REAL], [FAKE], fashion, ("vendi",))
    itself = judge([FAKE], [REAL[:200]], fashion, ("vendi",), floor=False)[0]
    assert (floor.name, floor.value) == ("vendi-floor", pytest.approx(itself.value, rel=1e-6))
    assert "n_real=0, n_fake=200" in str(floor)
    assert figure.floor == floor.value


def test_more_pictures_than_are_kept_are_sampled_where_rows_are_needed_and_all_summed_elsewhere(fashion):  # noqa: F811
    found = {f.name: f for f in judge([REAL], [FAKE], fashion, ("fid", "precision_recall"), limit=120)}
    assert "n_real=300, n_fake=200" in str(found["FD"])
    assert "n_real=120, n_fake=120" in str(found["precision"])
    whole = {f.name: f for f in judge([REAL], [FAKE], fashion, ("fid",))}
    assert found["FD"].value == pytest.approx(whole["FD"].value, rel=1e-9)
    width = [f["FD"].interval[1] - f["FD"].value for f in (found, whole)]
    assert width[0] == pytest.approx(width[1], rel=0.4), "the interval is of all 300 and 200, not of the 120 kept"


class TwoHeads:
    """Means of the channels; as logits, those of the picture's halves; as labels nothing."""

    name, resize, digest, dim, heads = "twoheads", "none", "0" * 12, 3, ("logits",)

    def __call__(self, pixels):
        return pixels.float().mean((1, 2))[:, :1].expand(-1, 3) + torch.arange(3)

    def look(self, pixels, heads):
        assert heads == ("logits",)
        halves = [part.float().mean((1, 2, 3)) / 9 for part in pixels.split(14, 1)]
        return self(pixels), {"logits": torch.stack(halves[:2], 1)}


def test_heads_are_looked_at_once_and_kept_with_the_features(tmp_path):
    asked = ("inception_score", "kid")
    first = judge(REAL.split(64), [FAKE], TwoHeads(), asked, real_key="abc", cache=tmp_path)
    again = judge(never(), [FAKE], TwoHeads(), asked, real_key="abc", cache=tmp_path)
    assert [str(f) for f in first] == [str(f) for f in again]
    assert [f.name for f in first] == ["classifier-score", "classifier-score-floor", "KD", "KD-floor"]


def test_a_metric_that_does_not_fit_says_what_it_needs(fashion):  # noqa: F811
    with pytest.raises(ConfigError, match="sfid needs the extractor's output 'spatial', and mean has none"):
        judge([REAL], [FAKE], Mean(), ("sfid",))
    with pytest.raises(ConfigError, match="has only: logits"):
        judge([REAL], [FAKE], TwoHeads(), ("sfid",))
    with pytest.raises(DataError, match="need the class of every picture, and the real ones came without"):
        judge([REAL], [FAKE], fashion, ("class_fid",))


def test_classes_come_beside_the_pictures(fashion, tmp_path):  # noqa: F811
    real, fake = [(REAL, torch.arange(300) % 2)], [(FAKE, torch.arange(200) % 2)]
    found = judge(real, fake, fashion, ("class_fid",), warn=lambda _: None, real_key="k", cache=tmp_path)
    names = ["class-FD", "class-FD/0", "class-FD/1"]
    assert [f.name for f in found] == [*names, *(f"{name}-floor" for name in names)]
    again = judge(never(), fake, fashion, ("class_fid",), warn=lambda _: None, real_key="k", cache=tmp_path)
    assert [f.value for f in again] == [f.value for f in found]


def test_features_that_are_not_finite_are_refused_where_they_come():
    class Broken(Mean):
        def __call__(self, pixels):
            return super().__call__(pixels) / 0 * 0

    with pytest.raises(DataError, match="mean took of real pictures are not finite"):
        judge([REAL], [FAKE], Broken(), ("fid",))


@pytest.mark.parametrize(
    ("metric", "figure", "way"),
    [
        *[("fid", "fid", "low"), ("kid", "kid", "low"), ("fid_infinity", "fid_infinity", "low")],
        *[("class_fid", "class_fid/3", "low"), ("modes", "modes", "high"), ("modes", "modes_kl", "low")],
        *[("precision_recall", "recall", "high"), ("lpips", "lpips", None), ("vendi", "vendi", None)],
    ],
)
def test_each_figure_knows_which_way_is_better(metric, figure, way):
    assert which_is_better(registry.metric_class(metric), figure) == way
