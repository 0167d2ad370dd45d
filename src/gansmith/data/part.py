"""Some of the pictures of a source, and the others: those to train on, and those that training never sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..batch import Batch
from ..errors import ConfigError
from ..spec import Spec
from .draws import ByClass
from .images import ImageSource

FEWEST, MOST = 64, 5_000  # held-out pictures that tell anything, and that are enough
WITHOUT = "-without-"  # in a fingerprint: how many pictures are held out


class Part:
    """Some pictures of a source; mirrored ones come with their originals. Implements `Source`.

    Args:
        source: all pictures.
        pictures: numbers of those that are served (m,), without mirrored ones.

    Attributes:
        held: the other pictures.
    """

    def __init__(self, source: ImageSource, pictures: Tensor, held: Part | None = None) -> None:
        self.source, self.pictures, self.held = source, pictures, held
        self.spec: Spec = source.spec  # classes in the shares of the whole, which are those of a random part
        self.draws = source.draws
        self.times = len(source) // max(1, len(source.pixels))
        self.fingerprint = f"{source.fingerprint}{WITHOUT}{len(source.pixels) - len(pictures)}"

    def __len__(self) -> int:
        return len(self.pictures) * self.times

    def batch(self, rows: Tensor, device: torch.device) -> Batch:
        """See `ImageSource.batch`; rows count these pictures, and so does `index`.

        Raises:
            IndexError: a row that is not there.
        """
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(self):
            raise IndexError(f"rows are 0 to {len(self) - 1}, not: {int(rows.min())} to {int(rows.max())}")
        found = self.source.batch(self._whole(rows), device)
        return Batch(found | {"index": rows.to(device)})

    def _whole(self, rows: Tensor) -> Tensor:
        """The source's numbers of these rows."""
        n = len(self.pictures)
        return rows // n * len(self.source.pixels) + self.pictures[rows % n]

    def order(self, draw: str, batch: int, seed: int) -> ByClass:
        """See `ImageSource.order`."""
        return self.source.order(draw, batch, seed, among=self._whole(torch.arange(len(self))))

    def smaller(self, size: int) -> Part:
        """See `ImageSource.smaller`."""
        return Part(self.source.smaller(size), self.pictures, self.held)

    def names(self, rows: Tensor) -> list[str]:
        """See `ImageSource.names`."""
        return self.source.names(self._whole(rows))

    def notes(self) -> list[str]:
        held = len(self.source.pixels) - len(self.pictures)
        return [*self.source.notes(), f"{held:,} pictures are held out: training never sees them, its doctor does."]


def hold_out(source: ImageSource, share: float) -> Part:
    """What to train on; its `held` is what training never sees. The same pictures whatever the seed of the run.

    Args:
        share: of the pictures to hold out, above 0 and below 1; 5,000 of them at the most.

    Raises:
        ConfigError: a share that cannot be, or that leaves too few pictures to tell anything.
    """
    if not 0 < share < 1:
        raise ConfigError(f"holdout is the share of pictures to hold out, above 0 and below 1, not: {share}")
    n = len(source.pixels)
    count = min(round(share * n), MOST)
    if count < FEWEST or count >= n:
        raise ConfigError(
            f"{share:g} of {n:,} pictures are {count:,}, and fewer than {FEWEST} tell nothing: hold out a larger share "
            "(--holdout), or none"
        )
    chosen = torch.from_numpy(np.sort(np.random.default_rng([0, 17]).choice(n, count, replace=False)))
    kept = torch.ones(n, dtype=torch.bool)
    kept[chosen] = False
    return Part(source, kept.nonzero().squeeze(1), Part(source, chosen))


def whole(fingerprint: str) -> str:
    """The fingerprint of the source that a part is of; its own for any other source."""
    return fingerprint.partition(WITHOUT)[0]
