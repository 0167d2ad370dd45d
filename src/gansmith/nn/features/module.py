"""A network of the user's as an extractor, and three looks by one classifier for stacked pictures."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ...errors import ConfigError, DataError
from .maps import fitted, passed, scales
from .pixels import as_grey, as_rgb, channels_last, check_pixels, chunks, clean
from .precision import full_precision
from .weights import tensors_digest

SIDES = (64, 32, 28, 128, 224, 256, 299, 512)  # tried in turn to learn how many features a network gives
NO_WEIGHTS = "none"  # digest of a network without parameters
PREPARE = {3: as_rgb, 1: as_grey}  # by channels, in the order tried


class ModuleExtractor(nn.Module):
    """Any network that takes float pictures (b c h w) in [0, 1], RGB or grey, and gives features (b d).

    Maps (b d h w) are averaged over their places. Colours are fitted to what the network takes, sizes are left as they
    are unless `size` is given. It works on a copy: the network itself is neither frozen nor switched to evaluation.

    Args:
        net: the network.
        name: that the figures carry; its class's name in lower case when left out.
        size: resize to this side first (antialiased bicubic).
        logits: whether its outputs are class logits, to be offered as the head `logits` too.
        batch: pictures at once.

    Attributes:
        sees_imagenet: whether it was trained on ImageNet, as an attribute of this name of the network's own says.

    Raises:
        ConfigError: it took no picture that was tried, or gave something else than features.
    """

    volatile = True  # its code is the user's, and no digest of weights tells when that changes

    def __init__(
        self,
        net: nn.Module,
        *,
        name: str | None = None,
        size: int | None = None,
        logits: bool = False,
        batch: int = 256,
    ) -> None:
        super().__init__()
        self.net = copy.deepcopy(net).float().eval().requires_grad_(False)
        self.name = name or type(net).__name__.lower()
        self.size, self.batch = size, batch
        self.resize = "none" if size is None else f"clean{size}"
        self.heads: tuple[str, ...] = ("logits",) if logits else ()
        state = self.net.state_dict()
        self.digest = tensors_digest(state) if state else NO_WEIGHTS
        self.sees_imagenet = bool(getattr(net, "sees_imagenet", False))
        self._scales: dict[int, list[int]] = {}  # by the side of pictures: see `scales`
        self.channels, self.dim = self._tried((size,) if size else SIDES)
        channels_last(self.net)

    @torch.inference_mode()
    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b d"]:
        device = next((p.device for p in self.net.parameters()), pixels.device)
        found = [torch.empty(0, self.dim, device=device)]
        check_pixels(pixels)
        for part in chunks(pixels, self.batch):
            x = PREPARE[self.channels](part.to(device))
            x = x if self.size is None else clean(x, self.size)
            with full_precision(device):
                found.append(self._features(x / 255))
            if found[-1].shape[1] != self.dim:
                raise DataError(
                    f"{self.name} gives {found[-1].shape[1]} features of pictures of {part.shape[1]}x{part.shape[2]}, "
                    f"but {self.dim} of others: give the size that it is made for, load_extractor(net, size=…)"
                )
        return torch.cat(found)

    def look(self, pixels: Tensor, heads: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """The features, which are the head `logits` too where the network is a classifier."""
        features = self(pixels)
        return features, dict.fromkeys(heads, features)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The last maps of each scale of pictures in [0, 1].

        Raises:
            ConfigError: the network gives none.
        """
        x = x if self.size is None else fitted(x, self.size)
        side = min(x.shape[-2:])
        if side not in self._scales:
            with torch.no_grad():
                self._scales[side] = scales(self.net, x[:1])
        given = passed(self.net, x)
        return [given[i] for i in self._scales[side]]  # type: ignore[misc]

    def _features(self, x: Tensor) -> Tensor:
        out = self.net(x)
        if not isinstance(out, Tensor) or out.ndim not in (2, 4) or len(out) != len(x):
            came = f"{tuple(out.shape)}" if isinstance(out, Tensor) else type(out).__name__
            raise ConfigError(
                f"an extractor's network gives features (b d) or maps (b d h w); {self.name} gave: {came}"
            )
        return (out.mean((2, 3)) if out.ndim == 4 else out).float()

    @torch.inference_mode()
    def _tried(self, sides: Sequence[int]) -> tuple[int, int]:
        """The channels that the network takes, and how many features it gives."""
        last: Exception | None = None
        device = next((p.device for p in self.net.parameters()), torch.device("cpu"))
        for channels in PREPARE:
            for side in sides:
                try:
                    return channels, self._features(torch.zeros(1, channels, side, side, device=device)).shape[1]
                except (RuntimeError, ValueError, IndexError, TypeError) as error:
                    last = error
        reason = (str(last).splitlines() or [""])[0][:200]
        raise ConfigError(
            f"{self.name} took no float picture (1 c h w), grey or RGB, with side {', '.join(map(str, sides))}; "
            f"give the size that it is made for, load_extractor(net, size=…). It said: {reason}"
        )


class StackedExtractor(nn.Module):
    """Looks at each channel of RGB pictures alone: three digits stacked (Metz et al. 2017, arXiv:1611.02163).

    Features are the three channels' side by side. The head `logits` has one class for each combination: of K classes,
    a, b, c in red, green and blue make the class (a K + b) K + c.

    Args:
        one: an extractor of grey pictures with the head `logits`.

    Raises:
        ConfigError: it has no such head.
    """

    heads = ("logits",)

    def __init__(self, one: nn.Module) -> None:
        super().__init__()
        if "logits" not in getattr(one, "heads", ()):
            raise ConfigError(
                f"stacked pictures need a classifier for one channel, with the head logits; not: {one.name}"
            )
        self.one, self.volatile = one, bool(getattr(one, "volatile", False))
        self.channels, self.sees_imagenet = 1, bool(getattr(one, "sees_imagenet", False))
        self.name, self.resize, self.digest = f"stacked-{one.name}", str(one.resize), str(one.digest)
        self.dim = 3 * int(one.dim)  # type: ignore[arg-type]

    def forward(self, pixels: UInt8[Tensor, "b h w c"]) -> Float[Tensor, "b d"]:
        return self.look(pixels, ())[0]

    def maps(self, x: Tensor) -> list[Tensor]:
        """The maps of the one, in one look."""
        found: list[Tensor] = self.one.maps(x)  # type: ignore[operator]
        return found

    def look(self, pixels: UInt8[Tensor, "b h w c"], heads: Sequence[str]) -> tuple[Tensor, dict[str, Tensor]]:
        """Features (b, 3 d) and, if asked for, log-probabilities (b, K^3) of the combinations.

        Raises:
            DataError: the pictures are not RGB.
        """
        if pixels.shape[-1] != 3:
            raise DataError(f"stacked pictures have 3 channels, one digit in each; these have: {pixels.shape[-1]}")
        seen = [self.one.look(pixels[..., i : i + 1], ("logits",)) for i in range(3)]  # type: ignore[operator]
        features = torch.cat([features for features, _ in seen], 1)
        red, green, blue = (found["logits"].log_softmax(1) for _, found in seen)
        joint = red[:, :, None, None] + green[:, None, :, None] + blue[:, None, None, :]
        return features, {name: joint.flatten(1) for name in heads}
