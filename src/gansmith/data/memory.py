"""How much memory there is to use, of this process and of a device."""

from __future__ import annotations

import os
from pathlib import Path

IN_MEMORY = 0.25  # share of the free memory that pictures may take; the rest is for training
ON_DEVICE = 0.25  # share of a device's free memory


def available_bytes() -> int:
    """Free memory, of the machine or of the container, whichever is less, shared by the processes of a run."""
    free = min([b for b in (_machine(), _container()) if b is not None], default=4 << 30)
    return free // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return _pages()


def _pages() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _container() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text().strip()
        return None if limit == "max" else int(limit) - int((folder / "memory.current").read_text())
    except (OSError, ValueError):
        return None
