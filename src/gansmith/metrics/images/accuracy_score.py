"""Classification accuracy score (Ravuri & Vinyals 2019, arXiv:1905.10887): train on fakes, test on real pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from ...errors import DataError
from ...nn.features.pixels import as_grey, as_rgb, channels_last, clean
from ..base import Reduction, Seen, Side, Working
from ..settings import counts
from ..words import called
from ._sample import PictureSample, states_of

WIDTHS = (32, 64, 128)
RATE = 2e-3
TITLES: tuple[tuple[str, Side], ...] = (("accuracy_score", "fake"), ("accuracy_score_real", "real"))
LEAST = 10  # labelled pictures of each side
SMALLEST = 8  # side that the classifier's strides leave something of


class AccuracyScore(PictureSample):
    """Accuracy on held-out real pictures of a classifier that saw generated ones only.

    Figures: `accuracy_score`, and `accuracy_score_real`, the same classifier's after training on the real pictures:
    what a perfect generator would reach. The gap shows classes that are missing, mixed up or lack variety. Each
    spread is the binomial standard error; what the classifier's own first weights contribute is not in it.

    The classifier is a small convolutional network on pictures of 32x32, so compare only scores of this protocol.

    Args:
        steps: of training.
        batch: pictures in one.
        size: side that pictures are resized to.
        keep: pictures of each side that take part, at most.
        seed: of the draw, the first weights and the batches.

    Raises:
        ConfigError: a setting out of range.
    """

    name: ClassVar[str] = "accuracy_score"
    needs: ClassVar[frozenset[str]] = frozenset({"pixels", "labels", "held"})
    sides: ClassVar[frozenset[Side]] = frozenset({"real", "fake", "held"})
    states: ClassVar[dict[str, Reduction]] = states_of("real", "fake", "held")
    bounds: ClassVar[Mapping[str, tuple[float, float]]] = dict.fromkeys(
        ("accuracy_score", "accuracy_score_real"), (0, 1)
    )

    higher: ClassVar[frozenset[str]] = frozenset({"accuracy_score"})
    unranked: ClassVar[frozenset[str]] = frozenset({"accuracy_score_real"})  # read beside that of real pictures

    def __init__(
        self, *, steps: int = 800, batch: int = 128, size: int = 32, keep: int = 20_000, seed: int = 2020
    ) -> None:
        counts(self.name, steps=steps, batch=batch)
        counts(self.name, SMALLEST, size=size)
        counts(self.name, LEAST, keep=keep)
        super().__init__(keep, seed)
        self.steps, self.batch, self.size = steps, batch, size
        self.working: Working | None = None

    def prepared(self, pixels: Tensor) -> Tensor:
        x = as_grey(pixels) if pixels.shape[-1] == 1 else as_rgb(pixels)
        return clean(x, self.size).round().to(torch.uint8).permute(0, 2, 3, 1)

    def compute(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, side in TITLES:
            right = self._right(side)
            share = right.mean()
            found |= {name: float(share), f"{name}_std": float((share * (1 - share) / len(right)).sqrt())}
        return found

    def influences(self, sample: Mapping[Side, Seen]) -> dict[str, dict[Side, Tensor]]:
        """By how much each held-out picture moves the accuracies; the training pictures are given."""
        return {name: {"held": self.scaled(self._right(side), "held")} for name, side in TITLES}

    def detail(self) -> str:
        return f"n_held={len(self._labelled('held')[1])}, {self.steps} steps on {self.size}x{self.size}"

    def _right(self, side: Side) -> Tensor:
        """1.0 for each held-out picture (n,) that a classifier trained on this side gets right; it is trained once."""
        if side not in self.known:
            (x, y), (test, wanted) = self._labelled(side), self._labelled("held")
            if x.shape[-1] != test.shape[-1]:
                came = f"{x.shape[-1]} and {test.shape[-1]}"
                raise DataError(f"{called(side)} and held-out pictures differ in channels: {came}")
            classes = int(torch.cat([y, wanted]).max()) + 1
            told = self.working and partial(self.working, f"classifier of {called(side)} pictures")
            net = trained(x, y, classes, steps=self.steps, batch=self.batch, seed=self.seed, progress=told)
            self.known[side] = (predicted(net, test) == wanted).double()
        return self.known[side]

    def _labelled(self, side: Side) -> tuple[Tensor, Tensor]:
        pixels, labels = self.kept(side)
        known = labels >= 0
        if int(known.sum()) < LEAST:
            raise DataError(
                f"the accuracy score needs pictures with classes on every side, {LEAST} at least; {called(side)} ones: "
                f"{int(known.sum())}. It fits recipes that make pictures by class, on data with class folders"
            )
        return pixels[known], labels[known]


class Classifier(nn.Module):
    """Three strided convolutions and an average."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((channels, *WIDTHS), WIDTHS, strict=False):
            stride = 1 if inputs == channels else 2
            conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        logits: Tensor = self.head(self.body(x).mean((2, 3)))
        return logits


def trained(
    x: UInt8[Tensor, "n h w c"],
    y: Int64[Tensor, " n"],
    classes: int,
    *,
    steps: int,
    batch: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> Classifier:
    """A classifier after `steps` of Adam, its rate falling to 0 along a cosine, on pictures shifted by up to 2 pixels.

    Equal arguments give equal networks on one kind of device; torch's global generator is left as it was. `progress` is
    called with (steps done, steps).
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Classifier(x.shape[-1], classes)
    channels_last(net.to(device).train())
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    random = torch.Generator().manual_seed(seed)
    for done in range(steps):
        rows = torch.randint(len(x), (batch,), generator=random)
        loss = F.cross_entropy(net(_shifted(_scaled(x[rows]), random).to(device)), y[rows].to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if progress is not None:
            progress(done + 1, steps)
    return net.eval()


@torch.no_grad()
def predicted(net: Classifier, x: UInt8[Tensor, "n h w c"]) -> Int64[Tensor, " n"]:
    """The class of each picture."""
    device = net.head.weight.device
    return torch.cat([net(_scaled(part).to(device)).argmax(1).cpu() for part in x.split(512)])


def _scaled(pixels: Tensor) -> Tensor:
    return (pixels.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def _shifted(x: Tensor, random: torch.Generator, most: int = 2) -> Tensor:
    """The whole batch moved by up to `most` pixels each way, its border repeated."""
    down, right = torch.randint(0, 2 * most + 1, (2,), generator=random).tolist()
    h, w = x.shape[-2:]
    return F.pad(x, (most,) * 4, mode="replicate")[..., down : down + h, right : right + w]


METRIC = AccuracyScore
