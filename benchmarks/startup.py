"""How long it takes to import gansmith and to show its help."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

from . import machine

ROUNDS = 15
IMPORT = (
    "import time; t = time.perf_counter(); import gansmith; d = time.perf_counter() - t; "
    "import sys; print(d, 'torch' in sys.modules)"
)


def run() -> None:
    imports, helps, torch_seen = [], [], False
    for _ in range(ROUNDS):
        seconds, seen = subprocess.run(
            [sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True
        ).stdout.split()
        imports.append(1000 * float(seconds))
        torch_seen |= seen == "True"
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "gansmith", "--help"], capture_output=True, check=True)
        helps.append(1000 * (time.perf_counter() - started))
    machine.keep(
        "startup",
        {
            "import_ms": machine.median(imports),
            "import_spread": machine.spread(imports),
            "help_ms": machine.median(helps),
            "help_spread": machine.spread(helps),
            "torch": torch_seen,
        },
    )


def render(result: dict[str, Any]) -> list[str]:
    return [
        f"`import gansmith`: {result['import_ms']:.0f} ms ({result['import_spread']}; bar: 150), "
        f"{'with' if result['torch'] else 'without'} importing torch. "
        f"`gansmith --help`: {result['help_ms']:.0f} ms ({result['help_spread']}; bar: 300). "
        f"Medians of {ROUNDS} processes, lowest to highest in brackets.",
    ]
