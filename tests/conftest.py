"""What all tests share. The import hook must come before the first import of gansmith."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import jaxtyping
import pytest
import torch

if "gansmith" not in sys.modules:  # a plug-in may have been first; then shapes are not checked, and nothing breaks
    jaxtyping.install_import_hook("gansmith", "typechecker.checked")

torch.set_num_threads(1)
BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARED = Path(os.environ.get("GANSMITH_SHARED_DATA", BESIDE))
if (SHARED / "weights").is_dir():
    os.environ.setdefault("GANSMITH_WEIGHTS", str(SHARED / "weights"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """A folder of real data sets; GANSMITH_SHARED_DATA names it, else `shared/data` beside the repository."""
    if not (SHARED / "images").is_dir():
        pytest.skip(f"no shared data at {SHARED}; set GANSMITH_SHARED_DATA to run this test")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests, and the programs they start, never touch the user's cache folder."""
    os.environ["GANSMITH_CACHE"] = str(tmp_path_factory.mktemp("cache"))
