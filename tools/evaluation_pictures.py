"""Writes docs/evaluation/NAME.png: for each metric, real garments beside spoilt ones, and what it says of each.

    python tools/evaluation_pictures.py            # all, some minutes on a CPU
    python tools/evaluation_pictures.py kid modes

Pictures are Fashion-MNIST's, from the package. `sfid` needs Inception's weights, `lpips` and `path_length` LPIPS's.
Every value under a panel is measured here, with the settings that stand in the picture's last line.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from spoilt_garments import (
    BAG,
    DIM,
    SHIRT,
    SIDE,
    Garments,
    all_others,
    blends,
    blurred,
    constant,
    looks_up,
    mixed_up,
    moving,
    noisy,
    only,
    others,
    quartered,
    real,
    repeated,
    shifted,
    spliced,
    spoilt_bags,
    static,
    typical,
    unseen,
    without,
)
from torch import Tensor

from gansmith.metrics.base import Extractor
from gansmith.metrics.equivariance import Equivariance
from gansmith.metrics.extractors import load_extractor
from gansmith.metrics.judge import judge
from gansmith.metrics.path_length import PathLength
from gansmith.metrics.probes import Latents

OUT = Path(__file__).parent.parent / "docs" / "evaluation"
COLUMNS, ROWS, ZOOM = 4, 3, 1.25
GAP, MARGIN, LINE, FONT = 12, 8, 16, 13


@dataclass(frozen=True)
class Panel:
    """One set of pictures: what it is called, and what was measured of it."""

    title: str
    shown: Tensor
    lines: Sequence[str]


@cache
def extractor(name: str) -> Extractor:
    return load_extractor(name)


def measured(
    metrics: str | Sequence[str],
    fake: Garments,
    shown: Mapping[str, str],
    *,
    by: str = "fashion",
    against: Garments | None = None,
    held: Garments | None = None,
    labels: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> list[str]:
    """The figures in `shown`, each in its format: `{"FD": "FD {:.2f}"}`; `settings` are the first metric's."""
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    reals = against or real()
    found = judge(
        reals.parts(labels),
        fake.parts(labels),
        extractor(by),
        names,
        held=held.parts(labels) if held else None,
        settings={names[0]: settings or {}},
        floor=False,
        intervals=False,
        real_key=f"{by}-{len(reals)}" if by == "inception" else None,
        cache=Path(scratch().name),
        warn=lambda _: None,
    )
    values = {figure.name: figure for figure in found}
    return [told.format(values[name].value, values[name].spread) for name, told in shown.items()]


@cache
def scratch() -> tempfile.TemporaryDirectory[str]:
    """Where Inception's features of the real side are kept while this runs."""
    return tempfile.TemporaryDirectory()


def panels(sets: Mapping[str, Garments], measure: Callable[[Garments], list[str]]) -> list[Panel]:
    return [Panel(title, pick(g), measure(g)) for title, g in sets.items()]


def pick(g: Garments) -> Tensor:
    """Pictures to show: the first ones."""
    return g.pixels[: COLUMNS * ROWS]


def fid() -> tuple[list[Panel], str]:
    return panels(_faults(), lambda g: measured("fid", g, {"FD": "FD {:.2f}"})), "FD-fashion, 1,000 real pictures"


def fid_infinity() -> tuple[list[Panel], str]:
    sets = {f"{what}, n = {n}": (n, make(others(n))) for what, make in MADE.items() for n in (100, 300, 1000)}
    found = []
    for title, (n, g) in sets.items():
        shown = {"FD": "FD {:.2f}", "FD-infinity": "FD-infinity {:.2f}"}
        found.append(Panel(title, pick(g), measured(("fid", "fid_infinity"), g, shown, against=real(n))))
    return found, "FD-fashion, n real pictures, too; 128 features, so FD-infinity is sound from n = 258 on"


MADE: Mapping[str, Callable[[Garments], Garments]] = {"real": lambda g: g, "blurred": blurred}


def kid() -> tuple[list[Panel], str]:
    def measure(g: Garments) -> list[str]:
        said = measured("kid", g, {"KD": "{} {}"}, settings={"subset_size": min(500, len(g) // 2)})[0]
        value, spread = (1000 * float(word) for word in said.split())
        return [f"1000 KD {value:.1f} ± {spread:.1f}"]

    note = "KD-fashion ± one subset's deviation; 1,000 real pictures, 100 subsets of 500 (of 50 where there are 100)"
    return panels(_faults(), measure), note


def _faults() -> dict[str, Garments]:
    return {
        "other real pictures": others(),
        "only 100 of these": others(100),
        "blurred": blurred(others()),
        "a little noise": noisy(others()),
        "no bags": without(all_others(), BAG),
    }


def inception_score() -> tuple[list[Panel], str]:
    sets = {
        "real pictures": others(),
        "ten pictures over and over": repeated(others(), 10),
        "only bags": only(all_others(), BAG),
        "blurred": blurred(others()),
        "noise alone": static(),
    }
    measure = partial(measured, "inception_score", shown={"classifier-score": "score {:.2f} ± {:.2f}"})
    return panels(sets, measure), "classifier-score by fashion, 1,000 pictures, 10 splits; 10 is the most there is"


def precision_recall() -> tuple[list[Panel], str]:
    shown = {"precision": "precision {:.2f}", "recall": "recall {:.2f}"}
    return panels(
        _collapses(), partial(measured, "precision_recall", shown=shown)
    ), "fashion, 1,000 of each side, k = 3"


def density_coverage() -> tuple[list[Panel], str]:
    shown = {"density": "density {:.2f}", "coverage": "coverage {:.2f}"}
    return panels(
        _collapses(), partial(measured, "density_coverage", shown=shown)
    ), "fashion, 1,000 of each side, k = 5"


def _collapses() -> dict[str, Garments]:
    return {
        "other real pictures": others(),
        "one picture over and over": repeated(others(), 1),
        "the most typical 1,000": typical(),
        "bags and shirts only": only(all_others(), BAG, SHIRT),
        "a tenth of it noise": spliced(static(), others(), 0.1),
    }


def sfid() -> tuple[list[Panel], str]:
    n = 200
    sets = {
        "other real pictures": others(n),
        "cut and put together wrongly": quartered(others(n)),
        "shifted by 2 pixels": shifted(others(n)),
        "blurred": blurred(others(n)),
    }

    shown = {"FID": "FID {:.0f}", "sFID": "sFID {:.0f}"}
    measure = partial(measured, ("fid", "sfid"), shown=shown, by="inception", against=real(n))
    return panels(sets, measure), f"inception, {n} of each side: far too few to report, enough to see"


def class_fid() -> tuple[list[Panel], str]:
    sets = {
        "other real pictures": others(),
        "bags called shirts and shirts bags": mixed_up(others()),
        "blurred bags": spoilt_bags(others()),
    }

    shown = {"FD": "FD {:.2f}", "class-FD": "class-FD {:.2f}", "class-FD/8": "class-FD/Bag {:.2f}"}
    measure = partial(measured, ("fid", "class_fid"), shown=shown, labels=True)
    found = [Panel(title, _by_class(g), measure(g)) for title, g in sets.items()]
    return found, "fashion, 1,000 of each side, about 100 a class; first row: called shirts, below: called bags"


def _by_class(g: Garments) -> Tensor:
    return torch.cat([only(g, SHIRT).pixels[:4], only(g, BAG).pixels[:8]])


def accuracy_score() -> tuple[list[Panel], str]:
    sets = {
        "other real pictures": others(),
        "ten pictures over and over": repeated(others(), 10),
        "no bags": without(all_others(), BAG),
        "bags called shirts and shirts bags": mixed_up(others()),
        "blurred": blurred(others()),
    }
    asked: dict[str, Any] = {"held": unseen(), "labels": True, "settings": {"steps": 60, "batch": 64}}
    measure = partial(measured, "accuracy_score", shown={"accuracy_score": "{:.3f} ± {:.3f}"}, **asked)
    return panels(sets, measure), "accuracy on 1,000 unseen pictures after 60 steps of training on 1,000 like these"


def lpips() -> tuple[list[Panel], str]:
    measure = partial(measured, "lpips", shown={"lpips": "{:.3f} ± {:.3f}"}, settings={"pairs": 200})
    return panels(_varieties(), measure), "mean LPIPS of 200 pairs, enlarged to 64 pixels"


def ms_ssim() -> tuple[list[Panel], str]:
    measure = partial(measured, "ms_ssim", shown={"ms_ssim": "{:.3f} ± {:.3f}"}, settings={"pairs": 200})
    return panels(_varieties(), measure), "mean MS-SSIM of 200 pairs, 2 scales (32 pixels hold no more)"


def vendi() -> tuple[list[Panel], str]:
    return panels(_varieties(), partial(measured, "vendi", shown={"vendi": "{:.2f}"})), "fashion, 1,000 pictures"


def _varieties() -> dict[str, Garments]:
    return {
        "real pictures": others(),
        "ten pictures over and over": repeated(others(), 10),
        "one picture over and over": repeated(others(), 1),
        "only bags": only(all_others(), BAG),
        "noise alone": static(),
    }


def modes() -> tuple[list[Panel], str]:
    sets = {
        "other real pictures": others(),
        "no bags": without(all_others(), BAG),
        "half of it bags": spliced(only(all_others(), BAG), others(), 0.5),
        "ten pictures over and over": repeated(others(), 10),
        "noise alone": static(),
    }
    shown = {"modes": "{:.0f} of 10 modes", "modes_kl": "KL {:.3f}"}
    return panels(sets, partial(measured, "modes", shown=shown)), "by fashion's classes, 1,000 of each side"


def memorisation() -> tuple[list[Panel], str]:
    sets = {
        "unseen real pictures": others(),
        "copies": real(),
        "half of it copies": spliced(real(), others(), 0.5),
        "copies, shifted by 2 pixels": shifted(real()),
        "copies, blurred": blurred(real()),
    }
    shown = {"nn_ratio": "nn_ratio {:.2f}", "c_t": "c_t {:.1f}", "authenticity": "authenticity {:.2f}"}
    measure = partial(measured, "memorisation", shown=shown, held=unseen())
    return panels(sets, measure), "fashion, 1,000 training pictures, 1,000 fakes, 1,000 held out"


def path_length() -> tuple[list[Panel], str]:
    found = []
    sets = {"smooth": blends(), "remembers 1,000 pictures": looks_up(), "always the same": constant()}
    for title, latents in sets.items():
        said = PathLength(samples=200).measure(latents)
        lines = [f"path_length {said['path_length']:.1f} ± {said['path_length_std']:.1f}"]
        found.append(Panel(title, walk(latents), lines))
    return found, "200 paths, step 1e-4, LPIPS of AlexNet; each panel is one path, read by rows"


def equivariance() -> tuple[list[Panel], str]:
    found = []
    sets = {"moves": moving("bicubic"), "to whole pixels": moving("nearest"), "texture stays": moving("bicubic", 0.1)}
    for title, latents in sets.items():
        said = Equivariance(samples=64).measure(latents)
        names = {"EQ-T": "eq_t", "EQ-T frac": "eq_t_frac", "EQ-R": "eq_r"}
        lines = [f"{name} {said[key]:.1f} ± {said[f'{key}_std']:.1f}" for name, key in names.items()]
        found.append(Panel(title, turning(latents), lines))
    return found, "dB; 64 pictures, each with a shift and a turn of its own"


def turning(latents: Latents) -> Tensor:
    """One picture, turned further and further."""
    assert latents.moved is not None
    angle = torch.linspace(0, torch.pi, COLUMNS * ROWS)
    turns = torch.eye(3).repeat(len(angle), 1, 1)
    turns[:, 0, 0], turns[:, 0, 1], turns[:, 1, 0], turns[:, 1, 1] = angle.cos(), -angle.sin(), angle.sin(), angle.cos()
    return bytes_of(latents.moved(torch.full((len(angle), 1), 0.02), turns))


def walk(latents: Latents) -> Tensor:
    """Pictures along one path."""
    a, b = torch.randn(2, DIM, generator=torch.Generator().manual_seed(3))
    t = torch.linspace(0, 1, COLUMNS * ROWS)[:, None]
    x = latents.generate(a + (b - a) * t)
    return bytes_of(x)


def bytes_of(x: Tensor) -> Tensor:
    """Pictures (n c h w) in [-1, 1] as bytes (n h w c)."""
    return ((x + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)


def draw(found: Sequence[Panel], note: str, path: Path) -> None:
    """Panels side by side, six in two rows, with what was measured below each; the settings in the last line."""
    across = 3 if len(found) == 6 else len(found)
    tall = max(len(panel.lines) for panel in found)
    w, h = round(COLUMNS * SIDE * ZOOM), round(ROWS * SIDE * ZOOM)
    high = 2 * LINE + h + tall * LINE + GAP
    size = (2 * MARGIN + across * w + (across - 1) * GAP, 2 * MARGIN + -(-len(found) // across) * high + 2 * LINE - GAP)
    page = Image.new("L", size, 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(FONT)
    for i, panel in enumerate(found):
        x, y = MARGIN + i % across * (w + GAP), MARGIN + i // across * high
        for number, line in enumerate(wrapped(panel.title, w, font)):
            pen.text((x, y + number * LINE), line, fill=0, font=font)
        page.paste(tiled(panel.shown).resize((w, h), Image.Resampling.BICUBIC), (x, y + 2 * LINE))
        for number, line in enumerate(panel.lines):
            pen.text((x, y + 2 * LINE + h + 2 + number * LINE), line, fill=0, font=font)
    for number, line in enumerate(wrapped(note, size[0] - 2 * MARGIN, font)):
        pen.text((MARGIN, size[1] - 2 * LINE - 4 + number * LINE), line, fill=96, font=font)
    page.quantize(32).save(path, optimize=True)


def wrapped(text: str, width: int, font: Any) -> list[str]:
    """One line or two; one stands at the bottom of the two."""
    words = text.split()
    for cut in range(len(words), 0, -1):
        if font.getlength(" ".join(words[:cut])) <= width:
            rest = " ".join(words[cut:])
            return [" ".join(words[:cut]), rest] if rest else ["", text]
    return ["", text]


def tiled(pixels: Tensor) -> Image.Image:
    rows = pixels.view(ROWS, COLUMNS, SIDE, SIDE).permute(0, 2, 1, 3).reshape(ROWS * SIDE, COLUMNS * SIDE)
    return Image.fromarray(rows.numpy())


PICTURES: Mapping[str, Callable[[], tuple[list[Panel], str]]] = {
    made.__name__: made
    for made in (
        fid, fid_infinity, kid, sfid, class_fid, precision_recall, density_coverage, inception_score, accuracy_score,
        lpips, ms_ssim, vendi, modes, memorisation, path_length, equivariance,
    )
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("metric", nargs="*", default=list(PICTURES), help="all when left out")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.metric:
        found, note = PICTURES[name]()
        draw(found, note, asked.out / f"{name}.png")
        print(name, *((panel.title, *panel.lines) for panel in found), sep="\n    ", flush=True)


if __name__ == "__main__":
    main()
