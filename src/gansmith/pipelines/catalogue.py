"""Recipes by name. `r3gan` is the file recipes/r3gan.py; `my_gan.py:MyGAN` is a class in a file of the user's."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .. import config
from ..errors import ConfigError, UserError, did_you_mean

if TYPE_CHECKING:
    from ..recipes.base import Recipe
    from ..spec import Spec

DEFAULT = {  # by the kind of data; of pictures the first by docs/benchmarks.md, the second by its published figures
    "image": {"cpu": "dcgan", "gpu": "r3gan"},
    "table": {"cpu": "ctabgan", "gpu": "ctabgan"},
}
PRESETS = ("paper", "small")


class RecipeNeeded(UserError):
    """A model made with a recipe of somebody's own, which is code and therefore not in the model.

    Attributes:
        arguments: what to add on the command line.
    """

    def __init__(self, name: str) -> None:
        self.arguments = ["--recipe", name if is_own(name) else "FILE.py:NAME"]
        super().__init__(
            f"this model's recipe, {name}, is not one of gansmith's, and loading never runs code that comes with a "
            "model: say where the recipe is"
        )


@dataclass(frozen=True)
class Entry:
    """A recipe as the catalogue lists it, read from its file without running it.

    Attributes:
        name: what `--recipe` takes.
        title: first sentence of the file's docstring.
        paper: the arXiv address, or an empty string where the file names none.
        makes: the kind of data that it makes.
        honours: what it heeds of a request beside the data's own conditions (see `Recipe.honours`).
    """

    name: str
    title: str
    paper: str
    makes: str = "image"
    honours: tuple[str, ...] = ()


def names() -> list[str]:
    """Names of the recipes that come with gansmith, in alphabetical order."""
    return sorted(p.stem for p in _folder().glob("*.py") if p.stem not in ("__init__", "base"))


def classes() -> dict[str, str]:
    """The class of each recipe and the name of its file: `{"R3GAN": "r3gan"}`. Imports none of them."""
    found = {}
    for name in names():
        text = (_folder() / f"{name}.py").read_text(encoding="utf-8")
        found.update(dict.fromkeys(re.findall(r"^class (\w+)\((?:Recipe|Played)\):", text, re.MULTILINE), name))
    return found


def entries() -> list[Entry]:
    """The catalogue. Reads files, imports none of them."""
    return [entry(name) for name in names()]


def entry(name: str) -> Entry:
    """One line of the catalogue.

    Raises:
        ConfigError: no such recipe.
    """
    path, _ = _locate(name)
    code = path.read_text(encoding="utf-8")
    text = ast.get_docstring(ast.parse(code)) or ""
    makes = re.search(r'^    makes: ClassVar\[str\] = "(\w+)"', code, re.MULTILINE)
    honours = re.search(r"^    honours: ClassVar\[.*\] = \((.*)\)", code, re.MULTILINE)
    number = re.search(r"arXiv:\s*(\d{4}\.\d{4,5})", text, re.IGNORECASE)
    first = " ".join(text.split("\n\n")[0].split())
    paper = f"https://arxiv.org/abs/{number[1]}" if number else ""
    heeds = tuple(re.findall(r'"(\w+)"', honours[1])) if honours else ()
    return Entry(name, first, paper, makes[1] if makes else "image", heeds)


def summary(name: str) -> str:
    """The docstring of a recipe's file: the paper and its losses."""
    path, _ = _locate(name)
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def ships(cls: type[Recipe]) -> bool:
    """Whether a recipe's class comes with gansmith."""
    return cls.__module__.startswith("gansmith.recipes.")


def is_own(name: str) -> bool:
    """Whether `name` points to a file of the user's rather than into the catalogue."""
    return ".py" in name


def find(name: str) -> type[Recipe]:
    """The class of a recipe. For `FILE.py:NAME` this runs the file, so pass only what the user typed.

    Raises:
        ConfigError: no such recipe (the nearest name is offered), file or class.
        UserError: the user's file fails when it is run.
    """
    path, wanted = _locate(name)
    module = _run_file(path) if is_own(name) else importlib.import_module(f"gansmith.recipes.{name}")
    return _recipe_in(module, path, wanted)


def build(cls: type[Recipe], spec: Spec, preset: str, changes: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe with its preset for data like `spec`, some fields changed.

    Args:
        preset: `paper` or `small`; a file without such a function gives the class's own defaults.
        changes: see `changed`.

    Raises:
        ConfigError: see `changed`.
        SpecError: the preset knows nothing for such data.
    """
    function: Callable[[Spec], Recipe] | None = getattr(sys.modules[cls.__module__], preset, None)
    return changed(function(spec) if function else cls(), changes or {})


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """A copy with some fields changed; values that are text are read as YAML, as on the command line.

    Raises:
        ConfigError: an unknown field (the nearest name is offered), or a value of the wrong type.
    """
    texts = {name: value for name, value in changes.items() if isinstance(value, str)}
    others = {name: value for name, value in changes.items() if not isinstance(value, str)}
    recipe = config.override(recipe, texts, where="recipe") if texts else recipe
    values = {**config.to_dict(recipe), **others}
    return config.build(type(recipe), values, where="recipe") if others else recipe


def name_of(cls: type[Recipe]) -> str:
    """The name that finds a recipe's class again: its file's in the catalogue, else `FILE.py:NAME`."""
    package, _, module = cls.__module__.rpartition(".")
    if package == "gansmith.recipes":
        return module
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return f"{file}:{cls.__name__}" if file else cls.__name__


def presets(cls: type[Recipe]) -> list[str]:
    """The presets that a recipe's file offers."""
    return [name for name in PRESETS if callable(getattr(sys.modules[cls.__module__], name, None))]


def _folder() -> Path:
    return Path(__file__).parent.parent / "recipes"


def _locate(name: str) -> tuple[Path, str | None]:
    """The file of a recipe, and the class if one was named."""
    if is_own(name):
        file, _, wanted = name.partition(".py")
        path = Path(f"{file}.py").expanduser()
        if not path.is_file():
            raise ConfigError(f"no such file for --recipe FILE.py:NAME: {path}")
        return path, wanted.removeprefix(":") or None
    if name not in names():
        raise ConfigError(
            f"no recipe {name!r}.{did_you_mean(name, names())}\n"
            f"known: {', '.join(names())}; or a file of your own: my_gan.py:MyGAN"
        )
    return _folder() / f"{name}.py", None


def _run_file(path: Path) -> ModuleType:
    """Runs a user's file as a module; the same file is run once."""
    path = path.resolve()
    module_name = f"gansmith_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    found = importlib.util.spec_from_file_location(module_name, path)
    if found is None or found.loader is None:
        raise ConfigError(f"not a Python file: {path}")
    module = importlib.util.module_from_spec(found)
    sys.modules[module_name] = module
    try:
        found.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise UserError(f"{path.name} fails when it is run: {_where(error, path)}") from error
    return module


def _where(error: Exception, path: Path) -> str:
    """`line 12: NameError: ...`, with the line in the user's file."""
    trace, line = error.__traceback__, getattr(error, "lineno", None)
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    first = (str(error).splitlines() or [""])[0]
    return f"{f'line {line}: ' if line else ''}{type(error).__name__}: {first}"


def _recipe_in(module: ModuleType, path: Path, wanted: str | None) -> type[Recipe]:
    """The recipe that a module defines; `wanted` chooses among several."""
    from ..recipes.base import Recipe

    found = {
        name: cls
        for name, cls in vars(module).items()
        if inspect.isclass(cls) and issubclass(cls, Recipe) and cls.__module__ == module.__name__
    }
    if wanted is None and len(found) == 1:
        return next(iter(found.values()))
    if wanted in found:
        return found[wanted]
    known = ", ".join(found) or "none; a recipe is a class derived from gansmith.Recipe"
    if wanted is None:
        raise ConfigError(f"say which recipe of {path.name} is meant, as {path.name}:NAME; it has: {known}")
    raise ConfigError(f"no recipe {wanted!r} in {path.name}.{did_you_mean(wanted, found)} It has: {known}")
