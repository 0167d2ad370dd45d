"""Imbalanced tables: over-sampling with a GAN, and a laboratory that tells whether any over-sampling helps.

Names are looked up when they are used: importing this imports neither imbalanced-learn nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {"GANOverSampler": "sampler", "LabResult": "result", "oversample_lab": "lab"}

if TYPE_CHECKING:
    from .lab import oversample_lab as oversample_lab
    from .result import LabResult as LabResult
    from .sampler import GANOverSampler as GANOverSampler

__all__ = ["GANOverSampler", "LabResult", "oversample_lab"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value
