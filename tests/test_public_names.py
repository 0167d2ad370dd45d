"""The public face: names, and an import that costs nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gansmith as gs


def test_every_public_name_is_there() -> None:
    for name in gs.__all__:
        assert getattr(gs, name) is not None, name
    assert {"train", "load", "evaluate", "resume", "Trainer", "TrainConfig", "Recipe", "ImageSource"} <= set(gs.__all__)


def test_names_for_type_checkers_are_the_same_names() -> None:
    tree = ast.parse(Path(gs.__file__).read_text(encoding="utf-8"))
    block = next(n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING")
    imports = [(n.module, n.names[0]) for n in block.body if isinstance(n, ast.ImportFrom)]
    typed = {alias.asname: f"{module}:{alias.name}" for module, alias in imports}
    typed |= {n.targets[0].id: f"data:{n.value.id}" for n in block.body if isinstance(n, ast.Assign)}  # type: ignore
    assert typed == {name: where if ":" in where else f"{where}:{name}" for name, where in gs._WHERE.items()}


def test_recipes_are_public_by_their_class() -> None:
    assert gs.R3GAN.__module__ == "gansmith.recipes.r3gan"
    assert gs.DCGAN(latent=7).latent == 7
    assert "R3GAN" in dir(gs)


@pytest.mark.parametrize(("name", "offered"), [("R3GANN", "R3GAN"), ("Traner", "Trainer")])
def test_a_misspelt_name_is_answered_with_the_nearest(name: str, offered: str) -> None:
    with pytest.raises(AttributeError, match=f"Did you mean '{offered}'"):
        getattr(gs, name)


def test_importing_runs_nothing() -> None:
    program = (
        "import sys\nbefore = set(sys.modules)\nimport gansmith\nnew = set(sys.modules) - before\n"
        "wanted = {m for m in new if m.split('.')[0] not in sys.stdlib_module_names}\n"
        "assert wanted == {'gansmith'}, wanted\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_trained_run_in_python(tmp_path: Path) -> None:
    data, recipe = "bundled:fashion-mnist", gs.GAN(latent=8)
    run = gs.train(data, out=tmp_path / "run", recipe=recipe, batch=16, samples=32, size=16)
    make = gs.load(run)
    samples = make(5, seed=1)
    assert (len(samples), samples[0].size, samples.tensor.shape) == (5, (16, 16), (5, 1, 16, 16))
    assert make.recipe.latent == 8
    assert (make(3, seed=1).tensor - samples.tensor[:3]).abs().max() < 1e-6
    assert (make(5, seed=2).tensor != samples.tensor).any()
    assert samples.save(tmp_path / "deep" / "grid.png").exists()
    assert len(samples.save_all(tmp_path / "all")) == 5
    assert [p.size for p in samples[:2]] == [(16, 16)] * 2
    with pytest.raises(gs.GansmithError, match=r"grid\.what"):
        samples.save(tmp_path / "grid.what")
    found = gs.evaluate(run, n=64, extractor="fashion", metrics=["fid"])
    assert found["fd"] > 0
    assert "n_fake=64" in str(found)
