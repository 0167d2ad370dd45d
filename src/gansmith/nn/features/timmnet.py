"""Networks of the package timm as extractors, with weights that lie on this machine. Nothing is downloaded."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ...errors import ConfigError, DataError, MissingExtra, did_you_mean
from .maps import MOST, fitted, pyramid
from .pixels import as_rgb, channels_last, chunks, clean
from .precision import features_dtype, full_precision
from .weights import absent, find_cached, read_tensors, tensors_digest

FILES = ("model.safetensors", "pytorch_model.bin")  # what the Hugging Face hub calls weights


class TimmExtractor(nn.Module):
    """uint8 pictures of any size to what the network gives before its classifier.

    Pictures are resized whole to the network's own input size (antialiased bicubic) and normalised as it was trained.

    Args:
        model: timm's name, e.g. `convnext_tiny.in12k_ft_in1k`.
        weights: a file of its weights (.safetensors, .pth, .bin); None searches the weights folders and the caches of
            torch.hub and the Hugging Face hub.
        batch: pictures at once.
        dtype: `f32`, or `bf16` (on a GPU only).

    Attributes:
        sees_imagenet: nearly all of timm's networks were trained on ImageNet, or on more that holds it.

    Raises:
        MissingExtra: timm is not installed.
        ConfigError: timm knows no such network, or the dtype is unknown.
        DataError: its weights are absent, damaged, or of another network.
    """

    channels = 3
    sees_imagenet = True

    def __init__(
        self, model: str, weights: str | Path | None = None, *, batch: int | None = None, dtype: str = "f32"
    ) -> None:
        super().__init__()
        timm = _timm()
        config = _config(timm, model)
        self.name, self.batch, self.dtype = f"timm-{model}", batch, features_dtype(dtype)
        path = Path(weights) if weights is not None else _cached(model, config)
        self.net = timm.create_model(model, pretrained=False, num_classes=0)
        _load(timm, self.net, model, path)
        self.digest = tensors_digest(self.net.state_dict())
        self.size = int(config.input_size[-1])
        self.resize = f"clean{self.size}"
        self.register_buffer("mean", torch.tensor(config.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(config.std).view(1, 3, 1, 1))
        channels_last(self.float().eval().requires_grad_(False))
        with torch.inference_mode():
            self.dim = int(self.net(torch.zeros(1, 3, self.size, self.size)).shape[1])

    @torch.inference_mode()
    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b d"]:
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        found = [torch.empty(0, self.dim, device=mean.device)]
        for part in chunks(pixels, self.batch or (64 if mean.is_cuda else 16)):
            x = (clean(as_rgb(part.to(mean.device)), self.size) / 255 - mean) / std
            with full_precision(mean.device, self.dtype):
                found.append(self.net(x.contiguous(memory_format=torch.channels_last)).float())
        return torch.cat(found)

    def maps(self, x: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Maps of pictures in [0, 1] at four scales; of a network that never halves, four depths made so (`pyramid`).

        Raises:
            ConfigError: timm offers no maps of this network.
        """
        x = (fitted(x, self.size) - self.get_buffer("mean")) / self.get_buffer("std")
        if not hasattr(self.net, "forward_intermediates"):
            raise ConfigError(f"timm offers no maps of this network; choose another to look through: {self.name}")
        n = len(self.net.feature_info)
        depths = list(range(n))[-MOST:] if n < 2 * MOST else [n * (i + 1) // MOST - 1 for i in range(MOST)]
        found = self.net.forward_intermediates(x, indices=depths, output_fmt="NCHW", intermediates_only=True)
        return found if found[0].shape[-1] > found[-1].shape[-1] else pyramid(found)


def _timm() -> Any:
    try:
        import timm
    except ImportError:
        raise MissingExtra("timm", "timm") from None
    return timm


def _config(timm: Any, model: str) -> Any:
    known = timm.list_models()
    config = timm.get_pretrained_cfg(model, allow_unregistered=False) if timm.is_model(model) else None
    if config is None:
        short = model.split(".")[0]
        raise ConfigError(f"timm {timm.__version__} has no network {model!r}.{did_you_mean(short, known)}")
    return config


def _load(timm: Any, net: nn.Module, model: str, path: Path) -> None:
    """Loads every tensor of the network from the file, in timm's names or in those that timm knows how to convert.

    timm's own loader leaves what the file lacks at random values; here that is an error.
    """
    state = read_tensors(path)
    lacks = net.state_dict().keys() - state.keys()
    convert = getattr(sys.modules[timm.models.model_entrypoint(model).__module__], "checkpoint_filter_fn", None)
    try:
        if lacks and convert is not None:
            state = convert(state, net)
            lacks = net.state_dict().keys() - state.keys()
        if not lacks:
            net.load_state_dict({name: state[name] for name in net.state_dict()})
            return
        reason = f"it lacks {len(lacks)} tensors, e.g. {min(lacks)}"
    except (RuntimeError, KeyError, ValueError, AttributeError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
    raise DataError(f"{path} does not hold the weights of timm:{model}: {reason}")


def _cached(model: str, config: Any) -> Path:
    """Where the weights lie that timm or the hub have downloaded before.

    Raises:
        DataError: nowhere.
    """
    names = [f"{model}.safetensors", f"{model}.pth", *([Path(config.url).name] if config.url else [])]
    found = [path for name in names if (path := find_cached(name))] + _from_hub(config)
    if not found:
        raise absent(f"{model}.safetensors")
    return found[0]


def _from_hub(config: Any) -> list[Path]:
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return []
    if not config.hf_hub_id:
        return []
    found = [try_to_load_from_cache(config.hf_hub_id, name) for name in (config.hf_hub_filename, *FILES) if name]
    return [Path(path) for path in found if isinstance(path, str)]
