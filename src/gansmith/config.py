"""Settings: dict or YAML to frozen dataclass and back, strictly. Nothing is guessed and nothing is ignored."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from .errors import ConfigError, did_you_mean

T = TypeVar("T")


def build(cls: type[T], values: Mapping[str, Any], *, where: str = "") -> T:
    """The dataclass `cls` with these values; strings are coerced to the declared types ("1e-3" is a float).

    Args:
        where: prefix of the settings' names in messages, such as `recipe`.

    Raises:
        ConfigError: an unknown name (the nearest known one is offered) or a value of the wrong type.
    """
    from pydantic import TypeAdapter, ValidationError

    dot = f"{where}." if where else ""
    _refuse_unknown(cls, values, dot)
    try:
        built = TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"][:1])
        raise ConfigError(f"{dot}{name}: {first['msg'][:1].lower()}{first['msg'][1:]}: {first['input']!r}") from None
    _refuse_unknown_within(built, values, dot)
    return built


def _refuse_unknown(cls: type, values: Mapping[str, Any], dot: str) -> None:
    known = [f.name for f in fields(cls)]
    for name in values:
        if name not in known:
            raise ConfigError(
                f"no setting {dot}{name}.{did_you_mean(name, known)}\n"
                f"{cls.__name__} has: {', '.join(sorted(known)) or 'no settings'}"
            )


def _refuse_unknown_within(built: Any, values: Mapping[str, Any], dot: str) -> None:
    """Validation passes over names that a nested dataclass does not know; nothing is to be passed over."""
    for name, value in values.items():
        inner = getattr(built, name)
        if isinstance(value, Mapping) and is_dataclass(inner):
            _refuse_unknown(type(inner), value, f"{dot}{name}.")
            _refuse_unknown_within(inner, value, f"{dot}{name}.")


def override(instance: T, texts: Mapping[str, str], *, where: str = "") -> T:
    """A copy of `instance` with some fields replaced by values written as YAML (`{"latent": "128"}`).

    A dotted name reaches into a field that is itself a dataclass or a mapping.

    Raises:
        ConfigError: see `build`; or a value that is not YAML.
    """
    values = to_dict(instance)
    for name, text in texts.items():
        _assign(values, name.split("."), _parse(f"{where}.{name}" if where else name, text))
    return build(type(instance), values, where=where)


def _assign(values: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        inner = values.get(part)
        if not isinstance(inner, dict):
            values[part] = inner = {}
        values = inner
    values[path[-1]] = value


def _parse(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"{name}: not a value in YAML: {text!r}") from None


def parse_overrides(texts: Iterable[str], prefix: str) -> dict[str, str]:
    """`["recipe.latent=128"]` to `{"latent": "128"}`.

    Raises:
        ConfigError: something that is not `PREFIX.NAME=VALUE`.
    """
    out = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.startswith(f"{prefix}."):
            raise ConfigError(f"settings of the {prefix} are written {prefix}.NAME=VALUE, this was: {text}")
        out[name.removeprefix(f"{prefix}.")] = value
    return out


def to_dict(instance: Any) -> dict[str, Any]:
    """Plain JSON and YAML values; `build` turns them into the same instance again."""
    if not is_dataclass(instance) or isinstance(instance, type):
        raise TypeError(f"wanted a dataclass instance, came: {instance!r}")
    values: dict[str, Any] = plain(asdict(instance))
    return values


def plain(value: Any) -> Any:
    """JSON and YAML values of any setting, schedules among them, at any depth."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(v) for v in value]
    return str(value) if isinstance(value, Path) else value


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: unreadable, or not a mapping.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read the settings in {path}: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"settings are a mapping of names to values; {path} holds: {type(data).__name__}")
    return data


def write_yaml(path: Path, data: Mapping[str, Any]) -> None:
    """Writes the file whole or not at all."""
    write_text(path, yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True))


def write_text(path: Path, text: str) -> None:
    """Writes a small text file through a temporary one beside it, so that readers never see half of it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """The same for bytes."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
