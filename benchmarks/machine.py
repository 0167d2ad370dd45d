"""What a figure was measured on, and how results are kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"


def machine() -> str:
    """Processor, cores, threads, memory, versions, in one line."""
    model = platform.processor() or "cpu"
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (OSError, ValueError):
        memory = float("nan")
    card = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ", no GPU"
    return (
        f"{model}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {memory:.0f} GiB{card}; "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


def keep(name: str, result: dict[str, Any]) -> None:
    """Writes a section's result beside the others."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps({"machine": machine(), "command": f"python -m benchmarks {name}", **result}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def kept(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """Lowest and highest."""
    return f"{min(values):.3g} to {max(values):.3g}"


def quartiles(values: Sequence[float]) -> str:
    """Lower and upper."""
    low, _, high = statistics.quantiles(values)
    return f"{low:.3g} to {high:.3g}"
