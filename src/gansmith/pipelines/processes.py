"""Which process speaks for a run, known from the environment before anything is launched."""

from __future__ import annotations

import os


def first_process() -> bool:
    """Whether this is rank 0, or the only process. The launchers' own variables decide."""
    rank = next((os.environ[name] for name in ("RANK", "SLURM_PROCID") if name in os.environ), None)
    if rank is not None:
        return rank == "0"
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))
