"""`python -m benchmarks.personal PART`: what docs/personal.md tells of few pictures and of attributes.

Parts, each some minutes of one core: `source`, then `every` (or `plain`, `few`, `kept`, `judge`); `attributes`. Data
are the bundled pictures. The new domain is drawings (outlines, dark on light): ten to learn from, 2,000 others to be
judged by. A run of all garments without classes is adapted to the ten in three ways.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import gansmith as gs
from gansmith.data.images import ImageSource
from gansmith.metrics.functional import frechet_distance, kid, moments
from gansmith.nn.features.fashion import FashionExtractor

from . import machine

DATA, SEED, N = "bundled:fashion-mnist", 0, 2_000
FOLDER = machine.ROOT / "runs" / "personal"
SOURCE_SAMPLES, SAMPLES = 40_000, 9_600
WAYS: dict[str, dict[str, Any]] = {
    "plain": {"recipe": "dcgan", "changes": {"half_life": 960.0}},  # the weights alone
    "few": {"adapt": True, "changes": {"game.correspondence": "0"}},  # FreezeD and ADA
    "kept": {"adapt": True},
}
NAMES = {"plain": "`--from`", "few": "`--adapt` without the correspondence", "kept": "`--adapt`"}
ATTRIBUTES = ("footwear", "negative", "frame")
FOOTWEAR = (5, 7, 9)
UNSEEN = (1, 1, 1)
Pixels = NDArray[np.uint8]


def garments() -> tuple[Pixels, Tensor]:
    """All bundled pictures (n 32 32) and their classes."""
    source = ImageSource(DATA)
    y = source.batch(torch.arange(len(source)), torch.device("cpu"))["y"]
    return source.pixels[..., 0], y


def drawn(pixels: Pixels) -> Pixels:
    """Outlines, dark on light: 255 less the length of the gradient."""
    down, right = np.gradient(pixels.astype(np.float32), axis=(1, 2))
    return (255 - np.clip(1.5 * np.hypot(down, right), 0, 255)).astype(np.uint8)


def drawings() -> tuple[Path, Pixels, Pixels]:
    """The file of the ten, the ten, and those to be judged by."""
    order = np.random.default_rng(SEED).permutation(10_000)
    made = drawn(garments()[0])
    FOLDER.mkdir(parents=True, exist_ok=True)
    few = FOLDER / "drawings.npz"
    if not few.exists():
        np.savez(few, x=made[order[:10]])
    return few, made[order[:10]], made[order[10 : 10 + N]]


def source() -> None:
    out = FOLDER / "source"
    if out.exists():  # stopped before its end
        gs.resume(out)
    else:
        gs.train(DATA, out=out, recipe="dcgan", labels=False, samples=SOURCE_SAMPLES, batch=64, seed=SEED)


def adapt(way: str) -> None:
    few, _, _ = drawings()
    begin: dict[str, Any] = {"start_from": FOLDER / "source", "samples": SAMPLES, "batch": 8, "seed": SEED}
    gs.train(few, out=FOLDER / way, monitors=[], **begin, **WAYS[way])
    print(way, flush=True)


def every() -> None:
    """Adapts in every way that is still missing, and judges."""
    for way in reversed(WAYS):
        if not (FOLDER / way).exists():
            adapt(way)
    judge()


def features(pixels: Pixels) -> Tensor:
    extractor = FashionExtractor()
    return torch.cat([extractor(torch.from_numpy(part[..., None])) for part in np.array_split(pixels, 8)]).double()


def variety(found: Tensor, few: Tensor) -> float:
    """Mean distance of pairs that lie nearest to the same of the few, the mean over these (Ojha 2021, section 4.2)."""
    nearest, each = torch.cdist(found, few).argmin(1), []
    for i in range(len(few)):
        own = found[nearest == i]
        each.append(float(torch.pdist(own).mean()) if len(own) > 1 else 0.0)
    return sum(each) / len(each)


def figures(pixels: Pixels, held: Tensor, few: Tensor, copied: float) -> dict[str, float]:
    found = features(pixels)
    close = torch.cdist(found, few).min(1).values
    return {
        "FD": frechet_distance(*moments(found), *moments(held)),
        "KD": kid(held, found, subset_size=min(1000, len(found), len(held)))[0],
        "variety": variety(found, few),
        "copies": float((close < copied).double().mean()),
    }


def judge() -> None:
    _, few_pixels, held_pixels = drawings()
    few, held = features(few_pixels), features(held_pixels)
    copied = float(torch.cdist(held, few).min(1).values.quantile(0.01))
    half = N // 2
    floor = figures(held_pixels[:half], held[half:], few, copied)
    result: dict[str, Any] = {"seed": SEED, "samples": SAMPLES, "n": N, "real": floor}
    for way in ("source", *WAYS):
        made = gs.load(FOLDER / way)(N, seed=1)
        made.spec.preview(next(made.batch.split(64))).save(FOLDER / f"{way}.png")
        result[way] = figures(np.stack([np.asarray(p) for p in made]), held, few, copied)
    Image.fromarray(np.concatenate(list(few_pixels), 1)).save(FOLDER / "ten.png")
    machine.keep("personal-few", result)
    for name, row in result.items():
        print(name, row)


def marked(x: Pixels, marks: NDArray[np.int64]) -> Pixels:
    """Pictures (n 32 32) as their attributes have it: turned into negatives, put in a grey frame."""
    made = np.where(marks[:, 1, None, None] == 1, 255 - x, x)
    framed = made.copy()
    framed[:, :2], framed[:, -2:], framed[:, :, :2], framed[:, :, -2:] = 128, 128, 128, 128
    return np.where(marks[:, 2, None, None] == 1, framed, made)


def seen(x: Pixels) -> NDArray[np.int64]:
    """The attributes that pictures show: the frame by its grey, negatives by the margin within, footwear by the bundled
    classifier."""
    ring, margin = np.ones((32, 32), bool), np.zeros((32, 32), bool)
    ring[2:-2, 2:-2], margin[2:4, 2:-2] = False, True
    frame = np.abs(np.median(x[:, ring].astype(float), 1) - 128) < 64
    negative = np.median(x[:, margin], 1) > 127
    plain = np.where(negative[:, None, None], 255 - x, x)
    plain[:, ring] = 0
    logits = FashionExtractor().classify(torch.from_numpy(plain[..., None]))
    footwear = np.isin(logits.argmax(1).numpy(), FOOTWEAR)
    return np.stack([footwear, negative, frame], 1).astype(np.int64)


def gallery() -> Path:
    """A folder of 6,000 pictures with attributes.csv; none has all three."""
    folder = FOLDER / "gallery"
    if folder.exists():
        return folder
    x, y = garments()
    random = np.random.default_rng(SEED)
    marks = np.stack([np.isin(y.numpy(), FOOTWEAR), *random.integers(0, 2, (2, len(x)))], 1).astype(np.int64)
    rows = [i for i in random.permutation(len(x)) if tuple(marks[i]) != UNSEEN][:6000]
    folder.mkdir(parents=True)
    for i, picture in zip(rows, marked(x[rows], marks[rows]), strict=True):
        Image.fromarray(picture).save(folder / f"{i}.png")
    with (folder / "attributes.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", *ATTRIBUTES), *((f"{i}.png", *marks[i].tolist()) for i in rows)])
    return folder


def attributes(recipe: str = "acgan", seconds: str = "150") -> None:
    out = FOLDER / f"attributes-{recipe}"
    gs.train(gallery(), out=out, recipe=recipe, minutes=float(seconds) / 60, seed=SEED, overwrite=True)
    told(recipe, seconds)


def told(recipe: str, seconds: str) -> None:
    make = gs.load(FOLDER / f"attributes-{recipe}")
    result: dict[str, Any] = {"seed": SEED, "seconds": float(seconds), "recipe": recipe}
    x, y = garments()
    for bits in range(8):
        asked = [bits >> 2 & 1, bits >> 1 & 1, bits & 1]
        made = make(500, seed=1, where=dict(zip(ATTRIBUTES, asked, strict=True)))
        right = seen(np.stack([np.asarray(p) for p in made])) == np.array(asked)
        own = x[np.isin(y.numpy(), FOOTWEAR) == bool(asked[0])][:500]
        real = seen(marked(own, np.tile(asked, (len(own), 1)))) == np.array(asked)
        name, whole = "".join(map(str, asked)), [float(each.all(1).mean()) for each in (right, real)]
        result[name] = [*right.mean(0).tolist(), *whole]
        print(name, result[name], flush=True)
    machine.keep(f"personal-attributes-{recipe}", result)
    sheet = make(16, seed=1)
    sheet.save(FOLDER / f"attributes-{recipe}.png", columns=8)
    make(8, seed=1, where=dict.fromkeys(ATTRIBUTES, 1)).save(FOLDER / f"unseen-{recipe}.png", columns=8)


if __name__ == "__main__":
    part, *more = sys.argv[1:]
    parts = {"source": source, "every": every, "judge": judge, "attributes": attributes, "told": told}
    parts.get(part, lambda: adapt(part))(*more)
