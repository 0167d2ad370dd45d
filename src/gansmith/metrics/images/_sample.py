"""A sample of the pictures that went by: what metrics of pixels keep, for all of them would not fit into memory."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ...errors import DataError, several
from ..base import Reduction, Seen, Side, Streaming
from ..words import called

BYTES = 1 << 29  # of pictures kept on one side, at most


def states_of(*sides: Side) -> dict[str, Reduction]:
    """What is kept of these sides, and the number of pictures that went by."""
    kept: dict[str, Reduction] = {f"{side}_{what}": "cat" for side in sides for what in ("pixels", "labels", "order")}
    return kept | {f"{side}_seen": "sum" for side in sides}


class PictureSample(Streaming):
    """Keeps `keep` pictures of each side, drawn evenly: those whose content hashes lowest.

    So neither batches nor the order nor the number of processes decide which ones are kept; a picture that comes
    again is drawn anew, with a hash of its own.

    Args:
        keep: pictures of each side; fewer where they would take more than 512 MB.
        seed: of the draw.

    Attributes:
        known: what was computed of a side's kept pictures; forgotten when more come.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"pixels"})
    states: ClassVar[dict[str, Reduction]] = states_of("real", "fake")

    def __init__(self, keep: int, seed: int) -> None:
        super().__init__()
        self.keep, self.seed = keep, seed
        self.known: dict[Side, Tensor] = {}
        self._salt = hashlib.blake2b(repr(seed).encode(), digest_size=16).digest()
        self._again: dict[Side, Counter[bytes]] = {side: Counter() for side in self.sides}

    def update(self, seen: Seen, side: Side) -> None:
        """Adds one batch; its labels are kept where it has some.

        Raises:
            DataError: pictures of another size or number of channels than those before.
        """
        if side not in self.sides or not len(seen):
            return
        assert seen.pixels is not None  # `needs` asks for them
        pixels = self.prepared(seen.pixels).cpu()
        self._fits(pixels, side)
        labels = torch.full((len(pixels),), -1) if seen.labels is None else seen.labels.long().cpu()
        order = self._drawn(seen.pixels.cpu(), side)
        low = order.argsort(stable=True)[: self._most(pixels)]
        for what, value in {"pixels": pixels[low].clone(), "labels": labels[low], "order": order[low]}.items():
            self.add(f"{side}_{what}", value)
        self.add(f"{side}_seen", torch.tensor([len(seen)]))
        self.known.clear()
        self._trim(side, slack=2)

    def prepared(self, pixels: Tensor) -> Tensor:
        """What is kept of uint8 pictures (b h w c)."""
        return pixels

    def merge(self, other: Any) -> None:
        super().merge(other)
        self.known.clear()
        for side in self.sides:
            self._trim(side, slack=2)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        super().load_state_dict(state)
        self.known.clear()
        for side in self.sides:
            self._trim(side)

    def kept(self, side: Side) -> tuple[Tensor, Tensor]:
        """Pictures (n h w c) in an order that depends on their content alone, and labels (n,), -1 where unknown."""
        self._trim(side)
        order = self.whole(f"{side}_order")
        places = order.argsort(stable=True)
        return self.whole(f"{side}_pixels")[places], self.whole(f"{side}_labels")[places].long()

    def scaled(self, values: Tensor, side: Side) -> Tensor:
        """Influences of what the figure rests on, less their mean, as if every picture that went by had one.

        Resampling divides by the number of those; a mean over fewer values scatters more.
        """
        went_by = float(self.whole(f"{side}_seen"))
        return (values - values.mean()) * math.sqrt(went_by / len(values))

    def _most(self, pixels: Tensor) -> int:
        return max(2, min(self.keep, BYTES // pixels[0].numel()))

    def _trim(self, side: Side, slack: int = 1) -> None:
        """Drops all but the lowest hashes, once there are `slack` times too many."""
        pixels = self._parts[f"{side}_pixels"]
        if not pixels or sum(map(len, pixels)) <= slack * (most := self._most(pixels[0])):
            return
        low = self.whole(f"{side}_order").argsort(stable=True)[:most]
        for what in ("pixels", "labels", "order"):
            self._parts[f"{side}_{what}"] = [self.whole(f"{side}_{what}")[low]]

    def _drawn(self, pixels: Tensor, side: Side) -> Tensor:
        """A 63-bit number for each picture, by its content and by how often it has come."""
        found = []
        for picture in pixels.numpy():
            key = hashlib.blake2b(picture.tobytes(), digest_size=16, salt=self._salt).digest()
            before = self._again[side][key]
            self._again[side][key] = before + 1
            digest = hashlib.blake2b(key + before.to_bytes(8, "little"), digest_size=8).digest()
            found.append(int.from_bytes(digest, "little") >> 1)
        return torch.from_numpy(np.array(found, dtype=np.int64))

    def _fits(self, pixels: Tensor, side: Side) -> None:
        parts = self._parts[f"{side}_pixels"]
        if parts and parts[0].shape[1:] != pixels.shape[1:]:
            raise DataError(
                f"{self.name} keeps pictures of one size and colour on each side; {called(side)} ones had "
                f"{_shape(parts[0])}, and then came: {_shape(pixels)}"
            )


def _shape(pixels: Tensor) -> str:
    h, w, c = pixels.shape[1:]
    return f"{w}x{h} with {several(c, 'channel')}"
