"""What bfloat16 does to the FID: the golden pictures of CIFAR-10 in both, and by which the distances differ.

A card multiplies two bfloat16 numbers exactly, adds the products in float32 and rounds what comes out. The same is done
here in float32, whose products of two such numbers are exact, since a CPU without bfloat16 would take days.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from gansmith.metrics.functional import polynomial_mmd
from gansmith.nn.features.inception import InceptionExtractor

from . import judging_cifar as cifar
from .judging_jobs import Found, keep, weights
from .judging_parity import golden_rows


def rounded(x: Tensor) -> Tensor:
    """To 8 bits of mantissa, kept as float32."""
    return x.bfloat16().float()


class Bfloat16(TorchFunctionMode):
    """Within, convolutions and average pools do what a card's autocast to bfloat16 does, in float32."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.conv2d:
            x, weight, bias, *more = args
            out = rounded(func(rounded(x), rounded(weight), None, *more, **kwargs))
            return out if bias is None else rounded(out.add_(rounded(bias)[:, None, None]))
        out = func(*args, **kwargs)
        return rounded(out) if func is torch.nn.functional.avg_pool2d else out


class Rounding(InceptionExtractor):
    """The extractor as a card runs it in bfloat16."""

    def forward(self, pictures: Tensor) -> Tensor:
        with Bfloat16():
            return super().forward(pictures)


def run_bf16(count: int | None = None) -> None:
    """FID and KID of 5,000 training against 5,000 test pictures, in float32 and in bfloat16."""
    found: Found = {"n": count or len(golden_rows("train"))}
    sides = {}
    for split in ("train", "test"):
        pictures, rows = cifar.pictures(split), golden_rows(split)[:count]
        exact = cifar.features(split, pictures, rows)
        coarse = cifar.features(f"{split}-bf16", pictures, rows, Rounding)
        sides[split] = exact, coarse
        found[f"{split}_largest"] = float(np.abs(exact - coarse).max())
        found[f"{split}_mean"] = float(np.abs(exact - coarse).mean())
    for place, dtype in enumerate(("f32", "bf16")):
        one, other = sides["train"][place], sides["test"][place]
        found[f"fid_{dtype}"] = cifar.distances(one, other, ("fid",))["fid"]
        found[f"kid_{dtype}"] = float(polynomial_mmd(torch.from_numpy(one), torch.from_numpy(other)))
    found["fid_mixed"] = cifar.distances(sides["train"][0], sides["test"][1], ("fid",))["fid"]
    found["emulation"] = emulation(cifar.pictures("test")[:2])
    print(json.dumps(found))
    if count is None:
        keep("bf16", found)


def emulation(pictures: Any) -> dict[str, float]:
    """How far what is computed here is from bfloat16 on a CPU (by autocast), and how far that is from float32."""
    x = torch.from_numpy(pictures)
    plain, coarse = InceptionExtractor(weights()), Rounding(weights())
    with torch.autocast("cpu", torch.bfloat16):
        true = plain(x)
    exact = plain(x)
    return {"off": float((coarse(x) - true).abs().max()), "bf16": float((exact - true).abs().max())}
