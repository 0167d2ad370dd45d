"""The page for those who come from other libraries names what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from gansmith.cli.main import COMMANDS
from gansmith.game import Augment, Game, Solver
from gansmith.metrics import registry
from gansmith.pipelines import catalogue
from gansmith.pipelines.evaluate import PROBES

from . import published as there

PAGE = (Path(__file__).parents[2] / "docs" / "migration.md").read_text(encoding="utf-8")
LIBRARIES = PAGE.partition("## What the libraries have")[2].partition("## From")[0]


def test_settings_that_it_names_are_there() -> None:
    for group, cls in (("game", Game), ("solver", Solver), ("game.augment", Augment)):
        known = {field.name for field in fields(cls)}
        named = set(re.findall(rf"recipe\.{re.escape(group)}\.(\w+)", PAGE))
        assert named
        assert named <= known, named - known


def test_commands_that_it_names_are_there() -> None:
    assert set(re.findall(r"`gansmith ([\w-]+)", PAGE)) <= set(COMMANDS)


def test_every_recipe_of_pictures_and_every_metric_has_a_place() -> None:
    """What is called something here stands in backticks in the right column."""
    rows = [row.split("|") for row in LIBRARIES.splitlines() if row.startswith("|")]
    here = set(re.findall(r"`([\w:=./ -]+)`", " ".join(row[2] for row in rows)))
    recipes = {entry.name for entry in catalogue.entries() if entry.makes == "image"}
    assert {"gan", "dcgan", "stylegan2", "stylegan3", "r3gan", "lapgan", "progan"} <= here & recipes
    wanted = {*registry.names(), *PROBES} - {"fid_infinity", "ms_ssim", "sfid", "vendi"}  # no library there has these
    assert wanted <= here, wanted - here


def test_every_row_says_where_or_that_it_is_not() -> None:
    for row in (line for line in PAGE.splitlines() if line.startswith("| ")):
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 2, row
        assert all(cells), row


def test_its_python_runs(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    flat, settings = there.stylegan2_generator()
    there.save(tmp_path / "ffhq.pkl", {"G_ema": there.network(flat, settings)})
    code = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    done = subprocess.run([sys.executable, "-c", *code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "grid.png").exists()
