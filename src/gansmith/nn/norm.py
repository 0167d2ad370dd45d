"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .labels import Label, looked_up


class PixelNorm(nn.Module):
    """Each pixel's features divided by their root mean square (Karras 2017, arXiv:1710.10196, section 4.2)."""

    def forward(self, x: Float[Tensor, "b c *hw"]) -> Float[Tensor, "b c *hw"]:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


class ConditionalBatchNorm2d(nn.Module):
    """Batch normalisation whose gain and bias depend on a condition (Dumoulin 2016, arXiv:1610.07629, section 2.2).

        (1 + gain(c)) (x - mean) / sqrt(var + eps) + bias(c)

    Args:
        channels: of x.
        condition: makes a module from conditions to `channels` numbers, such as `partial(PerClass, classes)` for labels
            or `partial(nn.Linear, width, bias=False)` for vectors; called twice. With None, gain and bias are learned
            and the same for all.
    """

    def __init__(self, channels: int, condition: Callable[[int], nn.Module] | None = None) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=condition is None)
        self.gain = condition(channels) if condition else None
        self.bias = condition(channels) if condition else None

    def forward(self, x: Float[Tensor, "b c h w"], condition: Tensor | None = None) -> Float[Tensor, "b c h w"]:
        x = self.norm(x)
        if self.gain is None or self.bias is None:
            return x
        return torch.addcmul(self.bias(condition)[:, :, None, None], x, 1 + self.gain(condition)[:, :, None, None])


class PerClass(nn.Module):
    """Learned numbers for each label (see `labels`), at first zero. Unlike `nn.Embedding` it is no weight to normalise
    spectrally."""

    def __init__(self, labels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(labels, width))

    def forward(self, y: Label) -> Float[Tensor, "b width"]:
        return looked_up(y, self.weight)


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """The layers of batch normalisation that follow statistics."""
    return [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


@contextmanager
def standing(network: nn.Module) -> Iterator[None]:
    """Within, the running statistics of batch normalisation begin anew and become means over all forward passes.

    Standing statistics (Brock 2018, arXiv:1809.11096, section 3.1 of its appendices): those of training belong to
    weights of many moments, and to none of an average's. All other layers keep their mode.
    """
    layers = batch_norms(network)
    before = [(layer.momentum, layer.training) for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # torch: a cumulative mean
        layer.train()
    try:
        yield
    finally:
        for layer, (momentum, training) in zip(layers, before, strict=True):
            layer.momentum = momentum
            layer.train(training)
