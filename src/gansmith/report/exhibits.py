"""What a judged run shows besides figures: nearest neighbours, the most and least realistic samples, classes, modes.

`exhibit` looks at some samples and writes sheets of pictures and exhibits.json into RUN/evaluation/; the report of the
run shows what lies there (see `exhibited`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ..config import write_bytes
from ..data.source import Source
from ..errors import DataError, UserError
from ..metrics.base import Extractor, MeasuredBy
from ..metrics.neighbours import nearest
from ..metrics.onepass import Part, Wants, look
from ..metrics.realism import balls, realism, typical_distance
from ..spec import ImageSpec
from . import pictures
from .classes import COUNTED, Modes, by_class, modes_of
from .exhibited import DOCUMENT, FOLDER
from .sheets import Sheet, sheet

MOST = 512  # samples that are looked at
SHOWN = 32  # most and least realistic samples
ROWS, NEIGHBOURS = 16, 3
BALLS = 10_000  # real pictures that decide realism
K = 3
PART = 256
THUMBNAIL = 160  # pixels a side: larger pictures are kept smaller than they are

Rows = Tensor


@dataclass(frozen=True)
class Exhibits:
    """What was written.

    Attributes:
        folder: where the files lie.
        document: the content of exhibits.json.
    """

    folder: Path
    document: dict[str, Any]


def exhibit(
    run: Path,
    extractor: Extractor,
    fakes: Iterable[Part],
    real: Source,
    known_features: Float[Tensor, "n d"],
    *,
    rows: Int64[Tensor, " rows"] | None = None,
    most: int = MOST,
    modes: Modes | None = None,
    split: str = "train",
    checkpoint: str = "",
    seed: int = 0,
) -> Exhibits:
    """Looks closely at the first samples of a run, and writes what its report shows of them into RUN/evaluation/.

    Args:
        run: the run folder.
        extractor: takes the features of the samples; it took `known_features`, too.
        fakes: uint8 pictures (b h w c) in parts, or pairs of them and their classes (b,), numbered as `real` numbers
            them; no more parts are drawn than `most` pictures need.
        real: gives the real pictures, with their classes under `y` where they have some.
        known_features: of real pictures.
        rows: which row of `real` each row of `known_features` is; 0, 1, 2 ... when left out.
        most: how many samples are looked at.
        modes: how often the metric `modes` saw each mode; without it, what it saw of this checkpoint before, or else
            samples without classes are counted by the class of their nearest real picture.
        split: the part of the data that the real pictures are of, for the protocol.
        checkpoint: what made the samples, in the report's words.
        seed: of the choice among real pictures.

    Raises:
        DataError: no samples, too few real pictures, features that are not finite, sizes that differ.
        UserError: the folder cannot be written.
    """
    pixels, features, labels = _gathered(fakes, extractor, most)
    rows = torch.arange(len(known_features)) if rows is None else rows
    if len(rows) != len(known_features):
        raise DataError(f"each row of known_features is a picture; came: {len(known_features)}, and {len(rows)} rows")
    spec = real.spec
    if not isinstance(spec, ImageSpec):
        raise DataError(f"only pictures can be shown; these are: {spec.kind}")
    size = f"{spec.size}x{spec.size}x{spec.channels}"
    by = MeasuredBy.of(extractor, len(rows), len(pixels), split, f"k={K}", size)
    return make_exhibits(
        run / FOLDER,
        fakes=pixels,
        fake_features=features,
        reals=lambda places: _pixels(real, spec, rows[places]),
        real_features=known_features,
        fake_labels=labels,
        real_labels=(lambda places: _labels(real, rows[places])) if spec.classes else None,
        classes=spec.classes,
        shares=spec.class_counts,
        modes=modes or _seen_before(run / FOLDER, checkpoint),
        about={"protocol": str(by), "extractor": extractor.name, "checkpoint": checkpoint},
        seed=seed,
    )


def _seen_before(folder: Path, checkpoint: str) -> Modes | None:
    """The modes that the metric counted at an earlier look at this checkpoint."""
    try:
        told = json.loads((folder / DOCUMENT).read_text(encoding="utf-8"))
        modes = Modes(**{name: told["modes"][name] for name in ("fake", "real", "names", "how")})
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return modes if checkpoint and told.get("checkpoint") == checkpoint and modes.how == COUNTED else None


def make_exhibits(
    folder: Path,
    *,
    fakes: UInt8[Tensor, "n h w c"],
    fake_features: Float[Tensor, "n d"],
    reals: Callable[[Rows], Tensor],
    real_features: Float[Tensor, "m e"],
    fake_labels: Int64[Tensor, " n"] | None = None,
    real_labels: Callable[[Rows], Tensor | None] | None = None,
    classes: Sequence[str] = (),
    shares: Sequence[int] = (),
    modes: Modes | None = None,
    about: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Exhibits:
    """Writes exhibits of features that were taken already; see `exhibit`.

    Args:
        reals: the real pictures of these rows of `real_features`, uint8 (m h w c).
        real_labels: the classes of these rows, or None where they have none.
        classes: names of the classes.
        shares: how many real pictures each class has.
        about: told beside the exhibits: `protocol`, `extractor`, `checkpoint`.

    Raises:
        DataError: too few pictures, or features that are not finite or do not fit.
        UserError: the folder cannot be written.
    """
    if len(real_features) < K + 2 or not len(fakes):
        came = f"{len(fakes)} samples, {len(real_features)} real pictures"
        raise DataError(f"to look closely takes a sample and at least {K + 2} real pictures; came: {came}")
    if real_features.shape[1] != fake_features.shape[1]:
        came = f"{fake_features.shape[1]} of samples, {real_features.shape[1]} of real pictures"
        raise DataError(f"the features of both sides must come from one extractor; their numbers differ: {came}")
    away, which = nearest(fake_features, real_features, k=NEIGHBOURS)
    sheets: dict[str, Sheet] = {}
    document: dict[str, Any] = {
        **(about or {}),
        "samples": len(fakes),
        "neighbours": _neighbours(sheets, fakes, reals, away, which, typical_distance(real_features, seed=seed)),
        "realism": _realism(sheets, fakes, fake_features, real_features, seed),
        "classes": by_class(fake_features, fake_labels, real_features, real_labels, names=classes, seed=seed),
        "modes": modes_of(modes, which[:, 0], fake_labels, real_labels, names=classes, shares=shares),
    }
    _write(folder, sheets, document)
    return Exhibits(folder, document)


def _neighbours(
    sheets: dict[str, Sheet],
    fakes: Tensor,
    reals: Callable[[Rows], Tensor],
    away: Float[Tensor, "n k"],
    which: Int64[Tensor, "n k"],
    unit: float,
) -> dict[str, Any]:
    """Samples, from the one nearest to a real picture to the farthest, each with its nearest real pictures."""
    shown = pictures.spread(away[:, 0].argsort(stable=True).tolist(), ROWS)
    found = thumbnails(reals(which[shown].flatten())).unflatten(0, (len(shown), -1))
    if found.shape[2:] != fakes.shape[1:]:
        raise DataError(f"samples and real pictures must have one size; came: {_size(fakes)} and {_size(found[0])}")
    tiles = torch.cat([fakes[shown][:, None], found], 1).flatten(0, 1)
    sheets["neighbours"] = sheet(tiles, columns=1 + which.shape[1])
    apart = away / unit if unit > 0 else torch.full_like(away, torch.nan)  # copies of one picture have no unit
    rows = [{"sample": i, "reals": which[i].tolist(), "apart": _numbers(apart[i])} for i in shown]
    return {"unit": unit, "median": _number(apart[:, 0].median()), "copies": int((away[:, 0] == 0).sum()), "rows": rows}


def _realism(
    sheets: dict[str, Sheet], fakes: Tensor, fake_features: Tensor, real_features: Tensor, seed: int
) -> dict[str, Any]:
    """The least and most realistic samples, and how realistic real pictures are that took no part in the balls."""
    order = torch.randperm(len(real_features), generator=torch.Generator().manual_seed(seed))
    apart = min(len(fakes), len(order) // 4, len(order) - K - 1)
    inside = balls(real_features[order[apart : apart + BALLS]], k=K)
    scores, theirs = realism(fake_features, inside), realism(real_features[order[:apart]], inside)
    ranked, count = scores.argsort(stable=True).tolist(), min(SHOWN, math.ceil(len(scores) / 2))
    chosen = {"worst": ranked[:count], "best": ranked[::-1][:count]}
    for name, samples in chosen.items():
        sheets[name] = sheet(fakes[samples], columns=8)
    told = {name: [{"sample": i, "realism": _number(scores[i])} for i in samples] for name, samples in chosen.items()}
    return {"k": K, **_summary(scores), "real": {"n": apart, **_summary(theirs)}, **told}


def _summary(scores: Tensor) -> dict[str, float | None]:
    return {"median": _number(scores.median()), "inside": float((scores >= 1).double().mean())}


def thumbnails(pixels: UInt8[Tensor, "n h w c"], most: int = THUMBNAIL) -> UInt8[Tensor, "n s t c"]:
    """The pictures, made smaller where a side is longer than `most`."""
    longest = max(pixels.shape[1:3])
    if longest <= most:
        return pixels
    size = [max(1, round(side * most / longest)) for side in pixels.shape[1:3]]
    smaller = F.interpolate(pixels.permute(0, 3, 1, 2).float(), size=size, mode="bilinear", antialias=True)
    return smaller.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _gathered(fakes: Iterable[Part], extractor: Extractor, most: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Thumbnails, features, and classes where there are some, of the first `most` samples."""
    pixels: list[Tensor] = []
    features: list[Tensor] = []
    labels: list[Tensor] = []
    left = most
    for part in fakes:
        shown, classes = (p[:left].cpu() for p in part) if isinstance(part, tuple) else (part[:left].cpu(), None)
        (seen,) = look([shown], extractor, Wants(pixels=False, labels=False, held=False, heads=()), "fake")
        pixels.append(thumbnails(shown))
        features.append(seen.features)
        labels += [] if classes is None else [classes.long()]
        left -= len(shown)
        if left <= 0:
            break
    if not pixels:
        raise DataError("there is nothing to look at: no samples came")
    return torch.cat(pixels), torch.cat(features), torch.cat(labels) if labels else None


def _pixels(real: Source, spec: ImageSpec, rows: Tensor) -> Tensor:
    parts = (spec.pixels(real.batch(part, torch.device("cpu"))) for part in rows.split(PART))
    return torch.cat([thumbnails(part) for part in parts])


def _labels(real: Source, rows: Tensor) -> Tensor | None:
    """The classes of these rows. Pictures are read for them, so only what is needed should be asked for."""
    parts = [real.batch(part, torch.device("cpu")).get("y") for part in rows.split(PART)]
    known = [part for part in parts if part is not None]
    return torch.cat(known) if known and len(known) == len(parts) else None


def _write(folder: Path, sheets: Mapping[str, Sheet], document: dict[str, Any]) -> None:
    """The document comes last and knows the digest of every sheet: a reader in between shows no wrong picture."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        document["sheets"] = {name: made.to_json(f"{name}.png") for name, made in sheets.items()}
        for name, made in sheets.items():
            write_bytes(folder / f"{name}.png", made.png)
        write_bytes(folder / DOCUMENT, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror or error}; make room, or mend it") from error


def _numbers(values: Tensor) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: Tensor) -> float | None:
    """JSON knows no infinity: a copy's realism is None."""
    return float(value) if bool(value.isfinite()) else None


def _size(pixels: Tensor) -> str:
    return " x ".join(map(str, pixels.shape[1:]))
