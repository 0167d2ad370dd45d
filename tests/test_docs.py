"""The documentation's Python runs, its commands parse, its links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands() -> list[str]:
    lines = [line for page in PAGES for block in blocks(page, "console") for line in block.splitlines()]
    return sorted({line[2:].split("  #")[0].strip() for line in lines if line.startswith("$ gansmith")})


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("line", commands())
def test_commands_are_ones_that_there_are(line: str) -> None:
    """Parsing only: the last argument makes the command show its help once all options were understood."""
    import click

    from gansmith.cli.main import app

    words = line.split()[1:]
    words = words[: next((i for i, w in enumerate(words) if w in (">", "|", "&&")), len(words))]
    command: click.Command = app
    context = click.Context(app, info_name="gansmith")
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]!r} in: {line}"
        command, words = found, words[1:]
        context = command.make_context(command.name, list(words), parent=context)


def test_the_readmes_python_runs(tmp_path: Path) -> None:
    said = run_blocks(ROOT / "README.md", tmp_path)
    assert (tmp_path / "grid.png").exists()
    assert (tmp_path / "model" / "G.safetensors").exists()
    assert "FD-fashion" in said


def test_the_python_of_the_page_on_tables_runs(tmp_path: Path) -> None:
    run_blocks(ROOT / "docs" / "tables.md", tmp_path)
    assert (tmp_path / "model" / "table.json").exists()


def test_the_python_of_the_page_on_privacy_runs(tmp_path: Path) -> None:
    said = run_blocks(ROOT / "docs" / "privacy.md", tmp_path)
    assert "training" in said
    assert "at most 7.39 times" in said
    assert (tmp_path / "private-model" / "ledger.json").exists()
    assert len((tmp_path / "synthetic.csv").read_text().splitlines()) == 1_001


def test_the_python_of_the_page_on_games_runs(tmp_path: Path) -> None:
    run_blocks(ROOT / "docs" / "games.md", tmp_path)
    assert "relativistic" in (tmp_path / "runs" / "game" / "config.yaml").read_text(encoding="utf-8")


def test_the_python_of_the_page_on_health_runs(tmp_path: Path) -> None:
    assert "nothing is wrong that a doctor could see" in run_blocks(ROOT / "docs" / "health.md", tmp_path)


def test_the_example_of_a_plain_loop_names_what_was_planted() -> None:
    script = ROOT / "examples" / "doctor_in_a_plain_loop.py"
    command = [sys.executable, str(script), "--steps", "3", "--break", "range"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "The data's range is not the generator's" in said


def test_what_the_page_on_privacy_states_can_be_read(tmp_path: Path) -> None:
    from gansmith.privacy.stated import read_stated
    from gansmith.tabular.schema import Column, Schema

    (tmp_path / "stated.yaml").write_text(blocks(ROOT / "docs" / "privacy.md", "yaml")[0], encoding="utf-8")
    columns = [Column(name="age", kind="integer"), Column(name="admitted", kind="datetime")]
    columns += [Column(name="ill", kind="category", categories=("no", "yes")), Column(name="income", kind="float")]
    columns += [Column(name="ward", kind="category", categories=(3, 7))]
    stated = read_stated(tmp_path / "stated.yaml", Schema(tuple(columns)))
    assert stated.categories["ill"] == ("no", "yes")
    assert stated.bounds["admitted"][0] == 1_420_070_400e6


def run_blocks(page: Path, folder: Path) -> str:
    """Runs a page's Python, and returns all that it printed."""
    said = ""
    for code in blocks(page, "python"):
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
        said += done.stdout
    return said


def test_the_recipe_of_ones_own_trains_and_generates(tmp_path: Path) -> None:
    (tmp_path / "my_gan.py").write_text(blocks(ROOT / "docs" / "own-recipe.md", "python")[0], encoding="utf-8")
    for line in blocks(ROOT / "docs" / "own-recipe.md", "console")[0].splitlines():
        words = line.removeprefix("$ gansmith ").split()
        done = subprocess.run(
            [sys.executable, "-m", "gansmith", *words], cwd=tmp_path, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "samples-grid.png").exists()


def test_the_recipe_of_ones_own_keeps_the_contract(tmp_path: Path) -> None:
    first, second = blocks(ROOT / "docs" / "own-recipe.md", "python")
    (tmp_path / "my_gan.py").write_text(first, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", second], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr


FAKES = ("fakes", "other-fakes", "photos")


def test_the_python_of_the_page_on_evaluation_runs(tmp_path: Path) -> None:
    from PIL import Image

    from gansmith.data import ImageSource

    pixels = ImageSource("bundled:fashion-mnist", labels=False).pixels
    for place, rows in zip(FAKES, (range(40), range(40, 80), range(80, 120)), strict=True):
        (tmp_path / place).mkdir()
        for i in rows:
            Image.fromarray(pixels[i, :, :, 0]).save(tmp_path / place / f"{i}.png")
    first, metric, its_test = blocks(ROOT / "docs" / "evaluation.md", "python")
    done = subprocess.run([sys.executable, "-c", first], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "FD-random(n_real=40, n_fake=40, split=all, pictures=32x32x1" in done.stdout
    assert "KD too few samples to tell" in done.stdout
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "contrast.py").write_text(metric, encoding="utf-8")
    (tmp_path / "test_contrast.py").write_text(its_test, encoding="utf-8")
    found = "from pathlib import Path\nfrom gansmith.metrics import images\nimages.__path__.append(str(Path('own')))\n"
    (tmp_path / "conftest.py").write_text(found, encoding="utf-8")
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "test_contrast.py"]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    words = ["evaluate", "fakes", "--data", "photos", "--extractor", "random", "--metric", "contrast"]
    words = ["-c", f"{found}from gansmith.cli.main import main\nmain()", *words]
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "contrast_real-pixels" in done.stdout


def test_every_metric_is_explained_with_a_picture() -> None:
    from gansmith.metrics import registry
    from gansmith.pipelines.evaluate import PROBES

    page = (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: part for part in page.split("\n### ")[1:]}
    assert set(sections) == {*registry.names(), *PROBES}
    for name, text in sections.items():
        for wanted in (f"](evaluation/{name}.png)", "**Measures**", "**Bias and n**", "**Misleads**"):
            assert wanted in text, f"{name} lacks {wanted}"


def test_pictures_of_metrics_are_made_anew(tmp_path: Path) -> None:
    from PIL import Image

    words = [str(ROOT / "tools" / "evaluation_pictures.py"), "modes", "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "('no bags', '9 of 10 modes'" in done.stdout
    with Image.open(tmp_path / "modes.png") as made, Image.open(ROOT / "docs" / "evaluation" / "modes.png") as kept:
        assert made.size == kept.size


def test_inceptions_weights_are_packed_to_the_bytes_that_are_looked_for(shared_data: Path) -> None:
    from safetensors.torch import load_file

    from gansmith.nn.features.inception import WEIGHTS
    from gansmith.nn.features.inception_source import packed

    file = shared_data / "weights" / WEIGHTS
    assert packed(load_file(file)) == file.read_bytes()
