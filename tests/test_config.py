"""Settings: strict both ways."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gansmith import config
from gansmith.errors import ConfigError
from gansmith.schedule import Cosine, Linear, Scheduled
from gansmith.training.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = 2
    rate: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Settings:
    latent: int = 64
    lr: Scheduled = 2e-4
    name: str = "x"
    flag: bool = False
    inner: Inner = Inner()
    table: dict[str, float] = field(default_factory=lambda: {"a": 1.0})
    widths: tuple[int, ...] = (8, 16)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(lr=Cosine(2e-4, 5e-5, 20_000_000), widths=(), table={}),
        Settings(lr=Linear(0.0, 1.0, 10, begin=5), inner=Inner(depth=9)),
        TrainConfig(samples=10, shard=("G",), precision="bf16"),
    ],
)
def test_there_and_back(settings: object, tmp_path: Path) -> None:
    config.write_yaml(tmp_path / "config.yaml", config.to_dict(settings))
    assert config.build(type(settings), config.read_yaml(tmp_path / "config.yaml")) == settings


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no setting recipe\.latnet\. Did you mean 'latent'\?\nSettings has: flag,"):
        config.build(Settings, {"latnet": 3}, where="recipe")
    with pytest.raises(ConfigError, match=r"no setting zzz\.\n"):
        config.build(Settings, {"zzz": 3})


@pytest.mark.parametrize(
    ("text", "value"), [("1e-3", 1e-3), ("1.0e-3", 1e-3), ("2", 2.0), ("{start: 2e-4, end: 5e-5, over: 100}", None)]
)
def test_numbers_as_people_write_them(text: str, value: float | None) -> None:
    """YAML reads 1e-3 as a string; we read a number."""
    got = config.override(Settings(), {"lr": text}).lr
    assert got == (Cosine(2e-4, 5e-5, 100) if value is None else value)


def test_nested_schedules_by_kind() -> None:
    got = config.override(Settings(), {"lr": "{kind: linear, start: 0, end: 0.5, over: 1000}"}).lr
    assert got == Linear(0.0, 0.5, 1000)
    changed = config.override(Settings(lr=Cosine(1.0, 0.0, 10)), {"lr.over": "99"}).lr
    assert changed == Cosine(1.0, 0.0, 99)


def test_dotted_names_reach_inside() -> None:
    got = config.override(Settings(), {"inner.depth": "7", "table.b": "2", "flag": "true", "name": "yes please"})
    assert got == Settings(inner=Inner(depth=7), table={"a": 1.0, "b": 2.0}, flag=True, name="yes please")
    with pytest.raises(ConfigError, match=r"no setting recipe\.inner\.dept\. Did you mean 'depth'"):
        config.override(Settings(), {"inner.dept": "7"}, where="recipe")
    with pytest.raises(ConfigError, match=r"no setting lr\.begin"):
        config.override(Settings(), {"lr": "{kind: cosine, start: 1, end: 0, over: 9, begin: 4}"})


@pytest.mark.parametrize(
    ("name", "text"), [("latent", "many"), ("latent", "1.5"), ("lr", "fast"), ("flag", "maybe"), ("widths", "[a]")]
)
def test_values_of_the_wrong_type(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"recipe\.{name}: ") as caught:
        config.override(Settings(), {name: text}, where="recipe")
    assert len(str(caught.value).splitlines()) <= 3


def test_what_is_not_yaml() -> None:
    with pytest.raises(ConfigError, match=r"recipe\.lr: not a value in YAML: '\{'"):
        config.override(Settings(), {"lr": "{"}, where="recipe")


def test_overrides_are_written_with_their_prefix() -> None:
    assert config.parse_overrides(["recipe.latent=128", "recipe.name=a=b"], "recipe") == {
        "latent": "128",
        "name": "a=b",
    }
    for wrong in ("latent=128", "recipe.latent"):
        with pytest.raises(ConfigError, match=rf"recipe\.NAME=VALUE, this was: {wrong}"):
            config.parse_overrides([wrong], "recipe")


@pytest.mark.parametrize("content", [b"[1, 2]", b"a: [", b"\xff\xfe\xfa", b"", b"!!python/object/apply:os.getcwd []"])
def test_files_that_hold_no_settings(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ConfigError):
        config.read_yaml(tmp_path / "c.yaml")
    with pytest.raises(ConfigError, match="cannot read the settings"):
        config.read_yaml(tmp_path / "absent.yaml")


def test_a_write_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    config.write_yaml(path, {"größe": 1})

    def fail(*_: object) -> None:
        raise OSError("the disk went away")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="went away"):
        config.write_yaml(path, {"größe": 2})
    assert config.read_yaml(path) == {"größe": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]


def test_only_instances_become_dicts() -> None:
    with pytest.raises(TypeError, match="wanted a dataclass instance"):
        config.to_dict(Settings)
