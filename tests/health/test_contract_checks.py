"""Checks before the first step: each mistake is named, and sound data raise nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gansmith.health.contract import check
from gansmith.health.subject import Subject


def found(x: Tensor, **more: object) -> list[str]:
    return [f.name for f in check(Subject(real=x, **more))]  # type: ignore[arg-type]


def pictures(n: int = 64, channels: int = 1) -> Tensor:
    return torch.rand(n, channels, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_sound_pictures_raise_nothing() -> None:
    assert found(pictures(), bounds=(-1.0, 1.0)) == []
    assert found(torch.randn(100, 2)) == []


@pytest.mark.parametrize(
    ("x", "more", "name"),
    [
        ((pictures() + 1) * 127.5, {"bounds": (-1.0, 1.0)}, "range_mismatch"),
        ((pictures() + 1) / 2, {"bounds": (-1.0, 1.0)}, "range_mismatch"),
        (pictures()[:1].repeat(64, 1, 1, 1), {}, "constant_data"),
        (pictures(16).repeat(4, 1, 1, 1), {}, "duplicated_rows"),
        ((pictures() * 100).to(torch.uint8), {}, "wrong_dtype"),
        (pictures().index_fill(0, torch.tensor([3]), float("nan")), {}, "nonfinite_data"),
        (pictures(), {"labels": torch.arange(64) % 11, "classes": tuple("abcdefghij")}, "labels_out_of_range"),
        (pictures().repeat(1, 3, 1, 1), {}, "grey_pictures"),
    ],
)
def test_each_mistake_is_named(x: Tensor, more: dict[str, object], name: str) -> None:
    assert found(x, **more) == [name]


def test_colours_in_another_order_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    warm = torch.rand(200, 3, 8, 8, generator=generator) * torch.tensor([1.0, 0.6, 0.2]).view(3, 1, 1) * 2 - 1
    assert found(warm[:100], held_out=warm[100:].flip(1)) == ["channel_order"]
    assert found(warm[:100], held_out=warm[100:]) == []
    assert found(pictures(channels=3), held_out=pictures(channels=3).flip(1)) == []


def test_the_generators_own_range_is_found() -> None:
    G = nn.Sequential(nn.Linear(4, 64), nn.Tanh())

    def generate(n: int, seed: int) -> Tensor:
        made: Tensor = G(torch.zeros(n, 4)).view(n, 1, 8, 8)
        return made

    about = {"generate": generate, "networks": {"G": G}}
    assert found((pictures() + 1) / 2, **about) == ["range_mismatch"]
    assert found(pictures(), **about) == []
