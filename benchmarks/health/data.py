"""Small sets of data that GANs are trained on within seconds."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
TRAIN, HELD_OUT = 10_000, 2_000  # points of a mixture
COLOURS = torch.tensor(  # of the ten classes of a coloured set: no two channels can be exchanged unnoticed
    [
        [1.0, 0.2, 0.1], [1.0, 0.5, 0.1], [1.0, 0.8, 0.2], [0.9, 0.6, 0.4], [0.8, 0.3, 0.2],
        [1.0, 0.4, 0.4], [0.9, 0.9, 0.3], [0.7, 0.4, 0.1], [1.0, 0.6, 0.0], [0.8, 0.5, 0.3],
    ]
)  # fmt: skip


class Absent(Exception):
    """Data that do not come with the package are not there."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """Examples, as a training script has them in memory.

    Args:
        name: of the kind; equal names have equal oracles.
        x: (n ...) examples to train on.
        held_out: (m ...) others, never fed.
        y: (n,) classes from 0 on, or None.
        held_out_y: (m,) theirs.
        centres: (k d) of the modes of a mixture, or None.
        std: of each mode.
        bounds: between which values lie, or None.
    """

    name: str
    x: Tensor
    held_out: Tensor
    y: Tensor | None = None
    held_out_y: Tensor | None = None
    centres: Tensor | None = None
    std: float = 0.0
    bounds: tuple[float, float] | None = None

    @property
    def classes(self) -> int:
        return 0 if self.y is None else int(self.y.max()) + 1

    @property
    def labels(self) -> tuple[Tensor, Tensor]:
        """(n,) of the training examples and (m,) of the held-out ones."""
        if self.y is None or self.held_out_y is None:
            raise ValueError(f"these examples have no labels: {self.name}")
        return self.y, self.held_out_y


Maker = Callable[[int], Data]


def ring(seed: int, *, modes: int = 8, std: float = 0.1, shares: tuple[float, ...] | None = None) -> Data:
    """Gaussians on a circle of radius 2; `shares` are their relative weights."""
    angle = torch.arange(modes) * (2 * torch.pi / modes)
    return mixture("ring", 2 * torch.stack((angle.cos(), angle.sin()), 1), std, seed, shares)


def grid(seed: int, *, side: int = 5, dimensions: int = 2, std: float = 0.05) -> Data:
    """`side` ** `dimensions` Gaussians, 1 apart."""
    along = torch.arange(side) - (side - 1) / 2
    return mixture("grid", torch.cartesian_prod(*[along] * dimensions), std, seed)


def gaussian(seed: int, *, std: float = 1.0, centre: float = 1.0) -> Data:
    """One Gaussian in the plane around (centre, centre)."""
    return mixture("gaussian", torch.full((1, 2), centre), std, seed)


def mixture(name: str, centres: Tensor, std: float, seed: int, shares: tuple[float, ...] | None = None) -> Data:
    """Points of Gaussians around `centres` (k d); each one's mode is its class."""
    random = torch.Generator().manual_seed(10_000 + seed)
    weights = torch.ones(len(centres)) if shares is None else torch.tensor(shares)
    which = torch.multinomial(weights, TRAIN + HELD_OUT, replacement=True, generator=random)
    x = centres[which] + std * torch.randn(len(which), centres.shape[1], generator=random)
    x, held, y, held_y = x[:TRAIN], x[TRAIN:], which[:TRAIN], which[TRAIN:]
    return Data(name=name, x=x, held_out=held, y=y, held_out_y=held_y, centres=centres, std=std)


@lru_cache(maxsize=1)
def _digits() -> Data:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.data))
    x = torch.tensor(bunch.data[order] / 8 - 1, dtype=torch.float32)
    y = torch.tensor(bunch.target[order], dtype=torch.int64)
    x, held, y, held_y = x[:1200], x[1200:], y[:1200], y[1200:]
    return Data(name="digits", x=x, held_out=held, y=y, held_out_y=held_y, bounds=(-1.0, 1.0))


def digits(seed: int) -> Data:
    """scikit-learn's 8x8 digits as rows of 64 values in [-1, 1]: 1,200 to train on and 597 others."""
    return _digits()


@lru_cache(maxsize=1)
def _fashion() -> Data:
    with resources.files("gansmith").joinpath("assets", "fashion_mnist.npz").open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        x, y = _reduced(archive["x"]), torch.tensor(archive["y"], dtype=torch.int64)
    x, held, y, held_y = x[:8000], x[8000:], y[:8000], y[8000:]
    return Data(name="fashion", x=x, held_out=held, y=y, held_out_y=held_y, bounds=(-1.0, 1.0))


def fashion(seed: int) -> Data:
    """Fashion-MNIST's test pictures (Xiao et al. 2017, arXiv:1708.07747) at 16x16: 8,000 to train on, 2,000 others."""
    return _fashion()


@lru_cache(maxsize=1)
def _mnist() -> Data:
    place = Path(os.environ.get("GANSMITH_SHARED_DATA", BESIDE)) / "images" / "mnist_10k.npz"
    if not place.exists():
        raise Absent(f"MNIST is not at {place}; set GANSMITH_SHARED_DATA to the folder that has images/mnist_10k.npz")
    with np.load(place, allow_pickle=False) as archive:
        x, held = _reduced(archive["x_train"]), _reduced(archive["x_test"][:2000])
        y, held_y = (torch.tensor(archive[k], dtype=torch.int64) for k in ("y_train", "y_test"))
    return Data(name="mnist", x=x, held_out=held, y=y, held_out_y=held_y[:2000], bounds=(-1.0, 1.0))


def mnist(seed: int) -> Data:
    """MNIST at 16x16: 10,000 pictures to train on and 2,000 others."""
    return _mnist()


def _reduced(pictures: np.ndarray) -> Tensor:
    """uint8 (n 28 28) to (n 1 16 16) in [-1, 1]: a border of 2, then means of 2x2."""
    x = torch.from_numpy(pictures.reshape(-1, 1, 28, 28)).float() / 127.5 - 1
    return F.avg_pool2d(F.pad(x, (2, 2, 2, 2), value=-1.0), 2)


def wine(seed: int) -> Data:
    """scikit-learn's wines, a table of 13 standardised columns: 120 rows to train on and 58 others."""
    from sklearn.datasets import load_wine

    rows = load_wine().data
    x = torch.tensor((rows - rows.mean(0)) / rows.std(0), dtype=torch.float32)
    x = x[torch.from_numpy(np.random.default_rng(0).permutation(len(x)))]
    return Data(name="wine", x=x[:120], held_out=x[120:])


# Variants: functions of a set, so that a scenario names what it is made of.


def of(maker: Maker, change: Callable[[Data], Data]) -> Maker:
    """A set with a change."""
    return lambda seed: change(maker(seed))


def only(n: int) -> Callable[[Data], Data]:
    """The first `n` examples alone."""
    return lambda data: replace(data, x=data.x[:n], y=None if data.y is None else data.y[:n])


def classes(kept: tuple[int, ...]) -> Callable[[Data], Data]:
    """Examples of some classes, unlabelled."""

    def change(data: Data) -> Data:
        wanted, (y, held_y) = torch.tensor(kept), data.labels
        x, held = data.x[torch.isin(y, wanted)], data.held_out[torch.isin(held_y, wanted)]
        return replace(data, x=x, held_out=held, y=None, held_out_y=None)

    return change


def rare(which: int, share: float) -> Callable[[Data], Data]:
    """One class thinned out to a share of its training examples."""

    def change(data: Data) -> Data:
        y, _ = data.labels
        keep = (y != which) | (torch.arange(len(y)) % round(1 / share) == 0)
        return replace(data, x=data.x[keep], y=y[keep])

    return change


def ranged(low: float, high: float) -> Callable[[Data], Data]:
    """Training data from [-1, 1] carried to [low, high], as a loader that scales wrongly does; held-out ones as they
    should be."""
    return lambda data: replace(data, x=(data.x + 1) / 2 * (high - low) + low)


def noisy_labels(share: float) -> Callable[[Data], Data]:
    """A share of the training labels drawn anew, as in a set that was labelled carelessly."""

    def change(data: Data) -> Data:
        random, (y, _) = torch.Generator().manual_seed(7), data.labels
        wrong = torch.rand(len(y), generator=random) < share
        other = torch.randint(data.classes, (len(y),), generator=random)
        return replace(data, y=torch.where(wrong, other, y))

    return change


def copies(share: float, distinct: int) -> Callable[[Data], Data]:
    """A share of the training rows replaced by copies of the first `distinct` ones."""

    def change(data: Data) -> Data:
        n = round(share * len(data.x))
        rows = torch.cat((torch.arange(n) % distinct, torch.arange(n, len(data.x))))
        return replace(data, x=data.x[rows], y=None if data.y is None else data.y[rows])

    return change


def constant(data: Data) -> Data:
    """One and the same training example."""
    return replace(data, x=data.x[:1].expand_as(data.x).clone())


def coloured(data: Data) -> Data:
    """Grey pictures (n 1 h w) in the colour of their class (n 3 h w)."""

    def tint(x: Tensor, y: Tensor) -> Tensor:
        return (x + 1) * COLOURS[y][:, :, None, None] - 1

    y, held_y = data.labels
    x, held = tint(data.x, y), tint(data.held_out, held_y)
    return replace(data, name=f"{data.name}-coloured", x=x, held_out=held)


def channels_swapped(data: Data) -> Data:
    """Training pictures read as blue-green-red, held-out ones as red-green-blue: two readers that do not agree."""
    return replace(data, x=data.x.flip(1))


def greyed(data: Data) -> Data:
    """Training pictures read as grey and repeated over the channels."""
    return replace(data, x=data.x.mean(1, keepdim=True).expand_as(data.x).clone())
