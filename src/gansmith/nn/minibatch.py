"""Layers through which D sees the examples of a batch together, so that a G that repeats itself is found out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MinibatchStd(nn.Module):
    """One more channel: the mean standard deviation over groups of examples (Karras 2017, arXiv:1710.10196, section 3).

    Groups are neighbours in the batch, so that micro-batches and processes whose shares they divide see the same ones.

    Args:
        group: examples in a group; the largest divisor of the batch that is no larger is taken.
    """

    adds = 1

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Float[Tensor, "b c *hw"]) -> Float[Tensor, "b c1 *hw"]:
        group = next(g for g in range(min(self.group, len(x)), 0, -1) if len(x) % g == 0)
        apart = x.float().unflatten(0, (-1, group))
        std = (apart.var(1, correction=0) + 1e-8).sqrt().flatten(1).mean(1)
        channel = std.repeat_interleave(group).to(x.dtype).view(-1, *[1] * (x.ndim - 1)).expand(-1, 1, *x.shape[2:])
        return torch.cat((x, channel), 1)


class MinibatchDiscrimination(nn.Module):
    """How near each example's features are to those of the others (Salimans 2016, arXiv:1606.03498, section 3.2).

        o(x_i)_b = sum over j of exp(-|M_ib - M_jb|_1),   M = T f(x), of `kernels` rows of `size` numbers

    j runs over the others of the batch (of this process's share). Of pictures, every pixel carries the same outputs.

    Args:
        inputs: numbers of one example, all pixels together.
        kernels: outputs, which become channels.
        size: numbers in each row of M.
    """

    def __init__(self, inputs: int, kernels: int = 16, size: int = 8) -> None:
        super().__init__()
        self.adds, self.size = kernels, size
        self.project = nn.Linear(inputs, kernels * size, bias=False)
        nn.init.normal_(self.project.weight, 0.0, inputs**-0.5)

    def forward(self, x: Float[Tensor, "b c *hw"]) -> Float[Tensor, "b c1 *hw"]:
        rows = self.project(x.flatten(1)).unflatten(1, (self.adds, self.size))
        apart = (rows[:, None] - rows[None]).abs().sum(3)
        near = torch.exp(-apart).sum(1) - 1  # without each example's nearness to itself
        return torch.cat((x, near.view(*near.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])), 1)


class Wider(nn.Module):
    """A layer that reads further channels beside those that it was made for."""

    def __init__(self, layer: nn.Conv2d | nn.Linear, more: nn.Conv2d | nn.Linear, channels: int) -> None:
        super().__init__()
        self.layer, self.more, self.channels = layer, more, channels

    @classmethod
    def of(cls, layer: nn.Module, channels: int) -> nn.Module:
        """`layer` beside one of its kind for `channels` further ones, whose weights are as large as the first's.

        Raises:
            TypeError: neither a convolution nor linear.
        """
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            raise TypeError(f"wanted a convolution or a linear layer, came: {type(layer).__name__}")
        more: nn.Conv2d | nn.Linear
        if isinstance(layer, nn.Linear):
            read, more = layer.in_features, nn.Linear(channels, layer.out_features, bias=False)
        else:
            read, where = layer.in_channels, {"stride": layer.stride, "padding": layer.padding}
            more = nn.Conv2d(channels, layer.out_channels, layer.kernel_size, bias=False, **where)  # type: ignore[arg-type]
        scale = getattr(layer, "scale", 1.0)  # by which layers with an equalized learning rate multiply theirs
        nn.init.normal_(more.weight, 0.0, scale * float(layer.weight.detach().std()))
        return cls(layer, more, read)

    def forward(self, x: Float[Tensor, "b c *hw"]) -> Float[Tensor, "b d *hw2"]:
        out: Tensor = self.layer(x[:, : self.channels]) + self.more(x[:, self.channels :])
        return out
