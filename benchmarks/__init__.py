"""Measurements, written by `python -m benchmarks` to docs/benchmarks.md. Never run as tests."""

import os
from pathlib import Path

_SHARED = Path(os.environ.get("GANSMITH_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
os.environ.setdefault("GANSMITH_WEIGHTS", str(_SHARED / "weights"))
