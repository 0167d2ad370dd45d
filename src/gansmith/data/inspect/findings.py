"""What a look means: findings in words. A check is a function from a look to findings; `CHECKS` lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from ...errors import several
from ..build import TOLERATED
from .look import Look

Level = Literal["problem", "warning", "note"]

FEW = 500  # pictures: below it, D learns them by heart unless it is kept from that
UNEVEN = 10  # times as many pictures in the largest class as in the smallest
WORTH_A_WARNING = 0.01  # share of the pictures
LONG = 1.5  # long side over short side, from which the centre square loses a third
DIM = 64  # of 255: no picture is brighter


@dataclass(frozen=True)
class Finding:
    """One thing to know about the data.

    Attributes:
        name: which check it comes from: `duplicates`, `leakage`, …
        level: `problem` where training fails or figures mislead, `warning` where they suffer, `note` otherwise.
        text: what was found, with figures.
        advice: what to do about it; may be empty.
    """

    name: str
    level: Level
    text: str
    advice: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def findings(seen: Look) -> list[Finding]:
    """All findings, problems first, then warnings, then notes."""
    found = [f for check in CHECKS for f in check(seen)]
    return sorted(found, key=lambda f: ("problem", "warning", "note").index(f.level))


def share(count: int, of: int) -> str:
    """`"12 (0.4 %)"`."""
    percent = 100 * count / max(of, 1)
    return f"{count:,} ({percent:.{0 if percent >= 10 else 2}{'f' if percent >= 10 else 'g'}} %)"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _graded(count: int, of: int) -> Level:
    return "warning" if count >= WORTH_A_WARNING * of else "note"


def _unreadable(seen: Look) -> Iterator[Finding]:
    part = seen.survey.parts[0]
    bad = len(part.unreadable)
    if not bad:
        return
    refused = bad > max(1, int(TOLERATED * part.found))
    first = "; ".join(f"{name}: {reason}" for name, reason in part.unreadable[:2])
    text = f"{share(bad, part.found)} of the pictures cannot be used, the first being {first}."
    more = " Training refuses more than 5 %." if refused else " Training leaves them out."
    yield Finding("unreadable", "problem" if refused else "warning", text, "Mend or remove them." + more)


def _leakage(seen: Look) -> Iterator[Finding]:
    for number, part in enumerate(seen.survey.parts[1:], 1):
        equal, alike = seen.leaks(number)
        count = len(seen.survey.of(number))
        advice = f"Take them out of {part.name}, or figures on it flatter a model that has learnt pictures by heart."
        if equal:
            text = f"{share(len(equal), count)} of the pictures of {part.name} are in the data, pixel for pixel."
            yield Finding("leakage", "problem", text, advice)
        if alike:
            text = f"{share(len(alike), count)} of the pictures of {part.name} look like pictures of the data."
            yield Finding("leakage", _graded(len(alike), count), text, advice)
        if not equal and not alike:
            text = f"None of the {count:,} pictures of {part.name}" if count > 1 else f"The picture of {part.name}"
            yield Finding("leakage", "note", f"{text} is {'' if count > 1 else 'not '}in the data.")


def _duplicates(seen: Look) -> Iterator[Finding]:
    n = len(seen.own)
    if seen.identical:
        text = f"{share(seen.identical, n)} of the pictures are equal to another, pixel for pixel."
        advice = "Keep one of each: what is there several times is learnt by heart sooner."
        yield Finding("duplicates", _graded(seen.identical, n), text, advice)
    if seen.alike:
        text = f"{share(seen.alike, n)} of the pictures look like another, as copies in another size or compression do."
        advice = "Keep one of each copy; but small, simple pictures may look alike without being copies."
        yield Finding("duplicates", _graded(seen.alike, n), text, advice)


def _conflicts(seen: Look) -> Iterator[Finding]:
    if seen.conflicts:
        names, n = " and ".join(seen.survey.name(i) for i in seen.conflicts[0][:2]), len(seen.conflicts)
        text = f"{several(n, 'picture')} {_are(n)} there under several labels, such as {names}."
        yield Finding("labels", "warning", text, "Decide which label is right.")
    if seen.unlabelled:
        text = f"{share(seen.unlabelled, len(seen.own))} of the pictures have a label that is none of the classes."
        yield Finding("labels", "problem", text, "Training refuses them; give labels, or train with --no-labels.")


def _near_constant(seen: Look) -> Iterator[Finding]:
    if count := len(seen.plain):
        text = f"{share(count, len(seen.own))} of the pictures are of nearly one colour, such as "
        text += f"{seen.survey.name(int(seen.plain[0]))}."
        yield Finding("near-constant", _graded(count, len(seen.own)), text, "Remove what is blank by mistake.")


def _balance(seen: Look) -> Iterator[Finding]:
    counts = {name: c for name, c in seen.class_counts.items() if c}
    if empty := len(seen.class_counts) - len(counts):
        have = "has" if empty == 1 else "have"
        yield Finding("balance", "note", f"{empty} of the {len(seen.class_counts)} classes {have} no picture here.")
    if len(counts) < 2:
        return
    least, most = min(counts, key=lambda k: counts[k]), max(counts, key=lambda k: counts[k])
    ratio = counts[most] / counts[least]
    if ratio == 1:
        yield Finding("balance", "note", f"Each of the {len(counts)} classes holds {several(counts[most], 'picture')}.")
        return
    text = f"The {len(counts)} classes hold from {counts[least]:,} ({least}) to {counts[most]:,} ({most}) pictures"
    if ratio < 1.5:
        yield Finding("balance", "note", f"{text}: well balanced.")
        return
    advice = (
        "Rare classes come out poor and alike: add pictures to them, or judge them apart." if ratio > UNEVEN else ""
    )
    yield Finding("balance", "warning" if ratio > UNEVEN else "note", f"{text}, a ratio of {ratio:.3g}.", advice)


def _sizes(seen: Look) -> Iterator[Finding]:
    r, n, side = seen.records, len(seen.own), seen.side
    short, long = np.minimum(r["width"], r["height"]), np.maximum(r["width"], r["height"])
    (w, h), c = seen.sizes.most_common(1)[0]
    if len(seen.sizes) == 1:
        yield Finding("sizes", "note", f"All pictures are {w} x {h} pixels.")
    else:
        text = f"There are {len(seen.sizes):,} sizes; the most common is {w} x {h}, of {share(c, n)}, and short sides "
        yield Finding("sizes", "note", text + f"run from {int(short.min())} to {int(short.max())} pixels.")
    if small := int((short < side).sum()) - seen.padded:
        text = f"{share(small, n)} of the pictures are smaller than {side} pixels, the size that suits most of them."
        yield Finding("sizes", _graded(small, n), text, "Enlarged pictures are blurred, and G learns the blur.")
    if lanky := int((long > LONG * short).sum()):
        text = f"{share(lanky, n)} of the pictures are more than 1.5 times as long as wide; the centre square is kept."
        yield Finding("sizes", _graded(lanky, n), text, "Crop them yourself where what matters is not in the centre.")


def _channels(seen: Look) -> Iterator[Finding]:
    n, colour = len(seen.own), int(seen.records["colour"].sum())
    facts = seen.survey.parts[0].facts
    if colour in (0, n):
        yield Finding("channels", "note", f"All pictures are {'in colour' if colour else 'grey'}.")
    else:
        text = f"{share(n - colour, n)} of the pictures are grey, {share(colour, n)} in colour."
        advice = "A model of colour pictures then makes grey ones, too, in that share."
        yield Finding("channels", _graded(min(colour, n - colour), n), text, advice)
    kinds = {"cmyk": "CMYK", "16bit": "16 bits", "float": "floating point", "palette": "a palette"}
    for fact, kind in kinds.items():
        if facts[fact]:
            text = f"{share(facts[fact], n)} of the pictures are of another kind than the rest: {kind}."
            text = f"All pictures are of this kind: {kind}." if facts[fact] == n else text
            yield Finding("channels", "note", text, "They are converted to 8 bits of grey or RGB.")
    if facts["on_white"]:
        text = f"{share(facts['on_white'], n)} of the pictures have transparent parts, which are laid on white."
        yield Finding("channels", "note", text)
    if facts["opaque"]:
        text = f"{share(facts['opaque'], n)} of the pictures have a channel of transparency that hides nothing."
        yield Finding("channels", "note", text, "It is dropped.")


def _values(seen: Look) -> Iterator[Finding]:
    low, high = int(seen.records["low"].min()), int(seen.records["high"].max())
    if high <= 1:
        text = f"Values run from {low} to {high} of 255: all pictures are black."
        yield Finding(
            "values", "problem", text, "Values of 0 to 1 were probably saved as whole numbers; multiply by 255."
        )
    elif high < DIM or low > 255 - DIM:
        text = f"Values run from {low} to {high} only, of 0 to 255."
        yield Finding("values", "warning", text, "Scale the pictures to the full range.")
    else:
        yield Finding("values", "note", f"Values run from {low} to {high}, of 0 to 255.")


def _outliers(seen: Look) -> Iterator[Finding]:
    n = len(seen.own)
    if seen.strange is None:
        text = f"{several(n, 'picture')} {_are(n)} too few to tell which of them are out of place."
        yield Finding("outliers", "note", text)
    elif seen.outliers:
        text = f"{share(len(seen.outliers), n)} of the pictures are far from all others, such as "
        yield Finding(
            "outliers", "note", text + f"{seen.survey.name(seen.outliers[0])}.", "See whether they belong here."
        )


def _amount(seen: Look) -> Iterator[Finding]:
    if (n := len(seen.own) - seen.identical) < FEW:
        advice = "Start from a model of similar pictures (--from), or train with --mirror if they may be mirrored."
        text = f"{several(n, 'distinct picture')} {_are(n)} few: D learns {'it' if n == 1 else 'them'} by heart."
        yield Finding("amount", "warning", text, advice)


CHECKS: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    _unreadable,
    _leakage,
    _duplicates,
    _conflicts,
    _near_constant,
    _balance,
    _amount,
    _sizes,
    _channels,
    _values,
    _outliers,
)
