"""A small classifier of garments, and its penultimate layer as an extractor for Fashion-MNIST.

Trained by tools/train_fashion_classifier.py on Fashion-MNIST's 60,000 training pictures (MIT licence). Its Fréchet
distance is called FD-fashion: it compares garments, and is no FID.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import as_file, files
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from safetensors import safe_open
from torch import Tensor, nn

from .pixels import as_grey, channels_last, chunks
from .precision import full_precision
from .weights import tensors_digest

SIDE = 28
MEAN, STD = 0.2860, 0.3530  # of the training pictures, in [0, 1]
ASSET = "fashion_classifier.safetensors"
GARMENTS = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
SCALES = (0, 3, 9, 15)  # where in the body each size begins, and the end


class FashionNet(nn.Module):
    """Five convolutions, 128 features averaged over the picture, one linear layer to the ten garments."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(1, 16, stride=1),
            *_block(16, 32, stride=2),
            *_block(32, 64, stride=1),
            *_block(64, 64, stride=2),
            *_block(64, 128, stride=1),
        )
        self.head = nn.Linear(128, 10)

    def features(self, x: Float[Tensor, "b 1 28 28"]) -> Float[Tensor, "b 128"]:
        """Penultimate features of normalised pictures."""
        maps: Tensor = self.body(x)
        return maps.mean((2, 3))

    def forward(self, x: Float[Tensor, "b 1 28 28"]) -> Float[Tensor, "b 10"]:
        logits: Tensor = self.head(self.features(x))
        return logits


def _block(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def normalised(pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b 1 28 28"]:
    """Grey, 28x28, training mean 0 and deviation 1. 32x32 is Fashion-MNIST with its usual border of 2: cut off.

    Any other size is resized by antialiased bilinear interpolation.
    """
    x = as_grey(pixels)
    if x.shape[-2:] == (32, 32):
        x = x[..., 2:-2, 2:-2]
    elif x.shape[-2:] != (SIDE, SIDE):
        x = F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    return (x / 255 - MEAN) / STD


class FashionExtractor(nn.Module):
    """The bundled classifier's 128 penultimate features; its head `logits` has the ten garments.

    Attributes:
        accuracy: of the classifier on Fashion-MNIST's 10,000 test pictures.
    """

    name = "fashion"
    resize = "fit28"
    dim = 128
    heads = ("logits",)
    classes = GARMENTS
    channels = 1
    sees_imagenet = False

    def __init__(self, batch: int = 256) -> None:
        super().__init__()
        self.net = FashionNet()
        self.batch = batch
        with as_file(files("gansmith") / "assets" / ASSET) as path, safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
            self.accuracy = float(file.metadata()["accuracy"])
        self.net.load_state_dict(state)
        self.digest = tensors_digest(state)
        channels_last(self.eval().requires_grad_(False))

    @torch.inference_mode()
    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b 128"]:
        device = self.net.head.weight.device
        with full_precision(device):
            parts = [self.net.features(normalised(p.to(device))) for p in chunks(pixels, self.batch)]
        return torch.cat(parts) if parts else torch.empty(0, self.dim, device=device)

    def maps(self, x: Float[Tensor, "b 1 h w"]) -> list[Tensor]:
        """What pictures in [0, 1] give at their own size, at half and at a quarter of it: 16, 64 and 128 maps."""
        found = [(x - MEAN) / STD]
        for first, last in pairwise(SCALES):
            found.append(self.net.body[first:last](found[-1]))
        return found[1:]

    @torch.inference_mode()
    def look(
        self, pixels: UInt8[Tensor, "b h w c"], heads: Sequence[str]
    ) -> tuple[Float[Tensor, "b 128"], dict[str, Tensor]]:
        """The features, and the ten logits if asked for, of one pass."""
        features = self(pixels)
        return features, {name: self.net.head(features) for name in heads}

    @torch.inference_mode()
    def classify(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b 10"]:
        """Probabilities of the ten garments."""
        device = self.net.head.weight.device
        return torch.cat([self.net(normalised(p.to(device))).softmax(1) for p in chunks(pixels, self.batch)])
