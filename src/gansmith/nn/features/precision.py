"""Features in float32 that deserve the name, on a GPU too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Within, cuDNN convolves in float32 proper: its default on recent cards, TF32, keeps 10 bits of the mantissa.

    The flag is put back afterwards; on other devices nothing is touched.
    """
    if device.type != "cuda":
        yield
        return
    flags = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    before = flags.fp32_precision
    flags.fp32_precision = "ieee"
    try:
        yield
    finally:
        flags.fp32_precision = before
