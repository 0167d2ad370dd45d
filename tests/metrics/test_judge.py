"""One pass, every metric, and figures that say how they were measured."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import ConfigError, DataError
from gansmith.metrics import featurecache
from gansmith.metrics.featurecache import real_features
from gansmith.metrics.functional import frechet_distance, moments, precision_recall
from gansmith.metrics.judge import FewPictures, QuickJudge, judge, lines, real_floor

from .test_extractors import Mean, fashion, pictures  # noqa: F401 (a fixture)

REAL, FAKE = pictures(300), pictures(200, seed=1)
FEW = {"kid": {"subsets": 10, "subset_size": 100}}


@pytest.fixture
def judged(fashion):  # noqa: F811
    return judge(REAL.split(64), FAKE.split(50), fashion, split="test", settings=FEW)


def test_every_metric_comes_with_its_whole_protocol(judged, fashion):  # noqa: F811
    assert [f.name for f in judged] == ["FD", "FD-floor", "KD", "precision", "recall"]
    for figure in judged:
        for part in ("fashion(", "resize=fit28", "f32", f"weights={fashion.digest}"):
            assert part in str(figure)
    for part in ("n_real=300", "n_fake=200", "split=test"):
        assert part in str(judged[0])
    for part in ("n_real=150", "n_fake=150", "split=test/test"):
        assert part in str(judged[1])
    assert "10 subsets of 100" in str(judged[2])
    assert judged[2].spread > 0
    assert "k=3" in str(judged[3])


def test_figures_equal_the_functions(judged, fashion):  # noqa: F811
    real, fake = fashion(REAL), fashion(FAKE)
    assert judged[0].value == pytest.approx(frechet_distance(*moments(real), *moments(fake)), rel=1e-5)
    assert judged[1].value == real_floor(real)
    assert (judged[3].value, judged[4].value) == precision_recall(real, fake)


def test_parts_change_nothing(judged, fashion):  # noqa: F811
    again = judge([REAL], FAKE.split(7), fashion, split="test", settings=FEW)
    assert [f.value for f in again] == pytest.approx([f.value for f in judged], rel=1e-4)


def test_precision_is_printed_with_recall(judged):
    printed = lines(judged)
    assert len(printed) == 4
    assert "precision-fashion(" in printed[3]
    assert f"recall = {judged[4].value:.4g}" in printed[3]


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
    with pytest.raises(DataError, match="at least 2 fake pictures; came: 0"):
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
    assert list(score) == ["FD-fashion", "precision", "recall"]
    assert list(score.values()) == pytest.approx([judged[0].value, judged[3].value, judged[4].value], rel=1e-5)
    assert "n_fake=200" in str(quick.protocol(200))
    collapsed = quick.score(REAL[:1].expand(60, -1, -1, -1))
    assert collapsed["precision"] == 1.0
    assert collapsed["recall"] < 0.02
    assert collapsed["FD-fashion"] > score["FD-fashion"]
