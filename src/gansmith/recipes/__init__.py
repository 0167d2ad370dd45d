"""The catalogue of recipes: found by file name, listed without importing one (and so without torch).

r3gan                   the recipe of recipes/r3gan.py
r3gan:paper             one of its presets
my_gan.py:MyGAN         a recipe of one's own, by the path of its file
my_gan.py:MyGAN:tiny    and a preset of it, a function `tiny(spec)` in that file
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, GansmithError, did_you_mean

if TYPE_CHECKING:
    from ..spec import Spec
    from .base import Recipe

FOLDER = Path(__file__).parent
NOT_RECIPES = ("__init__", "base")


@dataclass(frozen=True)
class Listing:
    """What a recipe's file says of itself.

    Attributes:
        name: what `find_recipe` finds it by.
        title: first line of the file's docstring: name, authors, year, arXiv id.
        doc: the whole docstring.
        presets: names of its preset functions.
        path: of its file.
    """

    name: str
    title: str
    doc: str
    presets: tuple[str, ...]
    path: Path


@dataclass(frozen=True)
class Found:
    """A recipe that was asked for by name.

    Attributes:
        name: finds the same recipe again: `r3gan`, or `/path/my_gan.py:MyGAN`.
        cls: the Recipe subclass.
        preset: the preset asked for, or None.
        presets: preset functions of its file, `(spec) -> recipe`.
    """

    name: str
    cls: type[Recipe]
    preset: str | None = None
    presets: Mapping[str, Callable[[Spec], Recipe]] = field(default_factory=dict)

    def make(self, spec: Spec, preset: str | None = None, **values: Any) -> Recipe:
        """The recipe for data like `spec`: the preset asked for, else `preset` where there is one, else the
        class's defaults; then the fields in `values` replaced.

        Raises:
            SpecError: the preset cannot make examples like `spec`.
        """
        chosen = self.preset or (preset if preset in self.presets else None)
        made = self.presets[chosen](spec) if chosen else self.cls()
        return replace(made, **values)


def list_recipes() -> list[Listing]:
    """Every recipe of the package, by name; reads the files and imports none."""
    return [_listing(p) for p in sorted(FOLDER.glob("*.py")) if p.stem not in NOT_RECIPES]


def _listing(path: Path) -> Listing:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    doc = ast.get_docstring(tree) or ""
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_"))
    presets = tuple(f.name for f in functions if [a.arg for a in f.args.args] == ["spec"])
    return Listing(path.stem, doc.partition("\n")[0], doc, presets, path)


def find_recipe(name: str) -> Found:
    """The recipe that `name` names: see the top of this file for the forms.

    Raises:
        ConfigError: no such recipe, preset, file or class; a file that cannot be imported.
    """
    if ".py" in name:
        return _find_in_file(name)
    stem, _, preset = name.partition(":")
    known = [listing.name for listing in list_recipes()]
    if stem not in known:
        raise ConfigError(
            f"no recipe {stem!r}; known: {', '.join(known)}.{did_you_mean(stem, known)}\n"
            "A recipe of your own is named by its file and class: my_gan.py:MyGAN"
        )
    module = importlib.import_module(f"{__name__}.{stem}")
    return _with_preset(Found(stem, _only_class(module, None, stem), None, _presets(module)), preset)


def _find_in_file(name: str) -> Found:
    head, _, tail = name.rpartition(".py")
    path = Path(head + ".py").expanduser().resolve()
    if not path.is_file():
        raise ConfigError(f"no recipe file: {path}")
    cls_name, _, preset = tail.removeprefix(":").partition(":")
    module = _import_file(path)
    cls = _only_class(module, cls_name or None, path.name)
    return _with_preset(Found(f"{path}:{cls.__name__}", cls, None, _presets(module)), preset)


def _with_preset(found: Found, preset: str) -> Found:
    if preset and preset not in found.presets:
        known = ", ".join(found.presets) or "none"
        raise ConfigError(
            f"{found.name} has no preset {preset!r}; it has: {known}.{did_you_mean(preset, found.presets)}"
        )
    return replace(found, preset=preset or None)


def _import_file(path: Path) -> ModuleType:
    """Runs the file as a module of its own, once for each content."""
    digest = hashlib.sha256(str(path).encode() + path.read_bytes()).hexdigest()[:12]
    name = f"gansmith_recipe_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"cannot read as Python: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up while they are made
    try:
        spec.loader.exec_module(module)
    except GansmithError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(
            f"{path} cannot be imported:\n{_place(error, path)}{type(error).__name__}: {error}"
        ) from error
    return module


def _place(error: Exception, path: Path) -> str:
    """`line 3: import tprch: `, the last line of the user's file that the error went through."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {(error.text or '').strip()}: "
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f"line {frames[-1].lineno}: {frames[-1].line}: " if frames else ""


def _classes(module: ModuleType) -> dict[str, type[Recipe]]:
    """Recipe subclasses that are defined in this module, not imported into it."""
    from .base import Recipe

    own = (v for v in vars(module).values() if isinstance(v, type) and v.__module__ == module.__name__)
    return {v.__name__: v for v in own if issubclass(v, Recipe) and v is not Recipe}


def _only_class(module: ModuleType, wanted: str | None, file: str) -> type[Recipe]:
    classes = _classes(module)
    if not classes:
        raise ConfigError(f"{file} defines no Recipe; write: class MyGAN(Recipe), a frozen dataclass")
    if wanted is None and len(classes) == 1:
        return next(iter(classes.values()))
    if wanted is None:
        first = next(iter(classes))
        raise ConfigError(
            f"{file} defines several recipes: {', '.join(classes)}; name one, for example: {file}:{first}"
        )
    if wanted not in classes:
        raise ConfigError(
            f"{file} defines no recipe {wanted!r}; it defines: {', '.join(classes)}.{did_you_mean(wanted, classes)}"
        )
    return classes[wanted]


def _presets(module: ModuleType) -> dict[str, Callable[[Spec], Recipe]]:
    listing = _listing(Path(str(module.__file__)))
    return {name: getattr(module, name) for name in listing.presets}
