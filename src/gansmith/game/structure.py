"""What is built into a recipe's networks on request: spectral normalisation, dropout, layers across the minibatch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ..losses.adversarial import full
from ..nn.minibatch import MinibatchDiscrimination, MinibatchStd, Wider
from .terms import head_of

Minibatch = Literal["none", "stddev", "discrimination"]
WEIGHTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Embedding)
RECTIFIERS = (nn.LeakyReLU, nn.ReLU, nn.SiLU, nn.GELU)


def normalised_spectrally(network: nn.Module) -> nn.Module:
    """Every weight divided by its largest singular value (Miyato 2018, arXiv:1802.05957), one power iteration a pass.

    What is normalised already stays as it is.
    """
    for module in network.modules():
        if isinstance(module, WEIGHTED) and not hasattr(module, "parametrizations"):
            spectral_norm(module)
    return network


def off_orthogonal(network: nn.Module) -> torch.Tensor:
    """Sum over weights W, one row for each output, of |W W^T without its diagonal|^2 (BigGAN, arXiv:1809.11096, eq. 3).

    Of the weights before they are normalised spectrally. W^T W, smaller where there are more rows than columns, has the
    same norm as W W^T: only the diagonal is taken of the latter.
    """
    device = next(network.parameters()).device
    with torch.autocast(device.type, enabled=False):  # differences of large sums
        each = [_off_orthogonal(full(w.flatten(1))) for w in _raw_weights(network)]
    return torch.stack([value.float() for value in each]).sum()


def _raw_weights(network: nn.Module) -> Iterator[torch.Tensor]:
    for module in network.modules():
        if isinstance(module, WEIGHTED):
            parts: Any = getattr(module, "parametrizations", None)
            yield module.weight if parts is None else parts.weight.original


def _off_orthogonal(w: torch.Tensor) -> torch.Tensor:
    gram = w @ w.T if len(w) <= w.shape[1] else w.T @ w
    return gram.square().sum() - w.square().sum(1).square().sum()


def with_dropout(network: nn.Module, share: float) -> nn.Module:
    """Each rectifier is followed by dropout of whole channels, or of features where there is no picture.

    Its masks come from torch's global random state: seeded at every step, other on each process.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, RECTIFIERS):
                setattr(module, name, nn.Sequential(child, Dropout(share)))
    return network


class Dropout(nn.Module):
    """`Dropout2d` for pictures (b c h w), `Dropout` for features (b d)."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        drop = nn.functional.dropout2d if x.ndim == 4 else nn.functional.dropout
        return drop(x, self.share, self.training)


def with_minibatch(d: nn.Module, kind: Minibatch) -> nn.Module:
    """A layer that compares the examples of a batch, before D's head, which reads its outputs too.

    Raises:
        ConfigError: D has no `head`.
    """
    if kind == "none":
        return d
    head = head_of(d)
    layer = MinibatchStd() if kind == "stddev" else MinibatchDiscrimination(_inputs(head))
    d.head = nn.Sequential(layer, Wider.of(head, layer.adds))
    return d


def compares(d: nn.Module) -> bool:
    """Whether a layer of D looks across the examples of a batch."""
    return any(
        isinstance(m, MinibatchDiscrimination) or (isinstance(m, MinibatchStd) and m.group > 1) for m in d.modules()
    )


def _inputs(head: nn.Module) -> int:
    """Features that a head reads of each example (of a convolution: at full kernel)."""
    if isinstance(head, nn.Conv2d):
        return head.in_channels * head.kernel_size[0] * head.kernel_size[1]
    assert isinstance(head, nn.Linear), f"a head is a convolution or linear, this is: {type(head).__name__}"
    return head.in_features
