"""Features at several scales, through which others may be differentiated: what a projected discriminator looks at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import ConfigError

MOST = 4  # scales


@runtime_checkable
class GivesMaps(Protocol):
    """An extractor whose network may be looked into.

    Attributes:
        name, digest: as of every extractor.
        channels: of the pictures that the network takes: 3 or 1.
        sees_imagenet: whether it was trained on pictures of ImageNet, so that figures of Inception's features flatter
            what was trained through it.
    """

    name: str
    digest: str
    channels: int
    sees_imagenet: bool

    def maps(self, x: Tensor) -> list[Tensor]:
        """Pictures (b c h w) in [0, 1] of any size -> maps (b d h' w'), each smaller than the one before."""
        ...


@runtime_checkable
class LooksThrough(Protocol):
    """A recipe whose D looks through an extractor, so that its figures flatter what was trained so."""

    def looker(self) -> GivesMaps:
        """The extractor.

        Raises:
            ConfigError, DataError, MissingExtra: there is none, or it is not on this machine.
        """
        ...


def fitted(x: Tensor, side: int) -> Tensor:
    """Pictures of `side` pixels (bilinear, antialiased when shrunk), differentiable."""
    if x.shape[-2:] == (side, side):
        return x
    return F.interpolate(x, size=(side, side), mode="bilinear", antialias=max(x.shape[-2:]) > side)


def looks(channels: int, taken: int) -> list[list[int]]:
    """Which channels of a picture enter a network in each of its looks at it.

    A network of grey pictures looks at each channel alone. One of colours looks at RGB, or at grey three times, and
    once more at alpha.
    """
    if taken == 1:
        return [[i] for i in range(channels)]
    return [[0, 1, 2] if channels >= 3 else [0, 0, 0]] + ([[3, 3, 3]] if channels == 4 else [])


def octaves(sides: Sequence[int]) -> list[int]:
    """Positions in `sides`, which fall, of the last one of each scale; scales are half as large as those before.

    The smallest `MOST` scales of more than one pixel.
    """
    last = {round(math.log2(side)): i for i, side in enumerate(sides) if side > 1}
    return sorted(last.values())[-MOST:]


def pyramid(maps: Sequence[Tensor]) -> list[Tensor]:
    """Maps of one size and of several depths as a pyramid: resized to 4, 2, 1, 1/2 of their size (bilinear), as dense
    prediction has it with transformers (Ranftl 2021, arXiv:2103.13413)."""
    side = maps[0].shape[-1]
    return [fitted(x, max(side * 4 // 2**i, 1)) for i, x in enumerate(maps)]


def trunk(net: nn.Module) -> Iterator[nn.Module]:
    """What a network is made of in a row: its children, `Sequential` ones taken apart."""
    for child in net.children():
        if isinstance(child, nn.Sequential):
            yield from trunk(child)
        else:
            yield child


def passed(net: nn.Module, x: Tensor) -> list[object]:
    """What the parts of the trunk give in a pass of `x`, in the order of the pass."""
    heard: list[object] = []
    with ExitStack() as hooks:
        for part in trunk(net):
            hooks.callback(part.register_forward_hook(lambda *told: heard.append(told[2])).remove)
        net(x)
    return heard


def scales(net: nn.Module, x: Tensor) -> list[int]:
    """Which of what a network's trunk gives are the last maps of each scale, found by a pass of `x`.

    Branches and the way up of a decoder are left out: what is followed by larger maps.

    Raises:
        ConfigError: nothing is a map.
    """
    sides = [_side(out, len(x)) for out in passed(net, x)]
    falling = [i for i, side in enumerate(sides) if side and side >= max(sides[i:])]
    found = [falling[i] for i in octaves([sides[i] for i in falling])]
    if not found:
        raise ConfigError(
            f"nothing in {type(net).__name__} gives maps (b c h w) of more than one pixel: a network to look through "
            "is made of layers that are its children, or theirs within nn.Sequential"
        )
    return found


def _side(out: object, n: int) -> int:
    """The smaller side of maps; 0 for anything else."""
    return min(out.shape[-2:]) if isinstance(out, Tensor) and out.ndim == 4 and len(out) == n else 0
