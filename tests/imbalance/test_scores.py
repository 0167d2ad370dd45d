"""The laboratory's figures, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from gansmith.imbalance.models import MODELS, predict
from gansmith.imbalance.scores import score


def test_two_classes_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, one = rng.integers(0, 2, 200), rng.random(200)
    found = score(truth, np.stack([1 - one, one], 1))
    assert found["pr_auc"] == pytest.approx(metrics.average_precision_score(truth, one))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, one > 0.5))
    assert found["brier"] == pytest.approx(metrics.brier_score_loss(truth, one))


def test_several_classes_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    truth, shares = rng.integers(0, 4, 300), rng.dirichlet(np.ones(4), 300)
    found = score(truth, shares)
    macro = metrics.average_precision_score(np.eye(4)[truth], shares, average="macro")
    assert found["pr_auc"] == pytest.approx(macro)
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, shares.argmax(1)))
    assert found["brier"] == pytest.approx(((shares - np.eye(4)[truth]) ** 2).sum(1).mean() / 2)


@pytest.mark.parametrize("name", MODELS)
def test_weights_raise_the_rare_class(name: str) -> None:
    rng = np.random.default_rng(2)
    y = (rng.random(300) < 0.1).astype(np.int64)
    x = rng.normal(size=(300, 3)) + y[:, None]
    plain, weighted = (
        predict(name, weighted=w, seed=0, x=x[:200], y=y[:200], asked=x[200:], classes=2) for w in (False, True)
    )
    assert plain.shape == weighted.shape == (100, 2)
    assert np.allclose(plain.sum(1), 1)
    assert np.allclose(weighted.sum(1), 1)
    if name == "forest":  # grown to the last row; weights move which splits are made, not the leaves' shares
        assert (plain != weighted).any()
    else:
        assert weighted[:, 1].mean() > 1.3 * plain[:, 1].mean()


def test_a_class_that_is_absent_gets_nothing() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(40, 2)), np.repeat(np.array([0, 2], dtype=np.int64), 20)
    shares = predict("knn", weighted=True, seed=0, x=x, y=y, asked=x, classes=3)
    assert (shares[:, 1] == 0).all()
    assert np.allclose(shares.sum(1), 1)
