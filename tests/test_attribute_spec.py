"""A spec with attributes: what is asked of a generator, and how it is shown."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from gansmith.batch import Batch
from gansmith.errors import DataError, SpecError
from gansmith.spec import ImageSpec, spec_from_json

SPEC = ImageSpec(
    size=16,
    attributes=("smiling", "glasses", "hat"),
    combinations=("100", "000", "110", "001"),
    combination_counts=(60, 20, 15, 5),
)


def combinations(y: torch.Tensor) -> Counter[str]:
    return Counter("".join(map(str, row)) for row in y.tolist())


def test_requests_have_the_combinations_of_the_data_in_their_shares() -> None:
    found = combinations(SPEC.request(1000)["y"])
    assert {key: round(value / 10) for key, value in found.items()} == {"100": 60, "000": 20, "110": 15, "001": 5}
    parts = torch.cat([SPEC.request(100, start=start)["y"] for start in range(0, 1000, 100)])
    assert torch.equal(parts, SPEC.request(1000)["y"])


def test_what_is_asked_holds_and_the_rest_comes_as_in_pictures_that_fit() -> None:
    y = SPEC.request(1000, where={"smiling": 1})["y"]
    assert {key: round(value / 10) for key, value in combinations(y).items()} == {"100": 80, "110": 20}
    assert set(combinations(SPEC.request(50, where={"glasses": True, "smiling": True})["y"])) == {"110"}


def test_what_no_picture_has_is_asked_all_the_same() -> None:
    where = {"hat": 1, "glasses": 1}
    assert not SPEC.occurs(where)
    assert SPEC.occurs({"hat": 1, "glasses": 0})
    assert set(combinations(SPEC.request(400, where=where)["y"])) == {"111", "011"}


def test_without_known_combinations_all_come_in_turn() -> None:
    spec = ImageSpec(size=16, attributes=("a", "b"))
    assert spec.request(4)["y"].tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    many = ImageSpec(size=16, attributes=tuple(map(str, range(40))))
    assert many.request(2000)["y"].shape == (2000, 40)


def test_what_cannot_be_asked_is_told() -> None:
    with pytest.raises(DataError, match=r"'smilling'; known: smiling, glasses, hat\. Did you mean 'smiling'\?"):
        SPEC.request(1, where={"smilling": 1})
    with pytest.raises(DataError, match="or not \\(0\\), not: 2"):
        SPEC.request(1, where={"hat": 2})
    with pytest.raises(DataError, match="ask by attributes: smiling, glasses, hat"):
        SPEC.request(1, label="smiling")
    with pytest.raises(DataError, match="knows no attributes; leave out: hat"):
        ImageSpec(size=16, classes=("a", "b")).request(1, where={"hat": 1})


def test_a_spec_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(SpecError, match="either classes or attributes"):
        ImageSpec(size=16, classes=("a",), attributes=("b",))
    with pytest.raises(SpecError, match="not: 012"):
        ImageSpec(size=16, attributes=("a", "b", "c"), combinations=("012",), combination_counts=(1,))
    with pytest.raises(SpecError, match="1 combinations but 0 counts"):
        ImageSpec(size=16, attributes=("a",), combinations=("1",))


def test_it_survives_json_and_old_specs_are_read() -> None:
    assert spec_from_json(SPEC.to_json()) == SPEC
    assert spec_from_json({"kind": "image", "size": 16, "classes": ["a"]}).request(2)["y"].tolist() == [0, 0]


def test_rows_of_tables_have_names() -> None:
    assert SPEC.labels == ("not smiling", "smiling", "not glasses", "glasses", "not hat", "hat")
    assert ImageSpec(size=16, classes=("a", "b")).labels == ("a", "b")
    assert ImageSpec(size=16).labels == ()


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_grid_says_what_each_picture_has(channels: int) -> None:
    spec = ImageSpec(size=16, channels=channels, attributes=("smiling", "a name that is far too long for its picture"))
    batch = Batch(x=torch.zeros(4, channels, 16, 16), y=torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]]))
    sheet = spec.preview(batch, columns=2).convert("L")
    assert sheet.width == 2 * 100
    tall = sheet.height // 2
    dark = [min(sheet.crop((0, y + 97, 96, y + tall)).tobytes()) for y in (0, tall)]
    assert max(dark) < 100, "each caption leaves ink"
    assert sheet.getpixel((5, 5)) in range(120, 136)
    assert spec.preview(Batch(x=batch["x"]), columns=2).size == (32, 32)


def test_a_caption_ends_with_how_many_more_there_are() -> None:
    spec = ImageSpec(size=100, attributes=tuple("abcdefg"))
    many = spec.preview(Batch(x=torch.zeros(1, 3, 100, 100), y=torch.ones(1, 7, dtype=torch.int64)))
    one = spec.preview(Batch(x=torch.zeros(1, 3, 100, 100), y=torch.tensor([[1, 0, 0, 0, 0, 0, 0]])))
    assert many.height - one.height == 3 * 12
