"""Imports run downwards only, and optional packages are imported where they are used."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gansmith

PACKAGE = Path(gansmith.__file__).parent

FLOORS: dict[str, float] = {
    "errors": 0, "batch": 0, "schedule": 0, "spec": 0.5, "tabular": 0.7,
    "config": 1, "checkpoint": 1, "nn": 1, "losses": 1, "augment": 1, "privacy": 1.5,
    "data": 2, "metrics": 2, "recipes.base": 2, "health": 2.5, "game": 2.5,
    "recipes": 3, "training": 3,
    "report": 4, "pipelines": 4.5, "imbalance": 4.6, "migration": 4.6,
    "testing": 4.8, "studio": 5, "cli": 5, "__init__": 5, "__main__": 6,
}  # fmt: skip
BELOW_ALL = {"version", "_version"}  # a constant that anyone may read
OPTIONAL = {
    "pyarrow", "datasets", "pandas", "sklearn", "faker", "opacus", "imblearn", "scipy", "timm", "huggingface_hub",
}  # fmt: skip
DERIVED = {"imbalance/sampler.py": "imblearn"}  # its class derives from theirs; the package's __init__ is lazy
LIGHT = ["__init__.py", "__main__.py", *sorted(p.relative_to(PACKAGE).as_posix() for p in PACKAGE.glob("cli/*.py"))]
FILES = sorted(p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*.py"))


def place(module: str) -> str:
    """The entry of FLOORS that a dotted module (within gansmith) belongs to."""
    return module if module in FLOORS else module.split(".")[0]


def module_of(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__") or "__init__"


def imports(file: str, *, top_level_only: bool = False) -> Iterator[str]:
    """Dotted names a file imports; those of the package begin with `gansmith.`; typing-only ones are left out."""
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    parents = (file if not file.endswith("__init__.py") else file.removesuffix("__init__.py") + "x").split("/")
    for node in _reached(tree, top_level_only):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                inside = parents[: len(parents) - node.level]
                base = ".".join(["gansmith", *inside, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _reached(tree: ast.AST, top_level_only: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if top_level_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        yield from _reached(node, top_level_only)


def inner(name: str) -> str | None:
    """`gansmith.data.source.Source` to `data.source.Source`; None for other packages."""
    return name.removeprefix("gansmith.") if name.startswith("gansmith.") else None


@pytest.mark.parametrize("file", FILES)
def test_imports_run_downwards(file: str) -> None:
    here = place(module_of(file))
    assert here in FLOORS, f"{file} stands on no floor; add it to the table"
    for name in imports(file):
        target = inner(name)
        if target is None or target.split(".")[0] in BELOW_ALL or target == "__version__":
            continue
        there = "recipes.base" if target.startswith("recipes.base") else place(target)
        if there not in FLOORS:  # a public name of the package itself
            there = "__init__"
        same = here == there and here != "recipes"
        assert same or FLOORS[there] < FLOORS[here], f"{file} (floor {FLOORS[here]}) imports {name} ({FLOORS[there]})"


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("recipes/")])
def test_a_recipe_stands_alone(file: str) -> None:
    """It uses parts and losses, never data, training or another recipe."""
    for name in imports(file):
        target = inner(name)
        assert target is None or target.split(".")[0] not in ("data", "training"), f"{file} imports {name}"
        assert target is None or not target.startswith("recipes.") or target.startswith("recipes.base"), name


@pytest.mark.parametrize("file", [f for f in FILES if f.startswith("training/")])
def test_the_engine_knows_no_recipe_and_no_kind_of_data(file: str) -> None:
    for name in imports(file):
        target = inner(name)
        assert target is None or not target.startswith("recipes.") or target.startswith("recipes.base"), name
        assert target is None or not target.startswith("data.") or target.startswith("data.source"), name
        assert "ImageSpec" not in name


@pytest.mark.parametrize("file", FILES)
def test_optional_packages_are_imported_in_functions(file: str) -> None:
    wrong = [n for n in imports(file, top_level_only=True) if n.split(".")[0] in OPTIONAL - {DERIVED.get(file)}]
    assert not wrong


@pytest.mark.parametrize("file", LIGHT)
def test_the_command_line_starts_without_torch(file: str) -> None:
    heavy = {"torch", "numpy", "PIL", "matplotlib", "lightning_fabric", "rich", "jinja2"}
    assert not [n for n in imports(file, top_level_only=True) if n.split(".")[0] in heavy]


@pytest.mark.parametrize("file", FILES)
def test_only_the_runtime_knows_of_processes(file: str) -> None:
    words = ("torch.distributed", "lightning_fabric")
    known = [n for n in imports(file) if n.startswith(words)]
    assert not known or file == "training/runtime.py"


def test_the_walk_sees_what_it_should() -> None:
    """The test's own eyes: relative imports, inner functions, and typing-only ones left out."""
    assert "gansmith.batch.Batch" in set(imports("recipes/base.py"))
    assert "lightning_fabric.Fabric" in set(imports("training/runtime.py"))
    assert "lightning_fabric.Fabric" not in set(imports("training/runtime.py", top_level_only=True))
    assert "gansmith.training.trainer.Trainer" not in set(imports("training/keeper.py"))
    assert inner("gansmith.spec.Spec") == "spec.Spec"
    assert inner("torch.nn") is None
