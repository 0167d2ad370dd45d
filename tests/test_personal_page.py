"""The page on content of one's own tells the truth."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from test_docs import ROOT, run_blocks


def test_the_python_of_the_page_runs(tmp_path: Path) -> None:
    said = run_blocks(ROOT / "docs" / "personal.md", tmp_path)
    assert "('dark', 'framed')" in said
    with Image.open(tmp_path / "dark.png") as grid:
        assert grid.width == 300
