"""Attention of every place of a picture to every other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """x + gamma v(softmax(f(x)^T g(x)) h(x)), gamma learned, at first zero (SAGAN, arXiv:1805.08318, equations 1 to 3).

    f, g, h, v are 1x1 convolutions without bias. As two products of matrices it can be differentiated twice.

    Args:
        channels: of x.
        keys: numbers that two places are compared by.
        values: numbers that a place passes on.
        pooled: places are asked in squares of 2 x 2, of which the largest keys and values count: a quarter of the work.
    """

    def __init__(self, channels: int, keys: int, values: int, pooled: bool = False) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, keys, 1, bias=False)
        self.key = nn.Conv2d(channels, keys, 1, bias=False)
        self.value = nn.Conv2d(channels, values, 1, bias=False)
        self.back = nn.Conv2d(values, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))
        self.pooled = pooled

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        key, value = self.key(x), self.value(x)
        if self.pooled:
            key, value = F.max_pool2d(key, 2), F.max_pool2d(value, 2)
        weights = torch.softmax(self.query(x).flatten(2).transpose(1, 2) @ key.flatten(2), 2)
        seen = (value.flatten(2) @ weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return torch.add(x, self.gamma * self.back(seen))
