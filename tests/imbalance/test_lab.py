"""The laboratory: it leaks nothing, it is reproducible, its verdict follows from its tests, and it refuses nonsense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

import gansmith as gs
from gansmith.imbalance.result import LabResult

from .tables import clinic, noise

FAST = {"methods": ["none", "weights", "random", "smote"], "models": ["logistic", "knn"]}


class Spy(BaseEstimator):
    """A sampler that only writes down what it is shown."""

    seen: list[tuple[set[float], int]] = []  # noqa: RUF012  # clones share it

    def fit_resample(self, x: Any, y: Any) -> Any:
        Spy.seen.append((set(np.asarray(x["row"], dtype=float)), len(y)))
        return x, y

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


def test_samplers_see_the_training_rows_of_a_fold_and_nothing_else() -> None:
    frame = noise().assign(row=lambda f: np.arange(len(f)) + 0.5)
    Spy.seen.clear()
    gs.oversample_lab(frame, "y", methods={"spy": Spy()}, models=["knn"], folds="2x2")
    assert [n for _, n in Spy.seen] == [120] * 4
    for first, second in ((0, 1), (2, 3)):  # the two halves of a repeat
        assert not Spy.seen[first][0] & Spy.seen[second][0]
        assert len(Spy.seen[first][0] | Spy.seen[second][0]) == 240
    assert Spy.seen[0][0] not in (Spy.seen[2][0], Spy.seen[3][0])  # another repeat, other halves


def test_noise_stays_noise_under_over_sampling() -> None:
    """Copies made before the split would let the neighbours recognise test rows: PR-AUC near 1 instead of 1 / 6."""
    found = gs.oversample_lab(noise(), "y", methods=["none", "random", "smote", "adasyn"], models=["knn"])
    for method in found.methods:
        assert 0.1 < found.mean("pr_auc", method) < 0.3
    assert {c.verdict for c in found.compare("none")} == {"alike"}


def test_it_is_reproducible_and_order_of_methods_does_not_matter() -> None:
    once = gs.oversample_lab(clinic(), "died", folds="2x2", **FAST)
    again = gs.oversample_lab(clinic(), "died", folds="2x2", methods=["smote", "none"], models=["knn", "logistic"])
    other = gs.oversample_lab(clinic(), "died", folds="2x2", methods=["smote"], models=["knn"], seed=1)
    assert np.array_equal(once.of("brier", "smote", "knn"), again.of("brier", "smote", "knn"))
    assert not np.array_equal(once.of("brier", "smote", "knn"), other.of("brier", "smote", "knn"))


def test_a_mixed_table_with_gaps_goes_through_every_built_in_method() -> None:
    found = gs.oversample_lab(
        clinic(), "died", methods=["none", "weights", "random", "smote", "borderline", "adasyn"], models=["boosting"],
        folds="2x2",
    )  # fmt: skip
    assert list(found.classes) == ["no", "yes"]
    assert all(np.isfinite(values).all() for values in found.values.values())
    assert found.mean("pr_auc", "none") > 2 * found.classes["yes"] / 300  # the columns tell of the outcome
    assert found.mean("balanced_accuracy", "weights") > found.mean("balanced_accuracy", "none")


def test_more_than_two_classes() -> None:
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b", "c"], [120, 40, 20])
    frame = pd.DataFrame({"u": rng.normal(size=180) + (y == "b") * 3, "v": rng.normal(size=180) + (y == "c") * 3})
    found = gs.oversample_lab(frame.assign(kind=y), "kind", folds="2x2", **FAST)
    assert list(found.classes.items()) == [("a", 120), ("b", 40), ("c", 20)]
    assert found.mean("pr_auc", "smote") > 0.7


def test_a_table_of_categories_alone() -> None:
    frame = clinic()[["ward", "smoker", "died"]]
    found = gs.oversample_lab(frame, "died", folds="2x2", methods=["random", "smote"], models=["forest"])
    assert any("SMOTE left the rows as they were in 4 of 4 folds" in note for note in found.notes)


def test_files_and_reports(tmp_path: Path) -> None:
    clinic().to_csv(tmp_path / "clinic.csv", index=False)
    found = gs.oversample_lab(tmp_path / "clinic.csv", "died", folds="2x2", **FAST)
    page = found.save(tmp_path / "out" / "lab.html").read_text(encoding="utf-8")
    assert found.verdict in page
    assert page.count("<circle") == 3 * 4 * 2  # figures, methods, models
    assert "http:" not in page
    assert "https:" not in page
    kept = json.loads(found.save(tmp_path / "lab.json").read_text(encoding="utf-8"))
    assert kept["verdict"] == found.verdict
    assert kept["means"]["pr_auc"]["smote"]["knn"] == found.mean("pr_auc", "smote", "knn")
    assert np.array(kept["values"]["brier"]).shape == (4, 2, 2, 2)
    assert len(found.frame()) == 3 * 4 * 2 * 4
    told = str(found)
    assert "class weights" in told
    assert " ".join(told.split()).endswith(found.verdict)
    with pytest.raises(gs.GansmithError, match=r"\.html or \.json"):
        found.save(tmp_path / "lab.txt")


# the verdict


def result(**gains: float) -> LabResult:
    """Made up: class weights at 0.5, each method so much above, with little noise."""
    rng = np.random.default_rng(0)
    base = 0.5 + 0.01 * rng.normal(size=(1, 2, 5, 2))
    base += 0.5 - base.mean()
    values = np.concatenate([base + gain + 0.001 * rng.normal(size=base.shape) for gain in gains.values()])
    return LabResult(
        target="y", classes={"no": 90, "yes": 10}, methods={name: name.upper() for name in gains},
        models={"knn": "neighbours", "forest": "forest"}, folds=(5, 2),
        values={"pr_auc": values, "balanced_accuracy": values, "brier": 1 - values},
        seconds=dict.fromkeys(gains, 1.0), notes=[], seed=0,
    )  # fmt: skip


def test_the_verdict_no_gain() -> None:
    told = result(none=0.0, weights=0.0, smote=0.0002, gan=-0.0001).verdict
    assert told.startswith("No gain over WEIGHTS: no over-sampling raises its PR-AUC of 0.500")
    assert "harm" not in told
    assert "Class weights themselves gain nothing" in told


def test_the_verdict_a_gain_and_a_harm() -> None:
    found = result(none=-0.05, weights=0.0, smote=-0.03, gan=0.04)
    assert found.verdict.startswith("GAN gains over WEIGHTS: PR-AUC 0.54")
    assert "SMOTE does harm: 0.47" in found.verdict
    assert "Class weights do gain over doing nothing" in found.verdict
    assert "with GAN: PR-AUC 0.54" in found.verdict
    assert found.ranks() == {"none": 4, "weights": 2, "smote": 3, "gan": 1}
    assert found.compare("weights", "brier")[0].method == "gan"  # lower is better there


def test_the_verdict_without_class_weights() -> None:
    assert result(none=0.0, gan=0.03).verdict.startswith("GAN gains over NONE")
    assert result(none=0.0).verdict.startswith("Nothing was compared with NONE")


# what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": "dyed"}, "no column 'dyed'. Did you mean 'died'"),
        ({"target": "pressure"}, "'pressure' holds .* different numbers"),
        ({"methods": ["smot"]}, "no method 'smot'.*Did you mean 'smote'"),
        ({"methods": {"mine": 3}}, "'mine' has no fit_resample"),
        ({"methods": []}, "no methods"),
        ({"models": ["forrest"]}, "no model 'forrest'.*Did you mean 'forest'"),
        ({"folds": "ten"}, "REPEATSxFOLDS"),
        ({"folds": "1x2"}, "three or more in all"),
    ],
)
def test_what_cannot_work_is_refused(changes: dict[str, Any], message: str) -> None:
    settings = {"target": "died", **FAST, **changes}
    with pytest.raises(gs.GansmithError, match=message):
        gs.oversample_lab(clinic(), **settings)


def test_tables_that_cannot_be_judged_are_refused() -> None:
    frame = clinic()
    with pytest.raises(gs.GansmithError, match="a single class, 'no'"):
        gs.oversample_lab(frame[frame["died"] == "no"], "died")
    few = pd.concat([frame[frame["died"] == "no"], frame[frame["died"] == "yes"].head(3)])
    with pytest.raises(gs.GansmithError, match="at least 4 rows for these folds; 'yes' has 3"):
        gs.oversample_lab(few, "died")
    with pytest.raises(gs.GansmithError, match="no column is left"):
        gs.oversample_lab(frame[["died"]].assign(same=1), "died")


def test_rows_and_columns_left_out_are_told() -> None:
    frame = clinic().assign(same=1)
    frame.loc[:9, "died"] = None
    found = gs.oversample_lab(frame, "died", folds="2x2", methods=["none"], models=["knn"])
    assert any("10 rows without a 'died'" in note for note in found.notes)
    assert any("'same' has a single value" in note for note in found.notes)
    assert sum(found.classes.values()) == 290
