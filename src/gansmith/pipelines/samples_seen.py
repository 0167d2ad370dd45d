"""Pictures that somebody's generator made, as they lie on a disk: folders by step, single pictures, grids."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..data.images import ImageSource
from ..errors import UserError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MOST, FEWEST = 2_000, 32  # pictures of one set
SEAM = 8  # pixels between the tiles of a grid, at most
Sets = list[tuple[int | None, Tensor]]


def sets_of_samples(place: Path, tile: int | None) -> Sets:
    """(step or None, pictures (n c h w) in [-1, 1]) in order: of each folder in `place` whose name ends in a number, of
    each grid with `tile`, or of all pictures in `place`.

    Raises:
        UserError: there are none, or too few in every set to say anything.
    """
    if not place.exists():
        raise UserError(f"there are no samples: {place}")
    if tile is not None:
        grids = [place] if place.is_file() else _pictures(place)
        found: Sets = [(_step_of(path), _tiles(path, tile)) for path in grids]
    else:
        folders = [f for f in sorted(place.iterdir()) if f.is_dir() and _step_of(f) is not None and _pictures(f)]
        found = [(_step_of(f), _opened(_pictures(f))) for f in folders] or [(None, _opened(_pictures(place)))]
    found = sorted(found, key=lambda s: -1 if s[0] is None else s[0])
    if not found or not any(len(pictures) for _, pictures in found):
        raise UserError(f"there are no pictures in {place}; wanted: {', '.join(PICTURES)}")
    enough = [(at, pictures) for at, pictures in found if len(pictures) >= FEWEST]
    if not enough:
        most = max(len(pictures) for _, pictures in found)
        raise UserError(
            f"{FEWEST} pictures are the fewest that say anything, {place} has: {most}; of a grid, give --tile"
        )
    return enough


def real_pictures(data: Any, size: int, channels: int) -> Tensor:
    """Some thousand of the real pictures (n c h w) in [-1, 1], in the samples' size and colours."""
    source = ImageSource(data, size=size, channels=channels, labels=False)
    rows = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))[:MOST]
    return source.batch(rows, torch.device("cpu"))["x"]


def _step_of(path: Path) -> int | None:
    """The number that a name ends in."""
    match = re.search(r"(\d+)$", path.stem)
    return int(match.group(1)) if match else None


def _pictures(place: Path) -> list[Path]:
    return [p for p in sorted(place.iterdir()) if p.suffix.lower() in PICTURES]


def _opened(paths: list[Path]) -> Tensor:
    """Pictures of one size and one colour mode.

    Raises:
        UserError: they differ, or one cannot be read.
    """
    found: list[Tensor] = []
    for path in paths[:MOST]:
        x = _picture(path)
        if found and x.shape != found[0].shape:
            first = "x".join(map(str, found[0].shape))
            raise UserError(
                f"samples must have one size and one number of channels: {path} has {'x'.join(map(str, x.shape))}, "
                f"those before it {first}"
            )
        found.append(x)
    return torch.stack(found) if found else torch.zeros(0, 1, 1, 1)


def _picture(path: Path) -> Tensor:
    """(c h w) in [-1, 1]."""
    try:
        with Image.open(path) as opened:
            picture = opened.convert("L" if opened.mode in ("L", "1", "I;16") else "RGB")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as a picture: {error}") from None
    pixels = torch.from_numpy(np.asarray(picture).copy()).float() / 127.5 - 1
    return pixels[None] if pixels.dim() == 2 else pixels.permute(2, 0, 1)


def _tiles(path: Path, tile: int) -> Tensor:
    """The pictures of a grid, whose seams may be a few pixels wide; those of one colour, which fill a row, left out.

    Raises:
        UserError: no number of such tiles fits.
    """
    x = _picture(path)
    for seam in range(SEAM + 1):
        if all((side - seam) % (tile + seam) == 0 and side >= tile for side in x.shape[1:]):
            own = x[:, seam:, seam:].unfold(1, tile, tile + seam).unfold(2, tile, tile + seam)
            tiles = own.permute(1, 2, 0, 3, 4).flatten(0, 1)
            return tiles[tiles.flatten(1).std(1) > 0]
    raise UserError(
        f"{path} is {x.shape[2]}x{x.shape[1]} pixels, no grid of tiles of {tile}; what is a picture's side?"
    )
