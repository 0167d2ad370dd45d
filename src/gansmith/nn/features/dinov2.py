"""DINOv2 (Oquab et al. 2023, arXiv:2304.07193): a vision transformer trained without labels, and its class token.

Stein et al. 2023 (arXiv:2306.04675) find that its Fréchet distance agrees with people better than Inception's, also for
generators whose discriminator saw ImageNet features. Pictures are resized to 224x224 as there (`clean`), and normalised
by ImageNet's mean and deviation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ...errors import ConfigError, DataError, did_you_mean
from .maps import MOST, fitted, pyramid
from .pixels import IMAGENET_MEAN, IMAGENET_STD, as_rgb, chunks, clean
from .precision import features_dtype, full_precision
from .weights import absent, find_cached, find_weights, read_tensors, tensors_digest

SIDE, PATCH = 224, 14
PUBLISHED = "https://dl.fbaipublicfiles.com/dinov2"


@dataclass(frozen=True)
class Size:
    """One of the published networks.

    Args:
        width: of a token.
        depth: blocks.
        heads: of attention.
        gated: whether the feed-forward part is a SwiGLU, as in the giant.
    """

    width: int
    depth: int
    heads: int
    gated: bool = False


SIZES: Mapping[str, Size] = {
    "vits14": Size(384, 12, 6),
    "vitb14": Size(768, 12, 12),
    "vitl14": Size(1024, 24, 16),
    "vitg14": Size(1536, 40, 24, gated=True),
}


class Attention(nn.Module):
    """Softmax attention of all tokens on all tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        mixed: Tensor = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, t, d))
        return mixed


class FeedForward(nn.Module):
    """Two layers with a GELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class Gated(nn.Module):
    """SwiGLU (Shazeer 2020, arXiv:2002.05202); two thirds as wide, rounded up to a multiple of 8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = (int(4 * width * 2 / 3) + 7) // 8 * 8
        self.w12, self.w3 = nn.Linear(width, 2 * inner), nn.Linear(inner, width)

    def forward(self, x: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        gate, value = self.w12(x).chunk(2, -1)
        out: Tensor = self.w3(F.silu(gate) * value)
        return out


class LayerScale(nn.Module):
    """A learned factor for each channel (Touvron et al. 2021, arXiv:2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Module):
    """Attention and a feed-forward part, each normalised before and scaled after."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(size.width, eps=1e-6) for _ in range(2))
        self.attn = Attention(size.width, size.heads)
        self.ls1, self.ls2 = LayerScale(size.width), LayerScale(size.width)
        self.mlp = Gated(size.width) if size.gated else FeedForward(size.width)

    def forward(self, x: Float[Tensor, "b t d"]) -> Float[Tensor, "b t d"]:
        x = x + self.ls1(self.attn(self.norm1(x)))
        out: Tensor = x + self.ls2(self.mlp(self.norm2(x)))
        return out


class Patches(nn.Module):
    """One token for every 14x14 pixels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, PATCH, PATCH)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b t d"]:
        tokens: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return tokens


class VisionTransformer(nn.Module):
    """The network, its parameters named as in the published checkpoints.

    Args:
        size: of the network.
        places: tokens of the learned position embedding, without the class token's: 37 x 37 as published.
    """

    def __init__(self, size: Size, places: int = 37 * 37) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, size.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, places + 1, size.width))
        self.mask_token = nn.Parameter(torch.zeros(1, size.width))  # of the training; here only so that files load
        self.patch_embed = Patches(size.width)
        self.blocks = nn.ModuleList(Block(size) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width, eps=1e-6)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """The normalised class token."""
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch_embed(x)], 1)
        tokens = tokens + self.positions(x.shape[-2] // PATCH, x.shape[-1] // PATCH)
        for block in self.blocks:
            tokens = block(tokens)
        token: Tensor = self.norm(tokens)[:, 0]
        return token

    def maps(self, x: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b d y x"]]:
        """The tokens of places after each quarter of the blocks."""
        places = (x.shape[-2] // PATCH, x.shape[-1] // PATCH)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch_embed(x)], 1) + self.positions(*places)
        found, depth = [], len(self.blocks)
        after = {round(depth * (i + 1) / MOST) for i in range(MOST)}
        for number, block in enumerate(self.blocks, 1):
            tokens = block(tokens)
            if number in after:
                found.append(tokens[:, 1:].transpose(1, 2).unflatten(2, places))
        return found

    def positions(self, h: int, w: int) -> Float[Tensor, "1 t d"]:
        """The position embedding for h x w tokens.

        As published, it is resized by the scale (h + 0.1) / 37 rather than to the size h, and without antialiasing;
        that moves the sampling places a little, and the features with them.
        """
        first, grid = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        side = math.isqrt(grid.shape[1])
        if (h, w) == (side, side):
            return self.pos_embed
        square = grid.view(1, side, side, -1).permute(0, 3, 1, 2)
        scale = ((h + 0.1) / side, (w + 0.1) / side)
        resized = F.interpolate(square, scale_factor=scale, mode="bicubic", antialias=False)
        return torch.cat([first, resized.flatten(2).transpose(1, 2)], 1)


class DinoExtractor(nn.Module):
    """uint8 pictures of any size to DINOv2's class token. Nothing is downloaded.

    Args:
        size: `vits14`, `vitb14`, `vitl14` or `vitg14`.
        weights: the published file, e.g. `dinov2_vitl14_pretrain.pth`, or its folder; None searches the weights folders
            and torch.hub's cache.
        batch: pictures at once.
        dtype: `f32`, or `bf16` (on a GPU only).

    Raises:
        ConfigError: unknown size or dtype.
        DataError: the weights are absent, damaged, or of another network.
    """

    resize = "clean224"
    channels = 3
    sees_imagenet = True  # its training pictures hold ImageNet's, and were chosen by their likeness to these

    def __init__(
        self, size: str, weights: str | Path | None = None, *, batch: int | None = None, dtype: str = "f32"
    ) -> None:
        super().__init__()
        if size not in SIZES:
            raise ConfigError(f"no DINOv2 {size!r}; known: {', '.join(SIZES)}.{did_you_mean(size, SIZES)}")
        self.name, self.dim, self.batch, self.dtype = f"dinov2-{size}", SIZES[size].width, batch, features_dtype(dtype)
        state = _published(f"dinov2_{size}_pretrain.pth", weights)
        self.digest = tensors_digest(state)
        with torch.device("meta"):
            self.net = VisionTransformer(SIZES[size])
        try:
            self.net.load_state_dict(state, strict=True, assign=True)
        except RuntimeError as error:
            raise DataError(
                f"these are not the weights of dinov2:{size}: {str(error).splitlines()[1].strip()}"
            ) from None
        self.float().eval().requires_grad_(False)
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    @torch.inference_mode()
    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b d"]:
        device = self.net.cls_token.device
        found = [torch.empty(0, self.dim, device=device)]
        for part in chunks(pixels, self.batch or (64 if device.type == "cuda" else 8)):
            x = clean(as_rgb(part.to(device)), SIDE) / 255
            x = (x - self.get_buffer("mean")) / self.get_buffer("std")
            with full_precision(device, self.dtype):
                found.append(self.net(x).float())
        return torch.cat(found)

    def maps(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Maps of pictures in [0, 1] at four scales, of as many depths (see `pyramid`)."""
        x = (fitted(x, SIDE) - self.get_buffer("mean")) / self.get_buffer("std")
        return pyramid(self.net.maps(x))


def _published(name: str, weights: str | Path | None) -> dict[str, Tensor]:
    found = find_cached(name) if weights is None else find_weights(name, weights)
    if found is None:
        raise absent(name, source=f"It is published at {PUBLISHED}/{name.removesuffix('_pretrain.pth')}/{name}")
    return read_tensors(found)
