"""The Fréchet distance within classes: it sees what the whole set's does not."""

from __future__ import annotations

import pytest
import torch

from gansmith.errors import DataError
from gansmith.metrics.base import Seen
from gansmith.metrics.functional import frechet_distance, moments
from gansmith.metrics.images.class_fid import ClassFID
from gansmith.metrics.images.fid import FID

from .helpers import fed, normal, spreads

LABELS = torch.arange(300) % 3


def classes(seed: int, confused: int = 0) -> Seen:
    """Three classes far apart; the last `confused` labels are those of the next class."""
    rows = normal(300, 6, seed) + 5 * LABELS[:, None].float()
    labels = LABELS.clone()
    labels[len(labels) - confused :] = (labels[len(labels) - confused :] + 1) % 3
    return Seen(rows, labels=labels)


def test_it_is_the_distance_of_each_class_and_their_mean():
    real, fake = classes(0), classes(1)
    found = fed(ClassFID(), real, fake).compute()
    for c in range(3):
        a, b = real.features[c == LABELS], fake.features[c == LABELS]
        assert found[f"class_fid/{c}"] == pytest.approx(frechet_distance(*moments(a), *moments(b)), rel=1e-9)
    assert found["class_fid"] == pytest.approx(sum(found[f"class_fid/{c}"] for c in range(3)) / 3)


def test_confused_classes_are_seen_here_and_not_by_fid():
    real = classes(0)
    right, wrong = fed(ClassFID(), real, classes(1)).compute(), fed(ClassFID(), real, classes(1, confused=90)).compute()
    assert wrong["class_fid"] > 20 * right["class_fid"]
    assert fed(FID(), real, classes(1)).compute() == fed(FID(), real, classes(1, confused=90)).compute()


def test_influences_foretell_the_spread():
    def fake(i):
        """Each picture is taken for the next class with a chance of 1 in 5: the share itself varies."""
        wrong = torch.rand(300, generator=torch.Generator().manual_seed(i)) < 0.2
        return Seen(normal(300, 6, 2 * i + 1) + 5 * LABELS[:, None].float(), labels=(LABELS + wrong.long()) % 3)

    real, foretold = spreads(ClassFID, lambda i: {"real": classes(2 * i), "fake": fake(i)}, "class_fid", 60)
    assert 0.7 < real / foretold < 1.4


def test_classes_without_pictures_and_pictures_without_classes_are_refused():
    real = classes(0)
    fake = Seen(real.features[LABELS < 2], labels=LABELS[LABELS < 2])
    with pytest.raises(DataError, match="class 2 has 100 real and 0 generated"):
        fed(ClassFID(), real, fake).compute()
    with pytest.raises(DataError, match="the generated ones have none"):
        fed(ClassFID(), real, Seen(real.features))
    with pytest.raises(DataError, match="none came"):
        ClassFID().compute()


def test_the_smallest_class_is_remarked():
    real = Seen(normal(60, 30, 0), labels=LABELS[:60])
    assert "of 20 pictures in the smallest class is biased" in fed(ClassFID(), real, real).remarks()["class_fid"]
