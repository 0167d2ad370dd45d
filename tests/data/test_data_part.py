"""Part: some pictures to train on, others that training never sees."""

import numpy as np
import pytest
import torch

from gansmith.data import ImageSource, open_source
from gansmith.data.part import Part, hold_out, whole
from gansmith.errors import ConfigError

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (400, 16, 16, 1), dtype=np.uint8)


def drawn(part: Part) -> torch.Tensor:
    return part.batch(torch.arange(len(part)), CPU)["x"]


def test_each_picture_is_in_one_of_both_parts(array: np.ndarray) -> None:
    source = ImageSource(array)
    part = hold_out(source, 0.25)
    assert (len(part), len(part.held or [])) == (300, 100)
    assert part.held is not None
    both = torch.cat([part.pictures, part.held.pictures])
    assert torch.equal(both.sort().values, torch.arange(400))
    assert torch.equal(drawn(part), source.batch(part.pictures, CPU)["x"])
    assert torch.equal(hold_out(source, 0.25).pictures, part.pictures)
    assert "100 pictures are held out" in part.notes()[-1]


def test_mirrored_pictures_stay_with_their_originals(array: np.ndarray) -> None:
    source = ImageSource(array, mirror=True)
    part = hold_out(source, 0.25)
    assert len(part) == 600
    x = drawn(part)
    assert torch.equal(x[300:], x[:300].flip(-1))
    assert part.names(torch.tensor([0, 300]))[1] == f"{part.names(torch.tensor([0]))[0]} (mirrored)"
    assert part.batch(torch.tensor([7, 301]), CPU)["index"].tolist() == [7, 301]


def test_smaller_pictures_and_draws_by_class_are_of_the_same_part(array: np.ndarray) -> None:
    labels = (np.arange(400) % 8 == 0).astype(np.int64)
    part = hold_out(ImageSource((array, labels)), 0.25)
    assert drawn(part.smaller(8)).shape == (300, 1, 8, 8)
    rows = part.order("balanced", 500, seed=1).rows(0, 500)
    assert 0 <= int(rows.min()) <= int(rows.max()) < 300
    assert part.batch(rows, CPU)["y"].double().mean() == pytest.approx(0.5, abs=0.1)


def test_open_source_holds_out_what_was_asked(array: np.ndarray) -> None:
    part = open_source(array, holdout=0.2)
    assert isinstance(part, Part)
    assert whole(part.fingerprint) == ImageSource(array).fingerprint
    assert part.fingerprint != open_source(array, holdout=0.25).fingerprint


@pytest.mark.parametrize(("share", "told"), [(0.1, "fewer than 64 tell nothing"), (1.0, "above 0 and below 1")])
def test_shares_that_cannot_be(array: np.ndarray, share: float, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        hold_out(ImageSource(array), share)


def test_rows_that_are_not_there(array: np.ndarray) -> None:
    with pytest.raises(IndexError, match="rows are 0 to 299"):
        hold_out(ImageSource(array), 0.25).batch(torch.tensor([300]), CPU)
