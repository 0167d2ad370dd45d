"""Checks before the first step: the data against what was said of them, and against what G can make."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .finding import Evidence, Failure, Finding
from .subject import Subject, squashed, unnoticed

LOOKED_AT = 4_096  # training rows
HALF = 0.55  # data that use no more than this share of G's range were scaled otherwise than G makes them
SLACK = 1e-3
REPEATED = 0.9  # share of distinct rows below which data repeat themselves
SWAPPED_BY = 6.0  # standard errors between mean colours
GREY = 1e-4  # mean difference of channels, as a share of the range, below which a picture is grey

RANGE = Failure(
    "range_mismatch",
    "The data's range is not the generator's",
    "bug",
    "bug",
    "The real examples have other lowest and highest values than the generator can make, so the discriminator tells "
    "them apart by that alone, or what is generated is wrong by a constant however well training goes.",
    "Scale the data to the generator's range: for one that ends in tanh, pictures of 0..255 become x / 127.5 - 1.",
    "measured: docs/health.md",
    explains=("overpowering_d", "vanishing_gradient", "collapse", "mode_dropping", "divergence", "plateau"),
)
CONSTANT = Failure(
    "constant_data",
    "All training examples are the same",
    "bug",
    "bug",
    "There is nothing to learn from data without any variety.",
    "Look at what the loader yields: a path that always opens the same file, a transform that blanks pictures.",
    "measured: docs/health.md",
    explains=("repeated_data", "collapse", "memorisation", "overfitting_d", "mode_dropping", "vanishing_gradient"),
)
REPEATS = Failure(
    "duplicated_rows",
    "Training examples repeat themselves",
    "warning",
    "data",
    "Many training examples are exact copies of each other, so the data are smaller than they look and these examples "
    "weigh more than others.",
    "Remove duplicates (`gansmith inspect` lists them), unless they are meant as weights.",
    "Feng et al. 2021, arXiv:2202.11765",
)
NOT_FINITE = Failure(
    "nonfinite_data",
    "The data hold values that are not numbers",
    "bug",
    "bug",
    "Some training examples hold NaN or infinite values, which turn every weight into NaN at the first step that uses "
    "them.",
    "Find and mend these rows; a division by zero in the scaling is the usual cause.",
    "measured: docs/health.md",
    explains=("nonfinite",),
)
INTEGERS = Failure(
    "wrong_dtype",
    "The data are whole numbers",
    "bug",
    "bug",
    "The examples are of an integer type: networks work with floating point numbers, and scaling was most likely "
    "forgotten.",
    "Convert and scale: x.float() / 127.5 - 1 for 8-bit pictures.",
    "measured: docs/health.md",
)
LABELS = Failure(
    "labels_out_of_range",
    "Labels do not fit the classes",
    "bug",
    "bug",
    "There are labels below 0 or beyond the number of classes.",
    "Labels are 0 to classes - 1; a class that was counted from 1 is the usual cause.",
    "torch.nn.Embedding",
)
GREYS = Failure(
    "grey_pictures",
    "Pictures in colour format are all grey",
    "note",
    "note",
    "All three channels are the same in every picture, so two thirds of the work are spent on nothing.",
    "Train with one channel (`--channels 1`), or look why the colours were lost.",
    "docs/health.md",
)

SWAPPED = Failure(
    "channel_order",
    "Training and held-out pictures have their colours in another order",
    "bug",
    "bug",
    "Red and blue changed places in one of the two sets: generated pictures will have the wrong colours, or figures on "
    "the held-out set will say so of right ones.",
    "Read both in the same way; OpenCV reads blue, green, red: cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).",
    "measured: docs/health.md",
    explains=("memorisation", "overfitting_d", "overpowering_d", "mode_dropping", "plateau"),
)


def check(subject: Subject) -> list[Finding]:
    """All that is wrong with a subject before its first step."""
    x = subject.real[:LOOKED_AT]
    swapped = _swapped(x, subject.held_out)
    looks = (
        _dtype(x),
        _finite(x),
        () if subject.repeats else _constant(x),
        _labels(subject),
        _grey(x),
        swapped,
        _range(subject, x),
    )
    return [finding for looked in looks for finding in looked]


def _found(failure: Failure, signal: str, text: str, *suspects: str) -> Finding:
    return Finding(failure, 0, 0, (Evidence(signal, text),), suspects)


def _dtype(x: Tensor) -> Iterator[Finding]:
    if not x.is_floating_point():
        yield _found(INTEGERS, "data/dtype", f"they are {str(x.dtype).removeprefix('torch.')}; float32 is wanted")


def _finite(x: Tensor) -> Iterator[Finding]:
    broken = (~x.flatten(1).isfinite()).any(1)
    if bool(broken.any()):
        rows = ", ".join(str(i) for i in broken.nonzero()[:3, 0].tolist())
        yield _found(NOT_FINITE, "data/finite", f"{int(broken.sum()):,} of {len(x):,} rows", f"rows {rows}")


def _constant(x: Tensor) -> Iterator[Finding]:
    distinct = len(torch.unique(x.flatten(1), dim=0))
    if distinct == 1:
        yield _found(CONSTANT, "feed/unique", f"{len(x):,} examples and one value")
    elif distinct < REPEATED * len(x) and len(torch.unique(x)) > 2:
        yield _found(REPEATS, "feed/unique", f"{distinct:,} of {len(x):,} examples are distinct")


def _labels(subject: Subject) -> Iterator[Finding]:
    y, classes = subject.labels, len(subject.classes)
    if y is None or not len(y) or y.dim() != 1:
        return
    low, high = int(y.min()), int(y.max())
    if low < 0 or (classes and high >= classes):
        wanted = f"0 to {classes - 1}" if classes else "0 or more"
        yield _found(LABELS, "data/labels", f"they run from {low} to {high}; wanted: {wanted}")


def _grey(x: Tensor) -> Iterator[Finding]:
    if x.dim() == 4 and x.shape[1] == 3 and bool(x.isfinite().all()):
        span = float(x.max() - x.min())
        apart = float((x - x.mean(1, keepdim=True)).abs().mean())
        if span > 0 and apart < GREY * span:
            yield _found(GREYS, "data/grey", f"channels differ by {apart / span:.1e} of the range")


def _swapped(x: Tensor, held: Tensor | None) -> Iterator[Finding]:
    """The held-out pictures' mean colour is that of the training pictures read backwards, and not that itself."""
    if held is None or x.dim() != 4 or x.shape[1] != 3 or held.shape[1] != 3:
        return
    ours, theirs = (side.float().mean((2, 3)) for side in (x, held[:LOOKED_AT]))
    error = (ours.var(0) / len(ours) + theirs.var(0) / len(theirs)).sum().sqrt()
    far, near = ((ours.mean(0) - mean).norm() for mean in (theirs.mean(0), theirs.mean(0).flip(0)))
    if float(far) > SWAPPED_BY * float(error) and float(near) < float(far) / 4:
        told = ["/".join(f"{v:.2f}" for v in side.mean(0).tolist()) for side in (ours, theirs)]
        yield _found(SWAPPED, "data/colour", f"mean colour {told[0]} in training, {told[1]} held out")


def _range(subject: Subject, x: Tensor) -> Iterator[Finding]:
    """The data against the bounds that were stated, and against the range of G's last layer."""
    if not bool(x.isfinite().all()):
        return
    low, high = float(x.min()), float(x.max())
    stated, own = subject.bounds, _range_of_generator(subject)
    for whose, bounds in (("stated", stated), ("the generator's", own)):
        if bounds is None:
            continue
        width = bounds[1] - bounds[0]
        beyond = low < bounds[0] - SLACK * width or high > bounds[1] + SLACK * width
        # tanh with data in 0..1 trains as if all were well, and makes pictures of half the contrast
        unused = high - low < HALF * width and (low > bounds[0] + 0.4 * width or high < bounds[1] - 0.4 * width)
        if beyond or unused:
            text = f"data run from {low:.3g} to {high:.3g}; {whose} range is {bounds[0]:g} to {bounds[1]:g}"
            yield _found(RANGE, "data/low", text)
            return


def _range_of_generator(subject: Subject) -> tuple[float, float] | None:
    """(-1, 1) or (0, 1) where the last thing that G computes is a tanh or a sigmoid; None where nobody can tell."""
    generate = subject.generate
    if generate is None:
        return None
    with unnoticed(subject.networks):
        return squashed(subject.networks, lambda: subject.make(2, 0, generate)[0])
