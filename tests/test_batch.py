"""Batch, and spec JSON both ways."""

from __future__ import annotations

import json

import pytest
import torch

from gansmith.batch import Batch
from gansmith.errors import DataError, SpecError
from gansmith.spec import ImageSpec, spec_from_json


def test_a_batch_counts_examples_not_names() -> None:
    batch = Batch(x=torch.zeros(5, 3), y=torch.zeros(5), z=torch.zeros(5, 1))
    assert len(batch) == 5
    assert len(Batch()) == 0
    assert bool(batch)


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_parts_make_the_whole(size: int) -> None:
    batch = Batch(x=torch.arange(15).view(5, 3), y=torch.arange(5))
    parts = list(batch.split(size))
    assert all(isinstance(p, Batch) and 0 < len(p) <= size for p in parts)
    for name in batch:
        assert torch.equal(torch.cat([p[name] for p in parts]), batch[name])


def test_moving_keeps_names() -> None:
    moved = Batch(x=torch.ones(2)).to("meta")
    assert isinstance(moved, Batch)
    assert moved["x"].device.type == "meta"


SPECS = [
    ImageSpec(size=32),
    ImageSpec(size=64, channels=1, classes=("a", "größe"), class_counts=(3, 4)),
    ImageSpec(size=16, channels=4, classes=("only",)),
]


@pytest.mark.parametrize("spec", SPECS)
def test_specs_survive_json(spec: ImageSpec) -> None:
    assert spec_from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_unknown_specs_are_refused() -> None:
    with pytest.raises(SpecError, match=r"unknown kind of data 'imag'.*Did you mean 'image'"):
        spec_from_json({"kind": "imag", "size": 8})
    with pytest.raises(SpecError, match="unknown fields: colour"):
        spec_from_json({"kind": "image", "size": 8, "colour": True})
    with pytest.raises(SpecError, match="unknown kind of data 'None'"):
        spec_from_json({})


def test_impossible_specs_are_refused() -> None:
    with pytest.raises(SpecError, match="not: 2"):
        ImageSpec(size=8, channels=2)
    with pytest.raises(SpecError, match="2 classes but 1 class counts"):
        ImageSpec(size=8, classes=("a", "b"), class_counts=(1,))


def test_requests_keep_the_shares_of_the_data() -> None:
    spec = ImageSpec(size=8, classes=("a", "b", "c"), class_counts=(70, 20, 10))
    labels = spec.request(1000)["y"]
    assert torch.bincount(labels, minlength=3).tolist() == pytest.approx([700, 200, 100], abs=3)
    even = ImageSpec(size=8, classes=("a", "b")).request(6)["y"]
    assert even.tolist() == [0, 1, 0, 1, 0, 1]


def test_requests_in_parts_are_the_same() -> None:
    spec = ImageSpec(size=8, classes=("a", "b", "c"), class_counts=(5, 3, 1))
    whole = spec.request(20)
    parts = [spec.request(8), spec.request(12, start=8)]
    for name in whole:
        assert torch.equal(torch.cat([p[name] for p in parts]), whole[name])


def test_requests_for_a_class() -> None:
    spec = ImageSpec(size=8, classes=("cat", "dog"))
    assert spec.request(3, label="dog")["y"].tolist() == [1, 1, 1]
    with pytest.raises(DataError, match=r"no class 'dgo'.*Did you mean 'dog'"):
        spec.request(3, label="dgo")
    with pytest.raises(DataError, match="knows no classes"):
        ImageSpec(size=8).request(3, label="dog")


def test_pixels_round_and_saturate() -> None:
    x = torch.tensor([-1.0, -0.999, 0.0, 1.0, 1.5, -7.0]).view(1, 1, 2, 3).repeat(1, 1, 3, 2)
    pixels = ImageSpec(size=6, channels=1).pixels(Batch(x=x))
    assert pixels.dtype == torch.uint8
    assert set(pixels.flatten().tolist()) == {0, 128, 255}
