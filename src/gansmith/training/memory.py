"""Running out of memory: known by its errors, answered by halving the micro-batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import TrainingFailed

_SIGNS = (
    "can't allocate memory",
    "out of memory",
    "std::bad_alloc",
    "could not create a memory",
    "cannot allocate memory",
)


def is_exhausted(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


@contextmanager
def explained() -> Iterator[None]:
    """Memory that ran out where a smaller micro-batch would not help is said in words.

    Raises:
        TrainingFailed: in place of the allocator's error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_exhausted(error):
            raise
        raise TrainingFailed(
            "memory ran out outside of the losses (optimizer state, averages or data); choose a smaller --size, "
            "narrower networks (recipe.width) or a smaller --batch, or a device with more memory"
        ) from error


def least(nets: nn.Module) -> int:
    """The fewest examples per forward pass that these networks can be trained with."""
    return 2 if any(isinstance(module, _BatchNorm) for module in nets.modules()) else 1


def halve(micro: int | None, share: int, least: int, *, alone: bool) -> int:
    """Half of the present micro-batch; the effective batch stays as it is.

    Args:
        micro: examples per forward pass now; None for the whole share.
        share: examples of this process per batch.
        least: examples that there must be at a time.
        alone: whether this process may change it without the others.

    Raises:
        TrainingFailed: the least does not fit, or other processes would not follow.
    """
    now = min(micro or share, share)
    if not alone:
        raise TrainingFailed(
            f"memory ran out in one of several processes, well into the run, with {now} examples at a time\n"
            f"resume with a smaller micro-batch: gansmith resume RUN --micro {max(1, now // 2)}"
        )
    if now // 2 < least:
        few = "a single example" if now == 1 else f"{now} examples"
        raise TrainingFailed(
            f"memory ran out with {few} at a time; choose a smaller --size or narrower networks (recipe.width), "
            "or a device with more memory"
        )
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return now // 2
